"""A client's connection: Invoke is answered at once, everything else by the ASGI application.

A subclass of uvicorn's httptools protocol. It relies on names that uvicorn does not promise to
keep, which is why the dependency is held to one minor version and a test drives every path.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from emberbox.clock import Clock
from emberbox.gateway.app import Gateway
from emberbox.gateway.body_room import DOOR_BYTES, ROOM, BodyRoom
from emberbox.gateway.date_header import DatedHeaders, DateLine
from emberbox.gateway.invoke_call import InvokeCall, match_invoke
from emberbox.gateway.old_clients import VERSION, end_with_connection
from emberbox.gateway.sending import ABORT
from emberbox.invoke.frontdoor import FrontDoor
from emberbox.model.invocation import Flow
from emberbox.records import dataclass

_HEAD_MAX = 1 << 20
_KEEP_ALIVE_S = 75
_SLOWEST_BYTES_S = 500
_DOOR_CONNECTIONS_MAX = 256
_TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\nContent-Length: 51\r\n"
    b"Connection: close\r\n\r\n"
    b'{"message":"The request was not received in time."}'
)
_PIPELINED_MAX = 64
# libuv reads a connection on and on, up to 32 times, while each read is full.
_FULL_READ = 200_000


@dataclass(slots=True)
class Serving:
    """What all connections share."""

    gateway: Gateway
    front_door: FrontDoor
    config: Config
    state: ServerState
    date_line: DateLine

    @classmethod
    def of(cls, gateway: Gateway, front_door: FrontDoor, clock: Clock) -> "Serving":
        """With uvicorn set up for what we use of it: its parser, flow control and ASGI cycle."""
        config = Config(
            gateway,
            http="httptools",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
        )
        config.load()
        date_line, state = DateLine(clock), ServerState()
        state.default_headers = DatedHeaders(date_line)
        return cls(gateway, front_door, config, state, date_line)

    def own(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task that the server waits for when it stops."""
        task = asyncio.get_running_loop().create_task(work)
        self.state.tasks.add(task)
        task.add_done_callback(self.state.tasks.discard)

    def protocol(self) -> asyncio.Protocol:
        """A protocol for one connection."""
        return ClientConnection(self, set(), 1, BodyRoom())

    def door(self) -> Callable[[], asyncio.Protocol]:
        """Makes the protocols of one environment's connections, a bounded number at a time."""
        return partial(ClientConnection, self, set(), _DOOR_CONNECTIONS_MAX, BodyRoom(DOOR_BYTES))


class _TooManyRequestsError(Exception):
    """A client asks on and on without waiting for answers."""


