"""Asynchronous invocation: events are kept on disk, run, tried again, and told of.

An event is accepted once it is synced to disk; from then on its function is run at least once,
whatever is killed, unless its age or its configuration says otherwise. In memory is only the near
end of each function's events. Source: "Invoking a Lambda function asynchronously" of AWS's guide.
"""

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable, Coroutine
from math import inf
from typing import Any, Protocol

from emberbox.clock import Clock
from emberbox.errors import CallerError, EmberboxError, PlatformError
from emberbox.invoke.event_spans import EventSpans
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

Run = Callable[[QueuedEvent, Opened | None], Awaitable[Ran]]
"""Runs an event's function, for a span if there is one; CallerError or PlatformError if it could
not be run."""


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


class AsyncInvoker:
    """See the module. `slots` bounds how many events run at once.

    `deliver_soon` is called when there are new deliveries on disk.
    """

    def __init__(
        self,
        queue: EventQueue,
        run: Run,
        policies: Policies,
        clock: Clock,
        meter: Meter,
        deliver_soon: Callable[[], None],
        *,
        slots: int,
    ) -> None:
        self._queue = queue
        self._run_event = run
        self._policies = policies
        self._clock = clock
        self._meter = meter
        self._deliver_soon = deliver_soon
        self._slots = slots
        self._running = 0
        self._rotation = Rotation()
        self._alarms: list[tuple[float, Lane]] = []
        self._alarmed: dict[Lane, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_open = False
        self.spans: EventSpans | None = None
        self._trouble = Trouble(log, "the queue of events cannot be read")

    async def open(self) -> None:
        """Begin with what is on disk."""
        self._is_open = True
        for lane in await self._queue.lanes():
            self._rotation.lane(lane).more = True
        self.poke()

    def pause(self) -> None:
        """Start nothing more; what runs may come to its end."""
        self._is_open = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def close(self) -> None:
        """Stop. What runs now is run again after the next start."""
        self.pause()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def running(self) -> int:
        """How many events are being run now."""
        return self._running

    async def accept(self, event: QueuedEvent) -> None:
        """Keep an event; when this returns it is on disk and will be run."""
        number = await self._queue.add(event)
        self._meter("AsyncEventsReceived", event, 1)
        state = self._rotation.lane(event.lane)
        if event.due > self._clock.now():
            self._alarm(event.due, event.lane)
        elif state.more or not state.has_room:
            state.more = True
        elif number not in state.known:
            state.push(Stored(number, event))
        self._pump()

    def poke(self) -> None:
        """Look what is due; the timer does this, and tests that have moved their clock."""
        now = self._clock.now()
        while self._alarms and self._alarms[0][0] <= now:
            due, lane = heapq.heappop(self._alarms)
            if self._alarmed.get(lane) == due:
                del self._alarmed[lane]
                self._rotation.lane(lane).more = True
        for state in self._rotation.states():
            self._fill(state)
        self._pump()
        self._arm()

    async def function_deleted(self, lane: Lane) -> None:
        """Events of a function that is no more are dropped."""
        state = self._rotation.find(lane)
        if state is not None:
            state.clear()
        await self._queue.forget(lane)

    async def idle(self) -> None:
        """Until nothing is being run, loaded or stored; for tests and for draining."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    # -- running ------------------------------------------------------------------------------

    def _pump(self) -> None:
        while self._is_open:
            state = self._rotation.next(self._slots, self._running, self._clock.now())
            if state is None:
                return
            self._running += 1
            self._own(self._serve(state, state.pop()))
            self._fill(state)

    async def _serve(self, state: LaneState, stored: Stored) -> None:
        spans, event = self.spans, stored.event
        span = None if spans is None else spans.begin(event)
        try:
            policy, verdict, ran = await self._attempt(event, span)
            if spans is not None and span is not None:
                spans.end(span, event, verdict, ran)
            if isinstance(verdict, Again) and _is_throttled(ran) and state.running > 1:
                state.put_back(stored)
            else:
                await self._settle(state, event, stored.number, policy, verdict, ran)
                state.settled(stored.number)
        finally:
            self._running -= 1
        self._fill(state)
        self._pump()

    async def _attempt(
        self, event: QueuedEvent, span: Opened | None
    ) -> tuple[AsyncPolicy | None, Again | Over | None, Ran | None]:
        """Run it if it may be run: its policy, what follows, and what the function gave."""
        policy = self._policies.policy(event)
        if policy is None:
            return None, None, None
        now = self._clock.now()
        over = before_run(event, policy, now)
        if over is not None:
            return policy, over, None
        self._meter("AsyncEventAge", event, (now - event.accepted) * 1000)
        try:
            ran = await self._run_or_refuse(event, span)
        except EmberboxError as error:
            if isinstance(error, CallerError) and error.code == _NOT_FOUND:
                return None, None, None
            if isinstance(error, CallerError) and error.code == RECURSIVE:
                return policy, Over(Condition.RETRIES_EXHAUSTED, event.attempts), _refused(error)
            verdict = after_refusal(event, policy, self._clock.now())
            return policy, verdict, _refused(error)
        return policy, after_run(event, policy, self._clock.now(), failed=ran.failed), ran

    async def _run_or_refuse(self, event: QueuedEvent, span: Opened | None) -> Ran:
        """What nobody expected is a refusal too: the event must not be forgotten by it."""
        try:
            return await self._run_event(event, span)
        except EmberboxError:
            raise
        except Exception as error:
            log.exception("an event of %s met a fault", event.name)
            raise PlatformError(str(error) or type(error).__name__) from error

    async def _settle(
        self,
        state: LaneState,
        event: QueuedEvent,
        number: int,
        policy: AsyncPolicy | None,
        verdict: Again | Over | None,
        ran: Ran | None,
    ) -> None:
        now = self._clock.now()
        if isinstance(verdict, Again):
            if verdict.refusals > event.refusals:
                # All of its events would be refused alike: try none before this one.
                state.blocked_until = max(state.blocked_until, verdict.due)
            else:
                state.served()
            await self._stored(lambda: self._queue.again(number, verdict))
            self._alarm(verdict.due, event.lane)
            return
        deliveries: list[Delivery] = []
        if verdict is not None and policy is not None:
            state.served()
            if verdict.condition is not Condition.SUCCESS:
                self._meter("AsyncEventsDropped", event, 1)
            deliveries = deliveries_of(event, policy, verdict, ran, now)
        await self._stored(lambda: self._queue.finish(number, deliveries, now))
        if deliveries:
            self._deliver_soon()

    async def _stored(self, write: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Until it is on disk: what has been run must not be run again for want of space there."""
        await until_done(write, Trouble(log, "the queue of events cannot be written"))

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
            self._alarm(self._clock.now() + self._trouble.met(error), state.lane)
            return
        finally:
            state.is_loading = False
        self._trouble.over()
        for stored in page.events:
            if stored.number not in state.known:
                state.push(stored)
        state.more |= page.is_cut
        if page.later is not None:
            self._alarm(page.later, state.lane)
        self._pump()

    def _alarm(self, due: float, lane: Lane) -> None:
        """Look at the lane again then; its earliest alarm is enough, each look finds the next."""
        if due < self._alarmed.get(lane, inf):
            self._alarmed[lane] = due
            heapq.heappush(self._alarms, (due, lane))
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._alarms and self._is_open:
            delay = max(0.0, self._alarms[0][0] - self._clock.now())
            self._timer = asyncio.get_running_loop().call_later(delay, self.poke)

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _is_throttled(ran: Ran | None) -> bool:
    return ran is not None and ran.status == _THROTTLED_STATUS


def _refused(error: EmberboxError) -> Ran | None:
    """What a dead letter tells of an event that could not be run at all."""
    status = 500
    if isinstance(error, CallerError) and error.code in {_THROTTLED, RECURSIVE}:
        status = error.status or status
    text = str(error).replace('"', "'").replace("\\", "/")
    return Ran(f'{{"errorMessage":"{text}"}}'.encode(), "", failed=True, status=status)
