"""Collects what invocations use: the bill's records and the metrics of AWS/Lambda.

One record an invocation, handed over in memory; written in batches.
"""

import asyncio
import logging
from contextlib import suppress

from emberbox.clock import Clock
from emberbox.errors import EmberboxError
from emberbox.model.pricing import gb_seconds
from emberbox.model.usage import Usage
from emberbox.storage.usage import KEEP_RUNS_S, UsageStore
from emberbox.telemetry.lambda_metrics import Called, LambdaMetrics
from emberbox.telemetry.live import Live

log = logging.getLogger("emberbox.usage")

_FLUSH_S = 1.0
_BATCH = 4_096
_PENDING_MAX = 1_000_000
_FORGET_S = 3_600.0


class UsageSink:
    """See the module. Open it in the event loop, close it before the store."""

    def __init__(self, store: UsageStore, metrics: LambdaMetrics, live: Live, clock: Clock) -> None:
        self._store = store
        self._metrics = metrics
        self._live = live
        self._clock = clock
        self._pending: list[Usage] = []
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._forgotten = float("-inf")

    def open(self) -> None:
        """Begin to write what is collected."""
        self._task = asyncio.get_running_loop().create_task(self._work())

    async def close(self) -> None:
        """Write the rest."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        with suppress(EmberboxError):
            await self.flush()

    def add(self, usage: Usage) -> None:
        """An invocation has ended."""
        if len(self._pending) < _PENDING_MAX:
            self._pending.append(usage)
        subject = usage.subject
        self._live.ran(usage, gb_seconds(subject.memory_mb, usage.billed_ms))
        called = Called(subject.account, subject.region, subject.name, usage.qualifier)
        self._metrics.add("Invocations", called, 1, subject.version)
        self._metrics.add("Errors", called, float(bool(usage.error)), subject.version)
        self._metrics.add("Duration", called, usage.duration_ms, subject.version)

    async def flush(self) -> None:
        """Write all that has been added until now."""
        async with self._writing:
            while self._pending:
                batch = self._pending[:_BATCH]
                await self._store.add(batch)
                del self._pending[: len(batch)]

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_S)
            try:
                await self.flush()
                if self._clock.monotonic() - self._forgotten > _FORGET_S:
                    self._forgotten = self._clock.monotonic()
                    await self._store.forget(self._clock.now() - KEEP_RUNS_S)
            except EmberboxError as error:
                log.warning("usage cannot be written, trying again: %s", error)
