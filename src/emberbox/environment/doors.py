"""The listening sockets of one sandbox, and who serves them."""

import asyncio
import socket
from collections.abc import Callable

from emberbox.environment.daemon_port import DaemonPort
from emberbox.isolation.sandbox import Sandbox
from emberbox.model.xray.segments import Segment

Serve = Callable[[], asyncio.Protocol]


class Doors:
    """Serves the sockets of one sandbox until closed."""

    def __init__(self) -> None:
        self._servers: list[asyncio.Server] = []
        self._watched: set[socket.socket] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._daemon: DaemonPort | None = None
        self._is_closed = False
        self._loop = asyncio.get_running_loop()

    async def open(
        self,
        sandbox: Sandbox,
        runtime: Serve,
        endpoint: Serve,
        segments: Callable[[Segment], None] | None = None,
    ) -> None:
        """Serve the Runtime API and our AWS endpoint inside; OSError if a socket is gone.

        `segments` hears what X-Ray's daemon would get.
        """
        if sandbox.runtime_socket is not None:
            server = await self._loop.create_unix_server(runtime, sock=sandbox.runtime_socket)
            self._servers.append(server)
        if self._is_closed:
            self.close()
            return
        self._watch(sandbox.runtime_api, runtime)
        if sandbox.door is not None:
            self._watch(sandbox.door, endpoint)
        if sandbox.traces is not None and segments is not None:
            self._daemon = DaemonPort(sandbox.traces, segments)

    def close(self) -> None:
        """Serve no more, what is being opened included."""
        self._is_closed = True
        if self._daemon is not None:
            self._daemon.close()
            self._daemon = None
        for door in self._watched:
            self._loop.remove_reader(door)
        self._watched.clear()
        for server in self._servers:
            server.close()

    def _watch(self, door: socket.socket, protocol: Serve) -> None:
        """Serve a listening socket from its first connection on: most are never used."""
        self._watched.add(door)
        self._loop.add_reader(door, self._on_first, door, protocol)

    def _on_first(self, door: socket.socket, protocol: Serve) -> None:
        self._loop.remove_reader(door)
        self._watched.discard(door)
        task = self._loop.create_task(self._serve(door, protocol))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, door: socket.socket, protocol: Serve) -> None:
        if door.fileno() < 0:
            return
        self._servers.append(await self._loop.create_server(protocol, sock=door))
        if self._is_closed:
            # Meanwhile: nobody else would ever let go of the socket.
            self.close()
