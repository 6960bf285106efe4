"""Passes the name queries of sandboxes on to the resolvers of this host.

Functions ask an address of their router. What is sent there reaches the server, which asks the
host's own resolvers, also those that only listen on the host's loopback. Queries are passed on as
they are: bounded in size, number and time, and not read but for their number. Each sandbox has an
address, and a share that leaves room for the others. Source of the rate: "Amazon DNS quotas" of
AWS's guide to VPCs, 1,024 packets a second for each network interface.
"""

import asyncio
import ipaddress
import secrets
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

RESOLV_CONF = Path("/etc/resolv.conf")
_PORT = 53
_QUERY_MAX, _ANSWER_MAX = 4_096, 65_535
_HEADER = 12
_PENDING_MAX = 512
_STREAMS_MAX = 64
_PENDING_OF_ONE_MAX, _STREAMS_OF_ONE_MAX = 64, 8
_QUERIES_PER_S = 1_024
_TRY_S, _TRIES = 2.5, 2
_STREAM_IDLE_S = 10.0


def resolvers(text: str) -> list[str]:
    """The addresses in the text of a resolv.conf; the loopback's, as libc has it, if none."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            with suppress(ValueError):
                ipaddress.ip_address(words[1].partition("%")[0])
                found.append(words[1])
    return found or ["127.0.0.1"]


def host_resolvers() -> list[str]:
    """This host's, as they are now."""
    try:
        return resolvers(RESOLV_CONF.read_text("utf-8", "replace"))
    except OSError:
        return resolvers("")


class Relay:
    """Serves the two sockets of one router until it is closed; it owns neither."""

    def __init__(
        self,
        datagrams: socket.socket,
        streams: socket.socket,
        servers: Callable[[], list[str]] = host_resolvers,
        port: int = _PORT,
    ) -> None:
        self._datagrams = datagrams
        self._streams = streams
        self._servers = servers
        self._port = port
        self._pending: set[_Query] = set()
        self._connections: dict[asyncio.Task[None], str] = {}
        self._clients: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()
        self._second = 0
        self._loop = asyncio.get_running_loop()
        for sock in (datagrams, streams):
            sock.setblocking(False)
        self._loop.add_reader(datagrams, self._on_query)
        self._loop.add_reader(streams, self._on_connection)

    def close(self) -> None:
        """Stop; what waits gets no answer."""
        self._loop.remove_reader(self._datagrams)
        self._loop.remove_reader(self._streams)
        for query in list(self._pending):
            query.close()
        for task in list(self._connections):
            task.cancel()

    def _on_query(self) -> None:
        try:
            data, client = self._datagrams.recvfrom(_QUERY_MAX + 1)
        except OSError:
            return
        if _HEADER <= len(data) <= _QUERY_MAX and self._has_room_for(client[0]):
            query = _Query(data, client, self._answer, self._ended)
            self._pending.add(query)
            self._clients[client[0]] += 1
            query.ask(self._servers(), self._port)

    def _has_room_for(self, client: str) -> bool:
        second = int(self._loop.time())
        if second != self._second:
            self._second = second
            self._asked.clear()
        self._asked[client] += 1
        return (
            len(self._pending) < _PENDING_MAX
            and self._clients[client] < _PENDING_OF_ONE_MAX
            and self._asked[client] <= _QUERIES_PER_S
        )

    def _ended(self, query: "_Query") -> None:
        if query in self._pending:
            self._pending.discard(query)
            self._clients[query.client[0]] -= 1
            if not self._clients[query.client[0]]:
                del self._clients[query.client[0]]

    def _answer(self, client: tuple[str, int], data: bytes) -> None:
        with suppress(OSError):
            self._datagrams.sendto(data, client)

    def _on_connection(self) -> None:
        try:
            connection, (client, _) = self._streams.accept()
        except OSError:
            return
        of_one = sum(1 for other in self._connections.values() if other == client)
        if len(self._connections) >= _STREAMS_MAX or of_one >= _STREAMS_OF_ONE_MAX:
            connection.close()
            return
        task = self._loop.create_task(self._relay(connection))
        self._connections[task] = client
        task.add_done_callback(self._connections.pop)

    async def _relay(self, connection: socket.socket) -> None:
        """One query after the other, each with its answer, as they come."""
        connection.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=connection)
        upstream: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(_STREAM_IDLE_S):
                server = self._servers()[0]
                answers, upstream = await asyncio.open_connection(server, self._port)
                while query := await _read_message(reader):
                    upstream.write(query)
                    writer.write(await _read_message(answers))
                    await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()
            if upstream is not None:
                upstream.close()


async def _read_message(reader: asyncio.StreamReader) -> bytes:
    """A message with its length before it; empty at the end."""
    head = await reader.read(1)
    if not head:
        return b""
    head += await reader.readexactly(1)
    return head + await reader.readexactly(int.from_bytes(head, "big"))


class _Query:
    """One query: asked under a number of its own, of one resolver after the other."""

    def __init__(
        self,
        data: bytes,
        client: tuple[str, int],
        answer: Callable[[tuple[str, int], bytes], None],
        ended: Callable[["_Query"], None],
    ) -> None:
        self._number = data[:2]
        self._own_number = secrets.token_bytes(2)
        self._question = self._own_number + data[2:]
        self.client = client
        self._answer = answer
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._socket: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None

    def ask(self, servers: list[str], port: int, tried: int = 0) -> None:
        """Ask the first; after a while without an answer the next."""
        self._let_go()
        if tried >= _TRIES:
            self._ended(self)
            return
        server = servers[tried % len(servers)]
        self._timer = self._loop.call_later(_TRY_S, self.ask, servers, port, tried + 1)
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        with suppress(OSError):
            # Connected: the kernel takes answers from nobody else, at a port nobody can guess.
            self._socket = socket.socket(family, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
            self._socket.connect((server, port))
            self._socket.send(self._question)
            self._loop.add_reader(self._socket, self._on_answer)

    def _on_answer(self) -> None:
        if self._socket is None:
            return
        try:
            data = self._socket.recv(_ANSWER_MAX)
        except OSError:
            # Nobody listens there: the next one is asked when the time is up.
            self._loop.remove_reader(self._socket)
            return
        if len(data) >= _HEADER and data[:2] == self._own_number:
            self._answer(self.client, self._number + data[2:])
            self.close()

    def close(self) -> None:
        """It is over."""
        self._let_go()
        self._ended(self)

    def _let_go(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None
