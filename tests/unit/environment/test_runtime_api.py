"""The Runtime API over a real connection, with a recording host behind it."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from emberbox.environment.refusals import RefusedError
from emberbox.environment.response_stream import ResponseStream
from emberbox.environment.runtime_api import RuntimeConnection
from emberbox.model.invocation import Flow, Invocation
from emberbox.model.limits import RESPONSE_PAYLOAD_MAX_BYTES

BASE = "/2018-06-01/runtime/"


class RecordingSink:
    """Keeps the pieces of a stream; with `pauses` it wants no more than it has."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.flow: Flow | None = None
        self.pauses = False
        self.has_some = asyncio.Event()

    def begin(self, version: str, content_type: str, flow: Flow) -> None:
        self.flow = flow

    def write(self, chunk: bytes) -> None:
        self.pieces.append(chunk)
        self.has_some.set()
        if self.pauses and self.flow is not None:
            self.flow.pause()


class RecordingHost:
    """Accepts answers to one request id and notes what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []
        self.connected = 0
        self.waiting: RuntimeConnection | None = None
        self.lost = asyncio.Event()
        self.expected = asyncio.Event()
        self.sink = RecordingSink()

    def runtime_connected(self) -> None:
        self.connected += 1

    def runtime_awaits_restore(self, connection: RuntimeConnection, snapshot: str) -> None:
        self.heard.append(("restore", snapshot))
        connection.deliver(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"")

    def expects_restore_error(self) -> None:
        return

    def runtime_fails_restore(self, error_type: str, body: bytes) -> None:
        self.heard.append(("restore error", error_type, body))

    def runtime_asks_next(self, connection: RuntimeConnection) -> None:
        if self.waiting is not None:
            raise RefusedError(403, "InvalidStateTransition", "already waiting")
        self.waiting = connection
        self.heard.append(("next",))

    def expects_answer(self, request_id: str) -> None:
        if request_id != "known":
            raise RefusedError(400, "InvalidRequestID", "Invalid request ID")
        self.expected.set()

    def runtime_responds(self, request_id: str, body: bytes, *, too_large: bool) -> None:
        self.heard.append(("response", request_id, body, too_large))

    def runtime_fails(self, request_id: str, error_type: str, body: bytes) -> None:
        self.heard.append(("error", request_id, error_type, body))

    def runtime_streams(self, request_id: str, content_type: str, flow: Flow) -> ResponseStream:
        self.expects_answer(request_id)
        self.heard.append(("stream", content_type))
        invocation = Invocation(request_id, b"{}", 3.0, "arn", "trace", None, False, self.sink)
        return ResponseStream(invocation, "$LATEST", content_type, flow)

    def runtime_ends_stream(self, request_id: str, error_type: str, error: bytes) -> None:
        self.heard.append(("end", error_type, error))

    def runtime_breaks_stream(self) -> None:
        self.heard.append(("broken",))

    def runtime_names_no_mode(self, request_id: str) -> None:
        self.heard.append(("no mode", request_id))

    def expects_init_error(self) -> None:
        return

    def runtime_fails_init(self, error_type: str, body: bytes) -> None:
        self.heard.append(("init", error_type, body))

    def connection_lost(self, connection: RuntimeConnection) -> None:
        self.lost.set()


@asynccontextmanager
async def connected(
    host: RecordingHost,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    connections: set[RuntimeConnection] = set()
    server = await asyncio.get_running_loop().create_server(
        lambda: RuntimeConnection(host, connections), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    try:
        yield reader, writer
    finally:
        writer.close()
        server.close()
        await host.lost.wait()
        await server.wait_closed()


def post(path: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"POST {BASE}{path} HTTP/1.1", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, object]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = int(
        next(x for x in head.split("\r\n") if x.lower().startswith("content-length")).split(":")[1]
    )
    return int(head.split()[1]), json.loads(await reader.readexactly(length))


async def test_a_response_is_accepted() -> None:
    """An expected answer reaches the host whole and gets 202."""
    host = RecordingHost()
    async with connected(host) as (reader, writer):
        writer.write(post("invocation/known/response", b'{"a":1}'))

        status, body = await answer(reader)

    assert (status, body) == (202, {"status": "OK"})
    assert host.heard == [("response", "known", b'{"a":1}', False)]


async def test_a_pipelined_answer_waits_for_the_next_event() -> None:
    """A runtime that has already asked again is answered and woken once, in order."""
    host = RecordingHost()
    async with connected(host) as (reader, writer):
        writer.write(
            post("invocation/known/response", b"1")
            + f"GET {BASE}invocation/next HTTP/1.1\r\n\r\n".encode()
        )
        while host.waiting is None:  # noqa: ASYNC110 - until the loop has read what was sent
            await asyncio.sleep(0)
        host.waiting.deliver(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"{}")

        first, second = await answer(reader), await answer(reader)

    assert first == (202, {"status": "OK"})
    assert second == (200, {})


async def test_an_unknown_request_id_is_refused() -> None:
    """A forged or stale request id gets 400 InvalidRequestID and never reaches the host."""
    host = RecordingHost()
    async with connected(host) as (reader, writer):
        writer.write(post("invocation/other/response", b"forged"))

        status, body = await answer(reader)

    assert status == 400
    assert body["errorType"] == "InvalidRequestID"
    assert host.heard == []


async def test_a_body_beyond_the_limit_is_not_kept() -> None:
    """A response that is too large is counted, dropped, reported, and refused with 413."""
    host = RecordingHost()
    async with connected(host) as (reader, writer):
        writer.write(post("invocation/known/response", b"x" * (RESPONSE_PAYLOAD_MAX_BYTES + 1)))

        status, body = await answer(reader)

    assert status == 413
    assert body["errorType"] == "RequestEntityTooLarge"
    assert host.heard == [("response", "known", b"", True)]


async def test_a_body_at_the_limit_is_taken() -> None:
    """The largest allowed response passes."""
    host = RecordingHost()
    async with connected(host) as (reader, writer):
        writer.write(post("invocation/known/response", b"x" * RESPONSE_PAYLOAD_MAX_BYTES))

        status, _ = await answer(reader)

    assert status == 202
    assert host.heard[0][2:] == (b"x" * RESPONSE_PAYLOAD_MAX_BYTES, False)


async def test_chunked_bodies_and_expect_are_understood() -> None:
    """Clients that send in chunks, or wait for 100 Continue, are served."""
    host = RecordingHost()
    async with connected(host) as (reader, writer):
        writer.write(
            f"POST {BASE}invocation/known/error HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
            "Expect: 100-continue\r\nLambda-Runtime-Function-Error-Type: My.Error\r\n\r\n".encode()
        )
        interim = await reader.readuntil(b"\r\n\r\n")
        writer.write(b'3\r\n{"e\r\n4\r\n":1}\r\n0\r\n\r\n')

        status, _ = await answer(reader)

    assert interim.startswith(b"HTTP/1.1 100")
    assert status == 202
    assert host.heard == [("error", "known", "My.Error", b'{"e":1}')]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "nothing", 404), ("POST", "invocation/next", 404), ("GET", "init/error", 404)],
)
async def test_unknown_calls_are_not_found(method: str, path: str, status: int) -> None:
    """What is no call of the API gets 404."""
    host = RecordingHost()
    async with connected(host) as (reader, writer):
        writer.write(f"{method} {BASE}{path} HTTP/1.1\r\nContent-Length: 0\r\n\r\n".encode())

        found, _ = await answer(reader)

    assert found == status


async def test_a_second_next_is_refused() -> None:
    """Only one request for the next invocation may wait."""
    host = RecordingHost()
    async with connected(host) as (reader, writer):
        writer.write(f"GET {BASE}invocation/next HTTP/1.1\r\n\r\n".encode() * 2)

        status, body = await answer(reader)

    assert (status, body["errorType"]) == (403, "InvalidStateTransition")


@pytest.mark.parametrize("garbage", [b"\x00\x01\x02\x03\r\n\r\n", b"GET " + b"x" * 200_000])
async def test_garbage_ends_the_connection(garbage: bytes) -> None:
    """A malformed or endless head is not waited for."""
    host = RecordingHost()
    async with connected(host) as (reader, writer):
        writer.write(garbage)

        try:
            rest = await reader.read()
        except ConnectionResetError:
            rest = b""

    assert rest == b""
    assert host.heard == []


async def test_only_one_connection_at_a_time_may_answer() -> None:
    """A second answer beside one that is under way is refused, and its body is not kept."""
    host = RecordingHost()
    connections: set[RuntimeConnection] = set()
    server = await asyncio.get_running_loop().create_server(
        lambda: RuntimeConnection(host, connections), "127.0.0.1", 0
    )
    address = server.sockets[0].getsockname()[:2]
    first_reader, first = await asyncio.open_connection(*address)
    second_reader, second = await asyncio.open_connection(*address)
    first.write(post("invocation/known/response", b"1234")[:-2])
    await asyncio.wait_for(host.expected.wait(), 60)
    second.write(post("invocation/known/response", b"5678"))

    refused, told = await answer(second_reader)
    first.write(b"34")
    accepted, _ = await answer(first_reader)
    second.write(post("invocation/known/error", b"9"))
    later, _ = await answer(second_reader)

    assert (refused, told["errorType"]) == (403, "InvalidStateTransition")
    assert (accepted, later) == (202, 202)
    assert [heard[0] for heard in host.heard] == ["response", "error"]
    for writer in (first, second):
        writer.close()
    server.close()
    await host.lost.wait()
    await server.wait_closed()


async def test_a_failure_beyond_the_limit_is_too_large() -> None:
    """An error whose body was not kept is told as an answer that is too large."""
    host = RecordingHost()
    async with connected(host) as (reader, writer):
        writer.write(post("invocation/known/error", b"x" * (RESPONSE_PAYLOAD_MAX_BYTES + 1)))

        status, _ = await answer(reader)

    assert status == 413
    assert host.heard == [("response", "known", b"", True)]


def streamed(*chunks: bytes, mode: str = "streaming") -> bytes:
    head = (
        f"POST {BASE}invocation/known/response HTTP/1.1\r\nContent-Type: text/own\r\n"
        f"Lambda-Runtime-Function-Response-Mode: {mode}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    return head.encode() + b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks)


async def test_a_streamed_response_is_passed_on_as_it_comes() -> None:
    """The first piece is with its sink before the second is written; the end gets 202."""
    host = RecordingHost()
    async with connected(host) as (reader, writer):
        writer.write(streamed(b"one"))
        await host.sink.has_some.wait()
        assert host.sink.pieces == [b"one"]
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")

        status, _ = await answer(reader)

    assert status == 202
    assert host.sink.pieces == [b"one", b"two"]
    assert host.heard == [("stream", "text/own"), ("end", "", b"")]


async def test_a_failure_in_the_middle_comes_as_trailers() -> None:
    """The error's type is as it is, its document was base64."""
    host = RecordingHost()
    async with connected(host) as (reader, writer):
        writer.write(streamed(b"one"))
        writer.write(
            b"0\r\nLambda-Runtime-Function-Error-Type: Own.Error\r\n"
            b"Lambda-Runtime-Function-Error-Body: eyJhIjoxfQ==\r\n\r\n"
        )

        status, _ = await answer(reader)

    assert status == 202
    assert host.heard[-1] == ("end", "Own.Error", b'{"a":1}')


