"""Asynchronous invocation: events are kept on disk, run, tried again, and told of.

An event is accepted once it is synced to disk; from then on its function is run at least once,
whatever is killed, unless its age or its configuration says otherwise. In memory is only the near
end of each function's events. Source: "Invoking a Lambda function asynchronously" of AWS's guide.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, NamedTuple, Protocol

from emberbox.clock import Clock
from emberbox.errors import CallerError, EmberboxError, PlatformError
from emberbox.invoke.event_spans import EventSpans
from emberbox.invoke.lane_alarms import Alarms
from emberbox.invoke.lanes import LaneState, Rotation
from emberbox.invoke.recursion import RECURSIVE
from emberbox.model.async_deliveries import Delivery, deliveries_of
from emberbox.model.async_invocation import (
    Again,
    AsyncPolicy,
    Condition,
    Over,
    QueuedEvent,
    Ran,
    after_refusal,
    after_run,
    before_run,
)
from emberbox.model.spans import Opened
from emberbox.rounds import Trouble, until_done
from emberbox.storage.event_queue import EventQueue, Lane, Stored

log = logging.getLogger("emberbox.invoke")

_NOT_FOUND = "ResourceNotFoundException"
_THROTTLED = "TooManyRequestsException"
_THROTTLED_STATUS = 429
_UNSETTLED_MAX = 256
"""Events that have run and are not noted as such on disk: a crash runs them again."""


class Runner(Protocol):
    """Runs an event's function, for a span if there is one.

    CallerError or PlatformError if it cannot be run.
    """

    def begin(self, event: QueuedEvent, span: Opened | None, done: Callable[[Ran], None]) -> bool:
        """Run it without a task if an environment is idle; False if not. `done` is called later."""
        ...

    async def run(self, event: QueuedEvent, span: Opened | None) -> Ran:
        """Run it, with waiting if need be."""
        ...


class Policies(Protocol):
    """The asynchronous configuration of functions as it is now."""

    def policy(self, event: QueuedEvent) -> AsyncPolicy | None:
        """How the event is to be treated; None if its function is no more."""
        ...


class Meter(Protocol):
    """Counts what happens to a function's asynchronous events, as metrics of AWS/Lambda."""

    def __call__(self, metric: str, event: QueuedEvent, value: float) -> None:
        """Add a value of a metric: AsyncEventsReceived, AsyncEventAge, AsyncEventsDropped."""
        ...


class _Attempt(NamedTuple):
    """An event that runs now; without a policy its function is no more."""

    state: LaneState
    stored: Stored
    policy: AsyncPolicy | None
    span: Opened | None


