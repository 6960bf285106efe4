"""The aws-chunked encoding of an upload, taken off as the bytes come.

The same framing as in `emberbox.gateway.aws_chunked`, for bodies that are never whole in memory.
"""

import hashlib
from collections.abc import Iterator, Mapping
from enum import Enum, auto
from typing import Final

from emberbox.gateway.aws_chunked import TRAILERS_MAX, broken, chunk_head, trailer_of
from emberbox.gateway.sigv4_payload import ChunkChain

_LINE_MAX: Final = 4_096
_SIGNATURE_TRAILER: Final = "x-amz-trailer-signature"


class _Part(Enum):
    HEAD = auto()
    DATA = auto()
    GAP = auto()
    TRAILERS = auto()
    END = auto()


class ChunkReader:
    """Feed it what comes; `finish` once, at the end of the body.

    `chain` checks the signatures of the chunks; without one they are passed over. Raises
    CallerError if the framing is broken, SignatureError if a signature is.
    """

    def __init__(self, chain: ChunkChain | None) -> None:
        self._chain = chain
        self._part = _Part.HEAD
        self._line = bytearray()
        self._left = 0
        self._signature = b""
        self._hash = hashlib.sha256()
        self._trailers: dict[str, str] = {}

    @property
    def trailers(self) -> Mapping[str, str]:
        """The trailers that have come, names in lower case."""
        return self._trailers

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The content in a piece of the body."""
        at = 0
        while at < len(data):
            if self._part is _Part.DATA:
                piece = data[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                if self._chain is not None:
                    self._hash.update(piece)
                yield piece
                if not self._left:
                    self._end_chunk()
                    self._part = _Part.GAP
                continue
            end = data.find(b"\n", at)
            stop = len(data) if end < 0 else end
            self._line += data[at:stop]
            at = stop + 1
            if len(self._line) > _LINE_MAX:
                raise broken()
            if end >= 0:
                self._end_line()

    def finish(self) -> None:
        """The body has ended."""
        if self._part is _Part.TRAILERS and self._line:
            self._end_line()
        if self._part not in {_Part.TRAILERS, _Part.END}:
            raise broken()
        signature = self._trailers.pop(_SIGNATURE_TRAILER, "").encode("latin-1")
        if self._chain is not None:
            self._chain.trailer(self._trailers, signature)

    def _end_line(self) -> None:
        line = bytes(self._line).removesuffix(b"\r")
        self._line.clear()
        match self._part:
            case _Part.HEAD:
                self._left, self._signature = chunk_head(line)
                self._part = _Part.DATA if self._left else _Part.TRAILERS
                if not self._left:
                    self._end_chunk()
            case _Part.GAP:
                if line:
                    raise broken()
                self._part = _Part.HEAD
            case _Part.TRAILERS:
                self._take_trailer(line)
            case _:
                pass

    def _take_trailer(self, line: bytes) -> None:
        found = trailer_of(line)
        if found is None or len(self._trailers) >= TRAILERS_MAX:
            self._part = _Part.END
        else:
            self._trailers[found[0]] = found[1]

    def _end_chunk(self) -> None:
        if self._chain is not None:
            self._chain.chunk(self._hash.hexdigest().encode(), self._signature)
            self._hash = hashlib.sha256()
