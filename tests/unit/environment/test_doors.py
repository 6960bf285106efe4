"""Who serves the sockets of a sandbox."""

import asyncio
import socket
from dataclasses import dataclass

from emberbox.environment.doors import Doors


@dataclass
class Sockets:
    """What of a sandbox is served."""

    runtime_socket: socket.socket | None
    runtime_api: socket.socket
    door: socket.socket | None = None
    traces: socket.socket | None = None


async def test_what_is_closed_while_it_is_opened_serves_nobody():
    """A sandbox may be lost before all of its sockets are served."""
    with socket.socket(socket.AF_UNIX) as unix, socket.create_server(("127.0.0.1", 0)) as tcp:
        unix.bind("")
        sandbox = Sockets(unix, tcp)
        doors = Doors()
        doors.close()

        await doors.open(sandbox, asyncio.Protocol, asyncio.Protocol)

        assert not doors._watched
        assert not any(server.is_serving() for server in doors._servers)
