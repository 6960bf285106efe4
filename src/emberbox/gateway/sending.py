"""Answers onto the wire, by ASGI: whole ones in one go, streams until they or their client end."""

import asyncio
import logging
import re
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Iterable,
    MutableMapping,
)
from typing import Any, Final

from emberbox.gateway.body import Receive

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
RawHeaders = list[tuple[bytes, bytes]]

ABORT: Final = "emberbox.abort"
"""Our extension of an ASGI scope: its `call` ends the connection at once."""

log = logging.getLogger("emberbox.gateway")

_BODILESS: Final = frozenset({204, 304})
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class BrokenOffError(Exception):
    """What a source raises whose rest will not come, through no fault of ours."""


def raw_headers(headers: Iterable[tuple[str, str]]) -> RawHeaders:
    """Headers as bytes; control characters, which could start another header, become blanks."""
    return [
        (name.lower().encode("ascii", "replace"), _CONTROL.sub(b" ", value.encode()))
        for name, value in headers
    ]


def whole(status: int, headers: RawHeaders, body: bytes, *, is_head: bool) -> RawHeaders:
    """The headers of an answer whose body is complete: with its true length.

    An answer to HEAD keeps the length the operation gave: that of the body it does not send.
    """
    if is_head and any(name == b"content-length" for name, _ in headers):
        return headers
    kept = [each for each in headers if each[0] != b"content-length"]
    if status in _BODILESS:
        return kept
    return [*kept, (b"content-length", str(len(body)).encode())]


async def send_whole(send: Send, status: int, headers: RawHeaders, body: bytes) -> None:
    """Send an answer whose body is complete."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_stream(
    send: Send,
    receive: Receive,
    abort: Callable[[], None],
    status: int,
    headers: RawHeaders,
    body: AsyncIterable[bytes],
) -> None:
    """Send an answer piece by piece; the source is closed when it ends or the client leaves.

    If the source breaks off, so does the connection: that is how the client learns of it.
    """
    await send({"type": "http.response.start", "status": status, "headers": headers})
    async with asyncio.TaskGroup() as group:
        sender = group.create_task(_pump(send, abort, body))
        watcher = group.create_task(_until_gone(receive))
        await asyncio.wait({sender, watcher}, return_when=asyncio.FIRST_COMPLETED)
        if sender.done() and not sender.cancelled() and sender.result():
            await watcher
        sender.cancel()
        watcher.cancel()


async def _pump(send: Send, abort: Callable[[], None], body: AsyncIterable[bytes]) -> bool:
    """Whether the connection was broken off. A source that fails leaves the answer unfinished."""
    try:
        async for piece in body:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    except BrokenOffError:
        abort()
        return True
    except Exception:
        log.exception("a stream broke off")
        return False
    finally:
        if isinstance(body, AsyncGenerator):
            await body.aclose()
    await send({"type": "http.response.body", "body": b""})
    return False


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
