"""Brings batches of telemetry to one subscriber, a port inside its sandbox.

The socket is made by the sandbox's init in the sandbox's network and handed out blank: what answers
there can be slow or hostile, and costs one task and one batch.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress

from emberbox.model.telemetry import Subscription

_HEAD_MAX = 16_384
_CONNECT_S = 1.0

Dial = Callable[[], Awaitable[socket.socket]]
"""A fresh, unconnected TCP socket in the network of the sandbox; OSError if there is none."""


async def post(dial: Dial, subscription: Subscription, batch: list[bytes]) -> bool:
    """Deliver one batch; False if the subscriber has not taken it. Waits as long as it reads."""
    loop = asyncio.get_running_loop()
    channel = await dial()
    with channel:
        channel.setblocking(False)
        await asyncio.wait_for(
            loop.sock_connect(channel, ("127.0.0.1", subscription.port)), _CONNECT_S
        )
        if subscription.path is None:
            await loop.sock_sendall(channel, b"\n".join(batch) + b"\n")
            return True
        body = b"[" + b",".join(batch) + b"]"
        head = (
            f"POST {subscription.path} HTTP/1.1\r\nHost: {subscription.host}:{subscription.port}"
            f"\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        await loop.sock_sendall(channel, head.encode("ascii") + body)
        return await _is_accepted(channel)


async def _is_accepted(channel: socket.socket) -> bool:
    loop = asyncio.get_running_loop()
    head = b""
    while b"\r\n" not in head and len(head) < _HEAD_MAX:
        more = await loop.sock_recv(channel, 4_096)
        if not more:
            break
        head += more
    words = head.split(b" ", 2)
    accepted = len(words) > 1 and words[0].startswith(b"HTTP/1.") and words[1].startswith(b"2")
    # Read to the end of a short answer, so that the subscriber is not told of a broken connection.
    with suppress(TimeoutError):
        async with asyncio.timeout(_CONNECT_S):
            while accepted and len(head) < _HEAD_MAX:
                more = await loop.sock_recv(channel, 4_096)
                if not more:
                    break
                head += more
    return accepted