async def test_an_unknown_mode_of_response_is_refused() -> None:
    """The runtime gets 400 and the invocation fails."""
    host = RecordingHost()
    async with connected(host) as (reader, writer):
        writer.write(streamed(b"one", mode="sideways") + b"0\r\n\r\n")

        status, body = await answer(reader)

    assert (status, body["errorType"]) == (400, "InvalidFunctionResponseMode")
    assert host.heard == [("no mode", "known")]
    assert host.sink.pieces == []


async def test_a_stream_without_end_is_told_of() -> None:
    """A connection that closes in the middle of a stream breaks it off."""
    host = RecordingHost()
    async with connected(host) as (_, writer):
        writer.write(streamed(b"one"))
        await host.sink.has_some.wait()

    assert host.heard[-1] == ("broken",)


async def test_who_does_not_want_more_gets_no_more() -> None:
    """While the flow is paused nothing is read; after that all comes, in order."""
    host = RecordingHost()
    host.sink.pauses = True
    block = bytes(range(256)) * 4096
    async with connected(host) as (reader, writer):
        writer.write(streamed(block, block, block))
        await host.sink.has_some.wait()
        taken = len(b"".join(host.sink.pieces))
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(b"".join(host.sink.pieces)) == taken < 2 * len(block)
        host.sink.pauses = False
        assert host.sink.flow is not None
        host.sink.flow.resume()
        writer.write(b"0\r\n\r\n")

        status, _ = await answer(reader)

    assert status == 202
    assert b"".join(host.sink.pieces) == block * 3


