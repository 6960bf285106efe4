"""One Invoke or InvokeWithResponseStream call on the fast path: from head and body to the answer.

Written against the connection directly, beside the ASGI application: the way of an invocation has
no room for a scope, a receive and a send (docs/explanation/architecture.md).
"""

import asyncio
import base64
import logging
import re
from collections.abc import Callable, Coroutine
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from emberbox.errors import CallerError, EmberboxError
from emberbox.gateway.guard import Wire
from emberbox.gateway.invoke_guard import InvokeGuard
from emberbox.gateway.origins import foreign_page, is_foreign
from emberbox.gateway.request_spans import RequestSpan
from emberbox.gateway.stream_answer import StreamAnswer
from emberbox.invoke.asking import refuse_execution_name
from emberbox.invoke.frontdoor import FrontDoor, InvokeAnswer, InvokeRequest
from emberbox.model.invocation import Flow
from emberbox.model.limits import INVOKE_PAYLOAD_MAX_BYTES, REQUEST_MAX_BYTES
from emberbox.model.span_attributes import Asked, invoked_by_name
from emberbox.model.trace import from_traceparent

if TYPE_CHECKING:
    from emberbox.gateway.app import Gateway

log = logging.getLogger("emberbox.gateway")

_PATH = re.compile(
    # The absolute form is what clients send to a proxy; the length of a head is bounded elsewhere.
    rb"(?:https?://[^/?]+)?/(?:2015-03-31/functions/([^/?]+)/invocations"
    rb"|2021-11-15/functions/([^/?]+)/response-streaming-invocations)/?(?:\?(.*))?\Z"
)
_WRITE_AT_ONCE = 65_536
_STREAMING = "InvokeWithResponseStream"
_PHRASES = {200: "200 OK", 202: "202 Accepted", 204: "204 No Content"}
_STATUSES = frozenset(HTTPStatus)


def match_invoke(method: bytes, url: bytes) -> re.Match[bytes] | None:
    """The parts of an Invoke request's target, or None for any other request."""
    return _PATH.match(url) if method == b"POST" else None


class _NoEvent:
    """uvicorn's connection sets its cycle's event when something arrives; nobody waits here."""

    def set(self) -> None:
        return


