"""Starts of environments, a few at a time, functions in turn.

Starting is work for the processor. Without turns a function that asks for hundreds of environments
would keep one that asks for its first waiting behind all of them. And what initialises while the
processors have more to do than they can must come to its end before others begin: many that
import large libraries together would all run into the limit of INIT, none of them at fault.
"""

import asyncio
import os
from collections import Counter, deque
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Final

_PER_PROCESSOR: Final = 4

_INIT_S: Final = 0.1
"""How long an environment that initialises keeps its place while processors are free: longer ones
mostly wait for others."""

_SLOW_S: Final = 2.0
"""An INIT that took longer than this on a busy machine was one of too many."""

_FEWER: Final = 0.7
_LEAST: Final = 2
_BUSY: Final = 2
"""So many processes that want to run for each processor are more than it can serve at once."""

_RUNNING: Final = "procs_running "


def machine_is_busy() -> bool:
    """Whether more processes want to run than the processors can serve."""
    try:
        text = Path("/proc/stat").read_text("ascii")
    except OSError:
        return False
    found = text.partition(_RUNNING)[2].partition("\n")[0]
    return found.isdigit() and int(found) > _BUSY * (os.cpu_count() or 1)


class Place:
    """A place at the start, until `leave`, which may be called again."""

    def __init__(self, line: "StartingLine", key: Hashable) -> None:
        self._line: StartingLine | None = line
        self._key = key
        self._began = asyncio.get_running_loop().time()

    def leave(self) -> None:
        """The next may start."""
        line, self._line = self._line, None
        if line is not None:
            line.vacate(self._key, asyncio.get_running_loop().time() - self._began)

    def leave_after(self, is_initialising: Callable[[], bool]) -> None:
        """The sandbox is there: the place is kept for a moment, on a busy machine for INIT."""
        asyncio.get_running_loop().call_later(_INIT_S, self.look, is_initialising)

    def look(self, is_initialising: Callable[[], bool]) -> None:
        """Leave if others can start beside this one, else look again soon."""
        if self._line is None:
            return
        if is_initialising() and self._line.is_busy():
            self.leave_after(is_initialising)
        else:
            self.leave()


class StartingLine:
    """So many start at once as `places` says.

    On a busy machine, where places are kept, starts that take long make them fewer, quick ones
    more again. `is_busy` says whether the machine has more to do than it can. One function may have
    all places but one, so that none can keep all others out for as long as its INIT may be.
    """

    def __init__(
        self,
        places: int = _PER_PROCESSOR * (os.cpu_count() or 1),
        is_busy: Callable[[], bool] = machine_is_busy,
    ) -> None:
        self._places = places
        self._now = float(places)
        self._lessened = 0.0
        self._taken = 0
        self._held: Counter[Hashable] = Counter()
        self._lines: dict[Hashable, deque[asyncio.Future[None]]] = {}
        self.is_busy = is_busy

    async def turn(self, key: Hashable) -> Place:
        """A place as soon as one is free, and it is the turn of `key`."""
        if self._may_start(key):
            self._take(key)
            return Place(self, key)
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(key, deque()).append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self.vacate(key, 0.0)
            raise
        return Place(self, key)

    def vacate(self, key: Hashable, kept_s: float) -> None:
        """A place was left after so long: it is the next function's that may have one."""
        self._learn(kept_s)
        self._taken -= 1
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]
        while ready := [waiting for waiting in self._lines if self._may_start(waiting)]:
            # In turn; again while places are left, for their number may have grown.
            for waiting in ready:
                if self._may_start(waiting):
                    self._let_start(waiting)

    def _take(self, key: Hashable) -> None:
        self._taken += 1
        self._held[key] += 1

    def _may_start(self, key: Hashable) -> bool:
        places = int(self._now)
        return self._taken < places and self._held[key] < max(1, places - 1)

    def _learn(self, kept_s: float) -> None:
        """Fewer places after a slow start, but not again for each of those that were slow together;
        one more after a round of quick ones."""
        if kept_s <= _SLOW_S:
            self._now = min(self._places, self._now + 1 / self._now)
            return
        now = asyncio.get_running_loop().time()
        if now - self._lessened > _SLOW_S:
            self._lessened = now
            self._now = max(min(_LEAST, self._places), self._now * _FEWER)

    def _let_start(self, key: Hashable) -> None:
        """The next of a function that still waits; its function goes behind the others."""
        line = self._lines.pop(key)
        while line:
            mine = line.popleft()
            if mine.done():
                continue
            if line:
                self._lines[key] = line
            self._take(key)
            mine.set_result(None)
            return