async def test_pieces_that_came_together_are_passed_on_together() -> None:
    """However small they are: nothing is kept or written for each of them."""
    host = RecordingHost()
    async with connected(host) as (reader, writer):
        writer.write(streamed(*[b"x"] * 20_000) + b"0\r\n\r\n")

        status, _ = await answer(reader)

    assert status == 202
    assert b"".join(host.sink.pieces) == b"x" * 20_000
    assert len(host.sink.pieces) < 20


async def test_more_requests_than_anybody_sends_at_once_end_the_connection() -> None:
    """A few may come together; a flood is not answered one by one."""
    host = RecordingHost()
    request = f"GET {BASE}nothing HTTP/1.1\r\n\r\n".encode()
    async with connected(host) as (reader, writer):
        writer.write(request * 10)
        for _ in range(10):
            assert (await answer(reader))[0] == 404
        writer.write(request * 1_000)

        answers = b""
        with suppress(ConnectionError):
            answers = await reader.read()

    assert answers.count(b"HTTP/1.1 404") <= 16


class Watched(asyncio.Transport):
    """A transport of which only reading matters."""

    reads = True

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def is_closing(self) -> bool:
        return False


async def test_a_connection_is_read_when_nothing_speaks_against_it() -> None:
    """Neither answers that nobody reads, nor a full stream, nor the turn of the others."""
    transport, connection = Watched(), RuntimeConnection(RecordingHost(), set())
    connection.connection_made(transport)

    connection.pause_writing()
    connection.pause()
    connection.resume_writing()
    assert not transport.reads
    connection.resume()
    assert transport.reads
    connection.data_received(b"\r\n" * 128_000)
    assert not transport.reads
    await asyncio.sleep(0)
    assert transport.reads


