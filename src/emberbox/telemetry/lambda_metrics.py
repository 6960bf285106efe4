"""The metrics of AWS/Lambda: by function, by what was called, and of all functions together.

Source: "Types of metrics for Lambda functions" of AWS's guide.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from emberbox.model.metrics import Dimension, Point, SeriesKey
from emberbox.telemetry.metrics import MetricSink

NAMESPACE = "AWS/Lambda"

_UNITS = {
    "Duration": "Milliseconds",
    "PostRuntimeExtensionsDuration": "Milliseconds",
    "AsyncEventAge": "Milliseconds",
    "IteratorAge": "Milliseconds",
    "UrlRequestLatency": "Milliseconds",
    "ProvisionedConcurrencyUtilization": "Percent",
}


class Called(NamedTuple):
    """What was called: a function, by the qualifier that was given ("" for none)."""

    account: str
    region: str
    name: str
    qualifier: str = ""


class LambdaMetrics:
    """Adds values to the series that each metric has."""

    def __init__(self, sink: MetricSink) -> None:
        self._sink = sink

    def add(self, metric: str, called: Called, value: float = 1.0, version: str = "") -> None:
        """One value of now. `version` is what ran, where an alias was called."""
        for key in _series(metric, called, version):
            self._sink.add(key, value)

    def merge(self, metric: str, called: Called, at_s: int, point: Point, version: str) -> None:
        """Many values of one minute."""
        for key in _series(metric, called, version):
            self._sink.merge(key, at_s, point)

    def before_reading(self, work: Callable[[], None]) -> None:
        """What brings values that are kept elsewhere until they are wanted."""
        self._sink.before_flush.append(work)


@lru_cache(8_192)
def _series(metric: str, called: Called, version: str) -> tuple[SeriesKey, ...]:
    function = Dimension("FunctionName", called.name)
    resource = f"{called.name}:{called.qualifier}" if called.qualifier else called.name
    sets: list[tuple[Dimension, ...]] = [
        (),
        (function,),
        (function, Dimension("Resource", resource)),
    ]
    if version and called.qualifier and called.qualifier != version:
        sets.append((Dimension("ExecutedVersion", version), *sets[-1]))
    unit = _UNITS.get(metric, "Count")
    return tuple(
        SeriesKey(called.account, called.region, NAMESPACE, metric, dimensions, unit)
        for dimensions in sets
    )
