"""Calls of services over time, counted by the minute or by five.

Source: API reference of X-Ray, operation GetTimeSeriesServiceStatistics.
"""

from collections.abc import Iterable
from typing import Any, Final

from emberbox.model.xray.expressions import Selector
from emberbox.model.xray.facts import Trace
from emberbox.model.xray.graph import Statistics, shown_histogram
from emberbox.model.xray.segments import moment

PERIODS: Final = (60, 300)


class Series:
    """Counts the calls that a selector chooses; without one, what each trace began with."""

    def __init__(self, selector: Selector | None, period_s: int) -> None:
        self._selector = selector
        self._period_s = period_s
        self._points: dict[float, Statistics] = {}

    def add(self, traces: Iterable[Trace]) -> None:
        """Some traces more."""
        for trace in traces:
            if self._selector is None:
                calls = [] if trace.root is None else [trace.root]
            else:
                calls = [call for call in trace.calls if self._selector.chooses(call)]
            for call in calls:
                at = call.start // self._period_s * self._period_s
                self._points.setdefault(at, Statistics()).add(call)

    def shown(self) -> list[dict[str, Any]]:
        """In the shape of the API, by time; periods without a call are left out."""
        is_edge = self._selector is not None and self._selector.is_edge
        member = "EdgeSummaryStatistics" if is_edge else "ServiceSummaryStatistics"
        return [
            {
                "Timestamp": moment(at),
                member: point.summary(),
                "ResponseTimeHistogram": shown_histogram(point.histogram),
            }
            for at, point in sorted(self._points.items())
        ]
