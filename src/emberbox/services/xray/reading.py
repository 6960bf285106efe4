"""What can be asked of traces: whole ones, summaries, and the graph of services in them.

Source: API reference of X-Ray, operations BatchGetTraces, GetTraceSummaries, GetTraceGraph and
GetServiceGraph.
"""

import base64
from collections.abc import Mapping
from typing import Final

import orjson

from emberbox.clock import Clock, utc
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.model.xray.expressions import BadExpressionError, read_expression
from emberbox.model.xray.facts import Trace, summary_of
from emberbox.model.xray.graph import graph_of
from emberbox.model.xray.segments import assembled
from emberbox.services.xray.refusing import invalid
from emberbox.storage.traces import By, StoredTrace, TraceStore
from emberbox.telemetry.traces import TraceSink

_TRACES_AT_ONCE: Final = 5
_GRAPH_TRACES_MAX: Final = 1_000
_LOOKED_AT: Final = 250
"""How many traces one page looks through: an expression may fit few of them."""

_SPAN_MAX_S: Final = 24 * 3_600.0
_BY: Final[dict[str, By]] = {"TraceId": "begun", "Event": "touched", "Service": "ended"}


class ReadingOperations:
    """See the module."""

    def __init__(self, store: TraceStore, sink: TraceSink, clock: Clock) -> None:
        self._store = store
        self._sink = sink
        self._clock = clock
        self.operations: Mapping[str, Operation] = {
            "BatchGetTraces": self.batch_get_traces,
            "GetTraceSummaries": self.get_trace_summaries,
            "GetTraceGraph": self.get_trace_graph,
            "GetServiceGraph": self.get_service_graph,
        }

    async def batch_get_traces(self, context: RequestContext, params: Params) -> Params:
        """Whole traces by their ids; ids that are not known are left out, as on AWS."""
        wanted = params["TraceIds"]
        if len(wanted) > _TRACES_AT_ONCE:
            raise invalid(f"At most {_TRACES_AT_ONCE} traces can be asked for at once.")
        found = await self._found(context, wanted)
        return {"Traces": [_shown(each) for each in found], "UnprocessedTraceIds": []}

    async def get_trace_summaries(self, context: RequestContext, params: Params) -> Params:
        """A page of what is told of the traces of a time that fit an expression."""
        try:
            fits = read_expression(params.get("FilterExpression") or "")
        except BadExpressionError as error:
            raise invalid(f"Invalid filter expression: {error}") from None
        start, end = _span(params)
        by = _BY[params.get("TimeRangeType") or "TraceId"]
        await self._sink.flush()
        place = (context.account, context.region)
        after = _after(params.get("NextToken"))
        page = await self._store.between(place, start, end, by, after, _LOOKED_AT)
        traces = [(_trace(each), each.revision) for each in page]
        answer: Params = {
            "TraceSummaries": [
                summary_of(trace, revision) for trace, revision in traces if fits(trace)
            ],
            "ApproximateTime": utc(self._clock.now()),
            "TracesProcessedCount": len(page),
        }
        return _with_token(answer, page, _LOOKED_AT)

    async def get_trace_graph(self, context: RequestContext, params: Params) -> Params:
        """The services of some traces and how they call each other."""
        found = await self._found(context, params["TraceIds"][:_LOOKED_AT])
        return {"Services": graph_of(call for each in found for call in _trace(each).calls)}

    async def get_service_graph(self, context: RequestContext, params: Params) -> Params:
        """The same of all traces of a time; of the first thousand, where there are more."""
        group = params.get("GroupName") or params.get("GroupARN") or "Default"
        if not group.endswith("Default"):
            raise invalid("Emberbox has no groups of traces but the one named Default.")
        start, end = _span(params)
        await self._sink.flush()
        place = (context.account, context.region)
        found = await self._store.between(place, start, end, "begun", 0, _GRAPH_TRACES_MAX)
        return {
            "StartTime": params["StartTime"],
            "EndTime": params["EndTime"],
            "Services": graph_of(call for each in found for call in _trace(each).calls),
            "ContainsOldGroupVersions": False,
        }

    async def _found(self, context: RequestContext, trace_ids: list[str]) -> list[StoredTrace]:
        await self._sink.flush()
        place = (context.account, context.region)
        stored = [await self._store.trace(place, each) for each in dict.fromkeys(trace_ids)]
        return [each for each in stored if each is not None]


def _trace(stored: StoredTrace) -> Trace:
    return Trace.of(stored.id, assembled(stored.documents))


def _shown(stored: StoredTrace) -> Params:
    trace = _trace(stored)
    return {
        "Id": stored.id,
        "Duration": round(trace.end - trace.start, 6),
        "LimitExceeded": stored.is_cut,
        "Segments": [
            {"Id": segment["id"], "Document": orjson.dumps(segment).decode()}
            for segment in trace.segments
        ],
    }


def _span(params: Params) -> tuple[float, float]:
    start, end = params["StartTime"].timestamp(), params["EndTime"].timestamp()
    if end < start:
        raise invalid("EndTime must not be before StartTime.")
    if end - start > _SPAN_MAX_S:
        raise invalid("The time range must not be longer than 24 hours.")
    return start, end


def _after(token: str | None) -> int:
    try:
        return int(base64.b64decode(token, validate=True)) if token else 0
    except ValueError:
        raise invalid("The token is none of ours.") from None


def _with_token(answer: Params, page: list[StoredTrace], size: int) -> Params:
    if len(page) == size:
        answer["NextToken"] = base64.b64encode(str(page[-1].number).encode()).decode()
    return answer
