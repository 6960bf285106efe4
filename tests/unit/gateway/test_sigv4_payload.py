"""How bodies take part in signatures: whole, not at all, or in signed chunks."""

import hashlib
import hmac

import pytest

from emberbox.errors import CallerError
from emberbox.gateway.sigv4_payload import check_chunks, stand_in
from emberbox.gateway.sigv4_request import (
    Fault,
    SignatureError,
    check_signature,
    claim_of_header,
    signing_key,
)
from tests.unit.gateway.test_sigv4_request import SECRET, fault_of, signed, verify

# The worked example of the S3 API reference, "Signature calculations: transferring a payload in
# multiple chunks".
SECRET_OF_EXAMPLE = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
NAMES = (
    "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;"
    "x-amz-decoded-content-length;x-amz-storage-class"
)
EXAMPLE = {
    b"host": b"s3.amazonaws.com",
    b"x-amz-date": b"20130524T000000Z",
    b"x-amz-storage-class": b"REDUCED_REDUNDANCY",
    b"x-amz-content-sha256": b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    b"content-encoding": b"aws-chunked",
    b"x-amz-decoded-content-length": b"66560",
    b"content-length": b"66824",
    b"authorization": (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        f"SignedHeaders={NAMES},"
        "Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
    ).encode(),
}
CHUNKS = [
    ("ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648", b"a" * 65_536),
    ("0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497", b"a" * 1_024),
    ("b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9", b""),
]


def framed(chunks, end=b"\r\n"):
    pieces = [b"%x;chunk-signature=%b\r\n%b" % (len(d), s.encode(), d) for s, d in chunks]
    return b"\r\n".join(pieces) + end


def check(headers, body, secret=SECRET_OF_EXAMPLE):
    claim = claim_of_header(headers)
    payload = stand_in(claim, headers, body)
    check_signature(claim, secret, b"PUT", b"/examplebucket/chunkObject.txt", headers, payload)
    check_chunks(claim, secret, headers, body)


def test_worked_example_of_aws():
    """AWS's own example of a chunked upload is accepted."""
    check(EXAMPLE, framed(CHUNKS))


@pytest.mark.parametrize(
    "chunks",
    [
        [CHUNKS[1], CHUNKS[0], CHUNKS[2]],
        [CHUNKS[0], CHUNKS[2]],
        [(CHUNKS[0][0], b"b" * 65_536), *CHUNKS[1:]],
        [*CHUNKS[:2], ("0" * 64, b"")],
        [("", b"a" * 65_536), *CHUNKS[1:]],
    ],
    ids=["order", "missing", "changed", "end", "unsigned"],
)
def test_broken_chains(chunks):
    """A chunk that is changed, moved, left out or not signed breaks the chain."""
    with pytest.raises(SignatureError) as raised:
        check(EXAMPLE, framed(chunks))
    assert raised.value.fault is Fault.PAYLOAD


def test_unsigned_trailers_are_none_of_a_chain():
    """A trailer behind chunks whose kind has none has been added by somebody else."""
    with pytest.raises(SignatureError):
        check(EXAMPLE, framed(CHUNKS, b"x-amz-checksum-crc32:AAAAAA==\r\n\r\n"))


def test_broken_framing():
    """A body that is no sequence of chunks is refused as such."""
    with pytest.raises(CallerError) as raised:
        check(EXAMPLE, b"no chunks")
    assert raised.value.code == "IncompleteBody"


def signed_with_trailer(trailer_signature=None):
    kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    method, target, headers, _ = _upload(kind)
    claim = claim_of_header(headers)
    key = signing_key(SECRET, claim.date, claim.region, claim.service)
    empty = hashlib.sha256(b"").hexdigest().encode()

    def link(what, before, digest):
        text = b"\n".join((what, claim.timestamp, claim.scope, before, digest))
        return hmac.digest(key, text, "sha256").hex().encode()

    last, pieces = claim.signature, []
    for data in (b"hello", b""):
        digest = empty + b"\n" + hashlib.sha256(data).hexdigest().encode()
        last = link(b"AWS4-HMAC-SHA256-PAYLOAD", last, digest)
        pieces.append((last.decode(), data))
    trailer = b"x-amz-checksum-crc32:NhCmhg==\n"
    mark = link(b"AWS4-HMAC-SHA256-TRAILER", last, hashlib.sha256(trailer).hexdigest().encode())
    mark = trailer_signature or mark
    end = trailer.strip() + b"\r\nx-amz-trailer-signature:" + mark + b"\r\n\r\n"
    return (
        method,
        target,
        headers,
        framed(pieces, b"" + b"\r\n" + end).replace(b"\r\n\r\nx", b"\r\nx"),
    )


def _upload(kind):
    """A request signed over a declared kind of payload instead of a hash."""
    from unittest.mock import patch

    from botocore import auth

    with patch.object(auth.S3SigV4Auth, "payload", lambda *_a: kind):
        return signed("/box/key", method="PUT", body=b"", service="s3")


def test_signed_trailer():
    """A trailer is the last link of the chain."""
    method, target, headers, body = signed_with_trailer()
    claim = verify(method, target, headers, body)
    check_chunks(claim, SECRET, headers, body)
    _, _, headers, body = signed_with_trailer(b"0" * 64)
    with pytest.raises(SignatureError):
        check_chunks(claim, SECRET, headers, body)


@pytest.mark.parametrize("kind", ["UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"])
def test_unsigned_payloads_are_for_s3_only(kind):
    """Where a body takes no part in the signature, any body is accepted; only S3 has that."""
    method, target, headers, _ = _upload(kind)
    check_chunks(verify(method, target, headers, b"any"), SECRET, headers, b"any")
    others = signed(headers={"X-Amz-Content-SHA256": kind})
    assert fault_of(*others) is Fault.PAYLOAD


def test_declared_hash_is_the_bodys():
    """A hash in the header counts only if it is that of the body."""
    parts = signed("/box/key", method="PUT", body=b"content", service="s3")
    verify(*parts)
    assert fault_of(*parts[:3], b"another") is Fault.PAYLOAD


def test_s3_wants_the_payload_declared():
    """Without the header, S3 does not know what was signed."""
    method, target, headers, body = signed("/box/key", service="s3")
    del headers[b"x-amz-content-sha256"]
    assert fault_of(method, target, headers, body) is Fault.INCOMPLETE
