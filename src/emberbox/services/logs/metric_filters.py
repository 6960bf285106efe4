"""Operations on metric filters."""

import asyncio
from collections.abc import Sequence

from emberbox.clock import Clock
from emberbox.model.log_filter import FilterError, compile_filter
from emberbox.model.log_metric import Measure, extracted
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.logs.filter_pages import (
    check_pattern,
    check_settings,
    page,
    put,
)
from emberbox.services.logs.following import Following
from emberbox.services.logs.naming import group_key, invalid
from emberbox.storage.log_filters import Kind, LogFilter, LogFilterStore
from emberbox.storage.logs import LogStore

FILTERS_MAX = 100


class MetricFilterOperations:
    """What CloudWatch Logs does with metric filters."""

    def __init__(self, logs: LogStore, store: LogFilterStore, clock: Clock) -> None:
        self._logs = logs
        self._store = store
        self._clock = clock
        self.following: Following | None = None

    @property
    def operations(self) -> dict[str, Operation]:
        """Operation name -> what runs it."""
        return {
            "PutMetricFilter": self.put_metric_filter,
            "DescribeMetricFilters": self.describe_metric_filters,
            "DeleteMetricFilter": self.delete_metric_filter,
            "TestMetricFilter": self.try_metric_filter,
        }

    async def put_metric_filter(self, context: RequestContext, params: Params) -> Params:
        """Count what matches, from the next event that is stored on."""
        key = group_key(context, params["logGroupName"])
        await self._logs.group(key)
        check_pattern(params["filterPattern"])
        check_settings(params)
        for transformation in params["metricTransformations"]:
            if transformation["metricNamespace"].startswith("AWS/"):
                raise invalid("Invalid metric transformation: namespaces AWS/ are AWS's own.")
            try:
                Measure.of(params["filterPattern"], transformation)
            except FilterError as error:
                raise invalid(str(error)) from None
        made = await put(
            self._store,
            key,
            Kind.METRIC,
            params,
            {"metricTransformations": params["metricTransformations"]},
            now_ms=int(self._clock.now() * 1000),
            most=FILTERS_MAX,
        )
        if self.following is not None:
            self.following.poke(made)
        return {}

    async def describe_metric_filters(self, context: RequestContext, params: Params) -> Params:
        """List the filters of a group, or of all groups; those of one metric."""
        metric = params.get("metricNamespace"), params.get("metricName")
        if (metric[0] is None) != (metric[1] is None):
            raise invalid("metricName and metricNamespace must be given together.")
        if "logGroupName" in params:
            group = await self._logs.group(group_key(context, params["logGroupName"]))
            found = self._store.of(group.id, Kind.METRIC)
        else:
            here = (context.account, context.region)
            found = [
                each
                for each in self._store.all()
                if each.kind is Kind.METRIC and each.group[:2] == here
            ]
        if metric[0] is not None:
            found = [each for each in found if metric in _metrics(each)]
        return page("metricFilters", found, params)

    async def delete_metric_filter(self, context: RequestContext, params: Params) -> Params:
        """Remove a filter; the metric stays."""
        key = group_key(context, params["logGroupName"])
        await self._store.remove(key, Kind.METRIC, params["filterName"])
        return {}

    async def try_metric_filter(self, _context: RequestContext, params: Params) -> Params:
        """Which messages match a pattern, and what it extracts of them."""
        pattern = params["filterPattern"]
        check_pattern(pattern)
        found = await asyncio.to_thread(_tried, pattern, params["logEventMessages"])
        return {"matches": found}


def _tried(pattern: str, messages: Sequence[str]) -> list[Params]:
    matches = compile_filter(pattern)
    return [
        {
            "eventNumber": number,
            "eventMessage": message,
            "extractedValues": extracted(pattern, message),
        }
        for number, message in enumerate(messages, start=1)
        if matches(message)
    ]


def _metrics(made: LogFilter) -> list[tuple[str, str]]:
    return [
        (each["metricNamespace"], each["metricName"])
        for each in made.settings["metricTransformations"]
    ]
