"""Which invocations are recorded for X-Ray, and what is recorded of them; spans besides.

The caller decides with its trace header. Where it does not, a function with active tracing records
the first request of each second and five percent of the others. Source: "Visualize Lambda function
invocations using AWS X-Ray" of Lambda's guide.
"""

import re
from collections.abc import Callable
from typing import Final

from emberbox.clock import Clock
from emberbox.entropy import Entropy
from emberbox.errors import CallerError
from emberbox.invoke.invocation_spans import InvocationSpans
from emberbox.model.function import FunctionVersion
from emberbox.model.function_errors import read_error
from emberbox.model.invocation import Invocation
from emberbox.model.report import Measurement
from emberbox.model.spans import Opened, seen_by_function
from emberbox.model.trace import OWN, is_decided, is_recorded
from emberbox.model.xray.lambda_segments import Traced, function_segment, service_segment
from emberbox.model.xray.segments import Document

Record = Callable[[FunctionVersion, Document], None]
"""Keeps a segment in the name of a function."""

_SHARE: Final = 0.05
_ROOT: Final = re.compile(r"Root=(1-[0-9a-fA-F]{8}-[0-9a-fA-F]{24})(?=;|\Z)")
_PARENT: Final = re.compile(r";?Parent=([0-9a-fA-F]{16})(?=;|\Z)")
_SECONDS_KEPT: Final = 10_000


class Tracing:
    """See the module. Nothing is recorded before there is a `record`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entropy = Entropy()
        self._seconds: dict[tuple[str, str, str], int] = {}
        self._open: dict[str, Traced] = {}
        self.record: Record | None = None
        self.spans: InvocationSpans | None = None

    def concerns(self, function: FunctionVersion, given: str | None) -> bool:
        """Whether an invocation may have to be recorded, which needs more than the quickest way."""
        return function.is_traced or (given is not None and is_recorded(given))

    def samples(self, function: FunctionVersion) -> bool:
        """Whether to record one that nobody has decided on."""
        if not function.is_traced:
            return False
        second = int(self._clock.now())
        if self._seconds.get(function.key) != second:
            if len(self._seconds) >= _SECONDS_KEPT:
                self._seconds.clear()
            self._seconds[function.key] = second
            return True
        return int(self._entropy.hex(4), 16) < _SHARE * 0x1_0000

    def decided(self, function: FunctionVersion, given: str) -> str:
        """A caller's trace, with a decision where the caller has left it to us."""
        if not function.is_traced:
            return given
        if OWN in given and self.samples(function):
            # Sampled already, though not yet for X-Ray.
            return given.replace(f";{OWN}", "", 1)
        if is_decided(given):
            return given
        return f"{given};Sampled={self.samples(function):d}"

    def begin_span(self, invocation: Invocation, caller: Opened) -> Invocation:
        """An invocation on the quickest way begins that is recorded as a span alone."""
        if self.spans is None:
            return invocation
        span_id = self._entropy.hex(16)
        self.spans.begin(invocation.request_id, caller, span_id)
        return invocation._replace(trace=seen_by_function(caller, invocation.trace, span_id))

    def forget(self, request_id: str) -> None:
        """An invocation has not begun after all."""
        if self.spans is not None:
            self.spans.forget(request_id)

    def begin(
        self,
        request_id: str,
        trace: str,
        *,
        accepted: float = 0.0,
        attempt: int = 1,
        caller: Opened | None = None,
    ) -> str:
        """An invocation of a sampled trace begins: the trace as the function is to see it.

        What the function records belongs under its own segment, which is the parent from now on,
        and has the id of the invocation's span if `caller`, the span of the request, has one.
        """
        digits = self._entropy.hex(48)
        service, function, attempted = digits[:16], digits[16:32], digits[32:]
        seen = trace
        if self.spans is not None and caller is not None:
            self.spans.begin(request_id, caller, function)
            seen = seen_by_function(caller, trace, function)
        root = _ROOT.search(trace)
        if self.record is None or root is None or not is_recorded(trace):
            return seen
        parent = _PARENT.search(trace)
        self._open[request_id] = Traced(
            root[1],
            parent[1] if parent else "",
            service,
            function,
            attempted,
            request_id,
            self._clock.now(),
            accepted,
            attempt,
        )
        return f"{root[0]};Parent={function}{_PARENT.sub('', trace[: root.start()])}" + _PARENT.sub(
            "", trace[root.end() :]
        )

    def reported(
        self,
        function: FunctionVersion,
        invocation: Invocation,
        measured: Measurement,
        error: bytes = b"",
    ) -> None:
        """An invocation has ended and was measured; `error` is the document of its failure."""
        if self.spans is not None:
            self.spans.reported(function, invocation, measured, error)
        traced = self._open.pop(invocation.request_id, None)
        if traced is None or self.record is None:
            return
        now = self._clock.now()
        failure = read_error(error)
        self.record(function, function_segment(function, traced, measured, now, failure))
        self.record(function, service_segment(function, traced, now, 200, failed=measured.failed))

    def refused(self, function: FunctionVersion, request_id: str, error: BaseException) -> None:
        """An invocation could not be run."""
        if self.spans is not None:
            self.spans.refused(function, request_id, error)
        traced = self._open.pop(request_id, None)
        if traced is None or self.record is None:
            return
        status = (error.status or 500) if isinstance(error, CallerError) else 500
        now = self._clock.now()
        self.record(function, service_segment(function, traced, now, status, failed=False))
