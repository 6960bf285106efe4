"""PutMetricData, GetMetricData, GetMetricStatistics, ListMetrics."""

import math
from collections.abc import Iterator

from emberbox.clock import Clock, utc
from emberbox.model.metrics import (
    Point,
    SeriesKey,
    by_period,
    is_statistic,
    statistic,
    statistic_set,
)
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.cloudwatch.queries import MetricQueries
from emberbox.services.cloudwatch.wire import (
    combination,
    invalid,
    is_period,
    missing,
    number_in,
    seconds,
    series_key,
    to_token,
)
from emberbox.storage.metrics import KEEP_S, MetricStore
from emberbox.telemetry.metrics import MetricSink

_DATA_MAX = 1_000
_VALUES_MAX = 150
_DATAPOINTS_MAX = 1_440
_PAGE = 500
_PAST_S = 14 * 86_400
_FUTURE_S = 2 * 3_600
_RECENT_S = 3 * 3_600
_VALUE_MAX = 2.0**360


class MetricOperations:
    """What CloudWatch does with metrics. What was collected is written before it is read."""

    def __init__(self, store: MetricStore, sink: MetricSink, clock: Clock) -> None:
        self._store = store
        self._sink = sink
        self._clock = clock
        self._queries = MetricQueries(store)

    @property
    def operations(self) -> dict[str, Operation]:
        """Operation name -> what runs it."""
        return {
            "PutMetricData": self.put_metric_data,
            "GetMetricData": self.get_metric_data,
            "GetMetricStatistics": self.get_metric_statistics,
            "ListMetrics": self.list_metrics,
        }

    async def put_metric_data(self, context: RequestContext, params: Params) -> Params:
        """Add data points of a customer's own metrics; durable when answered."""
        namespace = params["Namespace"]
        if namespace.startswith("AWS/"):
            raise invalid(f"The value {namespace} for parameter Namespace is invalid.")
        data = list(params.get("MetricData") or ())
        for entity in params.get("EntityMetricData") or ():
            data += entity.get("MetricData") or ()
        if not data:
            raise missing("The parameter MetricData is required.")
        if len(data) > _DATA_MAX:
            raise invalid(
                f"The collection MetricData must not have a size greater than {_DATA_MAX}."
            )
        added = [self._datum(context, namespace, n, datum) for n, datum in enumerate(data, 1)]
        for key, at, point in added:
            self._sink.merge(key, at, point)
        await self._sink.flush()
        return {}

    def _datum(
        self, context: RequestContext, namespace: str, n: int, datum: Params
    ) -> tuple[SeriesKey, int, Point]:
        where = f"MetricData.member.{n}"
        now = self._clock.now()
        at = seconds(datum["Timestamp"]) if "Timestamp" in datum else now
        if not now - _PAST_S <= at <= now + _FUTURE_S:
            raise invalid(
                f"The parameter {where}.Timestamp must specify a time no more than two weeks in "
                "the past and no more than two hours in the future."
            )
        resolution = datum.get("StorageResolution", 60)
        if resolution not in (1, 60):
            raise invalid(
                f"The value {resolution} for parameter {where}.StorageResolution is invalid."
            )
        key = series_key(context, {**datum, "Namespace": namespace}, datum.get("Unit"))
        return key, int(at) - int(at) % resolution, _point(where, datum)

    async def get_metric_data(self, context: RequestContext, params: Params) -> Params:
        """Series of statistics and of expressions over them."""
        await self._sink.flush()
        return await self._queries.answer(context, params)

    async def get_metric_statistics(self, context: RequestContext, params: Params) -> Params:
        """Statistics of one metric by period."""
        await self._sink.flush()
        wanted = [*(params.get("Statistics") or ()), *(params.get("ExtendedStatistics") or ())]
        if not wanted:
            raise missing(
                "At least one of the parameters Statistics and ExtendedStatistics must be "
                "specified."
            )
        bad = [name for name in wanted if not is_statistic(name)]
        if bad:
            raise invalid(f"The value {bad[0]} for parameter ExtendedStatistics is invalid.")
        period = params["Period"]
        if not is_period(period):
            raise invalid("The parameter Period must be a multiple of 60, or 1, 5, 10, 20 or 30.")
        start, end = seconds(params["StartTime"]), seconds(params["EndTime"])
        if start >= end:
            raise combination("The parameter StartTime must be less than the parameter EndTime.")
        if (end - start) / period > _DATAPOINTS_MAX:
            raise combination(
                f"You have requested up to {math.ceil((end - start) / period):,} datapoints, which "
                f"exceeds the limit of {_DATAPOINTS_MAX:,}. You may reduce the datapoints "
                "requested by increasing Period, or decreasing the time range."
            )
        return {
            "Label": params["MetricName"],
            "Datapoints": await self._datapoints(context, params, wanted),
        }

    async def _datapoints(
        self, context: RequestContext, params: Params, wanted: list[str]
    ) -> list[Params]:
        period = params["Period"]
        start = int(seconds(params["StartTime"])) // period * period
        end = math.ceil(seconds(params["EndTime"]))
        found = await self._store.points(
            series_key(context, params), start, end, params.get("Unit")
        )
        units = sorted({unit for _, unit, _ in found})
        points = []
        for unit in units:
            merged = by_period(((at, p) for at, u, p in found if u == unit), period)
            points += [_datapoint(at, unit, point, wanted) for at, point in merged.items()]
        return points

    async def list_metrics(self, context: RequestContext, params: Params) -> Params:
        """Metrics that had data in the last two weeks, or in the last three hours."""
        await self._sink.flush()
        recent = params.get("RecentlyActive")
        if recent not in (None, "PT3H"):
            raise invalid(f"The value {recent} for parameter RecentlyActive is invalid.")
        now = int(self._clock.now())
        after = number_in(params.get("NextToken"))
        found: list[Params] = []
        while True:
            page = await self._store.list(
                context.account,
                context.region,
                namespace=params.get("Namespace"),
                name=params.get("MetricName"),
                since=now - (_RECENT_S if recent else KEEP_S),
                after=after,
                limit=_PAGE,
            )
            for series in page:
                if len(found) == _PAGE:
                    return {"Metrics": found, "NextToken": to_token(str(after))}
                after = series.number
                shown = _metric(series.key)
                if _matches(series.key, params) and shown not in found:
                    found.append(shown)
            if len(page) < _PAGE:
                return {"Metrics": found}


