"""Queries of GetMetricData, which alarms on several metrics use too."""

import math
import re
from typing import NamedTuple

from emberbox.clock import utc
from emberbox.model.metric_math import MathError, Series, Value, evaluate
from emberbox.model.metrics import by_period, is_statistic, statistic
from emberbox.model.request import Params, RequestContext
from emberbox.services.cloudwatch.wire import (
    combination,
    is_period,
    number_in,
    seconds,
    series_key,
    to_token,
    validation,
)
from emberbox.storage.metrics import MetricStore

_QUERIES_MAX = 500
_DATAPOINTS_MAX = 100_800
_ID = re.compile(r"[a-z][a-zA-Z0-9_]{0,254}\Z")


class Result(NamedTuple):
    """What one query gave; several series for an expression over all of them."""

    label: str
    series: list[Series]


class MetricQueries:
    """Runs MetricDataQueries over the store."""

    def __init__(self, store: MetricStore) -> None:
        self._store = store

    async def answer(self, context: RequestContext, params: Params) -> Params:
        """GetMetricData."""
        queries = params["MetricDataQueries"]
        start, end = seconds(params["StartTime"]), seconds(params["EndTime"])
        if start >= end:
            raise validation("The parameter StartTime must be less than the parameter EndTime.")
        results = await self.run(context, queries, start, end)
        newest_first = params.get("ScanBy", "TimestampDescending") == "TimestampDescending"
        shown = []
        for query in queries:
            if not query.get("ReturnData", True):
                continue
            result = results[query["Id"]]
            for series in result.series:
                times = sorted(series, reverse=newest_first)
                shown.append(
                    {
                        "Id": query["Id"],
                        "Label": result.label,
                        "Timestamps": [utc(at) for at in times],
                        "Values": [series[at] for at in times],
                        "StatusCode": "Complete",
                    }
                )
        return _page(shown, params)

    async def run(
        self, context: RequestContext, queries: list[Params], start: float, end: float
    ) -> dict[str, Result]:
        """The results by the ids of the queries."""
        _check(queries)
        known: dict[str, Series] = {}
        periods: dict[str, int] = {}
        results: dict[str, Result] = {}
        for query in queries:
            if "MetricStat" in query:
                name = query["Id"]
                series, periods[name] = await self._statistic(
                    context, query["MetricStat"], start, end
                )
                known[name] = series
                label = query.get("Label") or query["MetricStat"]["Metric"]["MetricName"]
                results[name] = Result(label, [series])
        waiting = [query for query in queries if "Expression" in query]
        while waiting:
            ready = [q for q in waiting if not _needs(q, waiting)]
            if not ready:
                raise validation("Expressions refer to one another in a circle.")
            for query in ready:
                name = query["Id"]
                value = _computed(query, known, periods)
                series_list = _as_list(value, known)
                if len(series_list) == 1:
                    known[name] = series_list[0]
                results[name] = Result(query.get("Label") or name, series_list)
            waiting = [query for query in waiting if query not in ready]
        return results

    async def _statistic(
        self, context: RequestContext, stat: Params, start: float, end: float
    ) -> tuple[Series, int]:
        period = stat["Period"]
        if not is_statistic(stat["Stat"]):
            raise validation(f"The value {stat['Stat']} for parameter Stat is not supported.")
        first = int(start) // period * period
        if (end - first) / period > _DATAPOINTS_MAX:
            raise combination("The time range holds more periods than one query may have.")
        key = series_key(context, stat["Metric"])
        found = await self._store.points(key, first, math.ceil(end), stat.get("Unit"))
        merged = by_period(((at, point) for at, _, point in found), period)
        values = {at: statistic(point, stat["Stat"]) for at, point in merged.items()}
        return {at: value for at, value in values.items() if value is not None}, period


def _check(queries: list[Params]) -> None:
    if len(queries) > _QUERIES_MAX:
        raise validation(
            f"The collection MetricDataQueries must not have a size greater than {_QUERIES_MAX}."
        )
    ids = [query["Id"] for query in queries]
    for name in ids:
        if not _ID.match(name):
            raise validation(f"The value {name} for parameter Id is not matching the expression.")
    if len(set(ids)) != len(ids):
        raise validation("The values for parameter Id in MetricDataQueries are not unique.")
    for query in queries:
        if ("MetricStat" in query) == ("Expression" in query):
            raise validation(
                f"The query {query['Id']} must have either MetricStat or Expression and not both."
            )
        if not is_period(query.get("MetricStat", {}).get("Period", 60)):
            raise validation(
                f"The Period of the query {query['Id']} must be a multiple of 60, or 1, 5, 10, 20 "
                "or 30."
            )


def _needs(query: Params, others: list[Params]) -> bool:
    words = set(re.findall(r"[A-Za-z_]\w*", query["Expression"]))
    return any(other is not query and other["Id"] in words for other in others)


def _computed(query: Params, known: dict[str, Series], periods: dict[str, int]) -> Value:
    text = query["Expression"]
    if text.lstrip().upper().startswith(("SELECT ", "SEARCH(")):
        raise validation(
            f"Error in expression '{query['Id']}': Emberbox builds neither Metrics Insights "
            "queries nor SEARCH."
        )
    try:
        return evaluate(text, known, periods)
    except MathError as error:
        raise validation(f"Error in expression '{query['Id']}': {error}") from None


def _as_list(value: Value, known: dict[str, Series]) -> list[Series]:
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return [value]
    times = {at for series in known.values() for at in series}
    return [dict.fromkeys(times, value)]


def _page(results: list[Params], params: Params) -> Params:
    """As many data points as fit; the token counts those that were given."""
    room = min(params.get("MaxDatapoints") or _DATAPOINTS_MAX, _DATAPOINTS_MAX)
    skip = number_in(params.get("NextToken"))
    given, shown, seen = 0, [], 0
    for result in results:
        total = len(result["Values"])
        begin = min(max(0, skip - seen), total)
        end = min(total, begin + room - given)
        if begin < end or (total == 0 and seen >= skip):
            part = {**result, "Timestamps": result["Timestamps"][begin:end]}
            part["Values"] = result["Values"][begin:end]
            if end < total:
                part["StatusCode"] = "PartialData"
            shown.append(part)
        given += end - begin
        seen += total
    answer: Params = {"MetricDataResults": shown, "Messages": []}
    if skip + given < seen:
        answer["NextToken"] = to_token(str(skip + given))
    return answer