class ClientConnection(HttpToolsProtocol):
    """See the module."""

    def __init__(
        self,
        serving: Serving,
        peers: set["ClientConnection"],
        peers_max: int,
        room: BodyRoom,
    ) -> None:
        super().__init__(serving.config, serving.state, {})
        self._serving = serving
        self._peers = peers
        self._peers_max = peers_max
        self._room = room
        self._taken = 0
        self._is_held = False
        self._streaming: Flow | None = None
        self._call: InvokeCall | None = None
        self._head_bytes = 0
        self._in_head = False
        self._in_body = False
        self._idle_since = 0.0
        self._idle_timer: asyncio.TimerHandle | None = None
        self._heard = 0
        self._was_asking = False
        self._is_over = False
        self._unread = 0
        self._drained = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected; one too many of an environment is turned away."""
        super().connection_made(transport)
        self._idle_since = self.loop.time()
        self._idle_timer = self.loop.call_later(_KEEP_ALIVE_S, self._look_idle)
        if len(self._peers) < self._peers_max:
            self._peers.add(self)
        else:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Parse; a head without end, or larger than 1 MB, ends the connection. So do trailers."""
        self._heard += len(data)
        if self._is_over:
            return
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > _HEAD_MAX:
                self.send_400_response("Request head too large.")
        elif self._in_body:
            # What has come since the last part of the body: chunk sizes and trailers.
            self._head_bytes += len(data)
            if self._head_bytes > _HEAD_MAX:
                self.transport.abort()
        if len(data) >= _FULL_READ and self._call is not None and not self.flow.read_paused:
            # There may be as much again: others have their turn first.
            self.flow.pause_reading()
            self.loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if not self._is_held and not self.transport.is_closing():
            self.flow.resume_reading()

    def on_message_begin(self) -> None:
        """A new request; what only the ASGI side needs is made when it is known to be needed.

        One too many to wait for its turn ends the connection.
        """
        if len(self.pipeline) >= _PIPELINED_MAX:
            self.transport.abort()
            raise _TooManyRequestsError
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._in_head = True
        self._in_body = False
        self._was_asking = False
        self._head_bytes = 0
        self._call = None

    def on_headers_complete(self) -> None:
        """Take the fast path for Invoke, uvicorn's for the rest."""
        self._in_head = False
        self._in_body = True
        self._head_bytes = 0
        target = match_invoke(self.parser.get_method(), self.url)
        if target is None:
            headers, url, expect = self.headers, self.url, self.expect_100_continue
            super().on_message_begin()
            self.headers.extend(headers)
            self.url, self.expect_100_continue = url, expect
            self.scope["extensions"] = {
                ABORT: {"call": self.transport.abort},
                ROOM: {"take": self._take_room},
            }
            super().on_headers_complete()
            if self.scope["http_version"] == VERSION:
                end_with_connection(self.cycle)
            return
        serving = self._serving
        call = InvokeCall(
            serving.gateway,
            serving.front_door,
            self.transport,
            target,
            self.headers,
            serving.date_line,
            self.on_response_complete,
            serving.own,
            self._watch_writes,
            keep_alive=self.parser.should_keep_alive(),
        )
        self._call = call
        before: Any = self.cycle
        self.cycle = cast("Any", call)
        if before is not None and not before.response_complete:
            self.flow.pause_reading()
            self.pipeline.appendleft((cast("Any", call), self.app))
            call.is_queued = True
            return
        call.refuse_at_once()
        if self.expect_100_continue and not call.is_refused:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        self._head_bytes = 0
        call = self._call
        if call is None:
            super().on_body(body)
        elif not (call.take_body(body) and (call.is_refused or self._take_room(len(body)))):
            self.transport.abort()

    def _take_room(self, size_bytes: int) -> bool:
        """Hold so much of a request until it is whole; where there is no room it ends."""
        if not self._room.take(size_bytes):
            self.transport.abort()
            return False
        self._taken += size_bytes
        return True

    def _give_back_room(self) -> None:
        self._room.give_back(self._taken)
        self._taken = 0

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._in_body = False
        self._give_back_room()
        call = self._call
        if call is None:
            super().on_message_complete()
            return
        call.end_body()
        if not call.is_queued and not call.is_refused:
            call.start()

    def on_response_complete(self) -> None:
        """An answer has been written: go on with what is pipelined, or rest."""
        if self.transport.is_closing():
            return
        if self.flow.write_paused:
            # Who does not read its answers gets no more of them to keep here.
            self._is_held = True
            self.flow.pause_reading()
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
            return
        self._idle_since = self.loop.time()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(_KEEP_ALIVE_S, self._look_idle)

    def _watch_writes(self, flow: Flow | None) -> None:
        """Let what is streamed to this client wait while the client does not read."""
        self._streaming = flow
        if flow is not None and self.flow.write_paused:
            flow.pause()

    def pause_writing(self) -> None:
        """The client does not read what was written."""
        super().pause_writing()
        if self._streaming is not None:
            self._streaming.pause()

    def resume_writing(self) -> None:
        """The client has read what was written: go on where `on_response_complete` stopped."""
        self._drained = True
        super().resume_writing()
        if self._streaming is not None:
            self._streaming.resume()
        if self._is_held:
            self._is_held = False
            self.on_response_complete()

    def _look_idle(self) -> None:
        """One timer a connection, looked at again, instead of one an answer."""
        self._idle_timer = None
        if self._asks_too_slowly():
            self._give_up()
            return
        if self._reads_too_slowly():
            self.transport.abort()
            return
        cycle: Any = self.cycle
        answered = cycle is None or cycle.response_complete
        busy = self._in_head or self._unread > 0 or not answered
        left = _KEEP_ALIVE_S if busy else self._idle_since + _KEEP_ALIVE_S - self.loop.time()
        if left > 0:
            self._idle_timer = self.loop.call_later(left, self._look_idle)
        else:
            self.transport.close()

    def _asks_too_slowly(self) -> bool:
        """Whether of a request that is not whole nothing has come since the last look, or too
        little of one that was not whole then either."""
        heard, self._heard = self._heard, 0
        was_asking, self._was_asking = self._was_asking, self._is_asking()
        if not self._was_asking or self.flow.read_paused:
            return False
        return heard < (_SLOWEST_BYTES_S * _KEEP_ALIVE_S if was_asking else 1)

    def _is_asking(self) -> bool:
        """Whether a part of a request is still to come."""
        cycle: Any = self.cycle
        return self._in_head or (cycle is not None and cycle.more_body)

    def _reads_too_slowly(self) -> bool:
        """Whether of what waited for the client at the last look nearly all waits still."""
        drained, self._drained = self._drained, False
        before, self._unread = self._unread, self.transport.get_write_buffer_size()
        if drained or not before or not self._unread:
            return False
        return before - self._unread < _SLOWEST_BYTES_S * _KEEP_ALIVE_S

    def _give_up(self) -> None:
        """End a request that does not come, and say why, unless other answers are on their way.

        What still comes of it is dropped for a while: a client whose connection were reset could
        not read why.
        """
        if self._is_over or not self._may_answer():
            self.transport.abort()
            return
        self._is_over = True
        self.transport.write(_TOO_SLOW)
        self.transport.write_eof()
        self._idle_timer = self.loop.call_later(_KEEP_ALIVE_S, self._give_up)

    def _may_answer(self) -> bool:
        """Whether the request that is not whole is the only one that is not answered."""
        cycle: Any = self.cycle
        if cycle is None or cycle.response_complete:
            return self._in_head and self.transport.get_write_buffer_size() == 0
        has_begun = getattr(cycle, "response_started", False)
        return not (self._in_head or self.pipeline or has_begun)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone; what it asked for runs to its end."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None
        if self._call is not None:
            self._call.abandon()
        if self._streaming is not None:
            self._streaming.resume()
        self._peers.discard(self)
        self._give_back_room()
        super().connection_lost(exc)
