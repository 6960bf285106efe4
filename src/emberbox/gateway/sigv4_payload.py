"""How the body of a request takes part in its signature, and whether it is the one signed.

A hash of the whole body, no part at all (S3 only), or S3's chunks that are each signed in a chain.
Source: S3 API reference, "Signature calculations for the authorization header".
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final

from emberbox.gateway.aws_chunked import parse
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


def stand_in(claim: Claim, headers: Headers, body: bytes | None) -> bytes:
    """What stands for the body in the canonical request; SignatureError if it is not the body's.

    None is a body that comes later: its hash is checked when it has come.
    """
    declared = headers.get(b"x-amz-content-sha256")
    if declared is None:
        if claim.service in _S3:
            if claim.expires_s is None:
                raise SignatureError(Fault.INCOMPLETE, "x-amz-content-sha256")
            return UNSIGNED
        return _hash(body or b"")
    if declared in _FREE or declared in _CHUNKS:
        if claim.service not in _S3:
            raise SignatureError(Fault.PAYLOAD)
        return declared
    if _HASH.fullmatch(declared) is None:
        raise SignatureError(Fault.PAYLOAD)
    if body is not None and not hmac.compare_digest(declared, _hash(body)):
        raise SignatureError(Fault.PAYLOAD)
    return declared


class ChunkChain:
    """The signatures of a body's chunks: each is made with the one before it.

    To be begun once the request's own signature, the first link, is known to be good.
    """

    def __init__(self, claim: Claim, secret: str, *, has_trailer: bool) -> None:
        self._claim = claim
        self._key = signing_key(secret, claim.date, claim.region, claim.service)
        self._last = claim.signature
        self._has_trailer = has_trailer

    def chunk(self, digest: bytes, given: bytes) -> None:
        """SignatureError unless the next chunk, by its SHA-256 in hexadecimal, is signed so."""
        text = _EMPTY + b"\n" + digest
        self._last = _link(
            self._key, self._claim, b"AWS4-HMAC-SHA256-PAYLOAD", self._last, text, given
        )

    def trailer(self, trailers: Mapping[str, str], given: bytes) -> None:
        """SignatureError unless the trailers are signed so, or there are none to be signed."""
        if self._has_trailer:
            digest = _hash(_trailer_text(trailers))
            _link(self._key, self._claim, b"AWS4-HMAC-SHA256-TRAILER", self._last, digest, given)
        elif trailers:
            raise SignatureError(Fault.PAYLOAD)


def chain_of(claim: Claim, secret: str, headers: Headers) -> ChunkChain | None:
    """The chain of a request whose chunks are signed; None for bodies of other kinds."""
    declared = headers.get(b"x-amz-content-sha256")
    if declared not in _CHUNKS:
        return None
    return ChunkChain(claim, secret, has_trailer=declared == SIGNED_CHUNKS_AND_TRAILER)


def check_chunks(claim: Claim, secret: str, headers: Headers, body: bytes) -> None:
    """SignatureError unless every chunk, and the trailer, carries its link of the chain.

    Nothing is to be done for bodies of other kinds. To be called once the request's own signature,
    which the chain begins with, is known to be good.
    """
    chain = chain_of(claim, secret, headers)
    if chain is None:
        return
    parsed = parse(body)
    for chunk in parsed.chunks:
        chain.chunk(_hash(chunk.data), chunk.signature)
    chain.trailer(parsed.trailers, parsed.trailer_signature)


def _link(
    key: bytes, claim: Claim, kind: bytes, before: bytes, digest: bytes, given: bytes
) -> bytes:
    expected = signature(key, b"\n".join((kind, claim.timestamp, claim.scope, before, digest)))
    if not hmac.compare_digest(expected, given):
        raise SignatureError(Fault.PAYLOAD)
    return expected


def _trailer_text(trailers: Mapping[str, str]) -> bytes:
    lines = (f"{name}:{value}\n" for name, value in sorted(trailers.items()))
    return "".join(lines).encode("latin-1")


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode() if data else _EMPTY
