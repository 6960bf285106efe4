"""Provisioned concurrency: how many environments of which version are kept, and how that stands.

Source: "Configuring provisioned concurrency for a function" of the Lambda guide; the literals are
the service's own.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import NamedTuple

from emberbox.errors import CallerError
from emberbox.model.configuration import invalid, untyped
from emberbox.model.function import FunctionVersion

UNRESERVED_MIN = 100
INIT_FAILURE = "FUNCTION_ERROR_INIT_FAILURE"


class Status(Enum):
    """`Status` of a configuration (botocore lambda model)."""

    IN_PROGRESS = "IN_PROGRESS"
    READY = "READY"
    FAILED = "FAILED"


class Allocation(NamedTuple):
    """How many initialised environments a version has, and why not more, if that is known."""

    allocated: int = 0
    failure: str = ""

    def of(self, requested: int) -> "Allocation":
        """The part of it that one configuration may count as its own."""
        return self._replace(allocated=min(self.allocated, requested))

    def status(self, requested: int) -> Status:
        """How a configuration that asked for so many stands."""
        if self.allocated >= requested:
            return Status.READY
        return Status.FAILED if self.failure else Status.IN_PROGRESS


def wanted(requested: Mapping[str, int], aliases: Mapping[str, str]) -> Counter[str]:
    """Version -> environments to keep, from what is requested by qualifier; `aliases`: to version.

    An alias counts for the version that it points at, whatever its weights.
    """
    found: Counter[str] = Counter()
    for qualifier, count in requested.items():
        found[aliases.get(qualifier, qualifier)] += count
    return found


def check_qualifier(
    qualifier: str, function: FunctionVersion, configured: Iterable[str], aliases: Mapping[str, str]
) -> None:
    """CallerError if a version or alias cannot have a configuration besides those there are."""
    others = set(configured) - {qualifier}
    if function.snap_start:
        raise invalid("Provisioned Concurrency is not supported for SnapStart enabled functions.")
    if qualifier in aliases and aliases[qualifier] in others:
        raise _conflict(
            "Alias can't be used for Provisioned Concurrency configuration on an already "
            "Provisioned version"
        )
    if any(aliases.get(other) == qualifier for other in others):
        raise _conflict("Version is pointed by a Provisioned Concurrency alias")


def check_amount(requested: int, of_others: int, limit: int) -> None:
    """CallerError if the account would have too little concurrency left for everything else.

    `limit` is what of its concurrency is not reserved.
    """
    if requested > limit:
        raise untyped(
            "Specified ConcurrentExecutions for function is greater than account's unreserved "
            f"concurrency [{limit}]."
        )
    if limit - of_others - requested < UNRESERVED_MIN:
        raise untyped(
            "Specified ConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{UNRESERVED_MIN}]."
        )


def unpublished() -> CallerError:
    """The error for a configuration that `$LATEST` is to have."""
    return invalid(
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    )


def never_published() -> CallerError:
    """The error for one that `$LATEST` is said to have."""
    return invalid("The function resource provided must be an alias or a published version.")


def _conflict(message: str) -> CallerError:
    return CallerError("ResourceConflictException", message, status=409)
