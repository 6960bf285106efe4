"""How a function, a version or an alias treats what it is invoked with asynchronously.

Source: API reference of Lambda (FunctionEventInvokeConfig) and the guide's page on asynchronous
invocation.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from emberbox.model.async_invocation import AGE_MAX_DEFAULT_S, RETRIES_DEFAULT
from emberbox.model.configuration import invalid
from emberbox.model.names import BadNameError, FunctionReference, parse_function_arn
from emberbox.records import dataclass

_SUCCESS: Final = frozenset({"sqs", "sns", "events", "lambda"})
_FAILURE: Final = _SUCCESS | {"s3"}
_ARN: Final = re.compile(
    r"arn:aws[a-zA-Z-]*:(?:"
    r"sqs:[a-z0-9-]+:\d{12}:[\w-]{1,80}"
    r"|sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}"
    r"|events:[a-z0-9-]+:\d{12}:event-bus/[\w./-]{1,256}"
    r"|lambda:[a-z0-9-]+:\d{12}:function:[\w-]{1,64}(?::(?:\$LATEST|[\w-]{1,128}))?"
    r"|s3:::[a-z0-9.-]{3,63}"
    r")\Z"
)


@dataclass(frozen=True, slots=True)
class EventInvoke:
    """The settings that count, defaults filled in. Destinations are ARNs."""

    age_s: float = AGE_MAX_DEFAULT_S
    retries: int = RETRIES_DEFAULT
    on_success: str | None = None
    on_failure: str | None = None


def event_invoke_of(value: Mapping[str, Any] | None) -> EventInvoke:
    """The settings in a stored configuration; None has nothing but defaults."""
    given = value or {}
    destinations = given.get("DestinationConfig") or {}
    return EventInvoke(
        given.get("MaximumEventAgeInSeconds", AGE_MAX_DEFAULT_S),
        given.get("MaximumRetryAttempts", RETRIES_DEFAULT),
        _destination(destinations, "OnSuccess"),
        _destination(destinations, "OnFailure"),
    )


def check_destinations(
    config: Mapping[str, Any], account: str, region: str, name: str
) -> list[FunctionReference]:
    """The functions among the destinations, which must exist.

    CallerError unless a function of the account and region may have these destinations.
    """
    success, failure = _destination(config, "OnSuccess"), _destination(config, "OnFailure")
    functions = []
    for arn, services in ((success, _SUCCESS), (failure, _FAILURE)):
        if arn is None:
            continue
        if not _ARN.match(arn) or arn.split(":")[2] not in services:
            raise invalid(
                "The provided destination config DestinationConfig("
                f"onSuccess={_shown('OnSuccess', success)}, "
                f"onFailure={_shown('OnFailure', failure)}) is invalid."
            )
        found = _function(arn)
        if found is not None:
            if (found.account, found.region, found.name) == (account, region, name):
                raise invalid("You can't specify the function as a destination for itself.")
            functions.append(found)
    return functions


def _function(arn: str) -> FunctionReference | None:
    if arn.split(":")[2] != "lambda":
        return None
    try:
        return parse_function_arn(arn)
    except BadNameError:
        raise invalid(f"The destination ARN {arn} is invalid.") from None


def _destination(config: Mapping[str, Any], member: str) -> str | None:
    return (config.get(member) or {}).get("Destination") or None


def _shown(member: str, arn: str | None) -> str:
    return "null" if arn is None else f"{member}(destination={arn})"
