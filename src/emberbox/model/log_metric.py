"""What a metric filter makes of a message: a value, and the dimensions it is counted under.

Source: CloudWatch Logs user guide, "Configuring metric values for a metric filter" and
"Publishing dimensions with metrics".
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from emberbox.model.log_filter import compile_filter
from emberbox.model.log_filter_fields import FieldsPattern
from emberbox.model.log_filter_json import JsonPattern, compile_selector
from emberbox.model.log_filter_values import FilterError, number_of
from emberbox.model.metrics import Dimension, SeriesKey, sorted_dimensions
from emberbox.records import dataclass

DIMENSIONS_MAX: Final = 3

Extract = Callable[[str], str | None]


def extracted(pattern: str, message: str) -> dict[str, str]:
    """What a pattern that matches a message names in it; nothing for patterns of terms."""
    compiled = compile_filter(pattern)
    if isinstance(compiled, (FieldsPattern, JsonPattern)):
        return compiled.extracted(message)
    return {}


@dataclass(frozen=True, slots=True)
class Measure:
    """Reads a metric's value and its dimensions out of messages that match a pattern."""

    transformation: Mapping[str, Any]
    value_of: Extract
    dimensions: Mapping[str, Extract]

    @classmethod
    def of(cls, pattern: str, transformation: Mapping[str, Any]) -> "Measure":
        """Compile a transformation in AWS's words. FilterError says what is wrong with it."""
        value = transformation["metricValue"]
        dimensions = transformation.get("dimensions", {})
        if len(dimensions) > DIMENSIONS_MAX:
            raise FilterError(f"A metric filter has at most {DIMENSIONS_MAX} dimensions.")
        if dimensions and "defaultValue" in transformation:
            raise FilterError("A metric with dimensions can have no default value.")
        if not value.startswith("$") and number_of(value) is None:
            raise FilterError(f"Invalid metric transformation: {value} is no number or field.")
        for field in dimensions.values():
            if not field.startswith("$"):
                raise FilterError(f"Invalid metric transformation: {field} is no field.")
        return cls(
            transformation,
            _extract(pattern, value),
            {name: _extract(pattern, field) for name, field in dimensions.items()},
        )

    def read(self, message: str) -> tuple[float, tuple[Dimension, ...]] | None:
        """Value and dimensions; None if the value is no number or a dimension is missing."""
        text = self.value_of(message)
        number = None if text is None else number_of(text)
        if number is None or not math.isfinite(number):
            return None
        found: dict[str, str] = {}
        for name, extract in self.dimensions.items():
            value = extract(message)
            if not value:
                return None
            found[name] = value[:1024]
        return number, sorted_dimensions(found)

    def series(
        self, account: str, region: str, dimensions: tuple[Dimension, ...] = ()
    ) -> SeriesKey:
        """The series that values with these dimensions belong to."""
        its = self.transformation
        unit = its.get("unit", "None")
        return SeriesKey(
            account, region, its["metricNamespace"], its["metricName"], dimensions, unit
        )


def _extract(pattern: str, text: str) -> Extract:
    """A constant, `$.selector` of JSON messages, or `$field` of space-delimited ones."""
    if not text.startswith("$"):
        return lambda _message: text
    compiled = compile_filter(pattern)
    if isinstance(compiled, FieldsPattern):
        if text[1:] not in compiled.names and not text[1:].isdecimal():
            raise FilterError(f"Invalid metric transformation: the pattern has no field {text}.")
        return lambda message: compiled.extracted(message).get(text)
    if isinstance(compiled, JsonPattern):
        return compile_selector(text)
    raise FilterError(f"Invalid metric transformation: the pattern has no field {text}.")
