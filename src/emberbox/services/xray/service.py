"""The service `xray`: its operations, by name."""

from collections.abc import Mapping

from emberbox.clock import Clock
from emberbox.model.request import Operation, RequestContext
from emberbox.services.xray.fixed import FixedOperations
from emberbox.services.xray.grouping import GroupOperations
from emberbox.services.xray.putting import PuttingOperations
from emberbox.services.xray.reading import ReadingOperations
from emberbox.services.xray.sampling import SamplingOperations
from emberbox.services.xray.tagging import TagOperations
from emberbox.storage.trace_groups import TraceGroups
from emberbox.storage.traces import TraceStore
from emberbox.telemetry.traces import TraceSink


class XRayService:
    """AWS X-Ray over one store; what waits in the sink is written before anybody reads."""

    name = "xray"

    def __init__(self, store: TraceStore, sink: TraceSink, clock: Clock) -> None:
        kept = TraceGroups(store)
        groups = GroupOperations(kept)
        sampling = SamplingOperations(store, clock, kept)

        async def has(context: RequestContext, arn: str) -> bool:
            return await groups.has(context, arn) or await sampling.has(context, arn)

        self.operations: Mapping[str, Operation] = {
            **PuttingOperations(store, clock).operations,
            **ReadingOperations(store, sink, clock, groups).operations,
            **sampling.operations,
            **groups.operations,
            **TagOperations(kept, has).operations,
            **FixedOperations(groups).operations,
        }