def alive() -> set[int]:
    """Which connections are in memory."""
    return {id(each) for each in gc.get_objects() if type(each) is RuntimeConnection}


async def test_nothing_is_left_of_a_connection_that_was_refused() -> None:
    """Neither it nor what it sent waits for a search for garbage."""
    host = RecordingHost()
    before = alive()
    gc.disable()
    try:
        async with connected(host) as (reader, writer):
            writer.write(f"GET {BASE}nothing HTTP/1.1\r\n\r\n".encode())
            await answer(reader)
            (seen,) = alive() - before
        await asyncio.sleep(0)

        assert seen not in alive()
    finally:
        gc.enable()


async def test_trailers_without_end_cost_the_connection() -> None:
    """What is no body is bounded, wherever it stands."""
    host = RecordingHost()
    async with connected(host) as (reader, writer):
        writer.write(streamed(b"one") + b"0\r\nx-own: ")
        for _ in range(40):
            writer.write(b"x" * 65_536)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await answer(reader)
        writer.transport.abort()

    assert host.heard[-1] == ("broken",)


async def test_a_runtime_that_waits_for_a_snapshot_is_heard():
    """With what it says of its image: printable, and no longer than a line."""
    host = RecordingHost()
    async with connected(host) as (reader, writer):
        writer.write(f"GET {BASE}restore/next HTTP/1.1\r\n\r\n".encode())
        await answer(reader)
        said = "unfit: \u00e9" + "x" * 1_000
        writer.write(
            f"GET {BASE}restore/next HTTP/1.1\r\nEmberbox-Snapshot: {said}\r\n\r\n".encode(
                "latin-1"
            )
        )
        status, _ = await answer(reader)

    assert status == 200
    assert host.heard == [("restore", ""), ("restore", ("unfit: ?" + "x" * 1_000)[:512])]
    assert host.connected == 1


async def test_a_failed_hook_is_heard():
    """As an error of its own."""
    host = RecordingHost()
    async with connected(host) as (reader, writer):
        kind = "Lambda-Runtime-Function-Error-Type: Runtime.AfterRestoreError"
        writer.write(post("restore/error", b"{}", kind))
        status, _ = await answer(reader)

    assert status == 202
    assert host.heard == [("restore error", "Runtime.AfterRestoreError", b"{}")]
