"""Request bodies: read within a limit, then freed of what transports wrap around them."""

import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import replace
from typing import Any, Final

from emberbox.errors import CallerError
from emberbox.gateway.aws_chunked import unwrap
from emberbox.gateway.body_room import ROOM
from emberbox.gateway.wire import HttpRequest
from emberbox.model.limits import REQUEST_MAX_BYTES
from emberbox.records import dataclass

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_MEBIBYTE: Final = 1 << 20
_DEFAULT_MAX: Final = 64 * _MEBIBYTE
_MAX_BYTES: Final = {"lambda": REQUEST_MAX_BYTES, "s3": 1024 * _MEBIBYTE}
_CHUNKED: Final = "aws-chunked"


class TooLargeError(Exception):
    """A body above its limit; it was not read to its end."""


class DisconnectedError(Exception):
    """The client went away before its request was complete."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How large a body may be, and what a client hears when it is larger."""

    size_bytes: int
    service: str

    def error(self, operation: str) -> CallerError:
        """The service's own words for a body that is too large."""
        if self.service == "s3":
            text = "Your proposed upload exceeds the maximum allowed size"
            return CallerError("EntityTooLarge", text, status=400)
        text = f"Request must be smaller than {self.size_bytes} bytes for the {operation} operation"
        return CallerError("RequestEntityTooLargeException", text, status=413)


def limit_of(service: str) -> Limit:
    """The limit for a service by its signing name."""
    return Limit(_MAX_BYTES.get(service, _DEFAULT_MAX), service)


class Asked:
    """A `Receive` that knows whether it was used, and of the room that there is for a body.

    A client that waits to be asked for its body (`Expect: 100-continue`) does not send it when it
    is refused before, and what it sends next on that connection would be taken for it.
    """

    def __init__(self, receive: Receive, scope: Mapping[str, Any]) -> None:
        self._receive = receive
        self.take_room = scope.get("extensions", {}).get(ROOM, {}).get("take", _always)
        self.has_asked = False

    async def __call__(self) -> MutableMapping[str, Any]:
        """The next message."""
        self.has_asked = True
        return await self._receive()


def _always(_size_bytes: int) -> bool:
    """Where nobody bounds it."""
    return True


async def left(receive: Receive) -> None:
    """Return when the client has gone; to be asked after the whole body was read."""
    while (await receive())["type"] == "http.request":
        pass


async def read_body(receive: Receive, headers: Mapping[str, str], limit: Limit) -> bytes:
    """The whole body; TooLargeError before a byte is read if Content-Length says so, else as soon
    as the limit is passed; DisconnectedError if the client leaves, or is made to."""
    announced = headers.get("content-length", "0")
    if not announced.isdecimal() or int(announced[:20]) > limit.size_bytes:
        raise TooLargeError
    pieces: list[bytes] = []
    size, more = 0, True
    take_room = receive.take_room if isinstance(receive, Asked) else _always
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise DisconnectedError
        piece = message.get("body", b"")
        size += len(piece)
        if size > limit.size_bytes:
            raise TooLargeError
        if piece:
            pieces.append(piece)
        more = message.get("more_body", False)
        # What is whole is held no longer than it takes to answer.
        if more and not take_room(len(piece)):
            await left(receive)
            raise DisconnectedError
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def plain(request: HttpRequest, limit: Limit) -> HttpRequest:
    """The request with aws-chunked framing and, but for S3, gzip taken off its body."""
    encodings = [each.strip() for each in request.headers.get("content-encoding", "").split(",")]
    if _CHUNKED in encodings or request.headers.get("x-amz-content-sha256", "").startswith(
        "STREAMING-"
    ):
        request = _unwrapped(request, [each for each in encodings if each not in {_CHUNKED, ""}])
    elif encodings == ["gzip"] and limit.service != "s3":
        request = replace(request, body=_unzipped(request.body, limit))
    return request


def _unwrapped(request: HttpRequest, encodings: list[str]) -> HttpRequest:
    body, trailers = unwrap(request.body)
    headers = {**request.headers, **trailers, "content-length": str(len(body))}
    headers.pop("content-encoding", None)
    if encodings:
        headers["content-encoding"] = ",".join(encodings)
    return replace(request, body=body, headers=headers)


def _unzipped(body: bytes, limit: Limit) -> bytes:
    inflater = zlib.decompressobj(wbits=31)
    try:
        plain_body = inflater.decompress(body, limit.size_bytes + 1)
    except zlib.error as error:
        raise CallerError("SerializationException", f"bad gzip: {error}", status=400) from None
    if len(plain_body) > limit.size_bytes:
        raise TooLargeError
    if not inflater.eof:
        raise CallerError("SerializationException", "bad gzip: it ends too early", status=400)
    return plain_body
