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

_INIT_S: Final = 0.1
"""How long an environment that initialises keeps its place: longer ones mostly wait for others."""


class Place:
    """A place at the start, until `leave`, which may be called again."""

    def __init__(self, line: "StartingLine") -> None:
        self._line: StartingLine | None = line

    def leave(self) -> None:
        """The next may start."""
        line, self._line = self._line, None
        if line is not None:
            line.vacate()

    def leave_soon(self) -> None:
        """The sandbox is there: the place is kept for INIT, but not for long."""
        asyncio.get_running_loop().call_later(_INIT_S, self.leave)


class StartingLine:
    """So many start at once as `places` says."""

    def __init__(self, places: int = _PER_PROCESSOR * (os.cpu_count() or 1)) -> None:
        self._free = places
        self._lines: dict[Hashable, deque[asyncio.Future[None]]] = {}

    async def turn(self, key: Hashable) -> Place:
        """A place as soon as one is free, and it is the turn of `key`."""
        if self._free:
            self._free -= 1
            return Place(self)
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(key, deque()).append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self.vacate()
            raise
        return Place(self)

    def vacate(self) -> None:
        """A place is free: it is the next function's."""
        for key in list(self._lines):
            line = self._lines.pop(key)
            mine = line.popleft()
            if line:
                self._lines[key] = line  # behind the others
            if not mine.done():
                mine.set_result(None)
                return
        self._free += 1
