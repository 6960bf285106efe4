"""Things of the state database that are also held in memory, for whoever must not wait for a disk.

Memory shows what the last committed write left.
"""

import asyncio
import logging
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Generic, TypeVar

from emberbox.storage.database import Database, Transaction

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

log = logging.getLogger("emberbox.server")


class Mirror(Generic[K, V]):
    """See the module.

    `listeners` are called in the event loop with each thing before and after a change, in the order
    of the commits and before the writer's call returns; None stands for no such thing.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.listeners: list[Callable[[V | None, V | None], None]] = []
        self._things: dict[K, V] = {}
        self._writes: set[asyncio.Task[V | None]] = set()

    def fill(self, things: Iterable[tuple[K, V]]) -> None:
        """Begin with these; no listener hears of it."""
        self._things = dict(things)

    def get(self, key: K) -> V | None:
        """One thing, or None."""
        return self._things.get(key)

    def items(self) -> list[tuple[K, V]]:
        """All things with their keys."""
        return list(self._things.items())

    def __iter__(self) -> Iterator[V]:
        return iter(list(self._things.values()))

    async def write(self, key: K, work: Callable[[Transaction], V | None]) -> V | None:
        """Commit what becomes of one thing, and take it over even if the caller goes away."""
        task = asyncio.get_running_loop().create_task(self._commit(key, work))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return await asyncio.shield(task)

    async def _commit(self, key: K, work: Callable[[Transaction], V | None]) -> V | None:
        # Tasks that await commits wake in the order of the commits, and nothing is awaited between
        # that and the change here: so memory goes through the same states as the database.
        after = await self.database.write(work)
        self._replace(key, after)
        return after

    def drop(self, key: K) -> None:
        """It is gone from the database already, with something else in one commit."""
        self._replace(key, None)

    def _replace(self, key: K, after: V | None) -> None:
        before = self._things.pop(key, None)
        if after is not None:
            self._things[key] = after
        for listener in self.listeners:
            try:
                listener(before, after)
            except Exception:
                log.exception("a listener failed on the change of %s", after or before)
