"""When to look at which lane of events again: one timer for all, each lane's earliest moment."""

import asyncio
import heapq
from collections.abc import Callable
from math import inf

from emberbox.clock import Clock
from emberbox.storage.event_queue import Lane


class Alarms:
    """`ring` is called at the earliest moment that is set, while they are on."""

    def __init__(self, clock: Clock, ring: Callable[[], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._heap: list[tuple[float, Lane]] = []
        self._set: dict[Lane, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._is_on = False

    def set(self, due: float, lane: Lane) -> None:
        """Look at the lane again then; its earliest alarm is enough, each look finds the next."""
        if due < self._set.get(lane, inf):
            self._set[lane] = due
            heapq.heappush(self._heap, (due, lane))
            self._arm()

    def take(self) -> list[Lane]:
        """The lanes whose moment has come; their alarms are over."""
        now, found = self._clock.now(), []
        while self._heap and self._heap[0][0] <= now:
            due, lane = heapq.heappop(self._heap)
            if self._set.get(lane) == due:
                del self._set[lane]
                found.append(lane)
        self._arm()
        return found

    def switch(self, *, on: bool) -> None:
        """On or off; nothing is forgotten."""
        self._is_on = on
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._heap and self._is_on:
            delay = max(0.0, self._heap[0][0] - self._clock.now())
            self._timer = asyncio.get_running_loop().call_later(delay, self._ring)
