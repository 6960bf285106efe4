"""AWS's event stream framing (vnd.amazon.eventstream): events of an operation as binary messages.

An operation gives its events as a list or an asynchronous iterator of `{event: {members}}`; raising
CallerError from the iterator ends the stream with an exception message.
"""

import binascii
import struct
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from typing import Any, Final

import orjson

from emberbox.errors import CallerError
from emberbox.gateway.shapes import Shape
from emberbox.gateway.wire import OutputError

CONTENT_TYPE: Final = "application/vnd.amazon.eventstream"

WriteEvent = Callable[[Shape, Any], tuple[str, bytes]]
"""Content type and bytes of a structure in the protocol of the service."""

_STRING: Final = 7
_PRELUDE: Final = struct.Struct("!II")
_CRC: Final = struct.Struct("!I")
_OVERHEAD: Final = 16


def message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message: prelude, headers (strings all), payload and the two checksums."""
    packed = b"".join(_header(name, value) for name, value in headers.items())
    prelude = _PRELUDE.pack(len(packed) + len(payload) + _OVERHEAD, len(packed))
    start = prelude + _CRC.pack(binascii.crc32(prelude))
    body = start + packed + payload
    return body + _CRC.pack(binascii.crc32(body))


async def encode(
    shape: Shape,
    events: Any,
    write: WriteEvent,
    *,
    initial: tuple[str, bytes] | None = None,
) -> AsyncIterator[bytes]:
    """The messages of a stream, the initial response of the RPC protocols first if there is one."""
    if initial is not None:
        yield _event("initial-response", *initial)
    try:
        async for event in _each(events):
            yield _encoded(shape, event, write)
    except CallerError as error:
        yield _exception(shape, error)


async def _each(events: Any) -> AsyncIterator[Mapping[str, Any]]:
    if isinstance(events, AsyncIterable):
        async for event in events:
            yield event
    else:
        for event in events or ():
            yield event


def _encoded(shape: Shape, event: Mapping[str, Any], write: WriteEvent) -> bytes:
    ((name, value),) = event.items()
    if name not in shape.members:
        raise OutputError(f"{shape.name} has no event {name}")
    event_shape = shape.members[name]
    payload = next((each for each in event_shape.fields if each[2].event_payload), None)
    if payload is None:
        return _event(name, *write(event_shape, value))
    member, _, payload_shape = payload
    given = value.get(member)
    if given is None:
        return _event(name, "application/octet-stream", b"")
    if payload_shape.type == "blob":
        return _event(name, "application/octet-stream", given)
    return _event(name, *write(payload_shape, given))


def _event(name: str, content_type: str, payload: bytes) -> bytes:
    headers = {":event-type": name, ":content-type": content_type, ":message-type": "event"}
    return message(headers, payload)


def _exception(shape: Shape, error: CallerError) -> bytes:
    """An error the stream's shape knows is a document, any other stands in the headers."""
    if error.code not in shape.members:
        headers = {
            ":message-type": "error",
            ":error-code": error.code,
            ":error-message": error.message,
        }
        return message(headers, b"")
    headers = {
        ":message-type": "exception",
        ":exception-type": error.code,
        ":content-type": "application/json",
    }
    return message(headers, orjson.dumps({"message": error.message}))


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()[:32_767]
    return bytes((len(key),)) + key + struct.pack("!BH", _STRING, len(text)) + text
