"""Brings events, as they are stored, to the filters of their group.

Each filter that has something before it has a lane of its own, which goes on from the filter's
position until nothing is left and then ends. What a filter makes of a batch is on disk before its
position moves: a server that is killed repeats a batch, and leaves none out.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from emberbox.errors import EmberboxError
from emberbox.model.log_filter import compile_filter
from emberbox.storage.log_filters import Batch, Kind, LogFilter, LogFilterStore

log = logging.getLogger("emberbox.logs")

Take = Callable[[LogFilter, Batch], Awaitable[None]]
"""Deals with a batch; returns once it would survive the process. Raises to be tried again."""

_PAUSE_FIRST_S: Final = 0.5
_PAUSE_LAST_S: Final = 30.0


class Following:
    """See the module."""

    def __init__(self, store: LogFilterStore, takers: Mapping[Kind, Take]) -> None:
        self._store = store
        self._takers = takers
        self._lanes: dict[int, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_open = False

    def open(self) -> None:
        """Begin with what came in while nobody looked."""
        self._is_open = True
        self._store.listeners.append(self._stored)
        for each in self._store.all():
            self.poke(each)

    async def close(self) -> None:
        """Stop; where each filter goes on is on disk."""
        self._is_open = False
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def poke(self, made: LogFilter) -> None:
        """There may be something for this filter."""
        lane = self._lanes.get(made.id)
        if lane is not None:
            lane.set()
        elif self._is_open:
            self._lanes[made.id] = asyncio.Event()
            task = asyncio.get_running_loop().create_task(self._serve(made))
            self._tasks.add(task)
            task.add_done_callback(partial(self._ended, made))

    def _stored(self, group_id: int) -> None:
        for each in self._store.of(group_id):
            self.poke(each)

    def _ended(self, made: LogFilter, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._lanes.pop(made.id, None)
            log.error("the log filter %s has stopped", made.name, exc_info=task.exception())

    async def _serve(self, made: LogFilter) -> None:
        lane = self._lanes[made.id]
        pause_s = _PAUSE_FIRST_S
        while True:
            lane.clear()
            try:
                has_more = await self._round(made)
            except (EmberboxError, OSError) as error:
                log.warning("the log filter %s waits and tries again: %s", made.name, error)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _PAUSE_LAST_S)
                continue
            pause_s = _PAUSE_FIRST_S
            if not has_more and not lane.is_set():
                del self._lanes[made.id]
                return

    async def _round(self, made: LogFilter) -> bool:
        """One batch; whether there may be another."""
        current = self._store.current(made)
        if current is None:
            return False
        batch = await self._store.next(current, compile_filter(current.pattern))
        if batch is None:
            return False
        await self._takers[current.kind](current, batch)
        await self._store.advance(current, batch.position)
        return True
