"""Work in the background, round by round, that nothing unforeseen ends.

Whatever a round raises is logged, with its trace the first time, and the round is tried again after
a pause that grows. Only a cancellation ends such work, and it is never swallowed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeVar

from emberbox.clock import Clock
from emberbox.errors import EmberboxError

T = TypeVar("T")

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0


class Trouble:
    """What keeps one piece of work from going on. `what` is said of it in the log."""

    def __init__(self, log: logging.Logger, what: str) -> None:
        self._log = log
        self._what = what
        self._pause_s = _FIRST_PAUSE_S
        self._is_known = False

    def met(self, error: Exception) -> float:
        """Something was raised; how many seconds to wait before the work is tried again."""
        if isinstance(error, EmberboxError) or self._is_known:
            self._log.warning(
                "%s, trying again: %s", self._what, str(error) or type(error).__name__
            )
        else:
            self._is_known = True
            self._log.error("%s, trying again", self._what, exc_info=error)
        pause_s = self._pause_s
        self._pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)
        return pause_s

    def over(self) -> None:
        """It went on."""
        self._pause_s = _FIRST_PAUSE_S
        self._is_known = False


async def until_done(work: Callable[[], Awaitable[T]], trouble: Trouble) -> T:
    """The result of the work, which is tried until it has one."""
    while True:
        try:
            result = await work()
        except Exception as error:  # noqa: BLE001 - logged there; the work must not end by it
            await asyncio.sleep(trouble.met(error))
        else:
            trouble.over()
            return result


class Paced:
    """The same work again and again, with a pause of the same length before each time."""

    def __init__(
        self, work: Callable[[], Awaitable[object]], pause_s: float, trouble: Trouble
    ) -> None:
        self._work = work
        self._pause_s = pause_s
        self._trouble = trouble
        self._task: asyncio.Task[None] | None = None

    def open(self, *, at_once: bool = False) -> None:
        """Begin, with a pause unless it is to be done at once; needs a running loop."""
        self._task = asyncio.get_running_loop().create_task(self._run(at_once=at_once))

    async def close(self) -> None:
        """Stop, in the middle of the work if need be."""
        task, self._task = self._task, None
        await _cancelled(task)

    async def _run(self, *, at_once: bool) -> None:
        if not at_once:
            await asyncio.sleep(self._pause_s)
        while True:
            await until_done(self._work, self._trouble)
            await asyncio.sleep(self._pause_s)


class Rounds:
    """Rounds of work whenever there may be some.

    `work` does all that is due, and says at which time of the clock there is more; None if nothing
    waits for a time. Between rounds nothing wakes up.
    """

    def __init__(
        self, work: Callable[[], Awaitable[float | None]], clock: Clock, trouble: Trouble
    ) -> None:
        self._work = work
        self._clock = clock
        self._trouble = trouble
        self._wake = asyncio.Event()
        self._rested = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin, with a round at once; needs a running loop."""
        self.soon()
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Stop, in the middle of a round if need be."""
        task, self._task = self._task, None
        await _cancelled(task)

    def soon(self) -> None:
        """There is something to do, or the clock of a test has moved."""
        self._rested.clear()
        self._wake.set()

    async def rested(self) -> None:
        """Until nothing is due; for tests and for draining."""
        await self._rested.wait()

    async def _run(self) -> None:
        later: float | None = None
        while True:
            await self._until(later)
            self._wake.clear()
            try:
                later = await self._work()
            except Exception as error:  # noqa: BLE001 - logged there; nothing ends the rounds
                later = self._clock.now() + self._trouble.met(error)
            else:
                self._trouble.over()
                if not self._wake.is_set():
                    self._rested.set()

    async def _until(self, later: float | None) -> None:
        wait = None if later is None else max(0.0, later - self._clock.now())
        with suppress(TimeoutError):
            # Not wait_for, which may swallow a cancellation.
            async with asyncio.timeout(wait):
                await self._wake.wait()


async def _cancelled(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
