"""The service `xray`: its operations, by name."""

from collections.abc import Mapping

from emberbox.clock import Clock
from emberbox.model.request import Operation
from emberbox.services.xray.putting import PuttingOperations
from emberbox.services.xray.reading import ReadingOperations
from emberbox.services.xray.sampling import SamplingOperations
from emberbox.storage.traces import TraceStore
from emberbox.telemetry.traces import TraceSink


class XRayService:
    """AWS X-Ray over one store; what waits in the sink is written before anybody reads."""

    name = "xray"

    def __init__(self, store: TraceStore, sink: TraceSink, clock: Clock) -> None:
        self.operations: Mapping[str, Operation] = {
            **PuttingOperations(store, clock).operations,
            **ReadingOperations(store, sink, clock).operations,
            **SamplingOperations(store, clock).operations,
        }
