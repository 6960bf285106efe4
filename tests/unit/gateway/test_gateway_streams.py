"""Answers that are sent piece by piece."""

import asyncio

from gateway_asgi import (
    Connection,
    FakeService,
    authorization,
    call,
    gateway,
    http_scope,
)


async def test_a_streamed_body_is_sent_piece_by_piece():
    """S3 need not hold an object in memory to answer with it."""

    async def pieces():
        yield b"one "
        yield b"two"

    async def operation(_context, _params):
        return {"Body": pieces(), "ContentLength": 7}

    app = gateway(FakeService("s3", GetObject=operation))
    answer = await call(app, "GET", "/b/k", {"authorization": authorization("s3")}, [b""])

    assert answer.body == b"one two"
    assert answer.headers["content-length"] == "7"


async def test_a_stream_ends_when_its_client_leaves():
    """The source is closed, so that it can let go of what it holds."""
    closed = asyncio.Event()

    async def endless():
        try:
            yield b"first"
            await asyncio.Event().wait()
        finally:
            closed.set()

    async def operation(_context, _params):
        return {"Body": endless()}

    app = gateway(FakeService("s3", GetObject=operation))
    connection = Connection()
    scope = http_scope("GET", "http://127.0.0.1:4566/b/k", {"authorization": authorization("s3")})
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(app(scope, connection.receive, connection.send))
        await connection.arrived.wait()
        connection.cut()

    assert closed.is_set()


async def test_a_stream_that_fails_is_left_unfinished(caplog):
    """A client must not take half an object for a whole one."""

    async def broken():
        yield b"half"
        raise OSError("disk")

    async def operation(_context, _params):
        return {"Body": broken()}

    app = gateway(FakeService("s3", GetObject=operation))
    connection = Connection()
    scope = http_scope("GET", "http://127.0.0.1:4566/b/k", {"authorization": authorization("s3")})
    await app(scope, connection.receive, connection.send)

    assert connection.sent[-1]["more_body"] is True
    assert "a stream broke off" in caplog.text
