"""All execution environments of this server.

Starts them on demand, freezes the idle, ends those idle for long and those whose function has
changed, and runs invocations on them.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Protocol

from emberbox.clock import Clock
from emberbox.environment.beginning import AHEAD, Beginning
from emberbox.environment.console_log import ConsoleLog
from emberbox.environment.doors import Doors
from emberbox.environment.environment import Environment
from emberbox.environment.freezer import Freezer
from emberbox.environment.growth import Growth
from emberbox.environment.plan import Plan
from emberbox.environment.pool import Pool
from emberbox.environment.pools import Pools
from emberbox.environment.quarters import MayLog, Quarters, Sandboxes, Taken
from emberbox.environment.shape import same_environment
from emberbox.environment.shutdown import time_to_end
from emberbox.environment.starting_line import Place, StartingLine
from emberbox.environment.templates import Templates
from emberbox.errors import CallerError, EmberboxError, PlatformError
from emberbox.model.function import FunctionVersion
from emberbox.model.invocation import Invocation, Outcome
from emberbox.model.provisioned import Allocation
from emberbox.model.report import Measurement
from emberbox.model.xray.segments import Segment
from emberbox.records import dataclass
from emberbox.telemetry.logs import LogSink

_TICK_S = 1.0

log = logging.getLogger("emberbox.environments")


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """How long environments live idle, and when they are frozen; seconds.

    `request_rate` is of requests in a second for each provisioned one, 0 for any.
    """

    idle_timeout_s: float
    freeze_after_s: float
    age_max_s: float = 6 * 3_600.0
    log_backlog_bytes: int = 32 << 20
    request_rate: float = 0.0


Reported = Callable[[FunctionVersion, Invocation, Measurement], None]
"""Hears what each invocation used."""

Traced = Callable[[FunctionVersion, Invocation, Measurement, bytes], None]
"""Hears that too, and how an invocation failed: its document, empty if it did not."""

HeardSegment = Callable[[FunctionVersion, Segment], None]
"""Hears of each segment of a trace that a function sends to X-Ray's daemon."""


class RanProvisioned(Protocol):
    """Hears of each invocation of a version that has provisioned concurrency."""

    def __call__(
        self, function: FunctionVersion, invoked_arn: str, busy: int, ready: int, *, ahead: bool
    ) -> None:
        """It ended, on an environment initialised `ahead` or not; `busy` of `ready` worked."""
        ...


class StaleFunctionError(EmberboxError):
    """The function was changed while an invocation waited for an environment."""


class Planner(Protocol):
    """Turns a function version into a plan for its environments."""

    def plan(self, function: FunctionVersion) -> Plan:
        """CallerError if no environment of it can be made on this host."""
        ...


