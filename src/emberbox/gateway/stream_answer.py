"""The answer to InvokeWithResponseStream, onto the wire as the function writes it.

Source: API reference of Lambda, InvokeWithResponseStream; the framing is that of
vnd.amazon.eventstream. Nothing is kept here: what the client does not read makes the function wait.
"""

import asyncio
import base64
from collections.abc import Callable

import orjson

from emberbox.gateway.event_stream import CONTENT_TYPE, message
from emberbox.invoke.frontdoor import InvokeAnswer
from emberbox.model.invocation import Flow

_CHUNK = {
    ":event-type": "PayloadChunk",
    ":content-type": "application/octet-stream",
    ":message-type": "event",
}
_COMPLETE = {
    ":event-type": "InvokeComplete",
    ":content-type": "application/json",
    ":message-type": "event",
}


class StreamAnswer:
    """A `ResponseSink` for one call; `finish` once, when the outcome is known.

    `watch` ties the flow of the stream to what the connection can take, until it gets None.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        date_line: Callable[[], str],
        watch: Callable[[Flow | None], None],
        request_id: str,
        *,
        keep_alive: bool,
    ) -> None:
        self._transport = transport
        self._date_line = date_line
        self._watch = watch
        self._request_id = request_id
        self._keep_alive = keep_alive
        self.has_begun = False

    def begin(self, version: str, content_type: str, flow: Flow) -> None:
        """The function begins to stream; its content type is of no use to this API."""
        del content_type
        self._write_head(version, "")
        self._watch(flow)

    def _write_head(self, version: str, notice: str) -> None:
        self.has_begun = True
        head = (
            f"HTTP/1.1 200 OK\r\n{self._date_line()}Content-Type: {CONTENT_TYPE}\r\n"
            f"Transfer-Encoding: chunked\r\nX-Amz-Executed-Version: {version}\r\n"
        )
        if notice:
            head += f"X-Emberbox-Notice: {notice}\r\n"
        if not self._keep_alive:
            head += "Connection: close\r\n"
        self._send(f"{head}x-amzn-RequestId: {self._request_id}\r\n\r\n".encode("latin-1"))

    def write(self, chunk: bytes) -> None:
        """One piece, as a PayloadChunk."""
        self._send_event(_CHUNK, chunk)

    def finish(self, answer: InvokeAnswer) -> None:
        """The end of the stream; all of it, if the function gave its response as a whole."""
        self._watch(None)
        if not self.has_begun:
            self._write_head(answer.executed_version or "", answer.notice)
        if not answer.streamed and not answer.failed:
            self.write(answer.payload)
        complete = {}
        if answer.failed:
            complete["ErrorCode"] = answer.error_type or "Unhandled"
            complete["ErrorDetails"] = answer.payload.decode("utf-8", "replace")
        if answer.log_tail is not None:
            complete["LogResult"] = base64.b64encode(answer.log_tail).decode()
        self._send_event(_COMPLETE, orjson.dumps(complete))
        self._send(b"0\r\n\r\n")

    def _send_event(self, headers: dict[str, str], payload: bytes) -> None:
        framed = message(headers, payload)
        self._send(b"%x\r\n%b\r\n" % (len(framed), framed))

    def _send(self, data: bytes) -> None:
        """To a client that has gone nothing is said; the function runs to its end, as on AWS."""
        if not self._transport.is_closing():
            self._transport.write(data)
