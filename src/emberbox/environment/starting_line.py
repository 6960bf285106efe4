"""Starts of environments, a few at a time, functions in turn.

Starting is work for the processor. Without turns a function that asks for hundreds of environments
would keep one that asks for its first waiting behind all of them.
"""

import asyncio
import os
from collections import deque
from collections.abc import Hashable
from typing import Final

_PER_PROCESSOR: Final = 4


class StartingLine:
    """`places` may start at once: what a sandbox takes to be made, not INIT, which may be long."""

    def __init__(self, places: int = _PER_PROCESSOR * (os.cpu_count() or 1)) -> None:
        self._free = places
        self._lines: dict[Hashable, deque[asyncio.Future[None]]] = {}

    async def turn(self, key: Hashable) -> None:
        """Returns when it may start; `leave` must follow, unless this is cancelled."""
        if self._free:
            self._free -= 1
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(key, deque()).append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """One has started: the place is the next function's."""
        for key in list(self._lines):
            line = self._lines.pop(key)
            mine = line.popleft()
            if line:
                self._lines[key] = line  # behind the others
            if not mine.done():
                mine.set_result(None)
                return
        self._free += 1
