"""Spans of OpenTelemetry, and how their context travels: in the header of X-Ray.

Wherever a trace goes already (requests, queued events, messages, what a function sees) it goes as
X-Amzn-Trace-Id. A trace has the same id in both forms: X-Ray only writes a version before it and
parts it in two. Source: X-Ray's guide, "Tracing header"; W3C Trace Context.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Final, NamedTuple

from emberbox.model.trace import OWN, SAMPLED, is_recorded

Value = str | int | float | bool
Attributes = Mapping[str, Value]
Said = Callable[[], Attributes]
"""Attributes that are put together when the span is exported: not while somebody waits."""

Resource = tuple[tuple[str, Value], ...]
"""Attributes of what spans are about, by which they are gathered."""

LINKS_MAX: Final = 128
"""Links of one span: what OpenTelemetry's limits are unless told otherwise."""

_FIELDS_MAX: Final = 32
_ROOT: Final = re.compile(r"1-([0-9a-fA-F]{8})-([0-9a-fA-F]{24})\Z")
_SPAN: Final = re.compile(r"[0-9a-fA-F]{16}\Z")
_OURS: Final = frozenset({"Root", "Parent", "Sampled", "Otel"})


class Kind(Enum):
    """What a span is to the spans around it, in OpenTelemetry's words."""

    INTERNAL = "INTERNAL"
    SERVER = "SERVER"
    PRODUCER = "PRODUCER"
    CONSUMER = "CONSUMER"


class Context(NamedTuple):
    """Where in which trace: ids in small hexadecimal digits, `span_id` empty at the root.

    `is_sampled` is None where nobody has decided.
    """

    trace_id: str
    span_id: str
    is_sampled: bool | None


class Opened(NamedTuple):
    """A span that has begun. `trace` is the X-Amzn-Trace-Id with which what it causes goes on.

    `trigger` is the faas.trigger of a function that it invokes.
    """

    name: str
    kind: Kind
    trace_id: str
    span_id: str
    parent_id: str
    start: float
    trace: str
    trigger: str = "other"


class Span(NamedTuple):
    """A span that is over. Times are seconds since the epoch.

    `said` gives its attributes. `error` is None for none, else the status's description.
    `resource` is what it is about, where that is not the server.
    """

    name: str
    kind: Kind
    trace_id: str
    span_id: str
    parent_id: str
    start: float
    end: float
    said: Said
    error: str | None = None
    links: Sequence[Context] = ()
    resource: Resource | None = None


def context_of(trace: str | None) -> Context | None:
    """The context that a trace header holds; None if it is none."""
    if not trace:
        return None
    fields = _fields(trace)
    root, parent = _ROOT.match(fields.get("Root", "")), fields.get("Parent", "")
    if root is None or set(root[1] + root[2]) == {"0"}:
        return None
    decision = fields.get("Sampled")
    return Context(
        (root[1] + root[2]).lower(),
        parent.lower() if _SPAN.match(parent) and set(parent) != {"0"} else "",
        None if decision not in {"0", "1"} else decision == "1",
    )


def continued(trace: str | None, trace_id: str, span_id: str) -> str:
    """The header with which a recorded span's context goes on.

    Where X-Ray records the trace too, the caller's segment stays the parent: X-Ray has never heard
    of our span. Elsewhere the header says that it is recorded, but not for X-Ray.
    """
    if trace and is_recorded(trace):
        return trace
    return _written(trace or "", trace_id, span_id)


def seen_by_function(caller: Opened, trace: str, span_id: str) -> str:
    """The header that a function sees: what it records goes below the span of its invocation."""
    return trace.replace(f"Parent={caller.span_id}", f"Parent={span_id}", 1)


def traceparent_of(trace: str) -> str | None:
    """W3C's header for the same context; None if there is no span to be the parent."""
    context = context_of(trace)
    if context is None or not context.span_id:
        return None
    return f"00-{context.trace_id}-{context.span_id}-{int(bool(context.is_sampled)):02d}"


def _written(trace: str, trace_id: str, span_id: str) -> str:
    kept = [part for part in trace.split(";") if part.partition("=")[0] not in _OURS]
    return ";".join([_root(trace_id), f"Parent={span_id}", SAMPLED, OWN, *filter(None, kept)])


def _root(trace_id: str) -> str:
    return f"Root=1-{trace_id[:8]}-{trace_id[8:]}"


def _fields(trace: str) -> dict[str, str]:
    parts = trace.split(";", _FIELDS_MAX)[:_FIELDS_MAX]
    return {name.strip(): value.strip() for name, _, value in (p.partition("=") for p in parts)}