def _point(where: str, datum: Params) -> Point:
    forms = [name for name in ("Value", "StatisticValues", "Values") if name in datum]
    if len(forms) > 1:
        raise combination(
            f"The parameters {where}.{forms[0]} and {where}.{forms[1]} are mutually exclusive and "
            "you have specified both."
        )
    if not forms:
        raise missing(
            f"At least one of the parameters {where}.Value, {where}.StatisticValues or "
            f"{where}.Values must be specified."
        )
    if forms[0] == "StatisticValues":
        given = datum["StatisticValues"]
        values = (given["SampleCount"], given["Sum"], given["Minimum"], given["Maximum"])
        for value in values:
            _check(where, value)
        return statistic_set(*values)
    point = Point()
    for value, count in _pairs(where, datum):
        _check(where, value)
        point.add(value, count)
    return point


def _pairs(where: str, datum: Params) -> Iterator[tuple[float, float]]:
    if "Value" in datum:
        yield datum["Value"], 1.0
        return
    values = datum["Values"]
    counts = datum.get("Counts") or [1.0] * len(values)
    if len(values) > _VALUES_MAX:
        raise invalid(
            f"The collection {where}.Values must not have a size greater than {_VALUES_MAX}."
        )
    if len(counts) != len(values):
        raise combination(
            f"The parameters {where}.Values and {where}.Counts must have the same size."
        )
    yield from zip(values, counts, strict=True)


def _check(where: str, value: float) -> None:
    if not math.isfinite(value) or abs(value) > _VALUE_MAX:
        raise invalid(f"The value {value} for parameter {where}.Value is invalid.")


def _datapoint(at: int, unit: str, point: Point, wanted: list[str]) -> Params:
    shown: Params = {"Timestamp": utc(at), "Unit": unit}
    extended = {}
    for name in wanted:
        value = statistic(point, name)
        if value is None:
            continue
        if name in ("SampleCount", "Average", "Sum", "Minimum", "Maximum"):
            shown[name] = value
        else:
            extended[name] = value
    if extended:
        shown["ExtendedStatistics"] = extended
    return shown


def _metric(key: SeriesKey) -> Params:
    return {
        "Namespace": key.namespace,
        "MetricName": key.name,
        "Dimensions": [{"Name": d.name, "Value": d.value} for d in key.dimensions],
    }


def _matches(key: SeriesKey, params: Params) -> bool:
    for wanted in params.get("Dimensions") or ():
        value = wanted.get("Value")
        if not any(d.name == wanted["Name"] and value in (None, d.value) for d in key.dimensions):
            return False
    return True
