"""The Runtime API, version 2018-06-01, as one environment serves it to its runtime.

Source: "Using the Lambda runtime API for custom runtimes" of AWS's guide. Everything that arrives
here comes from a customer's process: heads and bodies are bounded, and a body is kept only if the
environment expects it.
"""

import asyncio
import base64
import binascii
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

import httptools

from emberbox.environment import runtime_wire as wire
from emberbox.environment.reading import Reading
from emberbox.environment.refusals import RefusedError, illegal_transition, payload_too_large
from emberbox.environment.response_stream import ResponseStream
from emberbox.model.invocation import Flow
from emberbox.model.limits import RESPONSE_PAYLOAD_MAX_BYTES

_HEAD_MAX = 65_536
_CONNECTIONS_MAX = 64
# Runtimes send an answer and the next request together, and nobody more than that.
_REQUESTS_AT_ONCE_MAX = 16


class RuntimeHost(Protocol):
    """The environment behind the Runtime API. All methods may raise RefusedError."""

    def runtime_asks_next(self, connection: "RuntimeConnection") -> None:
        """The runtime waits for an invocation; answer later with `deliver`."""
        ...

    def expects_answer(self, request_id: str) -> None:
        """Whether an answer to this request may come now."""
        ...

    def runtime_responds(self, request_id: str, body: bytes, *, too_large: bool) -> None:
        """The handler's result."""
        ...

    def runtime_fails(self, request_id: str, error_type: str, body: bytes) -> None:
        """The handler's failure."""
        ...

    def runtime_streams(self, request_id: str, content_type: str, flow: Flow) -> ResponseStream:
        """The handler's result is on its way: where its pieces go."""
        ...

    def runtime_ends_stream(self, request_id: str, error_type: str, error: bytes) -> None:
        """All of it has come; with an error type, the handler has failed in the middle."""
        ...

    def runtime_breaks_stream(self) -> None:
        """It will not come to its end."""
        ...

    def runtime_names_no_mode(self, request_id: str) -> None:
        """The handler's result has a mode that there is not."""
        ...

    def expects_init_error(self) -> None:
        """Whether an initialisation error may come now."""
        ...

    def runtime_fails_init(self, error_type: str, body: bytes) -> None:
        """The initialisation's failure."""
        ...

    def runtime_awaits_restore(self, connection: "RuntimeConnection", snapshot: str) -> None:
        """The runtime has initialised and waits for RESTORE; answer later with `deliver`.

        `snapshot` is what our own runtimes say of the image that they were to save, else empty.
        """
        ...

    def expects_restore_error(self) -> None:
        """Whether an error of a hook may come now."""
        ...

    def runtime_fails_restore(self, error_type: str, body: bytes) -> None:
        """The failure of a hook after the environment was restored."""
        ...

    def runtime_connected(self) -> None:
        """A process has connected."""
        ...

    def extension_calls(
        self,
        connection: "RuntimeConnection",
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> None:
        """A call of the Extensions, Telemetry or Logs API; answer now or later with `reply`."""
        ...

    def connection_lost(self, connection: "RuntimeConnection") -> None:
        """A connection has ended."""
        ...


class _TooManyRequestsError(Exception):
    """More requests have come at once than any client has reason to send."""


class RuntimeConnection(asyncio.Protocol):
    """One connection of a process inside the sandbox."""

    def __init__(self, host: RuntimeHost, connections: set["RuntimeConnection"]) -> None:
        self._host = host
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._reading = Reading()
        self._begun = 0
        self._body: bytes | bytearray = b""
        self._body_bytes = 0
        self._body_max = RESPONSE_PAYLOAD_MAX_BYTES
        self._head_bytes = 0
        self._refusal: RefusedError | None = None
        self._route: re.Match[bytes] | None = None
        self._stream: ResponseStream | None = None
        self._pieces: list[bytes] = []
        self._held = b""
        self._awaits_event = False
        self._is_between = True
        self.is_answering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A process has connected."""
        if len(self._connections) >= _CONNECTIONS_MAX:
            transport.close()
            return
        self._connections.add(self)
        self._host.runtime_connected()
        self._transport = transport  # type: ignore[assignment]  # a stream transport is what we get
        self._reading.begin(self._transport)

    def connection_lost(self, error: Exception | None) -> None:
        """The process has closed, or ended."""
        self._connections.discard(self)
        self._transport = None
        self._reading.end()
        # Both hold this connection, and what they have seen of the data.
        self._refusal = None
        del self._parser
        stream, self._stream = self._stream, None
        if stream is not None and not stream.is_ended:
            self._host.runtime_breaks_stream()
        self._host.connection_lost(self)

    def data_received(self, data: bytes) -> None:
        """Parse; a malformed or oversized head ends the connection."""
        if self._is_between and self._take_own(data):
            return
        # Heads, chunk sizes and trailers: all that has come since a part of a body.
        self._head_bytes += len(data)
        self._begun = 0
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.close()
        self._pass_on()
        self._reading.let_others(len(data))
        if self._held and not self._awaits_event:
            held, self._held = self._held, b""
            self._write(held)
        if self._head_bytes > _HEAD_MAX and not self._is_between:
            self.close()

    def _take_own(self, data: bytes) -> bool:
        """Our own runtime's answer and its next request, when they come as one piece.

        False for anything else: then nothing has happened, and the parser has its turn.
        """
        found = wire.OWN_ANSWER.match(data)
        if found is None:
            return False
        begin, end = found.end(), found.end() + int(found[2])
        if data[end:] != wire.OWN_NEXT:
            return False
        request_id = found[1].decode()
        try:
            self._host.expects_answer(request_id)
        except RefusedError:
            return False
        self._host.runtime_responds(request_id, data[begin:end], too_large=False)
        self._held = wire.ACCEPTED
        self._awaits_event = True
        self._host.runtime_asks_next(self)
        return True

    def on_message_begin(self) -> None:
        """A new request."""
        self._begun += 1
        if self._begun > _REQUESTS_AT_ONCE_MAX:
            raise _TooManyRequestsError
        self._is_between = False
        self._url = b""
        self._headers = {}
        self._body = b""
        self._body_bytes = 0
        self._body_max = RESPONSE_PAYLOAD_MAX_BYTES
        self._head_bytes = 0
        self._refusal = None
        self._route = None

    def on_url(self, url: bytes) -> None:
        """A part of the request target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header line."""
        name = name.lower()
        if name in wire.TRACKED:
            self._headers[name] = value

    def on_headers_complete(self) -> None:
        """Decide whether the body is wanted before reading it."""
        self._head_bytes = 0
        self._route = wire.PATH.match(self._url)
        try:
            self._admit()
        except RefusedError as refusal:
            self._refusal = refusal
        if self._headers.get(b"expect", b"").lower() == b"100-continue":
            self._write(wire.CONTINUE)

    def _admit(self) -> None:
        route = self._route
        method = self._parser.get_method()
        if route is None and self._url.startswith(wire.OF_EXTENSIONS):
            self._body_max = wire.EXTENSION_BODY_MAX
            return
        waits = route is not None and (route["next"] or route["restored"])
        if route is None or method != (b"GET" if waits else b"POST"):
            raise RefusedError(404, "NotFound", "404 page not found")
        if route["id"]:
            self._host.expects_answer(route["id"].decode("latin-1"))
        elif route["init"]:
            self._host.expects_init_error()
        elif route["restore"]:
            self._host.expects_restore_error()
        if not waits:
            self._answer_alone()
        if route["what"] == b"response" and wire.MODE in self._headers:
            self._begin_stream(route["id"].decode("latin-1"), self._headers[wire.MODE])

    def _begin_stream(self, request_id: str, mode: bytes) -> None:
        if mode.strip().lower() != b"streaming":
            self._host.runtime_names_no_mode(request_id)
            message = "Invalid function response mode"
            raise RefusedError(400, "InvalidFunctionResponseMode", message)
        content_type = self._headers.get(b"content-type", b"application/octet-stream")[:256]
        self._stream = self._host.runtime_streams(
            request_id, content_type.decode("latin-1").strip(), self
        )

    def pause(self) -> None:
        """Read no more: the function's writes block once the socket is full."""
        self._reading.pause("flow")

    def resume(self) -> None:
        """Read on."""
        self._reading.resume("flow")

    def pause_writing(self) -> None:
        """Who does not read what was answered gets no more answers to keep here."""
        self._reading.pause("unread")

    def resume_writing(self) -> None:
        """It has been read."""
        self._reading.resume("unread")

    def _answer_alone(self) -> None:
        """Only one connection at a time may fill memory with an answer."""
        if any(other.is_answering for other in self._connections if other is not self):
            raise illegal_transition("Responding", "Responding")
        self.is_answering = True

    def on_body(self, body: bytes) -> None:
        """A part of the body; what is not wanted or too much is dropped."""
        self._body_bytes += len(body)
        self._head_bytes = 0
        if self._stream is not None:
            self._pieces.append(body)
        elif self._refusal is not None or self._body_bytes > self._body_max:
            self._body = b""
        elif not self._body:
            self._body = body
        else:
            # However small its pieces are, a body takes no more than its size.
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += body

    def _pass_on(self) -> None:
        """Give the stream what has come of it, at once however many pieces it was."""
        stream, pieces = self._stream, self._pieces
        if stream is None or not pieces:
            return
        self._pieces = []
        stream.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if stream.is_too_large and not stream.is_ended and self._route is not None:
            self._host.runtime_ends_stream(self._route["id"].decode("latin-1"), "", b"")

    def on_message_complete(self) -> None:
        """The whole request is there."""
        self._is_between = True
        self.is_answering = False
        self._pass_on()
        refusal, self._refusal = self._refusal, None
        if refusal is not None:
            self._refuse(refusal)
            return
        try:
            self._act()
        except RefusedError as found:
            self._refuse(found)

    def _act(self) -> None:
        route = self._route
        if route is None:
            self._act_for_extension()
            return
        body, self._body = bytes(self._body), b""
        too_large = self._body_bytes > RESPONSE_PAYLOAD_MAX_BYTES
        error_type = self._headers.get(wire.ERROR_TYPE, b"")[:256].decode("latin-1")
        if route["next"] or route["restored"]:
            self._await_event(is_restore=bool(route["restored"]))
            return
        if route["init"]:
            self._host.runtime_fails_init(error_type, body)
        elif route["restore"]:
            self._host.runtime_fails_restore(error_type, body)
        elif self._stream is not None:
            self._end_stream(self._stream, route["id"].decode("latin-1"), error_type)
        elif route["what"] == b"error" and not too_large:
            request_id = route["id"].decode("latin-1")
            self._host.runtime_fails(request_id, error_type, body)
        else:
            request_id = route["id"].decode("latin-1")
            self._host.runtime_responds(request_id, body, too_large=too_large)
            if too_large:
                raise payload_too_large(RESPONSE_PAYLOAD_MAX_BYTES)
        # Held until this turn ends: a runtime that has already asked for the next invocation is
        # woken once, by that.
        self._held += wire.ACCEPTED

    def _await_event(self, *, is_restore: bool) -> None:
        self._awaits_event = True
        try:
            if is_restore:
                text = self._headers.get(wire.SNAPSHOT, b"")[: wire.SNAPSHOT_MAX].decode("latin-1")
                printable = "".join(c if " " <= c <= "~" else "?" for c in text)
                self._host.runtime_awaits_restore(self, printable)
            else:
                self._host.runtime_asks_next(self)
        except RefusedError:
            self._awaits_event = False
            raise

    def _act_for_extension(self) -> None:
        if self._body_bytes > wire.EXTENSION_BODY_MAX:
            raise payload_too_large(wire.EXTENSION_BODY_MAX)
        body, self._body = bytes(self._body), b""
        headers = {
            name.decode("ascii"): value[:1_024].decode("latin-1")
            for name, value in self._headers.items()
        }
        method = self._parser.get_method().decode("latin-1")
        path = self._url.decode("latin-1").rstrip("/")
        self._host.extension_calls(self, method, path, headers, body)

    def reply(self, status: int, body: bytes, headers: str = "") -> bool:
        """Answer a call of an extension; False if it has gone."""
        head = (
            f"HTTP/1.1 {status} {'OK' if status == 200 else 'Accepted'}\r\n"
            f"Content-Type: application/json\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
        )
        held, self._held = self._held, b""
        return self._write(held + head.encode("ascii") + body)

    def _end_stream(self, stream: ResponseStream, request_id: str, error_type: str) -> None:
        self._stream = None
        error = b""
        with suppress(binascii.Error, ValueError):
            error = base64.b64decode(self._headers.get(wire.ERROR_BODY, b""), validate=True)
        if stream.is_ended and stream.is_too_large:
            raise payload_too_large(stream.limit_bytes)
        self._host.runtime_ends_stream(request_id, error_type, error)

    def _refuse(self, refusal: RefusedError) -> None:
        held, self._held = self._held, b""
        self._write(held + refusal.answer())

    def deliver(self, head: bytes, payload: bytes) -> bool:
        """Answer the pending request for the next invocation; False if the runtime has gone."""
        if self._held:
            head, self._held = self._held + head, b""
        self._awaits_event = False
        if len(payload) < _HEAD_MAX:
            return self._write(head + payload)
        return self._write(head) and self._write(payload)

    def _write(self, data: bytes) -> bool:
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        transport.write(data)
        return True

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()
