"""Scalars as text and as JSON numbers: timestamps, numbers, booleans, blobs; both directions."""

import binascii
import math
import re
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any, Final

from emberbox.gateway.shapes import Shape
from emberbox.gateway.wire import OutputError, UnreadableError

ISO8601: Final = "iso8601"
RFC822: Final = "rfc822"
UNIX: Final = "unixtimestamp"

_RANGES: Final = {"integer": 2**31, "long": 2**63}
_FLOAT: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?\Z")
_INTEGER: Final = re.compile(r"[+-]?[0-9]+\Z")
_UNIX_TEXT: Final = re.compile(r"-?[0-9]{1,13}(\.[0-9]{1,9})?\Z")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WORDS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_BOOLEANS: Final = {"true": True, "false": False}
_TEXT_MAX: Final = 64


def read_text(shape: Shape, text: str, stamp_format: str) -> Any:
    """The value that a text (header, query field, XML element) holds for a scalar shape."""
    match shape.type:
        case "string":
            return text
        case "integer" | "long":
            return read_integer(shape, text)
        case "float" | "double":
            return read_float(text)
        case "boolean":
            return read_boolean(text)
        case "timestamp":
            return read_timestamp(text, shape.timestamp_format or stamp_format)
        case "blob":
            return read_blob(text)
        case _:
            raise UnreadableError(f"Unexpected text where a {shape.type} was expected")


def write_text(shape: Shape, value: Any, stamp_format: str) -> str:
    """The text of a scalar value."""
    match shape.type:
        case "string":
            return str(check(value, str))
        case "integer" | "long":
            return str(check(value, int))
        case "float" | "double":
            return str(special_or_float(value))
        case "boolean":
            return "true" if check(value, bool) else "false"
        case "timestamp":
            return write_timestamp(value, shape.timestamp_format or stamp_format)
        case "blob":
            return write_blob(value)
        case _:
            raise OutputError(f"{shape.type} cannot be written as text")


def read_integer(shape: Shape, text: str) -> int:
    """An integer within the range of its type."""
    if not _INTEGER.match(text):
        raise UnreadableError(f"'{_cut(text)}' is not an integer")
    if len(text) > _TEXT_MAX:
        raise _out_of_range(shape)
    return in_range(shape, int(text))


def in_range(shape: Shape, number: int) -> int:
    """The number itself if the shape's type can hold it."""
    bound = _RANGES[shape.type]
    if not -bound <= number < bound:
        raise _out_of_range(shape)
    return number


def _out_of_range(shape: Shape) -> UnreadableError:
    """Without the number: a JSON parser may have rounded it, and a text may be of any length."""
    bound = _RANGES[shape.type]
    return UnreadableError(f"Numeric value out of range of {shape.type} ({-bound} - {bound - 1})")


def read_float(text: str) -> float:
    """A float, the words NaN, Infinity and -Infinity included."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _TEXT_MAX or not _FLOAT.match(text):
        raise UnreadableError(f"'{_cut(text)}' is not a number")
    return float(text)


def special_or_float(value: Any) -> float | str:
    """A float as JSON can carry it: numbers as they are, the three special values as words."""
    number = float(check(value, (int, float)))
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def read_boolean(text: str) -> bool:
    """`true` or `false`, in any case."""
    found = _BOOLEANS.get(text.lower())
    if found is None:
        raise UnreadableError(f"'{_cut(text)}' is not a boolean")
    return found


def read_blob(text: str) -> bytes:
    """The bytes of a base64 text; line breaks are forgiven, anything else is not."""
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass
    try:
        return b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise UnreadableError("a blob is not valid base64") from None


def write_blob(value: Any) -> str:
    """The base64 text of bytes."""
    return b64encode(value.encode() if isinstance(value, str) else check(value, bytes)).decode()


def read_timestamp(text: str, stamp_format: str) -> datetime:
    """An aware datetime; what is not in the expected format is tried as the others."""
    text = text.strip()
    try:
        if len(text) > _TEXT_MAX:
            raise UnreadableError(f"'{_cut(text)}' is not a timestamp")
        if _UNIX_TEXT.match(text):
            return from_epoch(float(text))
        if stamp_format == RFC822 or "," in text:
            return _aware(parsedate_to_datetime(text))
        return _aware(datetime.fromisoformat(text))
    except (ValueError, TypeError, OverflowError):
        raise UnreadableError(f"'{_cut(text)}' is not a timestamp") from None


def from_epoch(seconds: float) -> datetime:
    """The aware datetime of seconds since the epoch, exact to the microsecond."""
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        raise UnreadableError(f"{seconds} is not a timestamp") from None


def write_timestamp(value: Any, stamp_format: str) -> str:
    """A moment (datetime, or seconds since the epoch) as text."""
    moment = as_datetime(value)
    if stamp_format == RFC822:
        return format_datetime(moment, usegmt=True)
    if stamp_format == UNIX:
        return str(to_epoch(moment))
    return f"{iso_date_time(moment)}{_fraction(moment)}Z"


def iso_date_time(moment: datetime) -> str:
    """Date and time of day to the second, without a zone."""
    return moment.replace(microsecond=0, tzinfo=None).isoformat()


def to_epoch(value: Any) -> int | float:
    """Seconds since the epoch, an integer if they are whole."""
    if isinstance(value, datetime):
        since = _aware(value) - _EPOCH
        whole = since.days * 86_400 + since.seconds
        # Rounded: the sum may have digits that are no part of the moment.
        return round(whole + since.microseconds / 1e6, 6) if since.microseconds else whole
    seconds = check(value, (int, float))
    return int(seconds) if float(seconds).is_integer() else float(seconds)


def as_datetime(value: Any) -> datetime:
    """A moment as an aware datetime in UTC."""
    if isinstance(value, datetime):
        return _aware(value).astimezone(UTC)
    return from_epoch(check(value, (int, float)))


def check(value: Any, kind: type | tuple[type, ...]) -> Any:
    """The value itself; OutputError if an operation gave something of another type."""
    if not isinstance(value, kind):
        raise OutputError(f"expected {kind}, got {type(value).__name__}")
    return value


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _fraction(moment: datetime) -> str:
    if not moment.microsecond:
        return ""
    if moment.microsecond % 1000:
        return f".{moment.microsecond:06d}"
    return f".{moment.microsecond // 1000:03d}"


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT_MAX else f"{text[:_TEXT_MAX]}…"
