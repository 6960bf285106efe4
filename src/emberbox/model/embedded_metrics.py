"""The embedded metric format: data points in a line of a log.

Source: "Specification: Embedded metric format" of CloudWatch's guide.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from emberbox.records import dataclass

MARK = b'"_aws"'
LINE_MAX_BYTES = 1_048_576
_DIRECTIVES_MAX = 100
_METRICS_MAX = 100
_DIMENSIONS_MAX = 30
_SETS_MAX = 100
_VALUES_MAX = 100
_LINE_DATA_MAX = 100
_LINE_VALUES_MAX = 1_000
_TEXT_MAX = 1_024
_PAST_S = 14 * 86_400
_FUTURE_S = 2 * 3_600
_SIZES = {
    "Bytes",
    "Bits",
    *(f"{p}{u}" for p in ("Kilo", "Mega", "Giga", "Tera") for u in ("bytes", "bits")),
}
UNITS = frozenset(
    {"Seconds", "Microseconds", "Milliseconds", "Percent", "Count", "Count/Second", "None"}
    | _SIZES
    | {f"{size}/Second" for size in _SIZES}
)


class Datum(NamedTuple):
    """Values of one metric; dimensions in the order of their names."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    unit: str
    at_s: int
    values: tuple[float, ...]


@dataclass(slots=True)
class _Room:
    """What a line may still hold: its lists are short, but they multiply."""

    data: int = _LINE_DATA_MAX
    values: int = _LINE_VALUES_MAX

    def take(self, *, data: int = 0, values: int = 0) -> None:
        """Before they are built; FormatError if they are too many."""
        self.data -= data
        self.values -= values
        if self.data < 0 or self.values < 0:
            raise FormatError("a line has too many data points or values")


class FormatError(ValueError):
    """The line is meant as metrics and is not in the format: `EMFParsingErrors`."""


class TargetError(ValueError):
    """It names values that are not there, or cannot be values: `EMFValidationErrors`."""


def read(line: bytes, now: float) -> list[Datum]:
    """The data points of a line, none if it is not meant as metrics; FormatError, TargetError."""
    if len(line) > LINE_MAX_BYTES or not line.lstrip().startswith(b"{"):
        return []
    try:
        root = orjson.loads(line)
    except ValueError:
        return []
    about = root.get("_aws")
    if not isinstance(about, dict) or "CloudWatchMetrics" not in about:
        return []
    at = about.get("Timestamp")
    if not isinstance(at, int) or isinstance(at, bool):
        raise FormatError("Timestamp is no number of milliseconds")
    if not now - _PAST_S <= at / 1000 <= now + _FUTURE_S:
        raise TargetError("Timestamp is too far from now")
    directives = _list(about["CloudWatchMetrics"], _DIRECTIVES_MAX)
    room = _Room()
    return [datum for each in directives for datum in _directive(each, root, at // 1000, room)]


def _directive(
    directive: object, root: Mapping[str, Any], at_s: int, room: _Room
) -> Iterator[Datum]:
    if not isinstance(directive, dict):
        raise FormatError("a directive is no object")
    namespace = _text(directive.get("Namespace"))
    if namespace.startswith("AWS/"):
        raise TargetError("Namespace is AWS's own")
    sets = _list(directive.get("Dimensions", [[]]), _SETS_MAX)
    metrics = _list(directive.get("Metrics"), _METRICS_MAX)
    room.take(data=max(1, len(sets)) * max(1, len(metrics)))
    dimensions = [_dimensions(names, root) for names in sets]
    for metric in metrics:
        if not isinstance(metric, dict):
            raise FormatError("a metric is no object")
        name, unit = _text(metric.get("Name")), metric.get("Unit", "None")
        resolution = metric.get("StorageResolution", 60)
        if not isinstance(unit, str) or unit not in UNITS or resolution not in (1, 60):
            raise FormatError("Unit or StorageResolution is none that CloudWatch has")
        found = root.get(name)
        room.take(values=max(1, len(sets)) * (len(found) if isinstance(found, list) else 1))
        values = _values(found)
        for pairs in dimensions:
            yield Datum(namespace, name, pairs, unit, at_s - at_s % resolution, values)


def _dimensions(names: object, root: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    pairs = {}
    for name in _list(names, _DIMENSIONS_MAX):
        value = root.get(_text(name))
        if not isinstance(value, str) or not 0 < len(value) <= _TEXT_MAX:
            raise TargetError(f"dimension {name} has no value")
        pairs[str(name)] = value
    return tuple(sorted(pairs.items()))


def _values(found: object) -> tuple[float, ...]:
    values: list[Any] = found if isinstance(found, list) else [found]
    if not 0 < len(values) <= _VALUES_MAX or not all(_is_number(value) for value in values):
        raise TargetError("a metric has no value")
    return tuple(float(value) for value in values)


def _is_number(value: object) -> bool:
    # CloudWatch takes values of 2^-360 to 2^360; infinities and what is no number are outside.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 2**360


def _list(found: object, most: int) -> list[Any]:
    if not isinstance(found, list) or len(found) > most:
        raise FormatError("a list is missing or too long")
    return found


def _text(found: object) -> str:
    if not isinstance(found, str) or not 0 < len(found) <= _TEXT_MAX:
        raise FormatError("a name is missing or too long")
    return found
