"""What filter expressions ask of: a trace, one service of it, or one call between two.

Each is a `Facts`: values by the words that expressions have for them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import Any

from emberbox.model.xray.calls import Call, ServiceName, annotations_of, calls_of, facts_of
from emberbox.model.xray.segments import Document, moment, walk
from emberbox.records import dataclass

Value = str | bool | float


@dataclass(slots=True)
class Facts:
    """Values by their words (`http.url`, `responsetime`): an expression holds if one fits."""

    numbers: dict[str, list[float]] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)
    flags: dict[str, bool] = field(default_factory=dict)
    annotations: dict[str, list[Value]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trace:
    """One trace as expressions and summaries see it: its segments and the calls in them."""

    id: str
    segments: Sequence[Document]
    calls: Sequence[Call]

    @classmethod
    def of(cls, trace_id: str, segments: Sequence[Document]) -> "Trace":
        """From its segments as `segments.assembled` gives them."""
        return cls(trace_id, segments, calls_of(segments))

    @property
    def start(self) -> float:
        """When its first segment began, in seconds since the epoch."""
        return min((call.start for call in self.calls), default=0.0)

    @property
    def end(self) -> float:
        """When its last segment ended."""
        return max((call.end for call in self.calls), default=0.0)

    @property
    def root(self) -> Call | None:
        """The call that it began with."""
        roots = [call for call in self.calls if call.caller is None]
        return min(roots, key=lambda call: call.start, default=None)

    @property
    def response_s(self) -> float:
        """How long it was until the first caller had its answer."""
        root = self.root
        return self.end - self.start if root is None else root.seconds

    def facts(self) -> Facts:
        """Of the whole trace."""
        facts = facts_of_calls(self.calls)
        facts.numbers["duration"] = [self.end - self.start]
        facts.numbers["responsetime"] = [self.response_s]
        return facts


def facts_of_calls(calls: Iterable[Call]) -> Facts:
    """Of some calls: all of a trace, those of one service, or those between two."""
    facts = Facts()
    fault = error = throttle = partial = False
    for call in calls:
        fault |= call.is_fault
        error |= call.is_error
        throttle |= call.is_throttle
        partial |= call.is_in_progress
        _add(facts, call)
    facts.flags = {
        "ok": not (fault or error or throttle),
        "fault": fault,
        "error": error,
        "throttle": throttle,
        "partial": partial,
    }
    return facts


def _add(facts: Facts, call: Call) -> None:
    for word, found in facts_of(call.document).items():
        if isinstance(found, str):
            facts.texts.setdefault(f"http.{word}", []).append(found)
        else:
            facts.numbers.setdefault(f"http.{word}", []).append(float(found))
    facts.numbers.setdefault("duration", []).append(call.seconds)
    facts.numbers.setdefault("responsetime", []).append(call.seconds)
    facts.texts.setdefault("name", []).append(call.service.name)
    facts.texts.setdefault("type", []).append(call.service.type)
    for each in [call.document] if call.is_inferred else walk(call.document):
        _add_parts(facts, each)
    for key, value in annotations_of(call.document):
        facts.annotations.setdefault(key, []).append(value)


def _add_parts(facts: Facts, document: Document) -> None:
    for word, text in (
        ("user", document.get("user")),
        ("resource.arn", document.get("resource_arn")),
        ("message", _message(document)),
    ):
        if isinstance(text, str):
            facts.texts.setdefault(word, []).append(text)


def _message(document: Document) -> Any:
    cause = document.get("cause")
    exceptions = cause.get("exceptions") if isinstance(cause, dict) else None
    first = exceptions[0] if isinstance(exceptions, list) and exceptions else None
    return first.get("message") if isinstance(first, dict) else None


def summary_of(trace: Trace, revision: int) -> dict[str, Any]:
    """The trace as GetTraceSummaries tells of it."""
    facts = trace.facts()
    services = list(dict.fromkeys(call.service for call in trace.calls))
    accounts = {call.service: call.account for call in trace.calls if call.account}
    summary: dict[str, Any] = {
        "Id": trace.id,
        "StartTime": moment(trace.start),
        "Duration": round(trace.end - trace.start, 6),
        "ResponseTime": round(trace.response_s, 6),
        "HasFault": facts.flags["fault"],
        "HasError": facts.flags["error"],
        "HasThrottle": facts.flags["throttle"],
        "IsPartial": facts.flags["partial"],
        "Http": _http(trace),
        "Annotations": _annotations(trace, accounts),
        "Users": _users(trace, accounts),
        "ServiceIds": [_service_id(service, accounts) for service in services],
        "ResourceARNs": [{"ARN": arn} for arn in dict.fromkeys(_arns(trace))],
        "Revision": revision,
        "MatchedEventTime": moment(trace.start),
    }
    if trace.root is not None:
        summary["EntryPoint"] = _service_id(trace.root.service, accounts)
    return summary


def _http(trace: Trace) -> dict[str, Any]:
    names = {
        "url": "HttpURL",
        "status": "HttpStatus",
        "method": "HttpMethod",
        "useragent": "UserAgent",
        "clientip": "ClientIp",
    }
    found = {} if trace.root is None else facts_of(trace.root.document)
    return {names[word]: value for word, value in found.items()}


def _annotations(trace: Trace, accounts: dict[ServiceName, str]) -> dict[str, list[Any]]:
    found: dict[str, dict[tuple[type, Value], dict[ServiceName, None]]] = {}
    for call in trace.calls:
        if call.is_inferred:
            continue
        for key, value in annotations_of(call.document):
            values = found.setdefault(key, {})
            values.setdefault((type(value), value), {})[call.service] = None
    return {
        key: [
            {
                "AnnotationValue": _annotation(value),
                "ServiceIds": [_service_id(each, accounts) for each in services],
            }
            for (_, value), services in values.items()
        ]
        for key, values in found.items()
    }


def _annotation(value: Value) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"BooleanValue": value}
    return {"StringValue": value} if isinstance(value, str) else {"NumberValue": float(value)}


def _users(trace: Trace, accounts: dict[ServiceName, str]) -> list[dict[str, Any]]:
    users: dict[str, dict[ServiceName, None]] = {}
    for call in trace.calls:
        user = call.document.get("user")
        if isinstance(user, str):
            users.setdefault(user, {})[call.service] = None
    return [
        {"UserName": user, "ServiceIds": [_service_id(each, accounts) for each in services]}
        for user, services in users.items()
    ]


def _arns(trace: Trace) -> Iterable[str]:
    for segment in trace.segments:
        arn = segment.get("resource_arn")
        if isinstance(arn, str):
            yield arn


def _service_id(service: ServiceName, accounts: dict[ServiceName, str]) -> dict[str, Any]:
    shown: dict[str, Any] = {"Name": service.name, "Names": [service.name]}
    if service in accounts:
        shown["AccountId"] = accounts[service]
    if service.type:
        shown["Type"] = service.type
    return shown
