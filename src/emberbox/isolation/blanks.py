"""The blank sandboxes of one program: made ahead of need, a few at a time, and given out.

What is made for later would hold up what is asked for now: while somebody waits for a sandbox, of
this program or another, none is made ahead.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from emberbox.errors import PlatformError
from emberbox.isolation.demand import Demand
from emberbox.isolation.namespace_sandbox import NamespaceSandbox

_REFILL_AFTER_S = 0.05
_AT_ONCE = 4

Make = Callable[[], Coroutine[Any, Any, NamespaceSandbox]]
Own = Callable[[Coroutine[Any, Any, Any]], "asyncio.Task[Any]"]


class Blanks:
    """See the module. `own` runs a task; `is_busy` says whether anybody waits for a sandbox.

    `before_refill` hears how many are wanted, before some are made.
    """

    def __init__(
        self,
        make: Make,
        demand: Demand,
        own: Own,
        is_busy: Callable[[], bool],
        before_refill: Callable[[int], None],
    ) -> None:
        self._make = make
        self._demand = demand
        self._own = own
        self._is_busy = is_busy
        self._before_refill = before_refill
        self._loop = asyncio.get_running_loop()
        self.ready: deque[NamespaceSandbox] = deque()
        self.awaited = 0
        self._coming = 0
        self._timer: asyncio.TimerHandle | None = None
        self._shedding: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def take(self) -> NamespaceSandbox:
        """One that is ready, or a new one; PlatformError if none can be made."""
        self._demand.take(self._loop.time())
        self._refill_soon()
        while self.ready:
            sandbox = self.ready.popleft()
            if not sandbox.is_gone:
                return sandbox
        making: asyncio.Task[NamespaceSandbox] = self._own(self._make())
        self.awaited += 1
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            # It is on its way all the same: it is for whoever comes next.
            making.add_done_callback(self._keep)
            raise
        finally:
            self.awaited -= 1

    def close(self) -> None:
        """Make no more, and forget those that are there."""
        self._is_closed = True
        self.ready.clear()
        for timer in (self._timer, self._shedding):
            if timer is not None:
                timer.cancel()

    def refill(self) -> None:
        """Begin to make some of what is missing."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._is_closed:
            return
        wanted = self._demand.wanted(self._loop.time())
        self._before_refill(wanted)
        missing = min(wanted - len(self.ready), _AT_ONCE) - self._coming
        for _ in range(missing):
            self._coming += 1
            self._own(self._make_blank())

    def _keep(self, making: "asyncio.Task[NamespaceSandbox]") -> None:
        if not making.cancelled() and making.exception() is None:
            self.ready.append(making.result())

    def _refill_soon(self) -> None:
        """Not at once: the cold start that has just taken a sandbox needs the processors."""
        if self._timer is None and not self._is_closed:
            self._timer = self._loop.call_later(_REFILL_AFTER_S, self._refill_if_nobody_waits)

    def _refill_if_nobody_waits(self) -> None:
        self._timer = None
        if self._is_busy():
            self._refill_soon()
        else:
            self.refill()

    async def _make_blank(self) -> None:
        try:
            self.ready.append(await self._make())
        except (PlatformError, OSError):
            # Whoever takes one next tries again and is told why it fails.
            return
        finally:
            self._coming -= 1
        now = self._loop.time()
        if len(self.ready) + self._coming < self._demand.wanted(now):
            self._refill_soon()
        elif self._shedding is None and not self._is_closed:
            self._shedding = self._loop.call_at(self._demand.until, self._shed)

    def _shed(self) -> None:
        """Those that nobody has needed for long go."""
        self._shedding = None
        now = self._loop.time()
        if now < self._demand.until:
            self._shedding = self._loop.call_at(self._demand.until, self._shed)
        while len(self.ready) > self._demand.wanted(now):
            self.ready.popleft().destroy("it is not needed")
