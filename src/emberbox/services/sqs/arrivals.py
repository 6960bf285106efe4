"""Receivers that wait: served one at a time, when a message may have come or come back.

Nothing here looks at a queue from time to time. A receiver waits for a future. A send that finds
one waiting takes messages out for it in its own transaction; else it is told to look when messages
are made visible, or by the one timer of the queue, set to when the next message in flight or
delayed will be visible.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import field
from typing import Final, NamedTuple

from emberbox.clock import Clock
from emberbox.records import dataclass
from emberbox.storage.queue_receiving import Batch

_NEVER: Final = float("inf")
_AT_MOST_S: Final = 3_600.0


class Asked(NamedTuple):
    """What a receiver asks for; no visibility is the queue's own."""

    limit: int
    visibility_s: int | None = None
    attempt_id: str | None = None


class Turn(NamedTuple):
    """What a wait has ended with: the time is over, a look is due, or messages are here already."""

    is_over: bool = False
    batch: Batch | None = None


_LOOK: Final = Turn()
_OVER: Final = Turn(is_over=True)


class Receiver(asyncio.Future[Turn]):
    """One that waits."""

    def __init__(self, asked: Asked) -> None:
        super().__init__()
        self.asked = asked


@dataclass(slots=True)
class _Line:
    """The receivers of a queue, and the earliest time at which they may find something."""

    next_ms: float = 0.0
    version: int = 0
    receivers: deque[Receiver] = field(default_factory=deque)
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
        if line.receivers:
            _wake(line)

    def is_awaited(self, queue_id: int) -> bool:
        """Whether anybody waits for messages of a queue."""
        line = self._lines.get(queue_id)
        return line is not None and bool(line.receivers)

    def call_first(self, queue_id: int) -> Receiver | None:
        """Who waits longest, out of the line to be served by the caller, or None.

        It must get its turn: by `set_result`, unless it has gone meanwhile, and by `put_back`.
        """
        line = self._lines.get(queue_id)
        while line is not None and line.receivers:
            receiver = line.receivers.popleft()
            if not receiver.done():
                return receiver
        return None

    def put_back(self, queue_id: int, receiver: Receiver) -> None:
        """If it has not been served it is told to look for itself; if it has gone, the next is."""
        if not receiver.done():
            receiver.set_result(_LOOK)
        elif receiver.cancelled():
            self.found(queue_id)

    async def wait(
        self,
        queue_id: int,
        timeout_s: float | None,
        asked: Asked,
        give_back: Callable[[Batch], None],
    ) -> Turn:
        """Wait for a turn. One that is being served at the end of its time is served.

        Cancelled when it has been served already, it calls `give_back`.
        """
        line = self._line(queue_id)
        receiver = Receiver(asked)
        line.receivers.append(receiver)
        self._arm(line)
        timer = None
        if timeout_s is not None:
            timer = receiver.get_loop().call_later(timeout_s, _give_up, line, receiver)
        try:
            return await receiver
        except asyncio.CancelledError:
            if receiver.done() and not receiver.cancelled():
                batch = receiver.result().batch
                if batch is not None:
                    give_back(batch)
                _wake(line)  # the turn was ours: it is the next one's
            raise
        finally:
            if timer is not None:
                timer.cancel()
            if receiver in line.receivers:
                line.receivers.remove(receiver)
            _disarm_if_idle(line)

    def forget(self, queue_id: int) -> None:
        """The queue is gone: all who wait get a turn to find that out."""
        line = self._lines.pop(queue_id, None)
        if line is not None:
            if line.timer is not None:
                line.timer.cancel()
            while line.receivers:
                _wake(line)

    def _line(self, queue_id: int) -> _Line:
        return self._lines.setdefault(queue_id, _Line())

    def _arm(self, line: _Line) -> None:
        if not line.receivers or line.next_ms == _NEVER:
            return
        delay_s = line.next_ms / 1_000 - self._clock.now()
        if delay_s <= 0:
            _wake(line)
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


def _wake(line: _Line) -> None:
    while line.receivers:
        receiver = line.receivers.popleft()
        if not receiver.done():
            receiver.set_result(_LOOK)
            return


def _give_up(line: _Line, receiver: Receiver) -> None:
    if receiver in line.receivers and not receiver.done():
        line.receivers.remove(receiver)
        receiver.set_result(_OVER)


def _disarm_if_idle(line: _Line) -> None:
    if not line.receivers and line.timer is not None:
        line.timer.cancel()
        line.timer = None
        line.timer_ms = _NEVER