class Fleet:
    """See the module.

    `door` gives what serves AWS calls from inside one environment; `reported` hears what each
    invocation used.
    `growth` says whether there may be more of them.
    `may_log` says whether a function's role lets its log be written to a stream.
    """

    def __init__(
        self,
        sandboxes: Sandboxes,
        planner: Planner,
        logs: LogSink,
        settings: FleetSettings,
        clock: Clock,
        door: Callable[[FunctionVersion], Callable[[], asyncio.Protocol]],
        templates: Templates,
        reported: Reported,
        growth: Growth,
        may_log: MayLog | None = None,
    ) -> None:
        self._quarters = Quarters(sandboxes, may_log, clock)
        self._planner = planner
        self._logs = logs
        self._settings = settings
        self._clock = clock
        self._door = door
        self._templates = templates
        self.reported = reported
        self.traced: Traced | None = None
        self.ran_provisioned: RanProvisioned | None = None
        self.heard_segment: HeardSegment | None = None
        self._growth = growth
        self._line = StartingLine()
        self._one_ended = asyncio.Event()
        self._pools = Pools()
        self._old_pools: set[Pool] = set()
        self._owners: dict[Environment, _Resident] = {}
        self._freezer = Freezer(settings.freeze_after_s, clock)
        self._tick: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._closing = False

    def open(self) -> None:
        """Begin to look after idle environments."""
        self._tick = self._loop.call_later(_TICK_S, self._on_tick)

    async def close(self) -> None:
        """End all environments, and the templates they begin from; extensions have their time."""
        self._closing = True
        await self._templates.close()
        self._freezer.close()
        if self._tick is not None:
            self._tick.cancel()
        for task in list(self._tasks):
            task.cancel()
        for pool in self._pools:
            pool.retired = "the server stops"
        for environment in list(self._owners):
            environment.stop("the server stops")
        await time_to_end(self._owners, self._one_ended)

    def environments(self) -> list[Environment]:
        """All that live."""
        return list(self._owners)

    async def give(
        self, function: FunctionVersion, invocation: Invocation, done: Callable[[Outcome], None]
    ) -> None:
        """Run one invocation on an environment of the function; waits for one if need be.

        `done` is called once when it is over, maybe after this returns.
        CallerError 429 if there may be no more of them.
        StaleFunctionError if the function changed while waiting: look it up and ask again.
        """
        if self.begin(function, invocation, done):
            return
        pool = self._pools.find(function, invocation.tenant)
        if pool is None:
            pool = self._new_pool(function, invocation.tenant)
        try:
            environment = await pool.wait()
        except CallerError:
            self._forget(pool)
            raise
        if not environment.is_available:
            raise StaleFunctionError(function.name)
        self._freezer.serves(environment)
        environment.invoke(invocation, done)

    def begin(
        self, function: FunctionVersion, invocation: Invocation, done: Callable[[Outcome], None]
    ) -> bool:
        """Run one invocation at once if an environment is idle; False if none is."""
        pool = self._pools.find(function, invocation.tenant)
        environment = pool.take() if pool is not None else None
        if environment is None:
            return False
        self._freezer.serves(environment)
        environment.invoke(invocation, done)
        return True

    def notice(self, function: FunctionVersion) -> str:
        """What the caller should know of how this host runs the function; mostly nothing."""
        pool = self._pools.any_of(function)
        return pool.plan.notice if pool is not None else ""

    def function_changed(
        self, before: FunctionVersion | None, after: FunctionVersion | None
    ) -> None:
        """Listener of the catalog: environments of what is no longer so are ended."""
        if before is None or (after is not None and same_environment(before, after)):
            return
        for pool in self._pools.take_out(before):
            self._old_pools.add(pool)
            pool.retire("the function was updated" if after else "the function was deleted")
            self._forget(pool)

    def show(self, function: FunctionVersion) -> None:
        """The function is like this from now on, though the catalog does not say so."""
        pool = self._pools.any_of(function)
        if pool is not None:
            self.function_changed(pool.plan.function, function)

    # -- starting -----------------------------------------------------------------------------

    def _new_pool(self, function: FunctionVersion, tenant: str = "") -> Pool:
        pool = Pool(
            self._planner.plan(function),
            self._begin_start,
            self._clock,
            self._settings.request_rate,
            tenant,
            self._growth.allow,
        )
        self._pools.add(pool)
        return pool

    def _begin_start(self, pool: Pool) -> None:
        if self._closing:
            pool.start_failed(PlatformError("the server stops"))
            return
        pool.starting += 1
        self._own(self._start(pool))

    async def _start(self, pool: Pool, beginning: Beginning | None = None) -> None:
        """Whatever goes wrong, the place is left, and whoever waits is told."""
        place = await self._line.turn(pool.plan.function.key)
        taken: Taken | None = None
        try:
            if beginning is None:
                self._growth.make_room(pool, self._pools)
            taken = await self._quarters.take(pool.plan.function)
            environment, resident = self._furnish(pool, taken, beginning, place)
            place.leave_after(lambda: environment.is_initialising)
        except Exception as error:  # noqa: BLE001 - told, and logged there
            place.leave()
            reason = _reason(error)
            if taken is not None:
                taken.sandbox.destroy(str(reason))
            self._start_failed(pool, reason, ahead=beginning is not None)
            self._forget(pool)
            return
        await self._move_in(environment, resident)

    def _start_failed(self, pool: Pool, error: EmberboxError, *, ahead: bool) -> None:
        if ahead:
            pool.provision.starting -= 1
            pool.provision.fail(self._clock.monotonic())
        else:
            pool.starting -= 1
            pool.start_failed(error)

    def _furnish(
        self, pool: Pool, taken: Taken, beginning: Beginning | None, place: Place
    ) -> "tuple[Environment, _Resident]":
        """An environment in a sandbox, known to its pool."""
        sandbox, name, is_kept = taken
        function = pool.plan.function
        group = function.logging.group
        beginning = beginning or self._templates.beginning(function, sandbox.lineage)
        stream = self._logs.stream(function.account, function.region, group, name, is_kept=is_kept)
        console = ConsoleLog(sandbox.log_descriptor, stream, self._clock, self._is_congested)
        resident = _Resident(self, pool, place)
        plan, clock = pool.plan, self._clock
        environment = Environment(plan, sandbox, console, name, resident, clock, beginning)
        environment.retire = bool(pool.retired)
        pool.all.add(environment)
        self._owners[environment] = resident
        return environment, resident

    async def _move_in(self, environment: Environment, resident: "_Resident") -> None:
        sandbox, function = environment.sandbox, environment.plan.function
        try:
            segments = partial(self.heard_segment, function) if self.heard_segment else None
            door = self._door(function)
            # The runtime needs the doors later than its sandbox needs to be told.
            environment.start()
            await resident.doors.open(sandbox, environment.connection, door, segments)
        except Exception as error:  # noqa: BLE001 - told, and logged there
            reason = f"it could not be set up: {_reason(error)}"
            sandbox.destroy(reason)
            environment.on_gone(reason)

    def _is_congested(self) -> bool:
        return self._logs.pending_bytes > self._settings.log_backlog_bytes

    def _own(self, work: "Coroutine[Any, Any, None]") -> None:
        """Run a task and keep it until it is done."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- provisioned --------------------------------------------------------------------------

    def provision(self, function: FunctionVersion, count: int) -> None:
        """Keep so many environments of a version initialised ahead of need; 0 for none.

        To be said again now and then: what has failed, and what is too old, is replaced then.
        """
        pool = self._pools.find(function)
        if pool is None:
            if not count:
                return
            pool = self._new_pool(function)
        pool.provision.want(count)
        now = self._clock.monotonic()
        pool.shed_ahead(now - self._settings.age_max_s)
        for _ in range(0 if self._closing else pool.provision.to_start(now)):
            pool.provision.starting += 1
            self._own(self._start(pool, AHEAD))

    def allocation(self, function: FunctionVersion) -> Allocation:
        """How many environments of a version are initialised ahead of need."""
        pool = self._pools.find(function)
        return Allocation() if pool is None else pool.provision.allocation

    # -- looking after ------------------------------------------------------------------------

    def became_available(self, environment: Environment, pool: Pool) -> None:
        """Give it to who waits, or let it rest and freeze it soon."""
        is_ahead = environment.beginning.is_provisioned
        is_old = environment.idle_since - environment.created > self._settings.age_max_s
        if is_old and (pool.provision.is_whole or not is_ahead):
            # Its credentials are good for twice as long: busy or not, another takes its place.
            environment.retire = True
        surplus = is_ahead and pool.provision.surplus
        if self._closing or ((environment.retire or surplus) and not pool.has_waiters):
            reason = "the server stops" if self._closing else pool.retired or "old age"
            pool.end(environment, reason)
            return
        pool.offer(environment)
        if environment.is_available:
            self._freezer.rests(environment)

    def _on_tick(self) -> None:
        self._tick = self._loop.call_later(_TICK_S, self._on_tick)
        limit = self._clock.monotonic() - self._settings.idle_timeout_s
        for pool in list(self._pools):
            for environment in [e for e in pool.idle if e.idle_since < limit]:
                pool.end(environment, "idle")
        self._growth.look(self._pools)

    def ahead_started(self, pool: Pool, environment: Environment, *, failed: bool) -> None:
        """An environment has initialised ahead of need, or could not."""
        pool.provision.starting -= 1
        if failed:
            pool.provision.fail(self._clock.monotonic())
        else:
            pool.provision.succeed(environment)

    def start_without_image(self, pool: Pool, reason: str) -> None:
        """An image could not be taken up: whoever waits gets an environment that runs INIT."""
        self._templates.spoil(pool.plan.function, reason)
        self._begin_start(pool)

    def stopped(self, environment: Environment, resident: "_Resident") -> None:
        """Forget an environment that is gone."""
        self._freezer.gone(environment)
        self._owners.pop(environment, None)
        self._one_ended.set()
        resident.pool.remove(environment)
        self._forget(resident.pool)

    def _forget(self, pool: Pool) -> None:
        if pool.all or pool.starting or pool.provision.starting:
            return
        if pool.retired:
            self._old_pools.discard(pool)
        elif pool.tenant and not pool.has_waiters:
            self._pools.drop(pool)


class _Resident:
    """Ties an environment to its pool and its listening servers."""

    def __init__(self, fleet: Fleet, pool: Pool, place: Place) -> None:
        self._fleet = fleet
        self._place = place
        self.pool = pool
        self.doors = Doors()
        self._started = False

    def on_available(self, environment: Environment) -> None:
        """INIT has ended, or an invocation or a reset."""
        self._count_started(environment)
        self._fleet.became_available(environment, self.pool)
        # Whoever waits may have it run INIT again.
        if not environment.is_initialising:
            self._place.leave()

    def on_report(
        self, environment: Environment, invocation: Invocation, measured: Measurement, error: bytes
    ) -> None:
        """An invocation has ended."""
        self.pool.learn(measured)
        function, provision = environment.plan.function, self.pool.provision
        self._fleet.reported(function, invocation, measured)
        if self._fleet.traced is not None:
            self._fleet.traced(function, invocation, measured, error)
        if provision.wanted and self._fleet.ran_provisioned is not None:
            ready = len(provision.ready)
            busy, ahead = ready - len(self.pool.idle_ahead), environment.beginning.is_provisioned
            self._fleet.ran_provisioned(function, invocation.invoked_arn, busy, ready, ahead=ahead)

    def on_stopped(self, environment: Environment, reason: str) -> None:
        """The environment is gone."""
        self._place.leave()
        if not self._started:
            self._count_started(environment, failed=True)
            if environment.is_image_broken:
                self._fleet.start_without_image(self.pool, reason)
            elif not environment.beginning.is_provisioned:
                lost = PlatformError(f"the environment was lost: {reason}")
                self.pool.start_failed(environment.failure or lost)
        self.doors.close()
        self._fleet.stopped(environment, self)

    def _count_started(self, environment: Environment, *, failed: bool = False) -> None:
        if self._started:
            return
        self._started = True
        if not failed:
            self.pool.learn_size(environment.sandbox.memory_peak_bytes)
        if environment.beginning.is_provisioned:
            self._fleet.ahead_started(self.pool, environment, failed=failed)
        else:
            self.pool.starting -= 1


def _reason(error: Exception) -> EmberboxError:
    """Why an environment cannot be started, for whoever waits; what nobody foresaw is logged."""
    if isinstance(error, EmberboxError):
        return error
    if not isinstance(error, OSError):
        log.error("an environment could not be started", exc_info=error)
    return PlatformError(str(error) or type(error).__name__)