class InvokeCall:
    """Stands where uvicorn keeps its request-response cycle, and has the attributes it touches."""

    def __init__(
        self,
        gateway: "Gateway",
        front_door: FrontDoor,
        transport: asyncio.Transport,
        target: re.Match[bytes],
        headers: list[tuple[bytes, bytes]],
        date_line: Callable[[], str],
        on_response: Callable[[], None],
        own: Callable[[Coroutine[Any, Any, None]], None],
        watch: Callable[[Flow | None], None],
        *,
        keep_alive: bool,
    ) -> None:
        self._gateway = gateway
        self._front_door = front_door
        self._transport = transport
        self._target = target
        self._headers = dict(headers)
        self._date_line = date_line
        self._on_response = on_response
        self._own = own
        self._request_id = gateway.new_request_id()
        self._stream = (
            StreamAnswer(transport, date_line, watch, self._request_id, keep_alive=keep_alive)
            if target[2]
            else None
        )
        self._body: bytes | bytearray = b""
        self._span = None if gateway.spans is None else self._begin_span()
        self._complete: asyncio.Future[None] | None = None
        self.body_bytes = 0
        self.is_queued = False
        self.is_refused = False
        self.keep_alive = keep_alive
        self.more_body = True
        self.disconnected = False
        self.response_complete = False
        self.message_event = _NoEvent()

    def _begin_span(self) -> RequestSpan | None:
        spans, headers = self._gateway.spans, self._headers
        if spans is None:
            return None
        peer = self._transport.get_extra_info("peername")
        asked = Asked(
            "POST",
            self._target.string.partition(b"?")[0].decode("latin-1"),
            "http",
            self._request_id,
            str(peer[0]) if isinstance(peer, tuple) else "",
            _text(headers, b"user-agent") or "",
        )
        trace, parent = _text(headers, b"x-amzn-trace-id"), _text(headers, b"traceparent")
        span = spans.begin(asked, trace, parent)
        if span is not None:
            span.operation = f"lambda/{'Invoke' if self._stream is None else _STREAMING}"
        return span

    def refuse_at_once(self) -> None:
        """Answer from the head alone where it is enough: a foreign page, or too large a body.

        What still comes of the body is read and dropped, so that the client can read the answer.
        """
        declared = int(self._headers.get(b"content-length", b"0"))
        if is_foreign(self._headers.get(b"origin"), self._headers.get(b"host")):
            refusal = foreign_page()
        elif declared > INVOKE_PAYLOAD_MAX_BYTES:
            refusal = _too_large(declared)
        else:
            return
        self.is_refused = True
        self.keep_alive = False
        self._write_error(refusal)

    def take_body(self, body: bytes) -> bool:
        """A part of the payload; False if the connection must end. Too much is only counted."""
        self.body_bytes += len(body)
        if self.body_bytes > INVOKE_PAYLOAD_MAX_BYTES:
            self._body = b""
        elif not self._body:
            self._body = body
        else:
            # However small its pieces are, a payload takes no more than its size.
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += body
        return self.body_bytes <= REQUEST_MAX_BYTES

    def end_body(self) -> None:
        """The whole payload has arrived."""
        self.more_body = False
        if self.is_refused:
            self._transport.close()
        if self._complete is not None and not self._complete.done():
            self._complete.set_result(None)

    def abandon(self) -> None:
        """The client has gone: what it has not sent will not come."""
        if self._complete is not None:
            self._complete.cancel()

    async def run_asgi(self, _app: Any) -> None:
        """Serve the call once it is whole. uvicorn starts pipelined requests through this name."""
        if self.more_body:
            self._complete = asyncio.get_running_loop().create_future()
            await self._complete
        self.start()

    def start(self) -> None:
        """Serve the call: at once if an environment is idle, else in a task of its own."""
        try:
            request = self._request(self._request_id)
            guard = self._gateway.invoke_guard
            admitted = request if guard is None else guard.at_once(self._wire(request), request)
            if admitted is None:
                self._own(self._serve(request, guard))
            elif not self._begin(admitted):
                self._own(self._serve(admitted))
        except CallerError as error:
            self._write_error(error)
        except Exception as error:  # noqa: BLE001 - the boundary of the call: logged and answered
            self._write_fault(error)

    def _begin(self, request: InvokeRequest) -> bool:
        """Serve it without a task; False if that cannot be."""
        if request.invocation_type != "Event":
            return self._front_door.begin(request, self._write_answer)
        kept = self._front_door.begin_event(request)
        if kept is None:
            return False
        kept.written.add_done_callback(partial(self._write_kept, kept.answer))
        return True

    def _write_kept(self, answer: InvokeAnswer, written: "asyncio.Future[None]") -> None:
        """The event is on disk, or could not be written."""
        error = written.exception()
        if isinstance(error, Exception):
            self._write_fault(error)
        else:
            self._write_answer(answer)

    async def _serve(self, request: InvokeRequest, guard: InvokeGuard | None = None) -> None:
        """Serve a call with waiting; `guard` is given if it has not been asked yet."""
        try:
            if guard is not None:
                peer = self._transport.get_extra_info("peername")
                client = str(peer[0]) if isinstance(peer, tuple) else ""
                request = await guard.with_waiting(self._wire(request), request, client)
            await self._front_door.serve(request, self._write_answer)
        except CallerError as error:
            self._write_error(error)
        except Exception as error:  # noqa: BLE001 - the boundary of the call: logged and answered
            self._write_fault(error)

    def _wire(self, request: InvokeRequest) -> Wire:
        return Wire(b"POST", self._target.string, self._headers, request.payload)

    def _write_fault(self, error: Exception) -> None:
        """The platform has failed: the client learns that, the server's log why."""
        known = isinstance(error, EmberboxError)
        log.error("invoke %s failed: %s", self._request_id, error, exc_info=not known)
        text = (
            str(error) if known else "An internal error occurred; the server's log has the cause."
        )
        if self._stream is not None and self._stream.has_begun:
            # It is too late for a status: a stream that breaks off is an error too.
            self._transport.abort()
            if self._span is not None and self._gateway.spans is not None:
                self._span.code = "ServiceException"
                self._gateway.spans.end(self._span, 500)
        else:
            self._write_error(CallerError("ServiceException", text, status=500))

    def _request(self, request_id: str) -> InvokeRequest:
        headers = self._headers
        scope = self._gateway.scope_of(headers.get(b"authorization"))
        whole, streamed, query = self._target.groups()
        name = (whole or streamed).decode("latin-1")
        if self.body_bytes > INVOKE_PAYLOAD_MAX_BYTES:
            raise _too_large(self.body_bytes)
        execution = _text(headers, b"x-amz-durable-execution-name")
        if execution is not None and self._stream is None:
            raise refuse_execution_name(execution)
        payload, self._body = bytes(self._body), b""
        qualifier, span = _qualifier(query) if query else None, self._span
        if span is None:
            trace = _text(headers, b"x-amzn-trace-id") or from_traceparent(
                _text(headers, b"traceparent")
            )
        else:
            trace = span.opened.trace
            span.more = partial(invoked_by_name, name, qualifier, scope.account, scope.region)
        return InvokeRequest(
            scope.account,
            scope.region,
            request_id,
            unquote(name) if "%" in name else name,
            payload,
            qualifier,
            _text(headers, b"x-amz-invocation-type") or "RequestResponse",
            _text(headers, b"x-amz-log-type") or "None",
            _text(headers, b"x-amz-client-context"),
            trace,
            self._stream,
            tenant=_text(headers, b"x-amz-tenant-id"),
            span=None if span is None else span.opened,
        )

    def _write_answer(self, answer: InvokeAnswer) -> None:
        if self._span is not None:
            self._span.failed = answer.failed
        if self._stream is not None and answer.status == 200:
            self._stream.finish(answer)
            self._end(200)
            return
        status, payload, version, failed, log_tail, trace, notice, _, _ = answer
        head = f"HTTP/1.1 {_PHRASES[status]}\r\n{self._date_line()}"
        if status != 204:
            head += f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n"
            head += f"X-Amzn-Trace-Id: {trace}\r\n"
        if version is not None:
            head += f"X-Amz-Executed-Version: {version}\r\n"
        if failed:
            head += "X-Amz-Function-Error: Unhandled\r\n"
        if log_tail is not None:
            head += f"X-Amz-Log-Result: {base64.b64encode(log_tail).decode()}\r\n"
        if notice:
            head += f"X-Emberbox-Notice: {notice}\r\n"
        self._write(status, f"{head}x-amzn-RequestId: {self._request_id}", payload)

    def _write_error(self, error: CallerError) -> None:
        if self._span is not None:
            self._span.code = error.code
        status, headers, body = self._gateway.error_response(
            "lambda", "Invoke", error, self._request_id
        )
        lines = [f"{name.decode()}: {value.decode('latin-1')}" for name, value in headers]
        phrase = HTTPStatus(status).phrase if status in _STATUSES else ""
        first = f"HTTP/1.1 {status} {phrase}\r\n{self._date_line()}"
        self._write(status, first + "\r\n".join(lines), body)

    def _write(self, status: int, head: str, body: bytes) -> None:
        end = "\r\n\r\n" if self.keep_alive else "\r\nConnection: close\r\n\r\n"
        data = (head + end).encode("latin-1", "replace")
        transport = self._transport
        if not transport.is_closing():
            if len(body) < _WRITE_AT_ONCE:
                transport.write(data + body)
            else:
                transport.write(data)
                transport.write(body)
        self._end(status)

    def _end(self, status: int) -> None:
        """The answer is written."""
        if self._span is not None and self._gateway.spans is not None:
            self._gateway.spans.end(self._span, status)
        self.response_complete = True
        if not self.keep_alive and not self.more_body and not self._transport.is_closing():
            self._transport.close()
        self._on_response()


def _too_large(size: int) -> CallerError:
    return CallerError(
        "RequestTooLargeException",
        f"{size} byte payload is too large for the RequestResponse invocation type "
        f"(limit {INVOKE_PAYLOAD_MAX_BYTES} bytes)",
        status=413,
    )


def _text(headers: dict[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return value.decode("latin-1") if value is not None else None


def _qualifier(query: bytes) -> str | None:
    return next((v for n, v in parse_qsl(query.decode("latin-1")) if n == "Qualifier"), None)
