"""The aws-chunked content encoding: chunks with optional signatures, and trailers with checksums.

Every SDK sends it for S3 uploads by default. Signatures are read here and verified in
`emberbox.gateway.sigv4_payload`.
"""

from collections.abc import Mapping
from typing import Final

from emberbox.errors import CallerError
from emberbox.records import dataclass

_LINE_MAX: Final = 4_096
TRAILERS_MAX: Final = 16
"""Trailers that are read; S3 sends two."""
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
        size, signature = chunk_head(line)
        end = at + size
        if size == 0:
            chunks.append(Chunk(b"", signature))
            break
        if body[end : end + 2] != b"\r\n":
            raise broken()
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
        raise broken()
    return body[at:end], end + 2


def chunk_head(line: bytes) -> tuple[int, bytes]:
    """The size of a chunk and its signature, empty if it has none; CallerError if it is none."""
    digits, _, extension = line.partition(b";")
    digits = digits.strip()
    if not 0 < len(digits) <= 16:
        raise broken()
    try:
        size = int(digits, 16)
    except ValueError:
        raise broken() from None
    if size < 0:
        raise broken()
    return size, extension.strip().removeprefix(_SIGNATURE) if extension else b""


def _trailers(body: bytes, at: int) -> dict[str, str]:
    found: dict[str, str] = {}
    while at < len(body) and len(found) < TRAILERS_MAX:
        line, at = _line(body, at)
        trailer = trailer_of(line)
        if trailer is None:
            break
        found[trailer[0]] = trailer[1]
    return found


def trailer_of(line: bytes) -> tuple[str, str] | None:
    """Name, in lower case, and value of a trailer; None for a line that is none."""
    name, colon, value = line.decode("latin-1").partition(":")
    return (name.strip().lower(), value.strip()) if colon else None


def broken() -> CallerError:
    """The error for framing that cannot be read."""
    return CallerError(
        "IncompleteBody",
        "The request body terminated unexpectedly or its chunks are malformed.",
        status=400,
    )
