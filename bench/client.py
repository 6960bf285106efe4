"""A client that costs little: requests are signed and laid out beforehand, answers barely parsed.

One connection carries one request at a time. Nothing here allocates more than an answer needs, so
that on a machine shared with the server the figures are the server's.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_CREDENTIALS = Credentials("emberbox", "emberbox")
_REGION = "us-east-1"
_LENGTH = b"\r\ncontent-length:"
_FUNCTION_ERROR = b"\r\nx-amz-function-error:"
_PATIENCE_S = 60.0
_FAILURES_MAX = 100


def invoke_request(url: str, function: str, payload: bytes) -> bytes:
    """A whole signed HTTP request for one synchronous invocation."""
    return _signed(url, f"/2015-03-31/functions/{function}/invocations", payload)


def event_request(url: str, function: str, payload: bytes) -> bytes:
    """The same for an asynchronous one."""
    path = f"/2015-03-31/functions/{function}/invocations"
    return _signed(url, path, payload, {"X-Amz-Invocation-Type": "Event"})


def streaming_request(url: str, function: str, payload: bytes) -> bytes:
    """The same for an invocation whose response is streamed."""
    path = f"/2021-11-15/functions/{function}/response-streaming-invocations"
    return _signed(url, path, payload)


def _signed(url: str, path: str, payload: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    host = urlsplit(url).netloc
    request = AWSRequest(
        "POST",
        f"http://{host}{path}",
        data=payload,
        headers={"Host": host, "Content-Type": "application/json", **(headers or {})},
    )
    SigV4Auth(_CREDENTIALS, "lambda", _REGION).add_auth(request)
    return plain_request(path, dict(request.headers.items()), payload)


def plain_request(
    path: str, headers: dict[str, str], payload: bytes, method: str = "POST"
) -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    lines.append(f"Content-Length: {len(payload)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii") + payload


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and the seconds from the first byte sent to the last byte received."""

    status: int
    body: bytes
    is_function_error: bool
    seconds: float

    @property
    def is_good(self) -> bool:
        """Whether the function ran and did not fail, or its event was accepted."""
        return self.status in {200, 202} and not self.is_function_error


class Connection(asyncio.Protocol):
    """One connection; `send` a request, hear of its answer by the callback."""

    def __init__(self) -> None:
        self._received = b""
        self._began = 0.0
        self._heard: Callable[[Answer], None] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send small requests at once."""
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        connected = transport.get_extra_info("socket")
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request: bytes, heard: Callable[[Answer], None]) -> None:
        """Send one request; nothing else may be under way."""
        self._heard = heard
        self._began = time.perf_counter()
        if self._transport is None or self._transport.is_closing():
            self._answered(0, b"the connection is closed", is_function_error=False)
        else:
            self._transport.write(request)

    async def call(self, request: bytes) -> Answer:
        """Send one request and wait for its answer."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def heard(answer: Answer) -> None:
            if not future.done():
                future.set_result(answer)

        self.send(request, heard)
        return await asyncio.wait_for(future, _PATIENCE_S)

    def data_received(self, data: bytes) -> None:
        """Collect until head and body are whole."""
        received = self._received + data if self._received else data
        end = received.find(b"\r\n\r\n")
        if end < 0:
            self._received = received
            return
        head = received[: end + 2].lower()
        at = head.find(_LENGTH)
        length = int(head[at + len(_LENGTH) : head.index(b"\r", at + 2)]) if at >= 0 else 0
        body = received[end + 4 :]
        if len(body) < length:
            self._received = received
            return
        self._received = b""
        self._answered(int(head[9:12]), body, is_function_error=_FUNCTION_ERROR in head)

    def connection_lost(self, exc: Exception | None) -> None:
        """A request that was under way has failed."""
        if self._heard is not None:
            self._answered(0, f"the connection was lost: {exc}".encode(), is_function_error=False)

    def close(self) -> None:
        """Close; no callback follows."""
        self._heard = None
        if self._transport is not None:
            self._transport.close()

    def _answered(self, status: int, body: bytes, *, is_function_error: bool) -> None:
        seconds = time.perf_counter() - self._began
        heard, self._heard = self._heard, None
        if heard is not None:
            heard(Answer(status, body, is_function_error, seconds))


async def connect(url: str) -> Connection:
    """An open connection to the server at `url`."""
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    _, connection = await loop.create_connection(Connection, host, port)
    return connection


async def together(url: str, requests: Sequence[bytes]) -> tuple[list[Answer], float]:
    """All requests at once, each on a connection of its own; the answers and the seconds in all."""
    connections = [await connect(url) for _ in requests]
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        calls = [
            group.create_task(connection.call(request))
            for connection, request in zip(connections, requests, strict=True)
        ]
    seconds = time.perf_counter() - began
    for connection in connections:
        connection.close()
    return [call.result() for call in calls], seconds


@dataclass(slots=True)
class Load:
    """What a closed loop did: times of the good answers, texts of the bad ones."""

    seconds: float = 0.0
    good: list[float] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Good answers per second."""
        return len(self.good) / self.seconds


async def closed_loop(url: str, request: bytes, *, clients: int, seconds: float) -> Load:
    """`clients` connections, each sending its next request when the last one is answered."""
    load = Load()
    connections = [await connect(url) for _ in range(clients)]
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    running = clients
    began = time.perf_counter()
    end = began + seconds

    def starter(connection: Connection) -> Callable[[Answer], None]:
        def heard(answer: Answer) -> None:
            nonlocal running
            if answer.is_good:
                load.good.append(answer.seconds)
            else:
                load.bad.append(f"{answer.status} {answer.body[:120]!r}")
            if time.perf_counter() < end and answer.status and len(load.bad) < _FAILURES_MAX:
                connection.send(request, heard)
                return
            running -= 1
            if running == 0 and not done.done():
                done.set_result(None)

        return heard

    for connection in connections:
        connection.send(request, starter(connection))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(done, seconds + _PATIENCE_S)
    load.seconds = time.perf_counter() - began
    for connection in connections:
        connection.close()
    return load
