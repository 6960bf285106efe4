"""Opens and closes the spans of a server, for whatever exports them.

Each span is opened with the trace header that what it is about came with, and says with which
header it goes on. A trace that is not to be recorded costs that decision, and nothing more.
"""

from collections.abc import Sequence
from typing import Final, Protocol

from emberbox.clock import Clock
from emberbox.entropy import Entropy
from emberbox.model.spans import (
    LINKS_MAX,
    Attributes,
    Context,
    Kind,
    Opened,
    Resource,
    Said,
    Span,
    context_of,
    continued,
)

_EMPTY: Final[Attributes] = {}


class Export(Protocol):
    """Takes spans. Neither of these may raise or wait."""

    def wants(self, context: Context, name: str, kind: Kind) -> bool:
        """Whether a span below `context`, or at its root, is to be recorded."""
        ...

    def send(self, span: Span) -> None:
        """Keep a span until it is exported; where too many wait, some are lost."""
        ...


class Spans:
    """See the module. For the event loop's thread alone."""

    def __init__(self, export: Export, clock: Clock) -> None:
        self._export = export
        self._clock = clock
        self._entropy = Entropy()

    def open(
        self, name: str, kind: Kind, trace: str | None, *, trigger: str = "other"
    ) -> Opened | None:
        """Begin a span now; None if its trace is not to be recorded."""
        context = context_of(trace)
        now = self._clock.now()
        if context is None:
            # As X-Ray writes it, an id begins with the seconds of its time.
            context = Context(f"{int(now):08x}{self._entropy.hex(24)}", "", None)
        if not self._export.wants(context, name, kind):
            return None
        trace_id, parent, _ = context
        span_id = self.new_id()
        goes_on = continued(trace, trace_id, span_id)
        return Opened(name, kind, trace_id, span_id, parent, now, goes_on, trigger)

    def below(self, opened: Opened, name: str, kind: Kind, span_id: str) -> Opened:
        """Begin a span within another, under an id that is known already."""
        trace_id, trace, now = opened.trace_id, opened.trace, self._clock.now()
        return Opened(name, kind, trace_id, span_id, opened.span_id, now, trace, opened.trigger)

    def close(
        self,
        opened: Opened,
        said: Said,
        *,
        error: str | None = None,
        links: Sequence[Context] = (),
        resource: Resource | None = None,
    ) -> None:
        """End it now."""
        name, kind, trace_id, span_id, parent_id, start, _, _ = opened
        end = max(start, self._clock.now())
        self._export.send(
            Span(
                name,
                kind,
                trace_id,
                span_id,
                parent_id,
                start,
                end,
                said,
                error,
                links[:LINKS_MAX],
                resource,
            )
        )

    def add(
        self, opened: Opened, name: str, start: float, end: float, resource: Resource | None
    ) -> None:
        """A part of a span that is over already."""
        trace_id, parent = opened.trace_id, opened.span_id
        self._export.send(
            Span(
                name,
                Kind.INTERNAL,
                trace_id,
                self.new_id(),
                parent,
                start,
                end,
                _nothing,
                resource=resource,
            )
        )

    def new_id(self) -> str:
        """The id of a span that is to come."""
        return self._entropy.hex(16)


def _nothing() -> Attributes:
    return _EMPTY
