"""A span for each request at the gateway, with which the trace of its caller goes on."""

from functools import partial

from emberbox.model.span_attributes import (
    Answered,
    Asked,
    error_of_request,
    of_request,
)
from emberbox.model.spans import Kind, Opened, Said
from emberbox.model.trace import OWN, from_traceparent, is_trace
from emberbox.telemetry.spans import Spans


class RequestSpan:
    """One request's. Whoever finds out what it asks for, or what is wrong with it, says so here.

    `operation` is `Service/Operation`; a span without it or a `page` is of nobody's interest.
    """

    __slots__ = ("asked", "code", "failed", "more", "opened", "operation", "page")

    def __init__(self, opened: Opened, asked: Asked) -> None:
        self.opened = opened
        self.asked = asked
        self.operation = ""
        self.page = ""
        self.code = ""
        self.failed = False
        self.more: Said | None = None


class RequestSpans:
    """Opens and closes them."""

    def __init__(self, spans: Spans) -> None:
        self._spans = spans

    def begin(
        self, asked: Asked, trace: str | None, traceparent: str | None, trigger: str = "other"
    ) -> RequestSpan | None:
        """A request has come; X-Ray's header counts before W3C's. None if it is not recorded."""
        opened = self._spans.open(
            asked.method, Kind.SERVER, given_trace(trace, traceparent), trigger=trigger
        )
        return None if opened is None else RequestSpan(opened, asked)

    def end(self, span: RequestSpan, status: int) -> None:
        """It has been answered."""
        name = span.operation or span.page
        if not name:
            return
        answered = Answered(status, span.code, span.failed)
        said = partial(of_request, span.asked, answered, span.operation, span.more)
        opened = span.opened._replace(name=name)
        self._spans.close(opened, said, error=error_of_request(answered))


def given_trace(trace: str | None, traceparent: str | None) -> str | None:
    """The trace that a request came with, in X-Ray's form."""
    if trace and is_trace(trace):
        return trace
    found = from_traceparent(traceparent)
    return None if found is None else f"{found};{OWN}"
