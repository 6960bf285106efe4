"""A bounded load on one HTTP request: so many connections, each of which waits for its answer.

Times are kept with three significant digits, so that an hour of load takes no more memory than a
second of it.
"""

import asyncio
import math
import ssl
from collections import Counter
from dataclasses import field
from urllib.parse import SplitResult

import httptools

from emberbox.records import dataclass

_DIGITS = 3
_THROTTLED = 429
_PATIENCE_S = 910.0


@dataclass(slots=True)
class Load:
    """What came of it. `times_us` counts answers by how long they took, in microseconds."""

    times_us: Counter[int] = field(default_factory=Counter)
    ok: int = 0
    function_errors: int = 0
    throttled: int = 0
    refused: int = 0
    broken: int = 0
    seconds: float = 0.0
    first_trouble: str = ""

    @property
    def answers(self) -> int:
        """All that were answered, in whatever way."""
        return self.ok + self.function_errors + self.throttled + self.refused

    def percentile_ms(self, share: float) -> float:
        """The time that such a share of the invocations did not exceed, in milliseconds."""
        wanted = math.ceil(share * self.times_us.total())
        for time_us in sorted(self.times_us):
            wanted -= self.times_us[time_us]
            if wanted <= 0:
                return time_us / 1000
        return 0.0

    def add(self, seconds: float, status: int, *, failed: bool) -> None:
        """One answer. Refusals are no invocations: they are counted, and their times are not."""
        if status == _THROTTLED:
            self.throttled += 1
            return
        if status >= 300:
            self.refused += 1
            self.first_trouble = self.first_trouble or f"status {status}"
            return
        self.ok += not failed
        self.function_errors += failed
        self.times_us[rounded(seconds * 1e6)] += 1


def rounded(value: float) -> int:
    """A whole number of at most so many significant digits as are kept."""
    whole = max(1, round(value))
    return round(whole, _DIGITS - len(str(whole))) if whole >= 10**_DIGITS else whole


class _Connection(asyncio.Protocol):
    """Sends the request again and again, until `until` (loop time)."""

    def __init__(self, request: bytes, load: Load, until: float) -> None:
        self._request = request
        self._load = load
        self._until = until
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._sent = 0.0
        self._failed = False
        self._transport: asyncio.WriteTransport | None = None
        self.ended: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.WriteTransport):
            raise TypeError("this connection cannot be written to")
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._break(str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self._break(str(exc or "the server has closed the connection"))

    def on_header(self, name: bytes, _value: bytes) -> None:
        """Of the parser."""
        if name.lower() == b"x-amz-function-error":
            self._failed = True

    def on_message_complete(self) -> None:
        """Of the parser: the answer is there."""
        took = self._loop.time() - self._sent
        self._load.add(took, self._parser.get_status_code(), failed=self._failed)
        self._next()

    def _next(self) -> None:
        if self._transport is None or self.ended.done():
            return
        if self._loop.time() >= self._until:
            self.ended.set_result(None)
            self._transport.close()
            return
        self._failed = False
        self._sent = self._loop.time()
        self._transport.write(self._request)

    def _break(self, why: str) -> None:
        self._load.broken += 1
        self._load.first_trouble = self._load.first_trouble or why
        if not self.ended.done():
            self.ended.set_result(None)
        if self._transport is not None:
            self._transport.close()


async def load(server: SplitResult, request: bytes, clients: int, seconds: float) -> Load:
    """Put it on a server; OSError if that is out of reach. Each client ends with a whole answer."""
    loop = asyncio.get_running_loop()
    made, began = Load(), loop.time()
    secure = ssl.create_default_context() if server.scheme == "https" else None
    port = server.port or (443 if secure else 80)
    connections = []
    for _ in range(clients):
        _, connection = await loop.create_connection(
            lambda: _Connection(request, made, began + seconds),
            server.hostname or "",
            port,
            ssl=secure,
        )
        connections.append(connection.ended)
    await asyncio.wait(connections, timeout=seconds + _PATIENCE_S)
    made.seconds = loop.time() - began
    return made
