"""Collects metrics in memory and writes them to the store in batches.

Adding a value touches no disk: it is for the way of an invocation. What is not written yet is
written before anybody reads.
"""

import asyncio
import logging
from collections.abc import Callable

from emberbox.clock import Clock
from emberbox.model.metrics import Point, SeriesKey
from emberbox.rounds import Paced, Trouble
from emberbox.storage.metrics import KEEP_S, MetricStore

log = logging.getLogger("emberbox.metrics")

_FLUSH_S = 5.0
_FORGET_S = 3_600.0
_PENDING_MAX = 50_000


class MetricSink:
    """See the module. Open it in the event loop, close it before the store.

    `before_flush` is called before each: others may keep values until then.
    """

    def __init__(self, store: MetricStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._pending: dict[tuple[SeriesKey, int], Point] = {}
        self._writing = asyncio.Lock()
        self._flushing = Paced(self._work, _FLUSH_S, Trouble(log, "metrics cannot be written"))
        self._forgotten = float("-inf")
        self.before_flush: list[Callable[[], None]] = []

    def open(self) -> None:
        """Begin to write what is collected."""
        self._flushing.open()

    async def close(self) -> None:
        """Write the rest."""
        await self._flushing.close()
        try:
            await self.flush()
        except Exception:
            log.exception("the last metrics cannot be written")

    def add(self, key: SeriesKey, value: float, count: float = 1.0) -> None:
        """A value of now, by the minute."""
        now = int(self._clock.now())
        self._point(key, now - now % 60).add(value, count)

    def merge(self, key: SeriesKey, at_s: int, point: Point) -> None:
        """What was measured at a time."""
        self._point(key, at_s).merge(point)

    def _point(self, key: SeriesKey, at_s: int) -> Point:
        place = (key, at_s)
        point = self._pending.get(place)
        if point is None:
            if len(self._pending) >= _PENDING_MAX:
                # The disk has not taken anything for long: keep what is newest.
                self._pending.pop(next(iter(self._pending)))
            point = self._pending[place] = Point()
        return point

    async def flush(self) -> None:
        """Write all that has been added until now."""
        for work in self.before_flush:
            work()
        async with self._writing:
            pending, self._pending = self._pending, {}
            if not pending:
                return
            try:
                await self._store.add(pending)
            except Exception:
                for (key, at_s), point in pending.items():
                    self.merge(key, at_s, point)
                raise

    async def _work(self) -> None:
        await self.flush()
        if self._clock.monotonic() - self._forgotten > _FORGET_S:
            self._forgotten = self._clock.monotonic()
            await self._store.forget(int(self._clock.now()) - KEEP_S)
