"""The one loop of all mappings: read, invoke, settle, as many batches at once as the pace allows.

Nothing wakes up while there is nothing to read.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

from emberbox.clock import Clock
from emberbox.errors import EmberboxError
from emberbox.model.poller_pace import Pace
from emberbox.rounds import Trouble
from emberbox.sources.feed import Batch, Feed, SourceError, Verdict
from emberbox.sources.invoking import Invoker, NoFunctionError, OutOfTimeError

log = logging.getLogger("emberbox.sources")

_LOOK_AGAIN_S: Final = 10.0
"""How long a missing function or right is waited for before it is looked for again: policies may
change without the function, and a change that comes while its absence is told would be missed."""

Report = Callable[[str | None], Awaitable[None]]
"""Says what the mapping's last problem is, None if there is none."""


class Worker:
    """Runs one mapping between `start` and `retire`."""

    def __init__(
        self, feed: Feed, invoker: Invoker, pace: Pace, clock: Clock, report: Report
    ) -> None:
        self._feed = feed
        self._invoker = invoker
        self._pace = pace
        self._clock = clock
        self._report = report
        self._running: set[asyncio.Task[None]] = set()
        self._freed = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self._is_refused = False

    @property
    def running(self) -> int:
        """How many batches are with the function."""
        return len(self._running)

    def start(self) -> None:
        """Begin to read."""
        self._reader = asyncio.create_task(self._read())
        self._reader.add_done_callback(_told)

    async def retire(self) -> None:
        """Read no more; the batches that are with the function come to their end by themselves."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])

    async def ended(self, timeout_s: float) -> None:
        """Wait for the batches that are with the function, but not for longer."""
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_s)
        for task in self._running:
            task.cancel()

    async def _read(self) -> None:
        trouble = Trouble(log, "a source cannot be read")
        while True:
            try:
                await self._invoker.ready()
                await self._room()
                batches = await self._feed.next()
            except NoFunctionError as error:
                await self._tell(f"PROBLEM: {error}")
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_AGAIN_S):
                        await self._invoker.appears()
            except SourceError as error:
                await self._tell(f"PROBLEM: {error}")
                await self._feed.recovered()
            except Exception as error:  # noqa: BLE001 - logged there; nothing ends the reading
                pause_s = trouble.met(error)
                await self._tell(f"PROBLEM: {str(error) or type(error).__name__}")
                await asyncio.sleep(pause_s)
            else:
                trouble.over()
                # First of all: whoever retires us now must find the messages with the function.
                self._begin(batches)
                if not self._is_refused:
                    await self._tell(None)

    async def _tell(self, problem: str | None) -> None:
        """Report; that it cannot be told keeps nothing from being read."""
        try:
            await self._report(problem)
        except Exception:
            log.exception("the state of a mapping could not be told")

    async def _room(self) -> None:
        """Return when one more batch may be with the function."""
        while len(self._running) >= self._pace.allowed(self._clock.monotonic(), len(self._running)):
            self._freed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.until_more()):
                    await self._freed.wait()

    def _begin(self, batches: Sequence[Batch]) -> None:
        task = asyncio.create_task(self._process(batches))
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        _told(task)
        self._freed.set()

    async def _process(self, batches: Sequence[Batch]) -> None:
        """The parts of a batch one after another; after a failure the rest is left."""
        for batch in batches:
            verdict = await self._verdict(batch)
            if verdict.failed is None or verdict.failed:
                self._pace.failed()
            await self._feed.settle(batch, verdict)
            if verdict.failed is None or verdict.failed:
                return

    async def _verdict(self, batch: Batch) -> Verdict:
        try:
            verdict = await self._invoker.run(self._feed.event(batch), batch)
        except (OutOfTimeError, NoFunctionError) as error:
            self._is_refused = True
            await self._tell(f"PROBLEM: {error}")
        except EmberboxError as error:
            log.warning("a batch could not be run: %s", error)
        else:
            if self._is_refused:
                self._is_refused = False
                await self._tell(None)
            return verdict
        return Verdict(None)


def _told(task: asyncio.Task[None]) -> None:
    """What nobody expected is at least logged."""
    if not task.cancelled() and task.exception() is not None:
        log.error("the work of a mapping has stopped", exc_info=task.exception())
