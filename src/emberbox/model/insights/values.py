"""Values of rows: texts, numbers, times. How they compare, and how they are shown."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from emberbox.model.log_filter_values import number_of

Value = str | int | float | None
"""None stands for a field that is not there."""

Row = Mapping[str, Value]

_LATEST_MS = 253_402_300_799_999


class QueryError(ValueError):
    """The text is no query that is carried out here; the message says why."""


class TooLargeError(Exception):
    """The query would hold more in memory than it may."""


class Time(int):
    """Milliseconds since the epoch that are shown as a date."""

    __slots__ = ()


def shown(value: Value) -> str:
    """A value as results have it."""
    if isinstance(value, Time):
        moment = datetime.fromtimestamp(min(max(value, 0), _LATEST_MS) / 1000, UTC)
        return f"{moment:%Y-%m-%d %H:%M:%S}.{value % 1000:03d}"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return "" if value is None else str(value)


def number(value: Value) -> float | None:
    """A value as a number: texts that are numbers count; None if it is none."""
    return None if value is None else number_of(value)


def is_true(value: Value) -> bool:
    """Whether a value counts as true in a filter."""
    return value not in (None, 0, "", "0", "false")


def compare(left: Value, right: Value) -> float | None:
    """-1, 0 or 1, as numbers or as texts; None if one of them is not there.

    A number and a text that is none have no order: not a number, which is unlike 0.
    """
    if left is None or right is None:
        return None
    a, b = number_of(left), number_of(right)
    if a is not None and b is not None:
        return (a > b) - (a < b)
    if a is not None or b is not None:
        return math.nan
    one, other = shown(left), shown(right)
    return (one > other) - (one < other)


def sort_key(value: Value) -> tuple[int, float, str]:
    """The place of a value in an ordering: nothing, then numbers, then texts."""
    if value is None:
        return (0, 0.0, "")
    found = number_of(value)
    if found is not None and not math.isnan(found):
        return (1, found, "")
    return (2, 0.0, shown(value))


def weight(value: Value) -> int:
    """About how many bytes a value takes in memory."""
    return 56 + len(value) if isinstance(value, str) else 32
