"""All mappings whose sources we poll: a worker for each that is enabled, states told truly.

Listens to the mappings' store. Whatever happens to a mapping while it is being started or stopped
is seen when that is done.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from emberbox.errors import PlatformError
from emberbox.machine import IllegalMoveError
from emberbox.model.mapping import EventSourceMapping, MappingState, SourceKind, rested
from emberbox.sources.worker import Report, Worker
from emberbox.storage.mappings import Key, MappingMissingError, MappingStore, key_of

log = logging.getLogger("emberbox.sources")

_RETRY_S: Final = 5.0

MakeWorker = Callable[[EventSourceMapping, Report], Worker]


class Engine:
    """See the module. `makers` make the workers, by kind of source."""

    def __init__(self, store: MappingStore, makers: Mapping[SourceKind, MakeWorker]) -> None:
        self._store = store
        self._makers = makers
        self._workers: dict[Key, Worker] = {}
        self._retired: list[Worker] = []
        self._tending: dict[Key, asyncio.Task[None]] = {}
        self._is_closed = False

    def open(self) -> None:
        """Start the workers of all enabled mappings, and finish what a former server has begun."""
        self._store.mirror.listeners.append(self._changed)
        for mapping in self._store.mirror:
            if mapping.source in self._makers:
                self._tend(key_of(mapping))

    async def close(self, timeout_s: float) -> None:
        """Stop all workers; batches that are with functions may end within the time."""
        self._is_closed = True
        for task in self._tending.values():
            task.cancel()
        if self._tending:
            await asyncio.wait(list(self._tending.values()))
        workers, self._workers = self._workers, {}
        await asyncio.gather(*(worker.retire() for worker in workers.values()))
        retired = [*self._retired, *workers.values()]
        await asyncio.gather(*(worker.ended(timeout_s) for worker in retired))

    def workers(self) -> Mapping[Key, Worker]:
        """The workers that run now."""
        return self._workers

    def _changed(self, before: EventSourceMapping | None, after: EventSourceMapping | None) -> None:
        if after is not None and after.source in self._makers and not after.is_settled:
            self._tend(key_of(after))

    def _tend(self, key: Key) -> None:
        if not self._is_closed and key not in self._tending:
            task = asyncio.create_task(self._bring_to_rest(key))
            self._tending[key] = task
            task.add_done_callback(partial(self._tended, key))

    def _tended(self, key: Key, task: asyncio.Task[None]) -> None:
        del self._tending[key]
        mapping = self._store.get(key)
        if not task.cancelled() and mapping is not None and not mapping.is_settled:
            self._tend(key)

    async def _bring_to_rest(self, key: Key) -> None:
        mapping = self._store.get(key)
        if mapping is None:
            return
        await self._stop(key)
        try:
            if mapping.state is MappingState.DELETING:
                await self._store.remove(key)
                return
            if mapping.enabled:
                self._start(mapping)
            if not mapping.is_settled:
                await self._store.update(key, partial(rested, is_polled=True))
        except (MappingMissingError, IllegalMoveError):
            log.debug("mapping %s was changed again before it had settled", mapping.uuid)
        except PlatformError as error:
            log.warning("mapping %s could not be settled yet: %s", mapping.uuid, error)
            await asyncio.sleep(_RETRY_S)

    def _start(self, mapping: EventSourceMapping) -> None:
        worker = self._makers[mapping.source](mapping, partial(self._report, key_of(mapping)))
        self._workers[key_of(mapping)] = worker
        worker.start()

    async def _stop(self, key: Key) -> None:
        worker = self._workers.pop(key, None)
        if worker is not None:
            await worker.retire()
            self._retired = [each for each in (*self._retired, worker) if each.running]

    async def _report(self, key: Key, problem: str | None) -> None:
        """Show a mapping's last problem, or that there is none any more."""
        mapping = self._store.get(key)
        shown = problem or (None if mapping is None or mapping.source.is_queue else "OK")
        if mapping is None or mapping.result == shown:
            return
        try:
            await self._store.update(key, lambda now: replace(now, result=shown))
        except (MappingMissingError, PlatformError) as error:
            log.debug("the state of mapping %s could not be shown: %s", key[2], error)
