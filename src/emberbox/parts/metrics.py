"""Metrics: their database, what collects them, and the service that shows them."""

from emberbox.parts.ground import Ground
from emberbox.records import dataclass
from emberbox.services.cloudwatch.actions import Actions
from emberbox.services.cloudwatch.service import CloudWatchService
from emberbox.storage.alarms import AlarmStore
from emberbox.storage.database import Database
from emberbox.storage.metrics import MetricStore
from emberbox.telemetry.lambda_metrics import LambdaMetrics
from emberbox.telemetry.metrics import MetricSink


@dataclass(frozen=True, slots=True)
class Metrics:
    """What others need of them. `actions` learns later whom alarms can tell."""

    sink: MetricSink
    of_lambda: LambdaMetrics
    service: CloudWatchService
    actions: Actions


async def open_metrics(ground: Ground) -> Metrics:
    """Open them; they close when the stack unwinds. The newest survive the server, not the host."""
    database = await Database.open(ground.data / "metrics.db", "metrics", durable=False)
    ground.stack.push_async_callback(database.close)
    store = MetricStore(database)
    sink = MetricSink(store, ground.clock)
    sink.open()
    ground.stack.push_async_callback(sink.close)
    actions = Actions()
    service = CloudWatchService(store, AlarmStore(database), sink, ground.clock, actions)
    service.alarm_clock.open()
    ground.stack.push_async_callback(service.alarm_clock.close)
    return Metrics(sink, LambdaMetrics(sink), service, actions)
