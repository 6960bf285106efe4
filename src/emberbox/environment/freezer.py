"""Freezes environments that have rested for a moment."""

import asyncio

from emberbox.clock import Clock
from emberbox.environment.environment import Environment


class Freezer:
    """Takes the processor from environments that are idle for `after_s`, one timer for all."""

    def __init__(self, after_s: float, clock: Clock) -> None:
        self._after_s = after_s
        self._clock = clock
        self._resting: dict[Environment, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def rests(self, environment: Environment) -> None:
        """It is available, and nobody waits for it."""
        self._resting[environment] = None
        if self._timer is None:
            self._timer = self._loop.call_later(self._after_s, self._look)

    def rests_no_more(self, environment: Environment) -> None:
        """It is about to serve, or gone."""
        self._resting.pop(environment, None)

    def close(self) -> None:
        """Freeze no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        """Freeze those that have rested long enough; look again for the others."""
        self._timer = None
        limit = self._clock.monotonic() - self._after_s
        for environment in list(self._resting):
            if not environment.is_available or environment.idle_since <= limit:
                del self._resting[environment]
                environment.freeze()
        if self._resting:
            self._timer = self._loop.call_later(self._after_s, self._look)
