"""The graph of services that traces show: who calls whom, how often, how long, with what result.

Source: API reference of X-Ray, operations GetServiceGraph and GetTraceGraph.
"""

from collections.abc import Iterable
from dataclasses import field
from typing import Any, Final

from emberbox.model.xray.calls import CLIENT, Call, ServiceName
from emberbox.model.xray.segments import moment
from emberbox.records import dataclass

_DIGITS: Final = 3
"""Response times of a histogram are rounded to milliseconds."""


@dataclass(slots=True)
class Statistics:
    """Calls counted: by their results, and by how long they took."""

    count: int = 0
    ok: int = 0
    errors: int = 0
    throttles: int = 0
    faults: int = 0
    seconds: float = 0.0
    start: float = float("inf")
    end: float = 0.0
    histogram: dict[float, int] = field(default_factory=dict)

    def add(self, call: Call) -> None:
        """One call more."""
        self.count += 1
        self.seconds += call.seconds
        self.start, self.end = min(self.start, call.start), max(self.end, call.end)
        took = round(call.seconds, _DIGITS)
        self.histogram[took] = self.histogram.get(took, 0) + 1
        if call.is_fault:
            self.faults += 1
        elif call.is_error or call.is_throttle:
            self.errors += 1
            self.throttles += call.is_throttle
        else:
            self.ok += 1

    def shown(self) -> dict[str, Any]:
        """With their time and their histogram."""
        return {
            "StartTime": moment(self.start),
            "EndTime": moment(self.end),
            "SummaryStatistics": self.summary(),
            "ResponseTimeHistogram": shown_histogram(self.histogram),
        }

    def summary(self) -> dict[str, Any]:
        """The counts, in the shape of the API."""
        return {
            "OkCount": self.ok,
            "ErrorStatistics": {
                "ThrottleCount": self.throttles,
                "OtherCount": self.errors - self.throttles,
                "TotalCount": self.errors,
            },
            "FaultStatistics": {"OtherCount": self.faults, "TotalCount": self.faults},
            "TotalCount": self.count,
            "TotalResponseTime": self.seconds,
        }


@dataclass(slots=True)
class _Node:
    number: int
    account: str = ""
    is_root: bool = False
    own: Statistics = field(default_factory=Statistics)
    edges: dict[ServiceName, Statistics] = field(default_factory=dict)


class Graph:
    """The services of the calls that were added, with their edges."""

    def __init__(self) -> None:
        self._nodes: dict[ServiceName, _Node] = {}

    def add(self, calls: Iterable[Call]) -> None:
        """Some calls more."""
        for call in calls:
            callee = self._node(call.service)
            callee.own.add(call)
            callee.account = callee.account or call.account
            callee.is_root |= call.caller is None
            caller = self._node(call.caller or ServiceName(call.service.name, CLIENT))
            if call.caller is None:
                caller.own.start = min(caller.own.start, call.start)
                caller.own.end = max(caller.own.end, call.end)
            caller.edges.setdefault(call.service, Statistics()).add(call)

    def services(self) -> list[dict[str, Any]]:
        """In the shape of the API's `Services`."""
        nodes = self._nodes
        return [_shown_node(service, found, nodes) for service, found in nodes.items()]

    def _node(self, service: ServiceName) -> _Node:
        return self._nodes.setdefault(service, _Node(len(self._nodes)))


def _shown_node(
    service: ServiceName, node: _Node, nodes: dict[ServiceName, _Node]
) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "ReferenceId": node.number,
        "Name": service.name,
        "Names": [service.name],
        "StartTime": moment(node.own.start),
        "EndTime": moment(node.own.end),
        "Edges": [
            {"ReferenceId": nodes[callee].number, "Aliases": [], **edge.shown()}
            for callee, edge in node.edges.items()
        ],
    }
    if service.type:
        shown["Type"] = service.type
    if node.account:
        shown["AccountId"] = node.account
    if service.type == CLIENT:
        return shown
    histogram = shown_histogram(node.own.histogram)
    shown |= {"State": "active", **node.own.shown(), "DurationHistogram": histogram}
    if node.is_root:
        shown["Root"] = True
    return shown


def shown_histogram(histogram: dict[float, int]) -> list[dict[str, Any]]:
    """Response times and how often each was met, in the shape of the API."""
    return [{"Value": took, "Count": count} for took, count in sorted(histogram.items())]
