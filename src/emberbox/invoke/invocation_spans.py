"""Spans of invocations: from the request until the report, with the beginning of an environment."""

from functools import partial

from emberbox.clock import Clock
from emberbox.model.function import FunctionVersion
from emberbox.model.function_errors import read_error
from emberbox.model.invocation import Invocation
from emberbox.model.report import Measurement
from emberbox.model.span_attributes import (
    beginning_of,
    error_of_invocation,
    of_invocation,
    of_refusal,
    refusal_of,
    resource_of,
)
from emberbox.model.spans import Kind, Opened
from emberbox.telemetry.spans import Spans


class InvocationSpans:
    """See the module."""

    def __init__(self, spans: Spans, clock: Clock) -> None:
        self._spans = spans
        self._clock = clock
        self._open: dict[str, Opened] = {}

    def begin(self, request_id: str, caller: Opened, span_id: str) -> None:
        """An invocation begins for a caller whose span is recorded, and so is its own."""
        self._open[request_id] = self._spans.below(caller, "invoke", Kind.SERVER, span_id)

    def forget(self, request_id: str) -> None:
        """It has not begun after all."""
        self._open.pop(request_id, None)

    def reported(
        self,
        function: FunctionVersion,
        invocation: Invocation,
        measured: Measurement,
        error: bytes = b"",
    ) -> None:
        """It has ended and was measured; `error` is the document of its failure."""
        opened = self._open.pop(invocation.request_id, None)
        if opened is None:
            return
        about, call = resource_of(function), invocation._replace(payload=b"", sink=None)
        began, failure = beginning_of(measured), read_error(error)
        if began is not None:
            phase, took_ms = began
            ready = self._clock.now() - measured.duration_ms / 1000
            self._spans.add(opened, phase, ready - took_ms / 1000, ready, about)
        self._spans.close(
            opened._replace(name=function.name),
            partial(of_invocation, call, measured, opened.trigger, failure),
            error=error_of_invocation(measured, failure),
            resource=about,
        )

    def refused(self, function: FunctionVersion, request_id: str, error: BaseException) -> None:
        """It could not be run."""
        opened = self._open.pop(request_id, None)
        if opened is None:
            return
        code, text = refusal_of(error)
        said = partial(of_refusal, request_id, code, opened.trigger)
        named = opened._replace(name=function.name)
        self._spans.close(named, said, error=text, resource=resource_of(function))
