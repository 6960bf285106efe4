"""The end of a server: nothing new is taken in, what runs ends."""

import asyncio
import logging

from emberbox.gateway.connection import Serving
from emberbox.invoke.frontdoor import FrontDoor

log = logging.getLogger("emberbox.server")

_LOOK_S = 0.02


async def drain(
    accepting: asyncio.Server, serving: Serving, front_door: FrontDoor, drain_s: float
) -> None:
    """Take no new work, let what runs come to its end within the time, close the rest."""
    accepting.close()
    for connection in list(serving.state.connections):
        connection.shutdown()
    front_door.is_draining = True
    loop = asyncio.get_running_loop()
    deadline = loop.time() + drain_s
    # Invocations end by themselves: nothing to wait on but to look again.
    while (front_door.in_flight or serving.state.tasks) and loop.time() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_S)
    if front_door.in_flight:
        log.warning("%d invocations did not end within %.0f s", front_door.in_flight, drain_s)
    for connection in list(serving.state.connections):
        if connection.transport is not None:
            connection.transport.close()
