"""How the body of a request takes part in its signature, and whether it is the one signed.

A hash of the whole body, no part at all (S3 only), or S3's chunks that are each signed in a chain.
Source: S3 API reference, "Signature calculations for the authorization header".
"""

import hashlib
import hmac
import re
from typing import Final

from emberbox.gateway.aws_chunked import Chunked, parse
from emberbox.gateway.sigv4_request import (
    UNSIGNED,
    Claim,
    Fault,
    Headers,
    SignatureError,
    signature,
    signing_key,
)

SIGNED_CHUNKS: Final = b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_CHUNKS_AND_TRAILER: Final = b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_CHUNKS: Final = b"STREAMING-UNSIGNED-PAYLOAD-TRAILER"

_S3: Final = frozenset({b"s3"})
_FREE: Final = frozenset({UNSIGNED, UNSIGNED_CHUNKS})
_CHUNKS: Final = frozenset({SIGNED_CHUNKS, SIGNED_CHUNKS_AND_TRAILER})
_HASH: Final = re.compile(rb"[0-9a-f]{64}")
_EMPTY: Final = hashlib.sha256(b"").hexdigest().encode()


def stand_in(claim: Claim, headers: Headers, body: bytes) -> bytes:
    """What stands for the body in the canonical request; SignatureError if it is not the body's."""
    declared = headers.get(b"x-amz-content-sha256")
    if declared is None:
        if claim.service in _S3:
            if claim.expires_s is None:
                raise SignatureError(Fault.INCOMPLETE, "x-amz-content-sha256")
            return UNSIGNED
        return _hash(body)
    if declared in _FREE or declared in _CHUNKS:
        if claim.service not in _S3:
            raise SignatureError(Fault.PAYLOAD)
        return declared
    if _HASH.fullmatch(declared) is None or not hmac.compare_digest(declared, _hash(body)):
        raise SignatureError(Fault.PAYLOAD)
    return declared


def check_chunks(claim: Claim, secret: str, headers: Headers, body: bytes) -> None:
    """SignatureError unless every chunk, and the trailer, carries its link of the chain.

    Nothing is to be done for bodies of other kinds. To be called once the request's own signature,
    which the chain begins with, is known to be good.
    """
    declared = headers.get(b"x-amz-content-sha256")
    if declared not in _CHUNKS:
        return
    parsed = parse(body)
    key = signing_key(secret, claim.date, claim.region, claim.service)
    last = claim.signature
    for chunk in parsed.chunks:
        digest = _EMPTY + b"\n" + _hash(chunk.data)
        last = _link(key, claim, b"AWS4-HMAC-SHA256-PAYLOAD", last, digest, chunk.signature)
    if declared == SIGNED_CHUNKS_AND_TRAILER:
        digest = _hash(_trailer_text(parsed))
        signed = parsed.trailer_signature
        _link(key, claim, b"AWS4-HMAC-SHA256-TRAILER", last, digest, signed)
    elif parsed.trailers:
        raise SignatureError(Fault.PAYLOAD)


def _link(
    key: bytes, claim: Claim, kind: bytes, before: bytes, digest: bytes, given: bytes
) -> bytes:
    expected = signature(key, b"\n".join((kind, claim.timestamp, claim.scope, before, digest)))
    if not hmac.compare_digest(expected, given):
        raise SignatureError(Fault.PAYLOAD)
    return expected


def _trailer_text(parsed: Chunked) -> bytes:
    lines = (f"{name}:{value}\n" for name, value in sorted(parsed.trailers.items()))
    return "".join(lines).encode("latin-1")


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode() if data else _EMPTY
