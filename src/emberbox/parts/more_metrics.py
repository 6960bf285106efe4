"""Metrics that are made of what others know: concurrency, provisioned or not, and lines of logs."""

from emberbox.environment.fleet import Fleet
from emberbox.functions.provisioning import provisioned_of
from emberbox.invoke.frontdoor import FrontDoor
from emberbox.model.metrics import Dimension, SeriesKey
from emberbox.parts.logs import Logs
from emberbox.parts.metrics import Metrics
from emberbox.storage.catalog import FunctionCatalog
from emberbox.telemetry.embedded_metrics import EmbeddedMetrics
from emberbox.telemetry.lambda_metrics import NAMESPACE
from emberbox.telemetry.provisioned_metrics import ProvisionedMetrics


def measure_more(
    metrics: Metrics,
    front_door: FrontDoor,
    fleet: Fleet,
    logs: Logs,
    catalog: FunctionCatalog,
) -> None:
    """Let them be counted, and written with the others."""
    sink, clock = metrics.sink, logs.clock

    def give_concurrency() -> None:
        functions, accounts, unreserved = front_door.take_peaks()
        provisioned = provisioned_of(catalog) if accounts else {}
        for (account, region, name), most in functions.items():
            dimensions = (Dimension("FunctionName", name),)
            sink.add(_key(account, region, "ConcurrentExecutions", dimensions), most)
        for place, most in accounts.items():
            sink.add(_key(*place, "ConcurrentExecutions"), most)
            set_aside = catalog.reserved_in(*place) + provisioned.get(place, 0)
            claimed = unreserved.get(place, 0) + set_aside
            sink.add(_key(*place, "ClaimedAccountConcurrency"), claimed)
        for place, most in unreserved.items():
            sink.add(_key(*place, "UnreservedConcurrentExecutions"), most)

    sink.before_flush.append(give_concurrency)
    fleet.ran_provisioned = ProvisionedMetrics(metrics.of_lambda, clock).ran
    logs.sink.metrics_heard = EmbeddedMetrics(sink, clock).heard


def _key(
    account: str, region: str, metric: str, dimensions: tuple[Dimension, ...] = ()
) -> SeriesKey:
    return SeriesKey(account, region, NAMESPACE, metric, dimensions, "Count")
