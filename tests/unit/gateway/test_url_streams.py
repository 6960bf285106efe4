"""A streamed response on its way to an HTTP client."""

import asyncio

import pytest

from emberbox.gateway.sending import BrokenOffError
from emberbox.gateway.url_stream import UrlStream
from emberbox.invoke.frontdoor import InvokeAnswer
from emberbox.model.url_response import INTEGRATION_TYPE, BadResponseError


class Flow:
    """Counts what it is told."""

    def __init__(self):
        self.paused = 0
        self.resumed = 0

    def pause(self):
        self.paused += 1

    def resume(self):
        self.resumed += 1


def begun(content_type=INTEGRATION_TYPE):
    stream, flow = UrlStream(), Flow()
    stream.begin("1", content_type, flow)
    return stream, flow


def ended(stream, *, failed=False):
    outcome = asyncio.get_running_loop().create_future()
    outcome.set_result(InvokeAnswer(200, failed=failed, streamed=True))
    stream.outcome_known(outcome)


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_the_prelude_is_read_however_it_is_cut(size):
    """And the body begins right behind its end."""
    whole = b'{"statusCode":201}' + bytes(8) + b"\x00\x00body"
    stream, _ = begun()

    for start in range(0, len(whole), size):
        stream.write(whole[start : start + size])
    ended(stream)

    assert stream.head.result().status == 201
    assert b"".join([piece async for piece in stream.body()]) == b"\x00\x00body"


async def test_without_prelude_the_content_type_is_the_head():
    """It is told with the first byte."""
    stream, _ = begun("text/event-stream")
    told_before = stream.head.done()

    stream.write(b"data")

    assert not told_before
    assert stream.head.result().headers == [("content-type", "text/event-stream")]


async def test_an_empty_stream_has_a_head_too():
    """Once its function has ended well."""
    stream, _ = begun("text/plain")

    ended(stream)

    assert stream.head.result().status == 200
    assert [piece async for piece in stream.body()] == []


async def test_a_failure_before_the_first_byte_is_no_answer():
    """Though the function has begun to stream."""
    stream, _ = begun("text/plain")

    ended(stream, failed=True)

    with pytest.raises(BadResponseError):
        stream.head.result()


@pytest.mark.parametrize("prelude", [b"[]" + bytes(8), b"{" * 70_000])
async def test_a_bad_prelude_is_refused(prelude):
    """No JSON object, or none within 64 KB."""
    stream, _ = begun()
    stream.write(prelude)

    with pytest.raises(BadResponseError):
        stream.head.result()


async def test_who_does_not_read_makes_the_function_wait():
    """Until it reads on."""
    stream, flow = begun("text/plain")
    for _ in range(5):
        stream.write(bytes(65_536))
    assert (flow.paused, flow.resumed) == (1, 0)

    pieces = stream.body()
    first = await anext(pieces)

    assert len(first) == 5 * 65_536
    assert (flow.paused, flow.resumed) == (1, 1)


async def test_who_leaves_lets_the_function_run_on():
    """What it writes is dropped."""
    stream, flow = begun("text/plain")
    stream.write(bytes(1 << 20))
    stream.abandon()
    stream.write(bytes(1 << 20))

    assert (flow.paused, flow.resumed) == (1, 1)


async def test_a_failure_in_the_middle_breaks_the_body_off():
    """After what was written before it."""
    stream, _ = begun("text/plain")
    stream.write(b"so far")
    ended(stream, failed=True)
    pieces = stream.body()

    assert await anext(pieces) == b"so far"
    with pytest.raises(BrokenOffError):
        await anext(pieces)
