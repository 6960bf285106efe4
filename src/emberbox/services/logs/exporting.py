"""Carries out exports of log groups to buckets: one stream after another, a page at a time.

What an export has to do is on disk before it is answered for. A server that was killed begins it
again, and writes the same objects over.
"""

import asyncio
import logging
import zlib
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Final, Protocol

from emberbox.clock import Clock
from emberbox.errors import CallerError, EmberboxError
from emberbox.model.log_events import Cut
from emberbox.model.log_export import TEST_TEXT, Export, ExportState, line
from emberbox.storage.log_reading import LogEvent, ReadRequest
from emberbox.storage.log_records import (
    GroupKey,
    MissingGroupError,
    MissingStreamError,
    StoredStream,
    StreamQuery,
)
from emberbox.storage.logs import LogStore
from emberbox.storage.shelf import Shelf, ShelfKey

log = logging.getLogger("emberbox.logs")

_PAGE: Final = 2_000
_STREAMS: Final = 100
_OBJECT_BYTES: Final = 16 << 20
_GZIP: Final = 31
_KEPT: Final = 1_000
_WORDS: Final = "Completed successfully"


class ExportBucket(Protocol):
    """A way to put objects into buckets in the name of CloudWatch Logs."""

    async def put(self, group: GroupKey, bucket: str, key: str, body: bytes) -> None:
        """Return once the object is durable; CallerError in the words of CloudWatch Logs."""
        ...


class Exporter:
    """See the module. `load` first; exports run from `open` on."""

    def __init__(self, store: LogStore, clock: Clock) -> None:
        self.shelf = Shelf(store.database, "export", Export)
        self._store = store
        self._clock = clock
        self._bucket: ExportBucket | None = None
        self._tasks: dict[ShelfKey, asyncio.Task[None]] = {}

    def open(self, bucket: ExportBucket) -> None:
        """Begin; with what a server before has left."""
        self._bucket = bucket
        for key, export in self.shelf.mirror.items():
            if ExportState(export.state).is_active:
                self._begin(key)

    async def close(self) -> None:
        """Stop; the next server begins again with what runs."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def of(self, account: str, region: str) -> list[Export]:
        """All that are remembered there, the newest first."""
        found = [each for key, each in self.shelf.mirror.items() if key[:2] == (account, region)]
        return sorted(found, key=lambda each: (each.created_ms, each.id), reverse=True)

    async def start(self, group: GroupKey, export: Export) -> None:
        """Try to write to the bucket, then begin; CallerError if the bucket does not let us."""
        if self._bucket is None:
            raise CallerError("ServiceUnavailableException", "There are no buckets.", status=503)
        await self._bucket.put(group, export.bucket, export.test_key, TEST_TEXT)
        key = ShelfKey(group.account, group.region, export.id)
        await self.shelf.put(key, lambda _: export)
        self._begin(key)
        for old in self.of(group.account, group.region)[_KEPT:]:
            await self.shelf.remove(key._replace(name=old.id))

    async def cancel(self, key: ShelfKey) -> bool:
        """End it; False if it was over already."""
        stopped = await self._move(key, ExportState.PENDING_CANCEL)
        if stopped.state != ExportState.PENDING_CANCEL:
            return False
        task = self._tasks.get(key)
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        await self._move(key, ExportState.CANCELLED)
        return True

    async def finished(self, key: ShelfKey) -> None:
        """Until it is over; for tests."""
        while (task := self._tasks.get(key)) is not None:
            await asyncio.wait({task})

    def _begin(self, key: ShelfKey) -> None:
        task = asyncio.get_running_loop().create_task(self._run(key))
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._tasks.pop(key, None))

    async def _run(self, key: ShelfKey) -> None:
        export = await self._move(key, ExportState.RUNNING)
        if export.state == ExportState.PENDING_CANCEL:
            await self._move(key, ExportState.CANCELLED)
            return
        try:
            await self._copy(GroupKey(key.account, key.region, export.group), export)
        except MissingGroupError:
            await self._move(key, ExportState.FAILED, "The log group was deleted.")
        except CallerError as error:
            await self._move(key, ExportState.FAILED, error.message)
        except (EmberboxError, OSError) as error:
            log.warning("the export %s of %s has failed: %s", key.name, export.group, error)
            await self._move(key, ExportState.FAILED, str(error))
        except Exception:
            log.exception("the export %s of %s has failed", key.name, export.group)
            await self._move(key, ExportState.FAILED, "Internal failure")
        else:
            await self._move(key, ExportState.COMPLETED, _WORDS)

    async def _move(self, key: ShelfKey, to: ExportState, message: str = "") -> Export:
        """The export in its new state, or as it was if it cannot go there."""

        def alter(before: Export | None) -> Export:
            assert before is not None
            if not before.can(to):
                return before
            completed = None if to.is_active else int(self._clock.now() * 1000)
            return replace(before, state=to, message=message, completed_ms=completed)

        return await self.shelf.put(key, alter)

    async def _copy(self, group: GroupKey, export: Export) -> None:
        async for stream in self._streams(group, export):
            with suppress(MissingStreamError):
                await self._copy_stream(group, export, stream.name)

    async def _streams(self, group: GroupKey, export: Export) -> AsyncIterator[StoredStream]:
        """Those that have events of the time."""
        after: tuple[int, str] | None = None
        while True:
            query = StreamQuery(_STREAMS, prefix=export.streams, after=after)
            found = await self._store.streams(group, query)
            for each in found:
                if each.first_event_ms is None or each.last_event_ms is None:
                    continue
                if each.first_event_ms <= export.to_ms and each.last_event_ms >= export.from_ms:
                    yield each
            if len(found) < _STREAMS:
                return
            after = (0, found[-1].name)

    async def _copy_stream(self, group: GroupKey, export: Export, stream: str) -> None:
        volume, number = _Volume(), 0
        async for events in self._pages(group, export, stream):
            await asyncio.to_thread(volume.add, events)
            if volume.size >= _OBJECT_BYTES:
                await self._put(group, export, export.key(stream, number), volume)
                volume, number = _Volume(), number + 1
        if volume.size:
            await self._put(group, export, export.key(stream, number), volume)

    async def _pages(
        self, group: GroupKey, export: Export, stream: str
    ) -> AsyncIterator[list[LogEvent]]:
        low: Cut | None = Cut.before(export.from_ms)
        high = Cut.before(export.to_ms + 1)
        while low is not None:
            request = ReadRequest(_PAGE, low=low, high=high, streams=(stream,), single=True)
            page = await self._store.read(group, request, int(self._clock.now() * 1000))
            if page.events:
                yield list(page.events)
            low = page.rest

    async def _put(self, group: GroupKey, export: Export, key: str, volume: "_Volume") -> None:
        if self._bucket is not None:
            await self._bucket.put(group, export.bucket, key, volume.finish())


class _Volume:
    """Lines as they become one compressed object."""

    def __init__(self) -> None:
        self._packer = zlib.compressobj(wbits=_GZIP)
        self._packed = bytearray()
        self.size = 0

    def add(self, events: list[LogEvent]) -> None:
        """More events; `size` is what has come in, in bytes."""
        text = "".join(line(each.timestamp_ms, each.message) for each in events)
        data = text.encode("utf-8", "replace")
        self.size += len(data)
        self._packed += self._packer.compress(data)

    def finish(self) -> bytes:
        """The object."""
        self._packed += self._packer.flush()
        return bytes(self._packed)
