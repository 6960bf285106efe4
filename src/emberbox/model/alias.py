"""Aliases: names for versions, and how their weights share out invocations.

Source: API reference of Lambda (CreateAlias, AliasRoutingConfiguration) and the guide's page on
weighted aliases.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field

from emberbox.errors import CallerError
from emberbox.model.configuration import invalid, untyped, validation_error
from emberbox.model.function import FunctionVersion
from emberbox.model.names import LATEST, function_arn
from emberbox.records import dataclass

_PARTS = 1_000_000
_ADDITIONAL_MAX = 1


@dataclass(frozen=True, slots=True)
class Alias:
    """A name that points at one version of a function, and perhaps sends a share to another.

    `weights` is version -> share of the invocations, 0.0 to 1.0; what is left runs `version`.
    """

    account: str
    region: str
    function: str
    name: str
    version: str
    revision_id: str
    description: str = ""
    weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """The function's ARN with this alias."""
        return function_arn(self.account, self.region, self.function, self.name)

    @property
    def key(self) -> tuple[str, str, str]:
        """Account, region and name of the function."""
        return (self.account, self.region, self.function)

    @property
    def versions(self) -> frozenset[str]:
        """All versions that it can lead to."""
        return frozenset((self.version, *self.weights))

    def nth_version(self, count: int) -> str:
        """The version that an invocation runs, the first one having `count` 0.

        Of any number of invocations in a row from the first, the share of each version is exact to
        one invocation.
        """
        for version, weight in self.weights.items():
            parts = round(weight * _PARTS)
            if (count + 1) * parts // _PARTS > count * parts // _PARTS:
                return version
        return self.version


def check_routing(version: str, weights: Mapping[str, float]) -> None:
    """CallerError unless an alias for `version` may have these weights.

    Whether the versions exist is not looked at.
    """
    if len(weights) > _ADDITIONAL_MAX:
        raise invalid(
            f"Number of items in AdditionalVersionWeights cannot be greater than {_ADDITIONAL_MAX}"
        )
    for other, weight in weights.items():
        if not 0.0 <= weight <= 1.0:
            raise _broken(
                f"{other}={weight}",
                "Map value must satisfy constraint: [Member must have value less than or equal to "
                "1.0, Member must have value greater than or equal to 0.0, Member must not be "
                "null]",
            )
        if other == version:
            raise invalid(
                f"Invalid function version {version}. Function version {version} is already "
                "included in routing configuration."
            )
        if version == LATEST:
            raise untyped("$LATEST is not supported for an alias pointing to more than 1 version")
        if not other.isdecimal():
            raise _broken(
                f"{other}={weight}",
                "Map keys must satisfy constraint: [Member must have length less than or equal to "
                "1024, Member must have length greater than or equal to 1, Member must satisfy "
                "regular expression pattern: [0-9]+, Member must not be null]",
            )


def check_share(versions: Sequence[FunctionVersion]) -> None:
    """CallerError unless all these versions of a function may stand behind one alias."""
    if len({each.role for each in versions}) > 1:
        raise invalid("Specified versions must be associated with the same execution role")
    if len({each.dead_letter_arn for each in versions}) > 1:
        raise invalid("Specified versions must have the same dead letter queue, or none")


def _broken(shown: str, constraint: str) -> CallerError:
    return validation_error(
        [
            f"Value '{{{shown}}}' at 'routingConfig.additionalVersionWeights' failed to satisfy "
            f"constraint: {constraint}"
        ]
    )
