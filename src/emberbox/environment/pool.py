"""The environments of one function version: who is idle, who waits, when to start one more."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from math import ceil

from emberbox.clock import Clock
from emberbox.environment.environment import Environment
from emberbox.environment.plan import Plan
from emberbox.environment.provision import Provision
from emberbox.errors import CallerError, EmberboxError, PlatformError
from emberbox.model.report import Measurement

_LOSSES_MAX = 3

_COMES_BACK_S = 0.01
"""How long a runtime that has answered may take to ask for more before another is started."""


class _Waiter(asyncio.Future[Environment]):
    """A request that waits for an environment."""

    losses = 0

    def lose(self) -> bool:
        """An environment that it waited for is lost; whether it may wait for another."""
        self.losses += 1
        return self.losses <= _LOSSES_MAX


def _may_always(_pool: "Pool") -> None:
    """Nobody limits how many there are."""


class Pool:
    """Hands out environments, the most recently used first.

    A request that finds none idle waits, and takes whichever is available first, a new one or one
    that has become free. There are never more on their way than requests that wait: who is served
    by one that has become free leaves the start that was begun for it to the next. One whose caller
    has its answer is about to be free: it is given a moment. `rate` is that of provisioned ones.
    `tenant` is whom all of them serve, if the function keeps its tenants apart. `check_growth`
    raises CallerError if there may be no more of them; it is not asked about those that are begun
    in the place of lost ones.
    """

    def __init__(
        self,
        plan: Plan,
        begin_start: Callable[["Pool"], None],
        clock: Clock,
        rate: float = 0.0,
        tenant: str = "",
        check_growth: Callable[["Pool"], None] = _may_always,
    ) -> None:
        self.plan = plan
        self.idle: OrderedDict[Environment, None] = OrderedDict()
        self.idle_ahead: OrderedDict[Environment, None] = OrderedDict()
        self.tenant = tenant
        self.provision = Provision(rate)
        self._clock = clock
        self.all: set[Environment] = set()
        self.starting = 0
        self._waiters: deque[_Waiter] = deque()
        self._begin_start = begin_start
        self._check_growth = check_growth
        self.retired = ""
        self.peak_mb = 0.0
        self.init_ms = 0.0

    def __repr__(self) -> str:
        return (
            f"<pool {self.plan.function.name}: {len(self.idle)} idle of {len(self.all)}, "
            f"{self.starting} starting, {len(self._waiters)} waiting>"
        )

    def take(self) -> Environment | None:
        """An idle environment, now; provisioned ones first, as many requests as they take."""
        if self.idle_ahead and self.provision.may_take(self._clock.monotonic()):
            environment = _take(self.idle_ahead)
            if environment is not None:
                return environment
        return _take(self.idle)

    async def wait(self) -> Environment:
        """The next environment that becomes available; raises why none can or may be started."""
        future = _Waiter()
        self._waiters.append(future)
        try:
            self._see_to(future)
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self._offer_again(future.result())
            else:
                self._forget(future)
            raise
        except CallerError:
            self._forget(future)
            raise

    def _offer_again(self, environment: Environment) -> None:
        """Whom it was given to did not take it; meanwhile it may have ended."""
        if environment.is_available:
            self.offer(environment)

    def _see_to(self, waiter: _Waiter) -> None:
        """One more waits: an environment is started for it, is on its way, or comes back soon."""
        missing = len(self._waiters) - self.starting
        if missing <= 0:
            return
        if missing > sum(1 for environment in self.all if environment.has_answered):
            self._grow()
        else:
            loop = asyncio.get_running_loop()
            loop.call_later(_COMES_BACK_S, self._start_after_all, waiter)

    def _start_after_all(self, waiter: _Waiter) -> None:
        """The environment that was about to be available is not yet."""
        if not waiter.done() and len(self._waiters) > self.starting:
            try:
                self._grow()
            except CallerError as error:
                waiter.set_exception(error)

    def _grow(self) -> None:
        """Begin one more than there are; CallerError if there may be none."""
        self._check_growth(self)
        self._begin_start(self)

    @property
    def has_waiters(self) -> bool:
        """Whether somebody waits for an environment."""
        return any(not waiter.done() for waiter in self._waiters)

    def offer(self, environment: Environment) -> None:
        """An environment is available: give it to who waits longest, or keep it."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(environment)
                return
        idle = self.idle_ahead if environment.beginning.is_provisioned else self.idle
        idle[environment] = None
        if environment.is_tired:
            # It would be made to wait for its share: let the others go first.
            idle.move_to_end(environment, last=False)

    def learn(self, measured: Measurement) -> None:
        """What an invocation has shown of what an environment takes."""
        self.peak_mb = max(self.peak_mb, measured.memory_peak_mb)
        if measured.init_ms is not None:
            self.init_ms = measured.init_ms

    def learn_size(self, memory_peak_bytes: Callable[[], int]) -> None:
        """What INIT has shown of it, if nothing is known yet."""
        if not self.peak_mb:
            self.peak_mb = ceil(memory_peak_bytes() / (1 << 20))

    def start_failed(self, error: EmberboxError) -> None:
        """An environment could not be started: tell one who waits.

        Who came last, if there is no room; else who waits longest.

        What is not the function's fault is tried again: a process of ours that was killed must not
        fail a request that no handler has seen. But not for ever: the fault may be one that stays.
        """
        while self._waiters:
            is_full = isinstance(error, CallerError)
            waiter = self._waiters.pop() if is_full else self._waiters.popleft()
            if waiter.done():
                continue
            if isinstance(error, PlatformError) and waiter.lose() and not self.retired:
                # Behind the others: what was lost at once with theirs is not all its own loss.
                self._waiters.append(waiter)
                self._begin_start(self)
            else:
                waiter.set_exception(error)
            return

    def remove(self, environment: Environment) -> None:
        """It is gone; if requests wait for more than is on its way, another start is begun."""
        self.all.discard(environment)
        self.idle.pop(environment, None)
        self.idle_ahead.pop(environment, None)
        self.provision.ready.discard(environment)
        if len(self._waiters) > self.starting + sum(1 for e in self.all if not e.is_available):
            self._begin_start(self)

    def end(self, environment: Environment, reason: str) -> None:
        """It is wanted no more; with extensions it takes a while, and counts no more meanwhile."""
        self.idle.pop(environment, None)
        self.idle_ahead.pop(environment, None)
        self.provision.ready.discard(environment)
        environment.stop(reason)

    def shed_ahead(self, oldest: float) -> None:
        """End provisioned ones that are too many, and those made before `oldest`, one by one."""
        for environment in list(self.idle_ahead):
            if self.provision.surplus:
                self.end(environment, "it is not provisioned any more")
            elif environment.created < oldest and self.provision.is_whole:
                self.end(environment, "old age")

    def retire(self, reason: str) -> None:
        """The version has changed: idle environments end now, busy ones after their invocation."""
        self.retired = reason
        for environment in list(self.all):
            environment.retire = True
            if environment.is_available:
                environment.stop(reason)

    def _forget(self, future: _Waiter) -> None:
        if future in self._waiters:
            self._waiters.remove(future)


def _take(idle: OrderedDict[Environment, None]) -> Environment | None:
    """The one that was used last."""
    while idle:
        environment, _ = idle.popitem()
        if environment.is_available:
            return environment
    return None
