"""The metrics of provisioned concurrency: who ran on it, who spilled over, how much of it was used.

Source: "Types of metrics for Lambda functions" of AWS's guide.
"""

from dataclasses import field

from emberbox.clock import Clock
from emberbox.model.function import FunctionVersion
from emberbox.model.metrics import Point
from emberbox.records import dataclass
from emberbox.telemetry.lambda_metrics import Called, LambdaMetrics


@dataclass(slots=True)
class _Counts:
    ahead: int = 0
    spilled: int = 0
    executions: Point = field(default_factory=Point)
    used: Point = field(default_factory=Point)


class ProvisionedMetrics:
    """Counts invocations of versions with provisioned concurrency until metrics are written."""

    def __init__(self, metrics: LambdaMetrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._counts: dict[tuple[Called, str], _Counts] = {}
        metrics.before_reading(self._give)

    def ran(
        self, function: FunctionVersion, invoked_arn: str, busy: int, ready: int, *, ahead: bool
    ) -> None:
        """One has ended, on an environment initialised `ahead` or not; `busy` of `ready` worked."""
        qualifier = invoked_arn.partition(f":function:{function.name}")[2][1:]
        place = (Called(*function.key, qualifier), function.version)
        counts = self._counts.get(place)
        if counts is None:
            counts = self._counts[place] = _Counts()
        if ahead:
            counts.ahead += 1
        else:
            counts.spilled += 1
        if ready:
            counts.executions.add(busy)
            counts.used.add(busy / ready)

    def _give(self) -> None:
        counted, self._counts = self._counts, {}
        now = int(self._clock.now())
        for (called, version), counts in counted.items():
            points = {
                "ProvisionedConcurrencyInvocations": _ones(counts.ahead),
                "ProvisionedConcurrencySpilloverInvocations": _ones(counts.spilled),
                "ProvisionedConcurrentExecutions": counts.executions,
                "ProvisionedConcurrencyUtilization": counts.used,
            }
            for metric, point in points.items():
                if point.count:
                    self._metrics.merge(metric, called, now - now % 60, point, version)


def _ones(count: int) -> Point:
    point = Point()
    if count:
        point.add(1.0, count)
    return point
