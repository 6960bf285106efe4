"""Clients that send without end are cut off; clients that read slowly are not."""

import asyncio
import socket

import pytest

from emberbox.clock import SystemClock
from emberbox.gateway import connection
from emberbox.gateway.app import Gateway
from emberbox.gateway.connection import Serving
from emberbox.gateway.pages import PlainResponse

PIECE = b"x" * 16_384
PIECES = 1_600


@pytest.fixture
async def address(monkeypatch):
    """Where a gateway with one long page listens; it looks for stuck clients all the time."""
    monkeypatch.setattr(connection, "_KEEP_ALIVE_S", 0.15)

    async def long_page(_request):
        async def body():
            for _ in range(PIECES):
                yield PIECE

        return PlainResponse(200, [], body())

    gateway = Gateway(
        [],
        default_account="1" * 12,
        default_region="us-east-1",
        pages={"/_emberbox/long": long_page},
    )
    serving = Serving.of(gateway, None, SystemClock())
    loop = asyncio.get_running_loop()
    server = await loop.create_server(serving.protocol, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()
    server.close()


async def test_trailers_without_end_are_cut_off(address):
    """After a megabyte, as a head would be."""
    _, writer = await asyncio.open_connection(*address)
    writer.write(
        b"POST /2015-03-31/functions/f/invocations HTTP/1.1\r\nHost: x\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
    )
    line = b"a: " + b"v" * 1_000 + b"\r\n"
    sent = 0

    async def go_on():
        nonlocal sent
        while sent < 64 << 20:
            writer.write(line * 100)
            await writer.drain()
            sent += 100 * len(line)

    with pytest.raises(ConnectionError):
        await go_on()

    assert sent < 32 << 20
    writer.close()


async def test_a_slow_reader_gets_all(address):
    """It reads little at a time, and its buffer is small: it is slow, and not stuck."""
    loop = asyncio.get_running_loop()
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
    client.setblocking(False)
    await loop.sock_connect(client, address)
    await loop.sock_sendall(
        client, b"GET /_emberbox/long HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    got = 0
    while data := await loop.sock_recv(client, 20_000):
        got += data.count(b"x")
        await asyncio.sleep(0)
    client.close()

    assert got >= PIECES * len(PIECE)
