"""Bodies of uploads, handed to the operation while they come: they are never whole in memory."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Final

from emberbox.errors import CallerError
from emberbox.gateway.body import DisconnectedError, Receive
from emberbox.gateway.chunk_reader import ChunkReader
from emberbox.gateway.sigv4_payload import ChunkChain
from emberbox.gateway.sigv4_request import SignatureError

UPLOAD_MAX_BYTES: Final = 5 << 30
"""The most that one PutObject or UploadPart may bring."""

_IDLE_S: Final = 60.0
_CHUNKED: Final = "aws-chunked"
_FRAMING_MAX: Final = 1 << 30
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


class Upload:
    """A `BodyStream` over the rest of a request. `chain` checks the signatures of its chunks."""

    def __init__(
        self, receive: Receive, headers: Mapping[str, str], chain: ChunkChain | None = None
    ) -> None:
        self._receive = receive
        self._reader = ChunkReader(chain) if is_chunked(headers) else None
        raw = _number(headers.get("content-length"))
        self.length = raw if self._reader is None else _number(headers.get(_DECODED))
        declared = headers.get("x-amz-content-sha256", "")
        self.sha256 = declared if _SHA256.fullmatch(declared) else ""
        named = headers.get("x-amz-trailer", "").lower().split(",")
        self.announced = [each.strip() for each in named if each.strip()]
        if max(self.length or 0, (raw or 0) - _FRAMING_MAX) > UPLOAD_MAX_BYTES:
            raise too_large()

    @property
    def trailers(self) -> Mapping[str, str]:
        """The trailers, once the content has been read."""
        return _NONE if self._reader is None else self._reader.trailers

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The content; DisconnectedError if the client leaves, CallerError for what is wrong."""
        size = 0
        async for piece in self._pieces():
            size += len(piece)
            if size > UPLOAD_MAX_BYTES:
                raise too_large()
            yield piece
        if self.length is not None and size != self.length:
            raise CallerError(
                "IncompleteBody",
                "You did not provide the number of bytes specified by the Content-Length HTTP "
                "header",
                status=400,
            )

    async def _pieces(self) -> AsyncIterator[bytes]:
        reader, more = self._reader, True
        try:
            while more:
                data, more = await self._next()
                if reader is None:
                    if data:
                        yield data
                    continue
                for piece in reader.feed(data):
                    yield piece
            if reader is not None:
                reader.finish()
        except SignatureError:
            raise CallerError(
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. "
                "Check your key and signing method.",
                status=403,
            ) from None

    async def _next(self) -> tuple[bytes, bool]:
        try:
            async with asyncio.timeout(_IDLE_S):
                message = await self._receive()
        except TimeoutError:
            raise CallerError(
                "RequestTimeout",
                "Your socket connection to the server was not read from or written to within the "
                "timeout period. Idle connections will be closed.",
                status=400,
                headers={"connection": "close"},
            ) from None
        if message["type"] != "http.request":
            raise DisconnectedError
        return message.get("body", b""), message.get("more_body", False)


_DECODED: Final = "x-amz-decoded-content-length"


def is_chunked(headers: Mapping[str, str]) -> bool:
    """Whether a body is in the aws-chunked encoding."""
    encodings = [each.strip() for each in headers.get("content-encoding", "").split(",")]
    return _CHUNKED in encodings or headers.get("x-amz-content-sha256", "").startswith("STREAMING-")


def too_large() -> CallerError:
    """The refusal of an upload above the limit."""
    return CallerError(
        "EntityTooLarge",
        "Your proposed upload exceeds the maximum allowed size",
        status=400,
        fields={"MaxSizeAllowed": str(UPLOAD_MAX_BYTES)},
    )


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 18:
        raise CallerError("InvalidArgument", "a length is not a number", status=400)
    return int(text)
