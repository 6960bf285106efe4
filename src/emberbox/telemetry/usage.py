"""Collects what invocations use: the bill's records and the metrics of AWS/Lambda.

An invocation only leaves its measurement here. Records, sums and metrics are made of many at once:
that costs a fraction, and the caller has had its answer by then.
"""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from emberbox.clock import Clock
from emberbox.errors import EmberboxError
from emberbox.model.function import FunctionVersion
from emberbox.model.invocation import Invocation
from emberbox.model.metrics import Point
from emberbox.model.report import Measurement
from emberbox.model.usage import Subject, Usage
from emberbox.storage.usage import KEEP_RUNS_S, UsageStore
from emberbox.telemetry.lambda_metrics import Called, LambdaMetrics
from emberbox.telemetry.live import Live

log = logging.getLogger("emberbox.usage")

_FLUSH_S = 1.0
_BATCH = 4_096
_FOLD = 128
_PENDING_MAX = 1_000_000
_FORGET_S = 3_600.0


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
    """See the module. Open it in the event loop, close it before the store."""

    def __init__(self, store: UsageStore, metrics: LambdaMetrics, live: Live, clock: Clock) -> None:
        self._store = store
        self._metrics = metrics
        self._live = live
        self._clock = clock
        self._ended: list[_Ended] = []
        self._minutes: dict[tuple[Called, str, int], _Minute] = {}
        self._pending: list[Usage] = []
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._forgotten = float("-inf")

    def open(self) -> None:
        """Begin to write what is collected."""
        self._metrics.before_reading(self._give_metrics)
        self._task = asyncio.get_running_loop().create_task(self._work())

    async def close(self) -> None:
        """Write the rest."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        with suppress(EmberboxError):
            await self.flush()

    def add(self, function: FunctionVersion, invocation: Invocation, measured: Measurement) -> None:
        """An invocation has ended."""
        self._ended.append((self._clock.now(), function, invocation.invoked_arn, measured))
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
            if len(self._pending) < _PENDING_MAX:
                self._pending += usages
            self._live.ran(usages)
            self._measure(usages, alike)

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
        self.fold()
        async with self._writing:
            while self._pending:
                batch, self._pending = self._pending[:_BATCH], self._pending[_BATCH:]
                try:
                    await self._store.add(batch)
                except Exception:
                    # A cancelled write happens all the same, and is not to happen twice.
                    self._pending[:0] = batch
                    raise

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_S)
            try:
                await self.flush()
                if self._clock.monotonic() - self._forgotten > _FORGET_S:
                    self._forgotten = self._clock.monotonic()
                    await self._store.forget(self._clock.now() - KEEP_RUNS_S)
            except Exception:
                log.exception("usage cannot be written, trying again")


def _usages(function: FunctionVersion, arn: str, ended: Iterable[_Ended]) -> list[Usage]:
    subject = Subject(
        *function.key,
        function.version,
        function.memory_mb,
        function.ephemeral_mb,
        function.architecture,
    )
    qualifier = arn.partition(f":function:{function.name}")[2][1:]
    return [
        Usage(
            subject,
            measured.request_id,
            at,
            measured.duration_ms,
            measured.billed_ms,
            measured.init_ms,
            measured.memory_peak_mb,
            measured.cpu_ms,
            (measured.error_type or measured.status or "Unhandled") if measured.failed else "",
            qualifier,
        )
        for at, _, _, measured in ended
    ]
