"""Freezes environments that have rested for a moment.

To freeze an environment and thaw it at once costs more than an invocation. Where that happens, as
in the last environments of a busy function, the next rest before a freeze is twice as long, up to
a bound; a freeze that lasts makes it short again.
"""

import asyncio
from typing import Final, Protocol

from emberbox.clock import Clock

_WORTH: Final = 10
"""Of its rest: how long a freeze lasts at least that was worth its while."""

_LONGER_MAX: Final = 16
"""How many times as long a rest may become."""


class Resting(Protocol):
    """An environment, as far as it matters here."""

    idle_since: float
    is_frozen: bool

    @property
    def is_available(self) -> bool:
        """Whether it is idle."""
        ...

    def freeze(self) -> None:
        """No processor time until the next invocation."""
        ...


class Freezer:
    """Takes the processor from environments that are idle for `after_s`, one timer for all."""

    def __init__(self, after_s: float, clock: Clock) -> None:
        self._after_s = after_s
        self._clock = clock
        self._resting: dict[Resting, None] = {}
        self._frozen: dict[Resting, float] = {}
        self._longer: dict[Resting, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def rests(self, environment: Resting) -> None:
        """It is available, and nobody waits for it."""
        self._resting[environment] = None
        if self._timer is None:
            self._timer = self._loop.call_later(self._after_s, self._look)

    def serves(self, environment: Resting) -> None:
        """It is about to serve."""
        self._resting.pop(environment, None)
        if environment.is_frozen:
            self._learn(environment)

    def gone(self, environment: Resting) -> None:
        """It is no more."""
        self._resting.pop(environment, None)
        self._frozen.pop(environment, None)
        self._longer.pop(environment, None)

    def close(self) -> None:
        """Freeze no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _learn(self, environment: Resting) -> None:
        """A freeze is over: was it worth its while?"""
        since = self._frozen.pop(environment, None)
        if since is None:
            return
        if self._clock.monotonic() - since < _WORTH * self._after_s:
            longer = 2 * self._longer.get(environment, 1)
            self._longer[environment] = min(longer, _LONGER_MAX)
        else:
            self._longer.pop(environment, None)

    def _look(self) -> None:
        """Freeze those that have rested long enough; look again for the others."""
        self._timer = None
        now = self._clock.monotonic()
        for environment in list(self._resting):
            rest_s = self._after_s * self._longer.get(environment, 1)
            if not environment.is_available or environment.idle_since + rest_s <= now:
                del self._resting[environment]
                environment.freeze()
                if environment.is_frozen:
                    self._frozen[environment] = now
        if self._resting:
            self._timer = self._loop.call_later(self._after_s, self._look)
