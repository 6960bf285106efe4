"""What can be asked of traces: whole ones, summaries, and the graph of services in them.

Source: API reference of X-Ray, operations BatchGetTraces, GetTraceSummaries, GetTraceGraph,
GetServiceGraph and GetTimeSeriesServiceStatistics.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Final

import orjson

from emberbox.clock import Clock, utc
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.model.xray.expressions import (
    BadExpressionError,
    asks_for_group,
    read_expression,
    read_selector,
)
from emberbox.model.xray.facts import Trace, summary_of
from emberbox.model.xray.graph import Graph
from emberbox.model.xray.segments import assembled
from emberbox.model.xray.statistics import PERIODS, Series
from emberbox.services.xray.grouping import GroupOperations
from emberbox.services.xray.refusing import invalid
from emberbox.storage.traces import By, Place, StoredTrace, TraceStore
from emberbox.telemetry.traces import TraceSink

_TRACES_AT_ONCE: Final = 5
_GRAPH_TRACES_MAX: Final = 1_000
_LOOKED_AT: Final = 250
"""How many traces one page looks through: an expression may fit few of them."""

_PIECE: Final = 10
"""How many traces are in memory at once: each may have half a megabyte of documents."""

_SPAN_MAX_S: Final = 24 * 3_600.0
_BY: Final[dict[str, By]] = {"TraceId": "begun", "Event": "touched", "Service": "ended"}


class ReadingOperations:
    """See the module."""

    def __init__(
        self, store: TraceStore, sink: TraceSink, clock: Clock, groups: GroupOperations
    ) -> None:
        self._groups = groups
        self._store = store
        self._sink = sink
        self._clock = clock
        self.operations: Mapping[str, Operation] = {
            "BatchGetTraces": self.batch_get_traces,
            "GetTraceSummaries": self.get_trace_summaries,
            "GetTraceGraph": self.get_trace_graph,
            "GetServiceGraph": self.get_service_graph,
            "GetTimeSeriesServiceStatistics": self.get_time_series_service_statistics,
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
        expression = params.get("FilterExpression") or ""
        groups = {}
        if asks_for_group(expression):
            groups = await self._groups.predicates(context)
        try:
            fits = read_expression(expression, groups)
        except BadExpressionError as error:
            raise invalid(f"Invalid filter expression: {error}") from None
        start, end = _span(params)
        by = _BY[params.get("TimeRangeType") or "TraceId"]
        await self._sink.flush()
        place = (context.account, context.region)
        after = _after(params.get("NextToken"))
        summaries: list[Params] = []
        looked_at = 0
        async for piece in self._between(place, start, end, by, after, _LOOKED_AT):
            summaries += await asyncio.to_thread(_summaries, piece, fits)
            looked_at, after = looked_at + len(piece), piece[-1].number
        answer: Params = {
            "TraceSummaries": summaries,
            "ApproximateTime": utc(self._clock.now()),
            "TracesProcessedCount": looked_at,
        }
        if looked_at == _LOOKED_AT:
            answer["NextToken"] = base64.b64encode(str(after).encode()).decode()
        return answer

    async def get_trace_graph(self, context: RequestContext, params: Params) -> Params:
        """The services of some traces and how they call each other."""
        await self._sink.flush()
        place, graph = (context.account, context.region), Graph()
        for trace_id in dict.fromkeys(params["TraceIds"][:_LOOKED_AT]):
            stored = await self._store.trace(place, trace_id)
            if stored is not None:
                await asyncio.to_thread(_draw, graph, [stored], read_expression(""))
        return {"Services": graph.services()}

    async def get_service_graph(self, context: RequestContext, params: Params) -> Params:
        """The same of a group's traces of a time; of the first thousand, where there are more."""
        fits = await self._groups.fitting(context, params)
        start, end = _span(params)
        await self._sink.flush()
        place = (context.account, context.region)
        graph = Graph()
        async for piece in self._between(place, start, end, "begun", 0, _GRAPH_TRACES_MAX):
            await asyncio.to_thread(_draw, graph, piece, fits)
        return {
            "StartTime": params["StartTime"],
            "EndTime": params["EndTime"],
            "Services": graph.services(),
            "ContainsOldGroupVersions": False,
        }

    async def get_time_series_service_statistics(
        self, context: RequestContext, params: Params
    ) -> Params:
        """Calls of a group's traces by the minute; of as many traces as a service graph shows."""
        fits = await self._groups.fitting(context, params)
        period_s = params.get("Period") or PERIODS[0]
        if period_s not in PERIODS:
            raise invalid("Period must be 60 or 300.")
        if params.get("ForecastStatistics"):
            raise invalid("Emberbox does not build ForecastStatistics.")
        expression = params.get("EntitySelectorExpression")
        try:
            series = Series(read_selector(expression) if expression else None, period_s)
        except BadExpressionError as error:
            raise invalid(f"Invalid selector: {error}") from None
        start, end = _span(params)
        await self._sink.flush()
        place = (context.account, context.region)
        async for piece in self._between(place, start, end, "begun", 0, _GRAPH_TRACES_MAX):
            await asyncio.to_thread(_count, series, piece, fits)
        return {
            "TimeSeriesServiceStatistics": series.shown(),
            "ContainsOldGroupVersions": False,
        }

    async def _between(
        self, place: Place, start: float, end: float, by: By, after: int, limit: int
    ) -> AsyncIterator[list[StoredTrace]]:
        """So many traces of a time, a few at once."""
        while limit > 0:
            wanted = min(limit, _PIECE)
            piece = await self._store.between(place, start, end, by, after, wanted)
            if piece:
                yield piece
            if len(piece) < wanted:
                return
            limit, after = limit - wanted, piece[-1].number

    async def _found(self, context: RequestContext, trace_ids: list[str]) -> list[StoredTrace]:
        await self._sink.flush()
        place = (context.account, context.region)
        stored = [await self._store.trace(place, each) for each in dict.fromkeys(trace_ids)]
        return [each for each in stored if each is not None]


def _trace(stored: StoredTrace) -> Trace:
    return Trace.of(stored.id, assembled(stored.documents))


def _summaries(piece: list[StoredTrace], fits: Callable[[Trace], bool]) -> list[Params]:
    """What is told of those that fit."""
    traces = [(_trace(each), each.revision) for each in piece]
    return [summary_of(trace, revision) for trace, revision in traces if fits(trace)]


def _draw(graph: Graph, piece: list[StoredTrace], fits: Callable[[Trace], bool]) -> None:
    for trace in _fitting(piece, fits):
        graph.add(trace.calls)


def _count(series: Series, piece: list[StoredTrace], fits: Callable[[Trace], bool]) -> None:
    series.add(_fitting(piece, fits))


def _fitting(piece: list[StoredTrace], fits: Callable[[Trace], bool]) -> Iterator[Trace]:
    return filter(fits, map(_trace, piece))


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
