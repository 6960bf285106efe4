"""Brings mappings to rest that nobody polls, or that nobody need start: Creating to Disabled, say.

A mapping that is wanted and whose kind of source has a poller is left to that.
"""

import asyncio
import logging
from functools import partial

from emberbox.errors import PlatformError
from emberbox.machine import IllegalMoveError
from emberbox.model.mapping import EventSourceMapping, MappingState, SourceKind, rested
from emberbox.storage.mappings import Key, MappingMissingError, MappingStore, key_of

_PATIENCE_S = 1.0

log = logging.getLogger("emberbox.functions")


class MappingSettling:
    """Owns the tasks that do it. `polled` are the kinds that have a poller."""

    def __init__(self, store: MappingStore, polled: frozenset[SourceKind]) -> None:
        self._store = store
        self._polled = polled
        self._tasks: dict[asyncio.Task[None], Key] = {}
        self._waiting: dict[Key, list[asyncio.Future[None]]] = {}
        store.mirror.listeners.append(self._changed)

    async def finished(self, key: Key) -> None:
        """Wait for what is under way with a mapping, but not for long.

        Clients that wait for a change ask once, and then again only after seconds.
        """
        mapping = self._store.get(key)
        if mapping is None or mapping.is_settled:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(future)
        await asyncio.wait([future], timeout=_PATIENCE_S)

    async def settle_all(self) -> None:
        """Settle what a server that died has left behind."""
        for mapping in self._store.mirror:
            if self._is_ours(mapping):
                await self._settle(mapping)

    async def close(self) -> None:
        """Wait for what was begun."""
        if self._tasks:
            await asyncio.wait(list(self._tasks))

    def _is_ours(self, mapping: EventSourceMapping) -> bool:
        return not mapping.is_settled and mapping.source not in self._polled

    def _changed(self, before: EventSourceMapping | None, after: EventSourceMapping | None) -> None:
        changed = after or before
        assert changed is not None
        if after is None or after.is_settled:
            for future in self._waiting.pop(key_of(changed), []):
                if not future.done():
                    future.set_result(None)
        elif self._is_ours(after):
            task = asyncio.get_running_loop().create_task(self._settle(after))
            self._tasks[task] = key_of(after)
            task.add_done_callback(self._tasks.pop)

    async def _settle(self, mapping: EventSourceMapping) -> None:
        key = key_of(mapping)
        try:
            if mapping.state is MappingState.DELETING:
                await self._store.remove(key)
            else:
                await self._store.update(key, partial(rested, is_polled=False))
        except (MappingMissingError, IllegalMoveError):
            log.debug("mapping %s was changed again before it had settled", mapping.uuid)
        except PlatformError:
            log.exception("mapping %s stays unsettled until the next start", mapping.uuid)
