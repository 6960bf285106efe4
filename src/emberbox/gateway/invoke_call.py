"""One Invoke call on the fast path: from parsed head and body to the bytes of the answer.

Written against the connection directly, beside the ASGI application: the way of an invocation has
no room for a scope, a receive and a send (docs/explanation/architecture.md).
"""

import asyncio
import base64
import logging
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from emberbox.errors import CallerError, EmberboxError
from emberbox.invoke.frontdoor import FrontDoor, InvokeAnswer, InvokeRequest
from emberbox.model.limits import INVOKE_PAYLOAD_MAX_BYTES, REQUEST_MAX_BYTES

if TYPE_CHECKING:
    from emberbox.gateway.app import Gateway

log = logging.getLogger("emberbox.gateway")

_PATH = re.compile(rb"/2015-03-31/functions/([^/?]{1,800})/invocations/?(?:\?(.{0,2000}))?\Z")
_WRITE_AT_ONCE = 65_536
_PHRASES = {200: b"200 OK", 202: b"202 Accepted", 204: b"204 No Content"}


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
        date_line: Callable[[], bytes],
        on_response: Callable[[], None],
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
        self._parts: list[bytes] = []
        self._complete: asyncio.Future[None] | None = None
        self.body_bytes = 0
        self.is_queued = False
        self.keep_alive = keep_alive
        self.more_body = True
        self.disconnected = False
        self.response_complete = False
        self.message_event = _NoEvent()

    def take_body(self, body: bytes) -> bool:
        """A part of the payload; False if the connection must end. Too much is only counted."""
        self.body_bytes += len(body)
        if self.body_bytes <= INVOKE_PAYLOAD_MAX_BYTES:
            self._parts.append(body)
        else:
            self._parts.clear()
        return self.body_bytes <= REQUEST_MAX_BYTES

    def end_body(self) -> None:
        """The whole payload has arrived."""
        self.more_body = False
        if self._complete is not None and not self._complete.done():
            self._complete.set_result(None)

    async def run_asgi(self, _app: Any) -> None:
        """Serve the call. The name is uvicorn's: pipelined requests are started through it."""
        if self.more_body:
            self._complete = asyncio.get_running_loop().create_future()
            await self._complete
        request_id = self._gateway.new_request_id()
        try:
            self._write_answer(request_id, await self._front_door.invoke(self._request(request_id)))
        except CallerError as error:
            self._write_error(request_id, error)
        except EmberboxError as error:
            log.error("invoke %s failed: %s", request_id, error)  # noqa: TRY400 - the text is all
            self._write_error(request_id, CallerError("ServiceException", str(error), status=500))
        except Exception:
            log.exception("invoke %s failed", request_id)
            text = "An internal error occurred; the server's log has the cause."
            self._write_error(request_id, CallerError("ServiceException", text, status=500))

    def _request(self, request_id: str) -> InvokeRequest:
        headers = self._headers
        scope = self._gateway.scope_of(headers.get(b"authorization"))
        function, query = self._target.groups()
        name = function.decode("latin-1")
        if self.body_bytes > INVOKE_PAYLOAD_MAX_BYTES:
            raise CallerError(
                "RequestTooLargeException",
                f"{self.body_bytes} byte payload is too large for the RequestResponse invocation "
                f"type (limit {INVOKE_PAYLOAD_MAX_BYTES} bytes)",
                status=413,
            )
        parts, self._parts = self._parts, []
        return InvokeRequest(
            account=scope.account,
            region=scope.region,
            request_id=request_id,
            function=unquote(name) if "%" in name else name,
            payload=parts[0] if len(parts) == 1 else b"".join(parts),
            qualifier=_qualifier(query),
            invocation_type=_text(headers, b"x-amz-invocation-type") or "RequestResponse",
            log_type=_text(headers, b"x-amz-log-type") or "None",
            client_context=_text(headers, b"x-amz-client-context"),
            trace=_text(headers, b"x-amzn-trace-id"),
        )

    def _write_answer(self, request_id: str, answer: InvokeAnswer) -> None:
        head = [
            b"HTTP/1.1 ", _PHRASES[answer.status], b"\r\n", self._date_line(),
            b"x-amzn-RequestId: ", request_id.encode(),
        ]  # fmt: skip
        if answer.status != 204:
            head += [
                b"\r\nContent-Type: application/json\r\nContent-Length: ",
                str(len(answer.payload)).encode(),
                b"\r\nX-Amzn-Trace-Id: ", answer.trace.encode(),
            ]  # fmt: skip
        if answer.executed_version is not None:
            head += [b"\r\nX-Amz-Executed-Version: ", answer.executed_version.encode()]
        if answer.failed:
            head.append(b"\r\nX-Amz-Function-Error: Unhandled")
        if answer.log_tail is not None:
            head += [b"\r\nX-Amz-Log-Result: ", base64.b64encode(answer.log_tail)]
        if answer.notice:
            head += [b"\r\nX-Emberbox-Notice: ", answer.notice.encode("ascii", "replace")]
        self._write(head, answer.payload)

    def _write_error(self, request_id: str, error: CallerError) -> None:
        status, headers, body = self._gateway.error_response("lambda", "Invoke", error, request_id)
        head = [b"HTTP/1.1 %d \r\n" % status, self._date_line().rstrip(b"\r\n")]
        for name, value in headers:
            head += [b"\r\n", name, b": ", value]
        self._write(head, body)

    def _write(self, head: list[bytes], body: bytes) -> None:
        head.append(b"\r\n\r\n" if self.keep_alive else b"\r\nConnection: close\r\n\r\n")
        transport = self._transport
        self.response_complete = True
        if not transport.is_closing():
            if len(body) < _WRITE_AT_ONCE:
                head.append(body)
                transport.write(b"".join(head))
            else:
                transport.write(b"".join(head))
                transport.write(body)
            if not self.keep_alive:
                transport.close()
        self._on_response()


def _text(headers: dict[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return value.decode("latin-1") if value is not None else None


def _qualifier(query: bytes | None) -> str | None:
    if not query:
        return None
    for name, value in parse_qsl(query.decode("latin-1"), max_num_fields=20):
        if name == "Qualifier":
            return value
    return None
