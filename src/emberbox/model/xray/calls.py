"""What the segments of a trace say of services and of how they call each other.

A service is a name and a type. One that is called but sends no segment itself (a table, a foreign
host) is inferred from the subsegment of its caller. Source: "Viewing traces and trace details" and
"AWS X-Ray segment documents" of X-Ray's guide.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from emberbox.model.xray.segments import Document, subsegments, time_of, walk
from emberbox.records import dataclass

CLIENT: Final = "client"


class ServiceName(NamedTuple):
    """A service of a trace; the type may be empty."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Call:
    """One piece of work of a service, and who asked for it: None for nobody that is known."""

    service: ServiceName
    caller: ServiceName | None
    document: Document
    account: str
    is_inferred: bool = False

    @property
    def start(self) -> float:
        """When it began, in seconds since the epoch."""
        return time_of(self.document.get("start_time")) or 0.0

    @property
    def end(self) -> float:
        """When it ended, or began if it has not ended."""
        return time_of(self.document.get("end_time")) or self.start

    @property
    def seconds(self) -> float:
        """How long it took."""
        return max(0.0, self.end - self.start)

    @property
    def is_fault(self) -> bool:
        """Whether the service failed (AWS: status 5xx)."""
        return self.document.get("fault") is True

    @property
    def is_error(self) -> bool:
        """Whether its caller was at fault (AWS: status 4xx)."""
        return self.document.get("error") is True

    @property
    def is_throttle(self) -> bool:
        """Whether it was refused for being too much (AWS: status 429)."""
        return self.document.get("throttle") is True

    @property
    def is_in_progress(self) -> bool:
        """Whether its end has not been told of."""
        return time_of(self.document.get("end_time")) is None


def calls_of(segments: Iterable[Document]) -> list[Call]:
    """All calls of a trace, from its segments as `segments.assembled` gives them."""
    found = list(segments)
    owners = {each["id"].lower(): s for s in found for each in walk(s) if _has_id(each)}
    answered = {str(segment.get("parent_id", "")).lower() for segment in found}
    calls = []
    for segment in found:
        owner = owners.get(str(segment.get("parent_id", "")).lower())
        caller = None if owner is None or owner is segment else _service(owner)
        calls.append(Call(_service(segment), caller, segment, _account(segment)))
        calls += _inferred(segment, answered)
    return calls


def facts_of(document: Document) -> dict[str, str | int]:
    """What a segment says of an HTTP request: url, method, useragent, clientip, status."""
    http = _dict(document.get("http"))
    request, response = _dict(http.get("request")), _dict(http.get("response"))
    wanted = {"url": "url", "method": "method", "user_agent": "useragent", "client_ip": "clientip"}
    found: dict[str, str | int] = {
        ours: request[theirs]
        for theirs, ours in wanted.items()
        if isinstance(request.get(theirs), str)
    }
    status = response.get("status")
    if isinstance(status, int):
        found["status"] = status
    return found


def annotations_of(document: Document) -> Iterator[tuple[str, str | bool | float]]:
    """The annotations of a segment and of its subsegments."""
    for each in walk(document):
        for key, value in _dict(each.get("annotations")).items():
            if isinstance(value, str | bool | int | float):
                yield key, value


def _inferred(segment: Document, answered: set[str]) -> Iterator[Call]:
    """Calls to services that have not sent a segment themselves."""
    waiting = subsegments(segment)
    while waiting:
        each = waiting.pop()
        waiting += subsegments(each)
        namespace = each.get("namespace")
        if namespace not in {"aws", "remote"} or str(each.get("id", "")).lower() in answered:
            continue
        if not isinstance(each.get("name"), str) or time_of(each.get("start_time")) is None:
            continue
        kind = f"AWS::{each['name']}" if namespace == "aws" else "remote"
        name = ServiceName(each["name"], kind)
        yield Call(name, _service(segment), each, "", is_inferred=True)


def _service(segment: Document) -> ServiceName:
    origin = segment.get("origin")
    return ServiceName(str(segment.get("name", "")), origin if isinstance(origin, str) else "")


def _account(segment: Document) -> str:
    account = _dict(segment.get("aws")).get("account_id")
    return account if isinstance(account, str) else ""


def _has_id(document: Document) -> bool:
    return isinstance(document.get("id"), str)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
