"""Bodies of requests: their limits, and what transports wrap around them."""

import gzip

import pytest
from gateway_samples import untimed
from hypothesis import given
from hypothesis import strategies as st

from emberbox.errors import CallerError
from emberbox.gateway.aws_chunked import unwrap
from emberbox.gateway.body import (
    Asked,
    DisconnectedError,
    TooLargeError,
    limit_of,
    plain,
    read_body,
)
from emberbox.gateway.body_room import ROOM, BodyRoom
from emberbox.gateway.wire import HttpRequest
from emberbox.model.limits import REQUEST_MAX_BYTES


def messages(*chunks):
    left = list(chunks)

    async def receive():
        if not left:
            return {"type": "http.disconnect"}
        chunk = left.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(left)}

    return receive


async def test_a_body_is_put_together():
    """From as many chunks as it takes."""
    assert await read_body(messages(b"a", b"", b"bc"), {}, limit_of("sqs")) == b"abc"


async def test_an_announced_length_is_refused_before_a_byte_is_read():
    """Content-Length alone is enough."""
    headers = {"content-length": str(REQUEST_MAX_BYTES + 1)}

    with pytest.raises(TooLargeError):
        await read_body(messages(), headers, limit_of("lambda"))


@pytest.mark.parametrize("length", ["-1", "x", "9" * 5_000])
async def test_a_length_that_is_none_is_refused(length):
    """Whatever it means, it is not to be trusted."""
    with pytest.raises(TooLargeError):
        await read_body(messages(b""), {"content-length": length}, limit_of("lambda"))


async def test_chunks_are_counted():
    """A body without a length is refused as soon as it passes the limit."""
    receive = messages(*[bytes(1 << 20)] * 65)

    with pytest.raises(TooLargeError):
        await read_body(receive, {}, limit_of("sqs"))
    assert (await receive())["type"] == "http.disconnect"


async def test_a_body_that_finds_no_room_ends_its_request():
    """What is not whole yet counts; what has come whole is taken."""
    room = BodyRoom(3)
    scope = {"extensions": {ROOM: {"take": room.take}}}

    assert await read_body(Asked(messages(b"whole"), scope), {}, limit_of("sqs")) == b"whole"
    assert await read_body(Asked(messages(b"ab", b"c"), scope), {}, limit_of("sqs")) == b"abc"
    with pytest.raises(DisconnectedError):
        await read_body(Asked(messages(b"ab", b"c"), scope), {}, limit_of("sqs"))
    room.give_back(2)
    assert await read_body(Asked(messages(b"ab", b"c"), scope), {}, limit_of("sqs")) == b"abc"


async def test_a_client_may_leave():
    """Its request is then nobody's."""
    with pytest.raises(DisconnectedError):
        await read_body(messages(), {}, limit_of("sqs"))


def test_a_body_too_large_is_told_in_the_service_s_words():
    """Lambda names the operation and its limit; S3 has a sentence of its own."""
    lambda_error = limit_of("lambda").error("CreateFunction")
    s3_error = limit_of("s3").error("PutObject")

    assert lambda_error.message == (
        "Request must be smaller than 70167211 bytes for the CreateFunction operation"
    )
    assert (lambda_error.code, lambda_error.status) == ("RequestEntityTooLargeException", 413)
    assert (s3_error.code, s3_error.status) == ("EntityTooLarge", 400)


CHUNKED = (
    b"5;chunk-signature=00ff\r\nhello\r\n1\r\n!\r\n0\r\n"
    b"x-amz-checksum-crc32:AAAAAA==\r\nx-amz-trailer-signature:00\r\n\r\n"
)


def test_aws_chunks_are_taken_off():
    """Signatures are dropped, checksums in trailers become headers."""
    headers = {
        "content-encoding": "aws-chunked,gzip",
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "content-length": "99",
    }

    request = plain(HttpRequest("PUT", "/b/k", headers=headers, body=CHUNKED), limit_of("s3"))

    assert request.body == b"hello!"
    assert request.headers["x-amz-checksum-crc32"] == "AAAAAA=="
    assert request.headers["content-encoding"] == "gzip"
    assert request.headers["content-length"] == "6"
    assert "x-amz-trailer-signature" not in request.headers


@untimed
@given(st.lists(st.binary(min_size=1, max_size=50), max_size=5))
def test_chunks_round_trip(chunks):
    """Whatever they hold, line breaks too."""
    framed = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"

    assert unwrap(framed) == (b"".join(chunks), {})


@pytest.mark.parametrize(
    "body",
    [b"", b"5\r\nhel", b"zz\r\n", b"5\r\nhelloXX0\r\n", b"-1\r\n", b"\r\n", b"1" * 5_000 + b"\r\n"],
)
def test_broken_chunks_are_an_incomplete_body(body):
    """S3's own error."""
    with pytest.raises(CallerError) as caught:
        unwrap(body)

    assert caught.value.code == "IncompleteBody"


def test_compressed_requests_are_unpacked_but_for_s3():
    """An object may well be a gzip file; PutMetricData and PutLogEvents only travel as one."""
    packed = HttpRequest(
        "POST", "/", headers={"content-encoding": "gzip"}, body=gzip.compress(b"x")
    )

    assert plain(packed, limit_of("monitoring")).body == b"x"
    assert plain(packed, limit_of("s3")).body == packed.body


def test_a_gzip_bomb_is_too_large():
    """It is unpacked no further than the limit."""
    bomb = gzip.compress(bytes(65 << 20))
    request = HttpRequest("POST", "/", headers={"content-encoding": "gzip"}, body=bomb)

    with pytest.raises(TooLargeError):
        plain(request, limit_of("monitoring"))


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(b"x" * 100)[:-9]])
def test_broken_gzip_is_told(body):
    """SerializationException, not an internal error."""
    request = HttpRequest("POST", "/", headers={"content-encoding": "gzip"}, body=body)

    with pytest.raises(CallerError) as caught:
        plain(request, limit_of("logs"))

    assert caught.value.code == "SerializationException"
