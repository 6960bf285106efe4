"""Brings notices to their targets. A notice stays on disk until its target has taken it."""

import asyncio
import logging
from typing import Final

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.rounds import Rounds, Trouble
from emberbox.services.s3.targets import Targets
from emberbox.storage.database import Change, Database
from emberbox.storage.s3_buckets import BucketStore
from emberbox.storage.s3_notices import NOTICE, NoticeStore, StoredNotice

log = logging.getLogger("emberbox.s3")

_AT_ONCE: Final = 64
_TRIES: Final = 16
_FIRST_PAUSE_S: Final = 0.5
_PAUSE_MAX_S: Final = 300.0


class Delivering:
    """See the module. What is recorded before `open` waits."""

    def __init__(
        self, database: Database, buckets: BucketStore, targets: Targets, clock: Clock
    ) -> None:
        self._store = NoticeStore(database)
        self._buckets = buckets
        self._targets = targets
        self._clock = clock
        self._rounds = Rounds(self._round, clock, Trouble(log, "notices cannot be read or noted"))
        self.open = self._rounds.open
        self.close = self._rounds.close
        self.rested = self._rounds.rested
        database.subscribe(self._changed)

    def _changed(self, change: Change) -> None:
        if change.kind == NOTICE:
            self._rounds.soon()

    async def _round(self) -> float | None:
        while True:
            due, later = await self._store.due(self._clock.now(), _AT_ONCE)
            if not due:
                return later
            told = await asyncio.gather(*(self._one(each) for each in due))
            await self._store.told([n.number for n, done in zip(due, told, strict=True) if done])

    async def _one(self, stored: StoredNotice) -> bool:
        """Whether there is nothing more to do for a notice."""
        try:
            await self._tell(stored)
        except CallerError as error:
            _give_up(stored, error)
        except Exception as error:  # noqa: BLE001 - one notice must not end all others
            if stored.attempts + 1 < _TRIES:
                pause = min(_PAUSE_MAX_S, _FIRST_PAUSE_S * 2**stored.attempts)
                await self._store.again(stored.number, self._clock.now() + pause)
                return False
            _give_up(stored, error)
        return True

    async def _tell(self, stored: StoredNotice) -> None:
        notice, bucket = stored.notice, stored.bucket
        if not bucket.account:
            bucket = self._buckets.get(bucket.name) or bucket
        if not bucket.account:
            raise CallerError("NoSuchBucket", "the bucket is gone")
        parts = notice.target.split(":")
        target = self._targets.get(parts[2] if len(parts) > 5 else notice.target)
        if target is None:
            raise CallerError("InvalidArgument", "there is no such kind of target")
        await target.tell(notice.target, bucket, notice.body, notice.trace)


def _give_up(stored: StoredNotice, error: Exception) -> None:
    log.warning(
        "an event of bucket %s could not be delivered to %s: %s",
        stored.bucket.name,
        stored.notice.target,
        error,
    )
