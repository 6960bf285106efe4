"""A time limit that is set anew for each invocation and seldom reached."""

import asyncio
from collections.abc import Callable

_EARLY_S = 0.0005


class Deadline:
    """One timer, looked at again when it fires, instead of one made and cancelled each time."""

    __slots__ = ("_callback", "_due", "_loop", "_timer", "_timer_due")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._callback: Callable[[], None] | None = None
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0

    def set(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back in so many seconds, instead of what was set before."""
        self._callback = callback
        self._due = self._loop.time() + seconds
        if self._timer is None or self._timer_due > self._due:
            self._begin()

    @property
    def is_set(self) -> bool:
        """Whether it will call back."""
        return self._callback is not None

    def clear(self) -> None:
        """Do not call back."""
        self._callback = None

    def end(self) -> None:
        """Do not call back, and keep nothing alive: it will not be set again soon."""
        self._callback = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = self._due
        self._timer = self._loop.call_at(self._due, self._fired)

    def _fired(self) -> None:
        self._timer = None
        callback = self._callback
        if callback is None:
            return
        if self._loop.time() < self._due - _EARLY_S:
            self._begin()
            return
        self._callback = None
        callback()
