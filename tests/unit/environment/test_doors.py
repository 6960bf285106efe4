"""The listening sockets of a sandbox, at its very end."""

import asyncio
import socket
from types import SimpleNamespace

import pytest

from emberbox.environment.doors import Doors


@pytest.fixture
def door():
    """A socket that listens, as a sandbox has them."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        door.setblocking(False)
        yield door


async def test_a_server_that_is_made_while_the_sandbox_ends_is_closed(door, monkeypatch):
    """Its first connection has come just then; nobody would let go of the socket any more."""
    loop, made, go_on = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    create, servers = loop.create_server, []

    async def slowly(*more, **others):
        servers.append(await create(*more, **others))
        made.set()
        await go_on.wait()
        return servers[0]

    monkeypatch.setattr(loop, "create_server", slowly)
    doors = Doors()
    sandbox = SimpleNamespace(runtime_socket=None, runtime_api=door, door=None, traces=None)
    await doors.open(sandbox, asyncio.Protocol, asyncio.Protocol)
    with socket.create_connection(door.getsockname()):
        await asyncio.wait_for(made.wait(), 60)

    doors.close()
    go_on.set()
    await asyncio.wait(list(doors._tasks))

    assert not servers[0].is_serving()
