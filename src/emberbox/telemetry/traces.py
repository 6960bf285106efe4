"""Collects segments of traces: those that functions send, and those of Lambda itself.

They wait in memory for a moment and are written in batches. What is not written yet is written
before anybody reads. Whether a function's role lets its segments be kept is asked once a batch.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from emberbox.clock import Clock
from emberbox.model.function import FunctionVersion
from emberbox.model.xray.segments import Segment
from emberbox.storage.traces import KEEP_S, Place, TraceStore

log = logging.getLogger("emberbox.traces")

PUT: Final = "xray:PutTraceSegments"
_FLUSH_S: Final = 0.2
_FORGET_S: Final = 600.0
_PENDING_MAX_BYTES: Final = 16 << 20

RoleMay = Callable[[str, str, str], Awaitable[bool]]
"""Whether a role allows an action on a resource; both are ARNs, the resource may be `*`."""


class _Waiting(NamedTuple):
    place: Place
    segment: Segment
    role: str


class TraceSink:
    """See the module. It costs nothing before the first segment comes."""

    def __init__(self, store: TraceStore, role_may: RoleMay, clock: Clock) -> None:
        self._store = store
        self._role_may = role_may
        self._clock = clock
        self._pending: list[_Waiting] = []
        self._pending_bytes = 0
        self._writing = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._forgotten = float("-inf")
        self.lost = 0

    async def close(self) -> None:
        """Write the rest."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            await self.flush()
        except Exception:
            log.exception("the last segments of traces cannot be written")

    def add(self, function: FunctionVersion, segment: Segment) -> None:
        """A segment that is to be kept in a function's name, if its role allows that.

        Where the disk does not keep up, segments are lost; `lost` counts them.
        """
        size = len(segment.document)
        if self._pending_bytes + size > _PENDING_MAX_BYTES:
            self.lost += 1
            return
        self._pending_bytes += size
        place = (function.account, function.region)
        self._pending.append(_Waiting(place, segment, function.role))
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(_FLUSH_S, self._begin_flush)

    async def flush(self) -> None:
        """Write all that has been added until now."""
        async with self._writing:
            roles = {each.role for each in self._pending}
            allowed = {role: await self._allows(role) for role in roles}
            # From here on what is written is decided: nobody who gives up waiting takes it away.
            pending = [each for each in self._pending if each.role in allowed]
            self._pending = [each for each in self._pending if each.role not in allowed]
            self._pending_bytes = sum(len(each.segment.document) for each in self._pending)
            kept = [(each.place, each.segment) for each in pending if allowed[each.role]]
            if kept:
                await self._store.add(kept, self._clock.now())

    async def _allows(self, role: str) -> bool:
        """Whether a role lets its segments be kept; a fault of one is not one of all."""
        try:
            return await self._role_may(role, PUT, "*")
        except Exception:
            log.exception("nobody can say whether %s may send segments: they are lost", role)
            return False

    def _begin_flush(self) -> None:
        self._timer = None
        self._task = asyncio.get_running_loop().create_task(self._flush_quietly())

    async def _flush_quietly(self) -> None:
        try:
            await self.flush()
            if self._clock.monotonic() - self._forgotten > _FORGET_S:
                self._forgotten = self._clock.monotonic()
                await self._store.forget(self._clock.now() - KEEP_S)
        except Exception:
            log.exception("segments of traces cannot be written: they are lost")
