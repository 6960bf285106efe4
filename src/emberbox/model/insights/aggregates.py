"""The functions of the command stats, each a small state that rows are added to."""

import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from emberbox.model.insights.values import Row, Value, number, shown, sort_key, weight


class Aggregate(Protocol):
    """What one function has made of the rows of one group so far."""

    def add(self, values: Sequence[Value], row: Row) -> int:
        """Take a row's arguments; how many bytes more this holds now."""
        ...

    def value(self) -> Value:
        """The result."""
        ...


class Count:
    """How many rows, or how many that have a field."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, values: Sequence[Value], _row: Row) -> int:
        """Count one."""
        self._count += not values or values[0] is not None
        return 0

    def value(self) -> Value:
        """The count."""
        return self._count


class Distinct:
    """How many different values."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def add(self, values: Sequence[Value], _row: Row) -> int:
        """Remember the value."""
        if values[0] is None:
            return 0
        text = shown(values[0])
        if text in self._seen:
            return 0
        self._seen.add(text)
        return weight(text) + 32

    def value(self) -> Value:
        """The count."""
        return len(self._seen)


class Moments:
    """Sum, mean and deviation of numbers; what is no number is left out."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._count = 0
        self._total = 0.0
        self._mean = 0.0
        self._spread = 0.0

    def add(self, values: Sequence[Value], _row: Row) -> int:
        """Take one number, as Welford does."""
        found = number(values[0])
        if found is not None:
            self._count += 1
            self._total += found
            step = found - self._mean
            self._mean += step / self._count
            self._spread += step * (found - self._mean)
        return 0

    def value(self) -> Value:
        """What was asked for."""
        if self._kind == "sum":
            return self._total
        if not self._count:
            return None
        if self._kind == "avg":
            return self._total / self._count
        return math.sqrt(self._spread / self._count)


class Extreme:
    """The least or the greatest value, as a number or as a text."""

    def __init__(self, sign: int, *, only_numbers: bool) -> None:
        self._sign = sign
        self._only_numbers = only_numbers
        self._best: Value = None

    def add(self, values: Sequence[Value], _row: Row) -> int:
        """Keep the better one."""
        value = number(values[0]) if self._only_numbers else values[0]
        if value is None:
            return 0
        if self._best is None or (sort_key(value) > sort_key(self._best)) == (self._sign > 0):
            self._best = value
        return 0

    def value(self) -> Value:
        """The best."""
        return self._best


class AtEnd:
    """The value of a field in the row that is first or last in time."""

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._when = -math.inf
        self._kept: Value = None

    def add(self, values: Sequence[Value], row: Row) -> int:
        """Keep the value of the row nearer to the end."""
        when = (number(row.get("@timestamp")) or 0.0) * self._sign
        if values[0] is not None and when > self._when:
            self._when, self._kept = when, values[0]
        return 0

    def value(self) -> Value:
        """What was kept."""
        return self._kept


class Percentile:
    """The value that so many percent of all do not exceed, exactly."""

    def __init__(self) -> None:
        self._values = array("d")
        self._percent = 0.0

    def add(self, values: Sequence[Value], _row: Row) -> int:
        """Keep the number."""
        found = number(values[0])
        self._percent = number(values[1]) or 0.0
        if found is None:
            return 0
        self._values.append(found)
        return 8

    def value(self) -> Value:
        """The percentile."""
        if not self._values:
            return None
        place = math.ceil(len(self._values) * min(max(self._percent, 0.0), 100.0) / 100)
        return sorted(self._values)[max(place, 1) - 1]


Maker = Callable[[], Aggregate]
AGGREGATES: Final[Mapping[str, tuple[int, Maker]]] = {
    "count": (1, Count),
    "count_distinct": (1, Distinct),
    "sum": (1, lambda: Moments("sum")),
    "avg": (1, lambda: Moments("avg")),
    "stddev": (1, lambda: Moments("stddev")),
    "min": (1, lambda: Extreme(-1, only_numbers=True)),
    "max": (1, lambda: Extreme(1, only_numbers=True)),
    "sortsfirst": (1, lambda: Extreme(-1, only_numbers=False)),
    "sortslast": (1, lambda: Extreme(1, only_numbers=False)),
    "earliest": (1, lambda: AtEnd(-1)),
    "latest": (1, lambda: AtEnd(1)),
    "pct": (2, Percentile),
}
"""Name -> how many arguments it takes, and what makes one. `count` takes none too."""
