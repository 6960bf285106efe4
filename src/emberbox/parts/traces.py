"""Traces: what collects segments, where they are kept, and the service that shows them."""

from emberbox.environment.fleet import Fleet
from emberbox.invoke.tracing import Tracing
from emberbox.model.function import FunctionVersion
from emberbox.model.request import Service
from emberbox.model.xray.segments import Document, segment_of
from emberbox.parts.deferred import Deferred
from emberbox.parts.ground import Ground
from emberbox.parts.identity import Identities
from emberbox.records import dataclass
from emberbox.storage.traces import TraceStore
from emberbox.telemetry.traces import TraceSink


@dataclass(frozen=True, slots=True)
class Traces:
    """What others need of it."""

    sink: TraceSink
    service: Service

    def connect(self, fleet: Fleet, tracing: Tracing) -> None:
        """Functions send segments, and Lambda writes its own of each invocation."""

        def record(function: FunctionVersion, document: Document) -> None:
            self.sink.add(function, segment_of(document))

        fleet.traced = tracing.reported
        fleet.heard_segment = self.sink.add
        tracing.record = record


def open_traces(ground: Ground, identities: Identities) -> Traces:
    """Put it together; it closes when the stack unwinds. No file is opened before there is need."""
    store = TraceStore(ground.data / "traces.db")
    ground.stack.push_async_callback(store.close)
    sink = TraceSink(store, identities.role_may, ground.clock)
    ground.stack.push_async_callback(sink.close)

    def service() -> Service:
        from emberbox.services.xray.service import XRayService

        return XRayService(store, sink, ground.clock)

    return Traces(sink, Deferred("xray", service))
