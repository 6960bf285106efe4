"""Spans for OpenTelemetry, where the server is told to record them: who makes them, who exports."""

from emberbox.invoke.event_spans import EventSpans
from emberbox.invoke.frontdoor import FrontDoor
from emberbox.invoke.invocation_spans import InvocationSpans
from emberbox.parts.asynchronous import Asynchronous
from emberbox.parts.ground import Ground
from emberbox.telemetry.otlp import OtlpExport
from emberbox.telemetry.spans import Spans


def open_spans(ground: Ground, front_door: FrontDoor) -> Spans | None:
    """Invocations have spans from now on; None if nobody wants them.

    What waits to be exported is sent when the stack unwinds.
    """
    if not ground.settings.otel:
        return None
    export = OtlpExport()
    ground.stack.push_async_callback(export.close)
    spans = Spans(export, ground.clock)
    front_door.tracing.spans = InvocationSpans(spans, ground.clock)
    return spans


def span_events(spans: Spans | None, asynchronous: Asynchronous, ground: Ground) -> None:
    """Attempts to run events, and what is told of them, have spans too."""
    if spans is not None:
        made = EventSpans(spans, ground.clock)
        asynchronous.invoker.spans = made
        asynchronous.deliveries.spans = made
