"""Collects what invocations use: the bill's records and the metrics of AWS/Lambda.

An invocation only leaves its measurement here. Records, sums and metrics are made of many at once:
that costs a fraction, and the caller has had its answer by then.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import field

from emberbox.clock import Clock
from emberbox.errors import EmberboxError
from emberbox.model.function import FunctionVersion
from emberbox.model.invocation import Invocation
from emberbox.model.metrics import Point
from emberbox.model.report import Measurement
from emberbox.model.usage import Subject, Usage, usage_of
from emberbox.records import dataclass
from emberbox.rounds import Paced, Trouble
from emberbox.storage.usage import KEEP_RUNS_S, UsageStore
from emberbox.telemetry.kept_time import KeptTime
from emberbox.telemetry.lambda_metrics import Called, LambdaMetrics
from emberbox.telemetry.live import Live
from emberbox.telemetry.usage_journal import UsageJournal

log = logging.getLogger("emberbox.usage")

_FLUSH_S = 1.0
_BATCH = 4_096
_FOLD = 128
_IN_MEMORY = 8
"""Batches that wait for the database in memory; more are read again from the journal."""

_SEALED_MAX = 4_096
_UNREADABLE_MAX = 32
"""Batches that may wait in all, and those of them that are in memory alone."""

_FORGET_S = 3_600.0
_KEPT_S = 5.0


_Ended = tuple[float, FunctionVersion, str, Measurement]
"""When it ended, what ran, as what it was called, and what it used."""


@dataclass(slots=True)
class _Minute:
    """What was called as one thing within a minute."""

    durations: Point = field(default_factory=Point)
    extensions: Point = field(default_factory=Point)
    failed: int = 0

    def points(self) -> dict[str, Point]:
        """By the name of the metric."""
        runs, invocations, errors = self.durations.count, Point(), Point()
        invocations.add(1.0, runs)
        for value, count in ((0.0, runs - self.failed), (1.0, self.failed)):
            if count:
                errors.add(value, count)
        points = {"Invocations": invocations, "Errors": errors, "Duration": self.durations}
        if self.extensions.count:
            points["PostRuntimeExtensionsDuration"] = self.extensions
        return points


class UsageSink:
    """See the module. Open it in the event loop, close it before the store.

    `listeners` hear of invocations of one subject that have ended, some at once.
    """

    def __init__(
        self,
        store: UsageStore,
        metrics: LambdaMetrics,
        live: Live,
        clock: Clock,
        journal: UsageJournal,
    ) -> None:
        self._store = store
        self._journal = journal
        self._metrics = metrics
        self.listeners: list[Callable[[Sequence[Usage]], None]] = [live.ran]
        self._clock = clock
        self._ended: list[_Ended] = []
        self._minutes: dict[tuple[Called, str, int], _Minute] = {}
        self._pending: list[Usage] = []
        self._sealed: deque[tuple[int, list[Usage] | None]] = deque()
        self._unreadable: set[int] = set()
        self.lost = 0
        self._writing = asyncio.Lock()
        self._flushing = Paced(self._work, _FLUSH_S, Trouble(log, "usage cannot be written"))
        self._forgotten = float("-inf")
        self.kept = KeptTime(store, clock)
        self._kept_at = float("-inf")

    async def recover(self) -> int:
        """Write what a killed server has left in the journal, once; how many invocations."""
        committed = await self._store.generation()
        found = 0
        for generation, usages in self._journal.left(committed):
            await self._store.add(usages, generation)
            committed, found = generation, found + len(usages)
        self._journal.discard(committed)
        self._journal.begin_after(committed)
        return found

    def open(self) -> None:
        """Begin to write what is collected."""
        self._metrics.before_reading(self._give_metrics)
        self._flushing.open()

    async def close(self) -> None:
        """Write the rest."""
        await self._flushing.close()
        with suppress(EmberboxError):
            await self.flush()
        self._journal.close()

    def add(self, function: FunctionVersion, invocation: Invocation, measured: Measurement) -> None:
        """An invocation has ended."""
        now, arn = self._clock.now(), invocation.invoked_arn
        self._journal.add(now, function, arn, measured)
        self._ended.append((now, function, arn, measured))
        if len(self._ended) >= _FOLD:
            self.fold()

    def fold(self) -> None:
        """Let all that has ended show in records, counters and metrics."""
        ended, self._ended = self._ended, []
        together: dict[tuple[int, str], list[_Ended]] = {}
        for one in ended:
            together.setdefault((id(one[1]), one[2]), []).append(one)
        for alike in together.values():
            _, function, arn, _ = alike[0]
            usages = _usages(function, arn, alike)
            self._pending += usages
            for listener in self.listeners:
                listener(usages)
            self._measure(usages, alike)
        if len(self._pending) >= _BATCH:
            self._seal()

    def _seal(self) -> None:
        """What is pending is one generation of the journal, to be written as one.

        While the database does not take it, it is in the journal, and only a little of it in
        memory too. Where not even the journal could be written, that holds some, and then it is
        lost: `lost` counts.
        """
        batch, self._pending = self._pending, []
        generation, is_whole = self._journal.rotate()
        if not is_whole:
            self._unreadable.add(generation)
        if len(self._sealed) >= _SEALED_MAX or len(self._unreadable) > _UNREADABLE_MAX:
            self._lose(generation, len(batch))
        elif is_whole and len(self._sealed) >= _IN_MEMORY:
            self._sealed.append((generation, None))
        else:
            self._sealed.append((generation, batch))

    def _lose(self, generation: int, count: int) -> None:
        if not self.lost:
            log.error("the bill is incomplete: usage can be written nowhere")
        self.lost += count
        self._unreadable.discard(generation)
        self._journal.discard_one(generation)

    def _measure(self, usages: list[Usage], alike: list[_Ended]) -> None:
        subject, qualifier = usages[0].subject, usages[0].qualifier
        called = Called(subject.account, subject.region, subject.name, qualifier)
        for usage, (*_, measured) in zip(usages, alike, strict=True):
            place = (called, subject.version, int(usage.at // 60) * 60)
            minute = self._minutes.get(place)
            if minute is None:
                minute = self._minutes[place] = _Minute()
            minute.durations.add(usage.duration_ms)
            minute.failed += bool(usage.error)
            if measured.extensions_ms is not None:
                minute.extensions.add(measured.extensions_ms)

    def _give_metrics(self) -> None:
        self.fold()
        minutes, self._minutes = self._minutes, {}
        for (called, version, at_s), minute in minutes.items():
            for metric, point in minute.points().items():
                self._metrics.merge(metric, called, at_s, point, version)

    async def flush(self) -> None:
        """Write all that has been added until now."""
        await self._flush()
        await self.kept.write()

    async def _flush(self) -> None:
        self.fold()
        async with self._writing:
            await self._write_sealed()
            # Not before: a database that takes nothing would leave ever more small batches behind.
            # What has ended meanwhile is in the generation that ends now, so it is of its batch.
            self.fold()
            if self._pending:
                self._seal()
                await self._write_sealed()

    async def _write_sealed(self) -> None:
        while self._sealed:
            generation, batch = self._sealed[0]
            if batch is None:
                batch = await asyncio.to_thread(self._journal.read, generation)
            # One that was cancelled has happened all the same: the store takes each once.
            await self._store.add(batch, generation)
            self._sealed.popleft()
            self._unreadable.discard(generation)
            self._journal.discard(generation)

    async def _work(self) -> None:
        await self._flush()
        if self._clock.monotonic() - self._kept_at > _KEPT_S:
            self._kept_at = self._clock.monotonic()
            await self.kept.write()
        if self._clock.monotonic() - self._forgotten > _FORGET_S:
            self._forgotten = self._clock.monotonic()
            await self._store.forget(self._clock.now() - KEEP_RUNS_S)


def _usages(function: FunctionVersion, arn: str, ended: Iterable[_Ended]) -> list[Usage]:
    subject = Subject.of(function)
    qualifier = subject.qualifier_in(arn)
    return [usage_of(subject, qualifier, at, measured) for at, _, _, measured in ended]
