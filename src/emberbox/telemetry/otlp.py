"""Exports spans by OTLP, with OpenTelemetry's own SDK: an extra, loaded only where it is wanted.

The SDK reads the standard variables (`OTEL_EXPORTER_OTLP_*`, `OTEL_BSP_*`, `OTEL_TRACES_SAMPLER`,
`OTEL_RESOURCE_ATTRIBUTES`, `OTEL_SERVICE_NAME`). Spans wait in a queue of bounded length for a
thread that sends them in batches, and makes of our records what the SDK exports only there: its
tracer would do that while an invocation waits, and have its own thoughts about ids and times.
"""

import asyncio
import logging
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from emberbox import __version__
from emberbox.model.spans import Attributes, Context, Kind, Resource, Span

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource as SdkResource
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import SpanContext

log = logging.getLogger("emberbox.spans")

_SERVICE: Final = "emberbox"
_UNKNOWN: Final = "unknown_service"
_RESOURCES: Final = 1_024
_CLOSE_S: Final = 3.0
_NS: Final = 1_000_000_000


class OtlpExport:
    """See the module. Without an `exporter` spans go where the environment says."""

    def __init__(self, exporter: "SpanExporter | None" = None) -> None:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import DEFAULT_ON, Decision

        resource = _server_resource()
        self._api: Any = trace
        sampler = TracerProvider(resource=resource, shutdown_on_exit=False).sampler
        self._sampler = None if sampler is DEFAULT_ON else sampler
        self._dropped = Decision.DROP
        converter = _Converter(exporter or OTLPSpanExporter(), resource)
        self._processor: Any = BatchSpanProcessor(cast("SpanExporter", converter))
        self._kinds = {kind: trace.SpanKind[kind.value] for kind in Kind}
        self._context = converter.context("f" * 32, "f" * 16, is_sampled=True)
        self._has_failed = False

    def wants(self, context: Context, name: str, kind: Kind) -> bool:
        """Whether the sampler of the environment wants it, which asks the parent first if told."""
        if self._sampler is None:
            return context.is_sampled is not False or not context.span_id
        try:
            result = self._sampler.should_sample(
                self._parent(context), int(context.trace_id, 16), name, self._kinds[kind]
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, no invocation fails for it
            self._told(error)
            return False
        return result.decision is not self._dropped

    def send(self, span: Span) -> None:
        """Put it into the queue of what is to be exported."""
        try:
            self._processor.on_end(_Waiting(self._context, span))
        except Exception as error:  # noqa: BLE001 - whatever it is, no invocation fails for it
            self._told(error)

    async def close(self, within_s: float = _CLOSE_S) -> None:
        """Export what waits, if that does not take long: a collector that is away holds nobody."""
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def shut_down() -> None:
            self._processor.shutdown()
            loop.call_soon_threadsafe(done.set)

        threading.Thread(target=shut_down, name="spans-end", daemon=True).start()
        try:
            async with asyncio.timeout(within_s):
                await done.wait()
        except TimeoutError:
            log.warning("the last spans could not be exported within %s s", within_s)

    def _parent(self, context: Context) -> Any:
        """The context that the sampler is to find its parent in; None at a root."""
        trace_id, span_id, is_sampled = context
        if not span_id or is_sampled is None:
            return None
        api = self._api
        flags = api.TraceFlags(int(is_sampled))
        parent = api.SpanContext(int(trace_id, 16), int(span_id, 16), True, flags)
        return api.set_span_in_context(api.NonRecordingSpan(parent))

    def _told(self, error: Exception) -> None:
        """The first is logged: more would be more of the same."""
        if not self._has_failed:
            self._has_failed = True
            log.error("spans are lost: %s", error, exc_info=error)


class _Waiting(NamedTuple):
    """A span in the queue, which asks for no more than a context that says that it is sampled."""

    context: "SpanContext"
    span: Span


class _Converter:
    """An exporter of the SDK that makes its spans of ours and hands them to another."""

    def __init__(self, exporter: "SpanExporter", resource: "SdkResource") -> None:
        from opentelemetry import trace
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope

        self._exporter: Any = exporter
        self._api: Any = trace
        self._span_type = ReadableSpan
        self._resource = resource
        self._resource_of = lru_cache(_RESOURCES)(_merged)
        self._scope = InstrumentationScope(_SERVICE, __version__)
        self._kinds = {kind: trace.SpanKind[kind.value] for kind in Kind}
        self._sampled = trace.TraceFlags(trace.TraceFlags.SAMPLED)
        self._unsampled = trace.TraceFlags(trace.TraceFlags.DEFAULT)
        self._unset = trace.Status(trace.StatusCode.UNSET)

    def export(self, spans: Sequence[_Waiting]) -> Any:
        """Export a batch; on the processor's thread."""
        return self._exporter.export([self._converted(each.span) for each in spans])

    def shutdown(self) -> None:
        """Nothing more will come."""
        self._exporter.shutdown()

    def context(self, trace_id: str, span_id: str, *, is_sampled: bool) -> "SpanContext":
        """A context in the SDK's words."""
        flags = self._sampled if is_sampled else self._unsampled
        made: SpanContext = self._api.SpanContext(
            int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=flags
        )
        return made

    def _converted(self, span: Span) -> Any:
        name, kind, trace_id, span_id, parent, start, end, said, error, links, about = span
        api = self._api
        return self._span_type(
            name,
            self.context(trace_id, span_id, is_sampled=True),
            self.context(trace_id, parent, is_sampled=True) if parent else None,
            self._resource if about is None else self._resource_of(about, self._resource),
            said(),
            (),
            [
                api.Link(self.context(each, within, is_sampled=sampled is True))
                for each, within, sampled in links
            ],
            self._kinds[kind],
            status=self._unset if error is None else api.Status(api.StatusCode.ERROR, error),
            start_time=int(start * _NS),
            end_time=int(end * _NS),
            instrumentation_scope=self._scope,
        )


def _server_resource() -> "SdkResource":
    """What the environment says of this service; it has a name where it says nothing."""
    from opentelemetry.sdk.resources import Resource as SdkResource

    given = SdkResource.create({"service.version": __version__})
    if str(given.attributes.get("service.name", _UNKNOWN)).startswith(_UNKNOWN):
        return given.merge(SdkResource({"service.name": _SERVICE}))
    return given


def _merged(about: Resource, server: "SdkResource") -> "SdkResource":
    """A function as a service of its own, on this server."""
    from opentelemetry.sdk.resources import Resource as SdkResource

    attributes: Attributes = dict(about)
    return server.merge(SdkResource({"service.namespace": _SERVICE, **attributes}))
