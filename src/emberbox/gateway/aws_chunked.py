"""The aws-chunked content encoding: chunks with optional signatures, and trailers with checksums.

Every SDK sends it for S3 uploads by default. Signatures are read here and verified in
`emberbox.gateway.sigv4_payload`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from emberbox.errors import CallerError

_LINE_MAX: Final = 4_096
_TRAILERS_MAX: Final = 16
_SIGNATURE: Final = b"chunk-signature="
_SIGNATURE_TRAILER: Final = "x-amz-trailer-signature"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of the content, and its signature if it has one; the last piece is empty."""

    data: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Chunked:
    """A body taken apart. Names of trailers are in lower case."""

    chunks: list[Chunk]
    trailers: Mapping[str, str]
    trailer_signature: bytes

    @property
    def content(self) -> bytes:
        """What the chunks carry."""
        return b"".join(chunk.data for chunk in self.chunks)


def parse(body: bytes) -> Chunked:
    """Take a body apart; CallerError if the framing is broken."""
    chunks: list[Chunk] = []
    at = 0
    while True:
        line, at = _line(body, at)
        size, signature = _size(line)
        end = at + size
        if size == 0:
            chunks.append(Chunk(b"", signature))
            break
        if body[end : end + 2] != b"\r\n":
            raise _broken()
        chunks.append(Chunk(body[at:end], signature))
        at = end + 2
    trailers = _trailers(body, at)
    trailer_signature = trailers.pop(_SIGNATURE_TRAILER, "").encode("latin-1")
    return Chunked(chunks, trailers, trailer_signature)


def unwrap(body: bytes) -> tuple[bytes, Mapping[str, str]]:
    """The content and the trailers, names in lower case; CallerError if the framing is broken."""
    parsed = parse(body)
    return parsed.content, parsed.trailers


def _line(body: bytes, at: int) -> tuple[bytes, int]:
    end = body.find(b"\r\n", at, at + _LINE_MAX)
    if end < 0:
        raise _broken()
    return body[at:end], end + 2


def _size(line: bytes) -> tuple[int, bytes]:
    """The size of a chunk and its signature, empty if it has none."""
    digits, _, extension = line.partition(b";")
    digits = digits.strip()
    if not 0 < len(digits) <= 16:
        raise _broken()
    try:
        size = int(digits, 16)
    except ValueError:
        raise _broken() from None
    if size < 0:
        raise _broken()
    return size, extension.strip().removeprefix(_SIGNATURE) if extension else b""


def _trailers(body: bytes, at: int) -> dict[str, str]:
    found: dict[str, str] = {}
    while at < len(body) and len(found) < _TRAILERS_MAX:
        line, at = _line(body, at)
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            break
        found[name.strip().lower()] = value.strip()
    return found


def _broken() -> CallerError:
    return CallerError(
        "IncompleteBody",
        "The request body terminated unexpectedly or its chunks are malformed.",
        status=400,
    )
