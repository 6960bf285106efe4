"""The metrics of asynchronous events, counted until they are wanted.

Source: "Types of metrics for Lambda functions" of AWS's guide, asynchronous invocation.
"""

from emberbox.clock import Clock
from emberbox.model.async_invocation import QueuedEvent
from emberbox.model.metrics import Point
from emberbox.telemetry.lambda_metrics import Called, LambdaMetrics

_MINUTE_S = 60


class AsyncMetrics:
    """Counts events by what they were for and by the minute; metrics get sums of many."""

    def __init__(self, metrics: LambdaMetrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._points: dict[tuple[str, Called, int], Point] = {}
        metrics.before_reading(self._give)

    def __call__(self, metric: str, event: QueuedEvent, value: float) -> None:
        """Add a value of now."""
        account, region, name, qualifier = event[:4]
        minute = int(self._clock.now()) // _MINUTE_S
        place = (metric, Called(account, region, name, qualifier), minute)
        point = self._points.get(place)
        if point is None:
            point = self._points[place] = Point()
        point.add(value)

    def _give(self) -> None:
        points, self._points = self._points, {}
        for (metric, called, minute), point in points.items():
            self._metrics.merge(metric, called, minute * _MINUTE_S, point, "")
