"""A collector of OpenTelemetry's: takes spans by OTLP over HTTP and keeps them for a test."""

import gzip
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

_WAIT_S = 80.0


class Received:
    """One span, as the wire had it."""

    def __init__(self, resource, span):
        self.resource = values(resource.attributes)
        self.attributes = values(span.attributes)
        self.name = span.name
        self.kind = type(span).SpanKind.Name(span.kind).removeprefix("SPAN_KIND_")
        self.trace_id = span.trace_id.hex()
        self.span_id = span.span_id.hex()
        self.parent_id = span.parent_span_id.hex()
        self.start, self.end = span.start_time_unix_nano, span.end_time_unix_nano
        self.is_error = span.status.code == 2
        self.error = span.status.message
        self.links = [(link.trace_id.hex(), link.span_id.hex()) for link in span.links]

    def __repr__(self):
        return f"<{self.kind} {self.name} {self.span_id} below {self.parent_id or 'nothing'}>"


class Collector:
    """What has come until now. `headers` are those of the last request."""

    def __init__(self):
        self.url = ""
        self.headers = {}
        self._spans = []
        self._news = threading.Condition()

    def take(self, body, headers):
        request = ExportTraceServiceRequest.FromString(body)
        with self._news:
            self.headers = headers
            for part in request.resource_spans:
                for scope in part.scope_spans:
                    self._spans += [Received(part.resource, span) for span in scope.spans]
            self._news.notify_all()

    def trace(self, trace_id, *names):
        """The spans of a trace by their names, once all of these names are among them."""

        def found():
            return {span.name: span for span in self._spans if span.trace_id == trace_id}

        with self._news:
            came = self._news.wait_for(lambda: set(names) <= found().keys(), _WAIT_S)
            assert came, f"not among {self._spans}: {set(names) - found().keys()}"
            return found()


@contextmanager
def collecting():
    """A collector on a port of its own."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/v1/traces"
            collector.take(body, dict(self.headers))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


def values(attributes):
    """Attributes as Python values."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
