"""Clients that send without end or drop by drop are cut off; clients that are slow are not."""

import asyncio
import socket

import pytest

from emberbox.clock import SystemClock
from emberbox.gateway import connection
from emberbox.gateway.app import Gateway
from emberbox.gateway.connection import ClientConnection, Serving
from emberbox.gateway.pages import PlainResponse

PIECE = b"x" * 16_384
PIECES = 1_600


@pytest.fixture
async def serving(monkeypatch):
    """A gateway with one long page and one large one; it looks for stuck clients all the time."""
    monkeypatch.setattr(connection, "_KEEP_ALIVE_S", 0.3)

    async def long_page(_request):
        async def body():
            for _ in range(PIECES):
                yield PIECE

        return PlainResponse(200, [], body())

    async def large_page(request):
        return PlainResponse(200, [], request.body or bytes(32 << 20))

    gateway = Gateway(
        [],
        default_account="1" * 12,
        default_region="us-east-1",
        pages={"/_emberbox/long": long_page, "/_emberbox/large": large_page},
    )
    return Serving.of(gateway, None, SystemClock())


@pytest.fixture
async def address(serving):
    """Where it listens."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(serving.protocol, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()
    server.close()


class Patience:
    """Looks at connections when it is told to, however long that takes."""

    def __init__(self, loop):
        self._call_later = loop.call_later
        self._looks = []

    def call_later(self, delay, callback, *values, **how):
        """The loop's own, but for what looks at a connection."""
        if getattr(callback, "__func__", None) is not ClientConnection._look_idle:
            return self._call_later(delay, callback, *values, **how)
        self._looks.append(callback)
        return self._call_later(3_600, callback)

    async def over(self, heard):
        """The time is over, once so many bytes were heard since it was last."""
        async with asyncio.timeout(60):
            while not self._looks or self._looks[0].__self__._heard < heard:  # noqa: ASYNC110
                await asyncio.sleep(0)
        self._looks.pop()()


@pytest.fixture
async def patience(monkeypatch):
    """Of the server with the one connection there is."""
    loop = asyncio.get_running_loop()
    patience = Patience(loop)
    monkeypatch.setattr(loop, "call_later", patience.call_later)
    return patience


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


async def dribbled(address, text, first=b"", pause_s=0.005):
    """What a client hears that sends `first`, and then a byte now and then."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(first)
    heard = asyncio.ensure_future(reader.read())
    for byte in text:
        if heard.done():
            break
        writer.write(bytes([byte]))
        await asyncio.wait({heard}, timeout=pause_s)
    else:
        heard.cancel()
        pytest.fail("it was waited for")
    writer.close()
    return heard.result()


@pytest.mark.parametrize(
    "first",
    [
        b"POST /_emberbox/large HTTP/1.1\r\nHost: x\r\nX-Long: ",
        b"POST /_emberbox/large HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n",
        b"POST /2015-03-31/functions/f/invocations HTTP/1.1\r\nHost: x\r\n"
        b"Content-Length: 5000\r\n\r\n",
        b"POST /_emberbox/large HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n",
    ],
)
async def test_a_request_that_comes_drop_by_drop_is_not_waited_for(address, first):
    """Neither its head nor its body, though something comes all the time."""
    said = await dribbled(address, b"a" * 1_000, first)
    assert said.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    head, _, body = said.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head


async def test_a_slow_sender_is_heard_to_the_end(address, patience):
    """It takes many times the patience that there is for one who sends nothing."""
    reader, writer = await asyncio.open_connection(*address)
    size, piece = 18_000, b"x" * 200
    writer.write(
        b"POST /_emberbox/large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Content-Length: %d\r\n\r\n" % size
    )
    for _ in range(size // len(piece)):
        writer.write(piece)
        await patience.over(heard=len(piece))
    said = await reader.read()
    writer.close()
    assert said.startswith(b"HTTP/1.1 200 ")
    assert said.endswith(b"x" * size)


@pytest.mark.parametrize("path", [b"/_emberbox/large", b"/_emberbox/long"])
async def test_an_answer_that_is_read_drop_by_drop_is_not_kept(address, serving, path):
    """Whole or streamed, it takes memory here for as long as it waits."""
    loop = asyncio.get_running_loop()
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
    client.setblocking(False)
    await loop.sock_connect(client, address)
    await loop.sock_sendall(client, b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path)
    await loop.sock_recv(client, 1)
    async with asyncio.timeout(60):
        while serving.state.connections:
            await loop.sock_recv(client, 1)
            await asyncio.sleep(0.005)
        if serving.state.tasks:
            await asyncio.wait(set(serving.state.tasks))
    client.close()
    assert all(task.done() for task in serving.state.tasks)


async def test_many_short_requests_are_not_taken_for_a_slow_one(address, patience):
    """On one connection, each in two parts, though the time is over in the middle of each."""
    reader, writer = await asyncio.open_connection(*address)
    for number in range(60):
        body = b"%d" % number
        writer.write(b"POST /_emberbox/large HTTP/1.1\r\nHost: x\r\n")
        await patience.over(heard=40)
        writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert await reader.readexactly(len(body)) == body
    writer.close()
