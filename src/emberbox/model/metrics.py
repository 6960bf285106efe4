"""Metric data points and their arithmetic: statistics, percentiles, periods.

Source: "CloudWatch concepts" and "CloudWatch statistics definitions" of AWS's guide.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import NamedTuple

from emberbox.records import dataclass

DISTINCT_MAX = 128
"""Distinct values that a point keeps exactly; with more, values are kept to three digits."""

_PERCENTILE = re.compile(r"(?:p|P)(\d{1,3}(?:\.\d{1,10})?)\Z")
_BOUNDED = re.compile(r"(tm|wm|tc|ts|TM|WM|TC|TS|PR|pr)\((\d*(?:\.\d+)?%?):(\d*(?:\.\d+)?%?)\)\Z")
_SHORT = re.compile(r"(tm|wm|tc|ts)(\d{1,2}(?:\.\d{1,10})?)\Z")
BASIC = ("SampleCount", "Average", "Sum", "Minimum", "Maximum", "IQM")


class Dimension(NamedTuple):
    """A name and a value that tell one series of a metric from another."""

    name: str
    value: str


class SeriesKey(NamedTuple):
    """A metric as one account has it in one region; dimensions in the order of their names."""

    account: str
    region: str
    namespace: str
    name: str
    dimensions: tuple[Dimension, ...] = ()
    unit: str = "None"


@dataclass(slots=True)
class Point:
    """What was measured within one unit of time: a statistic set, and the values it is made of.

    `values` maps a value to how often it came. It is empty for sets of which only the statistics
    are known: they have no percentiles.
    """

    count: float = 0.0
    total: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    values: dict[float, float] = field(default_factory=dict)
    is_opaque: bool = False

    def add(self, value: float, count: float = 1.0) -> None:
        """Take one value in."""
        self.count += count
        self.total += value * count
        self.low = min(self.low, value)
        self.high = max(self.high, value)
        if value not in self.values and len(self.values) >= DISTINCT_MAX:
            value = _three_digits(value)
        self.values[value] = self.values.get(value, 0.0) + count

    def merge(self, other: "Point") -> None:
        """Take another set in."""
        self.count += other.count
        self.total += other.total
        self.low = min(self.low, other.low)
        self.high = max(self.high, other.high)
        self.is_opaque = self.is_opaque or other.is_opaque
        for value, count in other.values.items():
            self.values[value] = self.values.get(value, 0.0) + count
        if len(self.values) > DISTINCT_MAX:
            rounded: dict[float, float] = {}
            for value, count in self.values.items():
                key = _three_digits(value)
                rounded[key] = rounded.get(key, 0.0) + count
            self.values = rounded


def statistic_set(count: float, total: float, low: float, high: float) -> Point:
    """A set of which only the statistics are known; percentiles of it exist if all is one value."""
    if count == 1 or low == high:
        point = Point()
        point.add(low, count)
        point.total = total
        return point
    return Point(count, total, low, high, is_opaque=True)


def is_statistic(name: str) -> bool:
    """Whether the text names a statistic, percentiles and trimmed ones included."""
    return name in BASIC or bool(
        _PERCENTILE.match(name) or _BOUNDED.match(name) or _SHORT.match(name)
    )


def statistic(point: Point, name: str) -> float | None:
    """A statistic of a point; None if it cannot be had of it."""
    match name:
        case "SampleCount":
            return point.count
        case "Sum":
            return point.total
        case "Average":
            return point.total / point.count if point.count else None
        case "Minimum":
            return point.low
        case "Maximum":
            return point.high
        case _:
            return None if point.is_opaque else _of_values(point, name)


def _of_values(point: Point, name: str) -> float | None:
    percentile = _PERCENTILE.match(name)
    if percentile:
        return _percentile(point, float(percentile[1]))
    if name == "IQM":
        return _trimmed(point, "tm", _percentile(point, 25), _percentile(point, 75))
    short = _SHORT.match(name)
    if short:
        return _trimmed(point, short[1], -math.inf, _percentile(point, float(short[2])))
    bounded = _BOUNDED.match(name)
    if bounded is None:
        return None
    low, high = _bound(point, bounded[2], -math.inf), _bound(point, bounded[3], math.inf)
    return _trimmed(point, bounded[1].lower(), low, high)


def _bound(point: Point, text: str, default: float) -> float:
    if not text:
        return default
    if text.endswith("%"):
        return _percentile(point, float(text[:-1]))
    return float(text)


def _trimmed(point: Point, kind: str, low: float, high: float) -> float | None:
    within = {v: c for v, c in point.values.items() if low <= v <= high}
    count = sum(within.values())
    total = sum(v * c for v, c in within.items())
    if kind == "tc":
        return count
    if kind == "ts":
        return total
    if kind == "pr":
        return 100.0 * count / point.count if point.count else None
    if kind == "wm":
        clipped = sum(min(max(v, low), high) * c for v, c in point.values.items())
        return clipped / point.count if point.count else None
    return total / count if count else None


def _percentile(point: Point, percent: float) -> float:
    """The smallest value that so many percent of all values do not exceed."""
    wanted = point.count * percent / 100
    seen = 0.0
    for value in sorted(point.values):
        seen += point.values[value]
        if seen >= wanted - 1e-9:
            return value
    return point.high


def by_period(points: Iterable[tuple[int, Point]], period_s: int) -> dict[int, Point]:
    """Points (start in epoch seconds, point) merged into periods, each by its start."""
    merged: dict[int, Point] = {}
    for at, point in points:
        merged.setdefault(at - at % period_s, Point()).merge(point)
    return dict(sorted(merged.items()))


def sorted_dimensions(pairs: Mapping[str, str]) -> tuple[Dimension, ...]:
    """Dimensions in the order a series key has them."""
    return tuple(Dimension(name, pairs[name]) for name in sorted(pairs))


def _three_digits(value: float) -> float:
    return float(f"{value:.3g}")
