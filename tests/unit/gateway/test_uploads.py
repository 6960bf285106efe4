"""Bodies of uploads as they come: framing, lengths, signatures, clients that leave."""

import asyncio
import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.errors import CallerError
from emberbox.gateway import uploads
from emberbox.gateway.body import DisconnectedError
from emberbox.gateway.chunk_reader import ChunkReader
from emberbox.gateway.sigv4_payload import chain_of
from emberbox.gateway.sigv4_request import Claim, SignatureError, signature, signing_key
from emberbox.gateway.uploads import UPLOAD_MAX_BYTES, Upload

FRAMED = b"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n"


def receiver(*pieces, leaves=False):
    waiting = list(pieces)

    async def receive():
        if not waiting:
            return {"type": "http.disconnect"}
        piece = waiting.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(waiting) or leaves}

    return receive


async def read(upload):
    return b"".join([piece async for piece in upload])


@given(st.lists(st.integers(1, len(FRAMED) - 1), max_size=12))
def test_framing_is_taken_off_wherever_it_is_cut(cuts):
    """Content and trailers are the same for every way to cut the body into pieces."""
    reader, content, bounds = ChunkReader(None), b"", [0, *sorted(cuts), len(FRAMED)]
    for start, end in itertools.pairwise(bounds):
        content += b"".join(reader.feed(FRAMED[start:end]))
    reader.finish()

    assert content == b"hello world"
    assert reader.trailers == {"x-amz-checksum-crc32": "DUoRhQ=="}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"5\r\nhel",
        b"5\r\nhello\r\n",
        b"5\r\nhelloworld\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"zz\r\nhello",
        b"0" * 5_000,
        b"11111111111111111\r\n",
    ],
)
async def test_broken_framing_is_an_incomplete_body(body):
    """Truncated chunks, sizes that are none, lines without end."""
    upload = Upload(receiver(body), {"content-encoding": "aws-chunked"})

    with pytest.raises(CallerError) as caught:
        await read(upload)
    assert (caught.value.code, caught.value.status) == ("IncompleteBody", 400)


async def test_less_or_more_than_was_announced_is_an_incomplete_body():
    """By Content-Length, or by the length of the content of chunks."""
    for headers, body in (
        ({"content-length": "9"}, b"hello"),
        ({"content-encoding": "aws-chunked", "x-amz-decoded-content-length": "12"}, FRAMED),
    ):
        with pytest.raises(CallerError) as caught:
            await read(Upload(receiver(body), headers))
        assert caught.value.code == "IncompleteBody"


async def test_a_client_that_leaves_ends_the_upload():
    """It is no error of anybody."""
    with pytest.raises(DisconnectedError):
        await read(Upload(receiver(b"hel", leaves=True), {"content-length": "5"}))


async def test_a_client_that_sends_nothing_for_long_is_told_so(monkeypatch):
    """With S3's error, and its connection is closed."""
    monkeypatch.setattr(uploads, "_IDLE_S", 0.01)

    async def silent():
        await asyncio.Event().wait()

    with pytest.raises(CallerError) as refused:
        await read(Upload(silent, {"content-length": "5"}))
    assert (refused.value.code, refused.value.status) == ("RequestTimeout", 400)
    assert refused.value.headers == {"connection": "close"}


def test_more_than_five_gigabytes_are_refused_before_they_come():
    """By what the client announces."""
    with pytest.raises(CallerError) as caught:
        Upload(receiver(), {"content-length": str(UPLOAD_MAX_BYTES + 1)})
    assert caught.value.code == "EntityTooLarge"


@pytest.mark.parametrize("damage", [None, b"hello", b"CHUNK", b"DUoRhQ"])
def test_every_chunk_and_the_trailer_carry_their_link_of_the_chain(damage):
    """One bit elsewhere, and the upload proves nobody's identity."""
    claim = Claim(
        "AKIA", b"20260101", b"us-east-1", b"s3", (b"host",), b"0" * 64, b"20260101T000000Z", None
    )
    key = signing_key("secret", claim.date, claim.region, claim.service)
    empty = hashlib.sha256(b"").hexdigest().encode()

    def link(kind, before, *texts):
        return signature(key, b"\n".join((kind, claim.timestamp, claim.scope, before, *texts)))

    last, framed = claim.signature, b""
    for data in (b"hello", b"CHUNK", b""):
        digest = hashlib.sha256(data).hexdigest().encode()
        last = link(b"AWS4-HMAC-SHA256-PAYLOAD", last, empty, digest)
        framed += b"%x;chunk-signature=%b\r\n%b" % (len(data), last, data + b"\r\n" * bool(data))
    trailer = b"x-amz-checksum-crc32:DUoRhQ==\n"
    digest = hashlib.sha256(trailer).hexdigest().encode()
    last = link(b"AWS4-HMAC-SHA256-TRAILER", last, digest)
    framed += trailer[:-1] + b"\r\nx-amz-trailer-signature:" + last + b"\r\n\r\n"
    if damage is not None:
        framed = framed.replace(damage, damage[:-1] + b"x")
    headers = {b"x-amz-content-sha256": b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"}
    reader = ChunkReader(chain_of(claim, "secret", headers))

    def run():
        content = b"".join(reader.feed(framed))
        reader.finish()
        return content

    if damage is None:
        assert run() == b"helloCHUNK"
    else:
        with pytest.raises(SignatureError):
            run()
