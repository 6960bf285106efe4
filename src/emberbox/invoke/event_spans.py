"""Spans of asynchronous events: each attempt to run one, and what is told of it."""

from functools import partial

from emberbox.clock import Clock
from emberbox.model.async_deliveries import Delivery, own_trace
from emberbox.model.async_invocation import Again, Over, QueuedEvent, Ran
from emberbox.model.span_attributes import (
    error_of_attempt,
    of_attempt,
    of_delivery,
    resource_name,
)
from emberbox.model.spans import Kind, Opened
from emberbox.telemetry.spans import Spans


class EventSpans:
    """All attempts of an event, and its deliveries, stand below the request that brought it."""

    def __init__(self, spans: Spans, clock: Clock) -> None:
        self._spans = spans
        self._clock = clock

    def begin(self, event: QueuedEvent) -> Opened | None:
        """An attempt begins; None if it is not recorded."""
        name = f"process {event.name}"
        return self._spans.open(name, Kind.CONSUMER, event.trace or own_trace(event))

    def end(
        self, span: Opened, event: QueuedEvent, verdict: Again | Over | None, ran: Ran | None
    ) -> None:
        """What came of it."""
        about = event._replace(payload=b"")
        said = partial(of_attempt, about, verdict, self._clock.now())
        self._spans.close(span, said, error=error_of_attempt(verdict, ran))

    def begin_delivery(self, delivery: Delivery) -> Opened | None:
        """A try to deliver begins; None if it is not recorded."""
        name = f"send {resource_name(delivery.target)}"
        return self._spans.open(name, Kind.PRODUCER, delivery.trace)

    def end_delivery(
        self, span: Opened, delivery: Delivery, attempt: int, error: Exception | None = None
    ) -> None:
        """It is there, or it is not."""
        about, size = delivery._replace(body=b""), len(delivery.body)
        said = partial(of_delivery, about, size, attempt)
        text = None if error is None else str(error) or type(error).__name__
        self._spans.close(span, said, error=text)
