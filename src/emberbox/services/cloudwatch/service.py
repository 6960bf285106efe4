"""The service `cloudwatch`: its operations, by name."""

from collections.abc import Mapping

from emberbox.clock import Clock
from emberbox.model.request import Operation
from emberbox.services.cloudwatch.alarm_clock import Act, AlarmClock
from emberbox.services.cloudwatch.alarms import AlarmOperations
from emberbox.services.cloudwatch.metrics import MetricOperations
from emberbox.services.cloudwatch.queries import MetricQueries
from emberbox.storage.alarms import AlarmStore
from emberbox.storage.metrics import MetricStore
from emberbox.telemetry.metrics import MetricSink


class CloudWatchService:
    """Metrics and alarms. `alarm_clock` is to be opened and closed with the server."""

    name = "cloudwatch"

    def __init__(
        self, metrics: MetricStore, alarms: AlarmStore, sink: MetricSink, clock: Clock, act: Act
    ) -> None:
        self.alarm_clock = AlarmClock(alarms, MetricQueries(metrics), sink, clock, act)
        self.operations: Mapping[str, Operation] = {
            **MetricOperations(metrics, sink, clock).operations,
            **AlarmOperations(alarms, clock, self.alarm_clock).operations,
        }
