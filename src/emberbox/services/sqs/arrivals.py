"""Receivers that wait: woken one at a time, when a message may have come or come back.

Nothing here looks at a queue from time to time. A receiver waits for a future, which is resolved
when messages are sent or made visible, or by the one timer of the queue, set to when the next
message in flight or delayed will be visible.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from emberbox.clock import Clock

_NEVER: Final = float("inf")
_AT_MOST_S: Final = 3_600.0


@dataclass(slots=True)
class _Line:
    """The receivers of a queue, and the earliest time at which they may find something."""

    next_ms: float = 0.0
    version: int = 0
    waiters: deque[asyncio.Future[None]] = field(default_factory=deque)
    timer: asyncio.TimerHandle | None = None
    timer_ms: float = _NEVER


class Arrivals:
    """What is known of when queues have messages, by queue id."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: dict[int, _Line] = {}

    def may_find(self, queue_id: int, now_ms: int) -> bool:
        """Whether a look into the queue may find a message."""
        return self._line(queue_id).next_ms <= now_ms

    def version(self, queue_id: int) -> int:
        """Changes whenever a message comes, comes back, or will come back earlier."""
        return self._line(queue_id).version

    def expect(self, queue_id: int, at_ms: float) -> None:
        """A message of the queue may be visible at this time."""
        line = self._line(queue_id)
        line.version += 1
        line.next_ms = min(line.next_ms, at_ms)
        self._arm(line)

    def found_nothing(self, queue_id: int, version: int, next_ms: int | None) -> None:
        """A look that began at this version found nothing, and this to be the next time."""
        line = self._line(queue_id)
        if line.version == version:
            line.next_ms = _NEVER if next_ms is None else next_ms
        self._arm(line)

    def found(self, queue_id: int) -> None:
        """A look found something: the next waiting receiver may, too."""
        line = self._line(queue_id)
        if line.waiters:
            self._wake(line)

    async def wait(self, queue_id: int, timeout_s: float | None) -> bool:
        """Wait for a turn to look; False if the time ran out first."""
        line = self._line(queue_id)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.waiters.append(future)
        self._arm(line)
        try:
            async with asyncio.timeout(timeout_s):
                await future
        except TimeoutError:
            return False
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._wake(line)  # the turn was ours: it is the next one's
            raise
        finally:
            if future in line.waiters:
                line.waiters.remove(future)
            self._disarm_if_idle(line)
        return True

    def forget(self, queue_id: int) -> None:
        """The queue is gone: all who wait get a turn to find that out."""
        line = self._lines.pop(queue_id, None)
        if line is not None:
            if line.timer is not None:
                line.timer.cancel()
            while line.waiters:
                self._wake(line)

    def _line(self, queue_id: int) -> _Line:
        return self._lines.setdefault(queue_id, _Line())

    def _arm(self, line: _Line) -> None:
        if not line.waiters or line.next_ms == _NEVER:
            return
        delay_s = line.next_ms / 1_000 - self._clock.now()
        if delay_s <= 0:
            self._wake(line)
        elif line.timer is None or line.next_ms < line.timer_ms:
            if line.timer is not None:
                line.timer.cancel()
            loop = asyncio.get_running_loop()
            line.timer = loop.call_later(min(delay_s, _AT_MOST_S), self._ring, line)
            line.timer_ms = line.next_ms

    def _ring(self, line: _Line) -> None:
        line.timer = None
        line.timer_ms = _NEVER
        self._arm(line)

    def _wake(self, line: _Line) -> None:
        while line.waiters:
            future = line.waiters.popleft()
            if not future.done():
                future.set_result(None)
                return

    def _disarm_if_idle(self, line: _Line) -> None:
        if not line.waiters and line.timer is not None:
            line.timer.cancel()
            line.timer = None
            line.timer_ms = _NEVER
