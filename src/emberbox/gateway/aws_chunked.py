"""The aws-chunked content encoding: chunks with optional signatures, and trailers with checksums.

Every SDK sends it for S3 uploads by default. Chunk signatures are passed over here.
"""

from typing import Final

from emberbox.errors import CallerError

_LINE_MAX: Final = 4_096
_TRAILERS_MAX: Final = 16
_SIGNATURE_TRAILER: Final = "x-amz-trailer-signature"


def unwrap(body: bytes) -> tuple[bytes, dict[str, str]]:
    """The content and the trailers, names in lower case; CallerError if the framing is broken."""
    pieces: list[bytes] = []
    at = 0
    while True:
        line, at = _line(body, at)
        size = _size(line)
        if size == 0:
            break
        end = at + size
        if body[end : end + 2] != b"\r\n":
            raise _broken()
        pieces.append(body[at:end])
        at = end + 2
    return b"".join(pieces), _trailers(body, at)


def _line(body: bytes, at: int) -> tuple[bytes, int]:
    end = body.find(b"\r\n", at, at + _LINE_MAX)
    if end < 0:
        raise _broken()
    return body[at:end], end + 2


def _size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not 0 < len(digits) <= 16:
        raise _broken()
    try:
        return int(digits, 16)
    except ValueError:
        raise _broken() from None


def _trailers(body: bytes, at: int) -> dict[str, str]:
    found: dict[str, str] = {}
    while at < len(body) and len(found) < _TRAILERS_MAX:
        line, at = _line(body, at)
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            break
        if name.lower() != _SIGNATURE_TRAILER:
            found[name.strip().lower()] = value.strip()
    return found


def _broken() -> CallerError:
    return CallerError(
        "IncompleteBody",
        "The request body terminated unexpectedly or its chunks are malformed.",
        status=400,
    )