class AsyncInvoker:
    """See the module. `slots` bounds how many events run at once.

    `deliver_soon` is called when there are new deliveries on disk. `arriving` events are being
    written.
    """

    def __init__(
        self,
        queue: EventQueue,
        runner: Runner,
        policies: Policies,
        clock: Clock,
        meter: Meter,
        deliver_soon: Callable[[], None],
        *,
        slots: int,
    ) -> None:
        self._queue = queue
        self._runner = runner
        self._policies = policies
        self._clock = clock
        self._meter = meter
        self._deliver_soon = deliver_soon
        self._slots = slots
        self._loop = asyncio.get_running_loop()
        self._running = 0
        self._unsettled = 0
        self.arriving = 0
        self._rotation = Rotation()
        self._alarms = Alarms(clock, self.poke)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_open = False
        self.spans: EventSpans | None = None
        self._is_closed = False
        self._has_turn = False
        self._idle = asyncio.Event()
        self._trouble = Trouble(log, "the queue of events cannot be read")

    async def open(self) -> None:
        """Begin with what is on disk."""
        self._is_open = True
        self._alarms.switch(on=True)
        for lane in await self._queue.lanes():
            self._rotation.lane(lane).more = True
        self.poke()

    def pause(self) -> None:
        """Start nothing more; what runs may come to its end."""
        self._is_open = False
        self._alarms.switch(on=False)

    async def close(self) -> None:
        """Stop. What runs now is run again after the next start, what has run is not."""
        self.pause()
        self._is_closed = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._queue.decided()

    @property
    def running(self) -> int:
        """How many events are being run now."""
        return self._running

    async def accept(self, event: QueuedEvent, *, is_safe: bool = False) -> None:
        """Keep an event; when this returns it is on disk and will be run.

        It is safe if whoever brings it has it on disk until then: it may run meanwhile.
        """
        await asyncio.shield(self.keep(event, is_safe=is_safe))

    def keep(self, event: QueuedEvent, *, is_safe: bool = False) -> "asyncio.Future[None]":
        """The same without waiting: done, and not to be cancelled, once the event is on disk."""
        self.arriving += 1
        number, kept = self._queue.add(event)
        stored = Stored(number, event)
        kept.add_done_callback(partial(self._kept, stored))
        if is_safe:
            self._take(stored)
        return kept

    def poke(self) -> None:
        """Look what is due; the timer does this, and tests that have moved their clock."""
        for lane in self._alarms.take():
            self._rotation.lane(lane).more = True
        for state in self._rotation.states():
            self._fill(state)
        self._soon()

    async def function_deleted(self, lane: Lane) -> None:
        """Events of a function that is no more are dropped."""
        state = self._rotation.find(lane)
        if state is not None:
            state.clear()
        await self._queue.forget(lane)

    async def idle(self) -> None:
        """Until nothing is being run, loaded or stored; for tests."""
        await self._idle.wait()

    # -- running ------------------------------------------------------------------------------

    def _kept(self, stored: Stored, kept: "asyncio.Future[None]") -> None:
        """It is on disk, or could not be written."""
        self.arriving -= 1
        if kept.exception() is None:
            self._meter("AsyncEventsReceived", stored.event, 1)
            self._take(stored)

    def _take(self, stored: Stored) -> None:
        """It stays in memory if its turn is near, else it is read again."""
        event = stored.event
        state = self._rotation.lane(event.lane)
        if stored.number in state.known:
            return
        if event.due > self._clock.now():
            self._alarms.set(event.due, event.lane)
        elif state.more or not state.has_room:
            state.more = True
        else:
            state.push(stored)
        self._soon()

    def _soon(self) -> None:
        """Start what may start, once this turn of the loop has brought all that it brings."""
        if not self._has_turn:
            self._has_turn = True
            self._idle.clear()
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """While clients wait for their events to be taken, they come first: after each start the
        loop looks who has sent something. Nobody is kept waiting by that for long."""
        self._has_turn = False
        while self._is_open and self._unsettled < _UNSETTLED_MAX:
            state = self._rotation.next(self._slots, self._running, self._clock.now())
            if state is None:
                break
            self._running += 1
            self._start(state, state.pop())
            self._fill(state)
            if self.arriving:
                self._soon()
                break
        if not (self._has_turn or self._tasks or self._running or self._unsettled):
            self._idle.set()

    def _start(self, state: LaneState, stored: Stored) -> None:
        """Run it, if it may be run."""
        event = stored.event
        policy = self._policies.policy(event)
        span = None if self.spans is None else self.spans.begin(event)
        attempt = _Attempt(state, stored, policy, span)
        if policy is None:
            self._settle(attempt, None, None)
            return
        now = self._clock.now()
        over = before_run(event, policy, now)
        if over is not None:
            self._settle(attempt, over, None)
            return
        self._meter("AsyncEventAge", event, (now - event.accepted) * 1000)
        try:
            has_begun = self._runner.begin(event, span, partial(self._answered, attempt))
        except Exception as error:  # noqa: BLE001 - the event must not be forgotten by it
            self._refused(attempt, error)
        else:
            if not has_begun:
                self._own(self._run(attempt))

    def _answered(self, attempt: _Attempt, ran: Ran) -> None:
        """The environment goes on with its own affairs before anybody acts on its answer."""
        self._loop.call_soon(self._ran, attempt, ran)

    async def _run(self, attempt: _Attempt) -> None:
        try:
            ran = await self._runner.run(attempt.stored.event, attempt.span)
        except Exception as error:  # noqa: BLE001 - the event must not be forgotten by it
            self._refused(attempt, error)
        else:
            self._ran(attempt, ran)

    def _ran(self, attempt: _Attempt, ran: Ran) -> None:
        """Its function has run."""
        event, policy = attempt.stored.event, attempt.policy
        verdict = None
        if policy is not None:
            verdict = after_run(event, policy, self._clock.now(), failed=ran.failed)
        self._settle(attempt, verdict, ran)

    def _refused(self, attempt: _Attempt, error: Exception) -> None:
        """Its function could not be run. What nobody expected is a refusal too."""
        event, policy = attempt.stored.event, attempt.policy
        if not isinstance(error, EmberboxError):
            log.error("an event of %s met a fault", event.name, exc_info=error)
            error = PlatformError(str(error) or type(error).__name__)
        if policy is None or (isinstance(error, CallerError) and error.code == _NOT_FOUND):
            self._settle(attempt._replace(policy=None), None, None)
            return
        verdict = (
            Over(Condition.RETRIES_EXHAUSTED, event.attempts)
            if isinstance(error, CallerError) and error.code == RECURSIVE
            else after_refusal(event, policy, self._clock.now())
        )
        self._settle(attempt, verdict, _refused(error))

    # -- settling -----------------------------------------------------------------------------

    def _settle(self, attempt: _Attempt, verdict: Again | Over | None, ran: Ran | None) -> None:
        """It does not run any more: what follows."""
        if self._is_closed:
            return
        state, stored, policy, span = attempt
        if self.spans is not None and span is not None:
            self.spans.end(span, stored.event, verdict, ran)
        self._running -= 1
        state.ran()
        self._soon()
        if isinstance(verdict, Again):
            if _is_throttled(ran) and state.running:
                state.put_back(stored)
            else:
                self._put_off(state, stored, verdict)
            return
        now = self._clock.now()
        deliveries: list[Delivery] = []
        if verdict is not None and policy is not None:
            state.served()
            if verdict.condition is not Condition.SUCCESS:
                self._meter("AsyncEventsDropped", stored.event, 1)
            deliveries = deliveries_of(stored.event, policy, verdict, ran, now)
        self._unsettled += 1
        ended = self._queue.finish(stored.number, deliveries, now)
        ended.add_done_callback(partial(self._ended, state, stored.number, deliveries, now))

    def _put_off(self, state: LaneState, stored: Stored, verdict: Again) -> None:
        """It waits for its next try."""
        if verdict.refusals > stored.event.refusals:
            # All of its events would be refused alike: try none before this one.
            state.blocked_until = max(state.blocked_until, verdict.due)
        else:
            state.served()
        self._own(self._note_again(state, stored.number, verdict))

    async def _note_again(self, state: LaneState, number: int, verdict: Again) -> None:
        await until_done(lambda: self._queue.again(number, verdict), _unwritten())
        self._alarms.set(verdict.due, state.lane)
        state.settled(number)
        self._fill(state)

    def _ended(
        self,
        state: LaneState,
        number: int,
        deliveries: list[Delivery],
        now: float,
        ended: "asyncio.Future[None]",
    ) -> None:
        """Its end is on disk, or could not be written: it must not be run again for that."""
        if ended.exception() is None:
            self._settled(state, number, deliveries)
        elif not self._is_closed:
            self._own(self._end_at_last(state, number, deliveries, now))

    async def _end_at_last(
        self, state: LaneState, number: int, deliveries: list[Delivery], now: float
    ) -> None:
        await until_done(lambda: self._queue.finish(number, deliveries, now), _unwritten())
        self._settled(state, number, deliveries)

    def _settled(self, state: LaneState, number: int, deliveries: list[Delivery]) -> None:
        self._unsettled -= 1
        state.settled(number)
        if deliveries:
            self._deliver_soon()
        self._fill(state)
        self._soon()

    # -- loading ------------------------------------------------------------------------------

    def _fill(self, state: LaneState) -> None:
        if self._is_open and state.is_low:
            state.is_loading = True
            state.more = False
            self._own(self._load(state))

    async def _load(self, state: LaneState) -> None:
        try:
            page = await self._queue.due(
                state.lane, self._clock.now(), frozenset(state.known), state.room
            )
        except Exception as error:  # noqa: BLE001 - logged there; it is read again
            self._alarms.set(self._clock.now() + self._trouble.met(error), state.lane)
            return
        finally:
            state.is_loading = False
        self._trouble.over()
        for stored in page.events:
            if stored.number not in state.known:
                state.push(stored)
        state.more |= page.is_cut
        if page.later is not None:
            self._alarms.set(page.later, state.lane)

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        self._idle.clear()
        task.add_done_callback(self._disown)

    def _disown(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._soon()


def _unwritten() -> Trouble:
    return Trouble(log, "the queue of events cannot be written")


def _is_throttled(ran: Ran | None) -> bool:
    return ran is not None and ran.status == _THROTTLED_STATUS


def _refused(error: EmberboxError) -> Ran | None:
    """What a dead letter tells of an event that could not be run at all."""
    status = 500
    if isinstance(error, CallerError) and error.code in {_THROTTLED, RECURSIVE}:
        status = error.status or status
    text = str(error).replace('"', "'").replace("\\", "/")
    return Ran(f'{{"errorMessage":"{text}"}}'.encode(), "", failed=True, status=status)
