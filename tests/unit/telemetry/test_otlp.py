"""The export of spans: what is sampled, what goes out, and that it never stands in the way."""

import threading

import pytest
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, StatusCode

from emberbox.clock import ManualClock
from emberbox.model.spans import Context, Kind, Span
from emberbox.telemetry.otlp import OtlpExport
from emberbox.telemetry.spans import Spans

TRACE_ID = "5759e988bd862e3fe1be46a994272793"
ROOT = "1-5759e988-bd862e3fe1be46a994272793"
SPAN = "00f067aa0ba902b7"


class Kept(SpanExporter):
    """An exporter that keeps what it gets, once it is let."""

    def __init__(self, *, is_open=True):
        self.spans = []
        self.may_go_on = threading.Event()
        if is_open:
            self.may_go_on.set()

    def export(self, spans):
        self.may_go_on.wait()
        self.spans += spans
        return SpanExportResult.SUCCESS


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    for name in ("OTEL_TRACES_SAMPLER", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "8")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")


def a_span(**more):
    base = Span("s", Kind.SERVER, TRACE_ID, SPAN, "", 1.5, 2.5, lambda: {"a": 1})
    return base._replace(**more)


async def test_a_span_goes_out_as_it_is():
    """Ids, times, kind, status, links and attributes; the server is what it is about."""
    kept = Kept()
    export = OtlpExport(kept)
    link = Context("a" * 32, "b" * 16, True)
    export.send(a_span(parent_id="00000000000000aa", error="bad", links=[link]))
    await export.close()
    (sent,) = kept.spans
    assert f"{sent.context.trace_id:032x}" == TRACE_ID
    assert f"{sent.context.span_id:016x}" == SPAN
    assert sent.parent.span_id == 0xAA
    assert (sent.start_time, sent.end_time) == (1_500_000_000, 2_500_000_000)
    assert sent.kind is SpanKind.SERVER
    assert sent.status.status_code is StatusCode.ERROR
    assert sent.status.description == "bad"
    assert [f"{each.context.span_id:016x}" for each in sent.links] == ["b" * 16]
    assert sent.attributes == {"a": 1}
    assert sent.resource.attributes["service.name"] == "emberbox"


async def test_a_function_is_a_service_on_the_server(monkeypatch):
    """What the environment says of the server holds for it, but the name is its own."""
    monkeypatch.setenv("OTEL_SERVICE_NAME", "box")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "host.name=here")
    kept = Kept()
    export = OtlpExport(kept)
    export.send(a_span())
    export.send(a_span(resource=(("service.name", "f"), ("faas.name", "f"))))
    await export.close()
    server, function = (each.resource.attributes for each in kept.spans)
    assert server["service.name"] == "box"
    assert (function["service.name"], function["host.name"]) == ("f", "here")


@pytest.mark.parametrize(
    ("sampler", "undecided", "below_sampled", "below_unsampled"),
    [
        (None, True, True, False),
        ("always_on", True, True, True),
        ("always_off", False, False, False),
        ("parentbased_always_off", False, True, False),
    ],
)
async def test_the_sampler_of_the_environment_decides(
    monkeypatch, sampler, undecided, below_sampled, below_unsampled
):
    """A parent's decision counts for those samplers that ask for it, as it does unless told."""
    if sampler:
        monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    export = OtlpExport(Kept())
    answers = [
        export.wants(Context(TRACE_ID, SPAN, decision), "s", Kind.SERVER)
        for decision in (None, True, False)
    ]
    await export.close()
    assert answers == [undecided, below_sampled, below_unsampled]


async def test_a_collector_that_does_not_answer_holds_nobody_and_fills_nothing():
    """Spans are lost, a bounded number waits, and the server can end."""
    kept = Kept(is_open=False)
    export = OtlpExport(kept)
    for _ in range(1_000):
        export.send(a_span())
    await export.close(within_s=0.01)
    kept.may_go_on.set()
    for thread in threading.enumerate():
        if thread.name == "spans-end":
            thread.join()
    assert 8 <= len(kept.spans) <= 16


async def test_a_sampler_with_a_fault_is_told_of_once_and_hurts_nobody(monkeypatch, caplog):
    """Whatever it is."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_on")
    export = OtlpExport(Kept())
    for _ in range(3):
        assert not export.wants(Context("no number", "", None), "s", Kind.SERVER)
    await export.close()
    assert len(caplog.records) == 1


class Wanting:
    """An export for what is above it."""

    def __init__(self, *, wants=True):
        self.sent = []
        self._wants = wants

    def wants(self, *_asked):
        return self._wants

    def send(self, span):
        self.sent.append(span)


def test_what_nobody_wants_is_not_opened():
    """The trace goes on as it came."""
    spans = Spans(Wanting(wants=False), ManualClock())
    assert spans.open("s", Kind.SERVER, f"Root={ROOT};Sampled=0") is None


def test_a_span_without_a_caller_begins_a_trace_of_its_time():
    """So that X-Ray's form of its id is a valid one."""
    clock = ManualClock()
    opened = Spans(Wanting(), clock).open("s", Kind.SERVER, None)
    assert int(opened.trace_id[:8], 16) == int(clock.now())
    assert opened.parent_id == ""
    assert opened.trace.startswith(f"Root=1-{opened.trace_id[:8]}-{opened.trace_id[8:]};Parent=")


def test_a_span_lasts_from_its_opening_until_its_end():
    """And has no more links than anybody reads."""
    clock, export = ManualClock(), Wanting()
    spans = Spans(export, clock)
    opened = spans.open("s", Kind.CONSUMER, f"Root={ROOT};Parent={SPAN};Sampled=1")
    clock.advance(2)
    spans.close(opened, dict, links=[Context(TRACE_ID, SPAN, True)] * 1_000)
    (sent,) = export.sent
    assert (sent.trace_id, sent.parent_id) == (TRACE_ID, SPAN)
    assert sent.end - sent.start == 2
    assert len(sent.links) == 128
