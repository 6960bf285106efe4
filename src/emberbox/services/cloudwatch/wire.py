"""What CloudWatch's operations share: errors, keys of series, times."""

import base64
from datetime import datetime
from typing import Any

from emberbox.errors import CallerError
from emberbox.model.metrics import SeriesKey, sorted_dimensions
from emberbox.model.request import Params, RequestContext

_SHORT_PERIODS = (1, 5, 10, 20, 30)


def invalid(message: str) -> CallerError:
    """A parameter has a value it must not have."""
    return CallerError("InvalidParameterValueException", message, status=400)


def combination(message: str) -> CallerError:
    """Parameters do not go together."""
    return CallerError("InvalidParameterCombinationException", message, status=400)


def missing(message: str) -> CallerError:
    """A parameter is needed and not there."""
    return CallerError("MissingRequiredParameterException", message, status=400)


def bad_token() -> CallerError:
    """A token that no operation has given."""
    return CallerError("InvalidNextToken", "The next token specified is invalid.", status=400)


def validation(message: str) -> CallerError:
    """What CloudWatch calls a validation error."""
    return CallerError("ValidationError", message, status=400)


def is_period(seconds_long: int) -> bool:
    """Whether data points may be asked for by so many seconds."""
    return seconds_long in _SHORT_PERIODS or (seconds_long >= 60 and seconds_long % 60 == 0)


def series_key(context: RequestContext, metric: Params, unit: str | None = None) -> SeriesKey:
    """The series that Namespace, MetricName and Dimensions name."""
    pairs = {each["Name"]: each["Value"] for each in metric.get("Dimensions") or ()}
    return SeriesKey(
        context.account,
        context.region,
        metric["Namespace"],
        metric["MetricName"],
        sorted_dimensions(pairs),
        unit or "None",
    )


def seconds(moment: Any) -> float:
    """A time of the wire as epoch seconds."""
    return moment.timestamp() if isinstance(moment, datetime) else float(moment)


def to_token(value: str) -> str:
    """A place in a listing as an opaque token."""
    return base64.urlsafe_b64encode(f"cw:{value}".encode()).decode()


def from_token(token: str | None) -> str:
    """The place that a token names; "" for the beginning."""
    if not token:
        return ""
    try:
        mark, _, value = base64.urlsafe_b64decode(token).decode().partition(":")
    except ValueError:
        raise bad_token() from None
    if mark != "cw":
        raise bad_token()
    return value


def number_in(token: str | None, default: int = 0) -> int:
    """The number that a token names."""
    value = from_token(token)
    if not value:
        return default
    if not value.isdecimal():
        raise bad_token()
    return int(value)
