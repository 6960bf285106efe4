"""One execution environment: a sandbox, its runtime, and the one invocation it may be serving.

It decides from its state and what arrives (Runtime API calls, exits, deadlines); nothing waits.
Its owner hears through `Owner` when it can take an invocation and when it is gone.
Life cycle: AWS's "Understanding the Lambda execution environment lifecycle".
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from emberbox.clock import Clock, utc
from emberbox.environment.beginning import ON_DEMAND, Beginning
from emberbox.environment.console_log import ConsoleLog
from emberbox.environment.current import CurrentInvocation
from emberbox.environment.exits import exit_failure
from emberbox.environment.init_phase import InitPhase
from emberbox.environment.plan import Plan
from emberbox.environment.restoring import restore_failure
from emberbox.environment.runtime_api import RuntimeConnection
from emberbox.environment.runtime_side import RuntimeSide
from emberbox.environment.states import TABLE, State
from emberbox.errors import CallerError
from emberbox.isolation.sandbox import CPU_PERIOD_S, Exit, Launch, Sandbox
from emberbox.machine import Machine
from emberbox.model import invocation as failures
from emberbox.model import report
from emberbox.model.invocation import Failure, Invocation, Outcome

# An answer written just before the end of the process is read first.
_EXIT_GRACE_S = 0.005
# A response that breaks off is mostly the end of its process, which is told of a little later.
_BREAK_GRACE_S = 0.05
_RESET_MAX_S = 30.0


class Owner(Protocol):
    """Whoever keeps the environment; called in the event loop."""

    def on_available(self, environment: "Environment") -> None:
        """It can take an invocation: it is idle, or empty and will initialise again."""
        ...

    def on_stopped(self, environment: "Environment", reason: str) -> None:
        """It is gone for good. Called once."""
        ...


class Environment:
    """See the module. Give it an invocation only while `is_available`."""

    def __init__(
        self,
        plan: Plan,
        sandbox: Sandbox,
        log: ConsoleLog,
        stream_name: str,
        owner: Owner,
        clock: Clock,
        beginning: Beginning = ON_DEMAND,
    ) -> None:
        self.plan = plan
        self.beginning = beginning
        self.failure: CallerError | None = None
        self.is_image_broken = False
        self.sandbox = sandbox
        self.version = plan.function.version
        self.created = self.idle_since = clock.monotonic()
        self.is_frozen = False
        self.retire = False
        self.current: CurrentInvocation | None = None
        self.invocations = 0
        self._log = log
        self._stream_name = stream_name
        self._owner = owner
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._machine = Machine(TABLE, State.INIT)
        self._runtime = RuntimeSide(self)
        self._init = InitPhase(plan, beginning, sandbox, log, clock)
        self._timer: asyncio.TimerHandle | None = None
        self._exit_timer: asyncio.TimerHandle | None = None
        self._killed_for_memory = 0
        self._window_began = 0.0
        self._window_busy_s = 0.0

    def __repr__(self) -> str:
        return f"<environment {self.sandbox.name} of {self.plan.function.name} {self.state.name}>"

    @property
    def state(self) -> State:
        """Where it is in its life."""
        return self._machine.state

    @property
    def is_available(self) -> bool:
        """Whether `invoke` may be called."""
        return self._machine.state in (State.IDLE, State.EMPTY)

    @property
    def is_tired(self) -> bool:
        """Whether it may have used up its share of the processor for this moment."""
        share = self.plan.limits.cpus
        return 0 < share < 1 and self._window_busy_s > share * CPU_PERIOD_S

    def connection(self) -> RuntimeConnection:
        """A protocol for one connection to this environment's Runtime API."""
        return self._runtime.connection()

    # -- starting -----------------------------------------------------------------------------

    def start(self) -> None:
        """Assign the sandbox and begin the INIT phase."""
        self._init.begin()
        self._arm(self.beginning.timeout_s(self.plan.function), self._init_timed_out)
        self.sandbox.assign(self.plan.trees, self.plan.limits, self._launch(), self, boost=True)

    def _launch(self) -> Launch:
        return self.beginning.launch(self.plan, self._stream_name, self.sandbox.addresses)

    def _init_timed_out(self) -> None:
        self._give_up_init("timeout", None)

    def _give_up_init(self, status: str, error_type: str | None) -> None:
        self._init.failed(status, error_type)
        if self.beginning.image is not None:
            self.failure = self.failure or restore_failure(status)
        self._reset("initialisation failed")

    # -- serving ------------------------------------------------------------------------------

    def invoke(self, invocation: Invocation, done: Callable[[Outcome], None]) -> None:
        """Serve one invocation; `done` is always called, once, later, and must not raise."""
        was = self._machine.state
        self._machine.move(State.BUSY, invocation.request_id)
        current = self.current = CurrentInvocation(invocation, done, self._clock.monotonic())
        self.invocations += 1
        if self.is_frozen:
            self.is_frozen = False
            self.sandbox.thaw()
        self.sandbox.reset_memory_peak()
        self._log.begin(tail=invocation.tail)
        if was is State.EMPTY:
            self._init.begin()
        self._log.line(report.start(invocation.request_id, self.version))
        current.began = self._clock.monotonic()
        self._arm(invocation.timeout_s, self._timed_out)
        if was is State.EMPTY:
            self.sandbox.boost(on=True)
            self.sandbox.launch(self._launch())
        elif self._runtime.waiting is not None:
            self._deliver(current)

    def advance(self) -> None:
        """Something waits for its next event: a phase may have come to its end."""
        current, state = self.current, self._machine.state
        self._init.end_boost()
        if state is State.INIT:
            self._init.ended()
            self._killed_for_memory = self.sandbox.out_of_memory_kills()
            self._become_idle("initialised")
        elif state is State.BUSY and current is not None:
            self._deliver(current)
        elif state is State.BUSY:
            self._become_idle("answered")

    def _deliver(self, current: CurrentInvocation) -> None:
        left = current.time_left(self._clock.monotonic())
        self._runtime.deliver(current, int((self._clock.now() + left) * 1000))

    def _become_idle(self, reason: str) -> None:
        self._machine.move(State.IDLE, reason)
        self._become_available()

    def _become_available(self) -> None:
        self._disarm()
        self.idle_since = self._clock.monotonic()
        self._owner.on_available(self)

    def _timed_out(self) -> None:
        current = self.current
        if current is None:
            self._reset("the runtime did not come back after its answer")
            return
        self.sandbox.kill()
        invocation = current.invocation
        now = utc(self._clock.now()).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        failure = failures.timed_out(invocation.request_id, invocation.timeout_s, now)
        self.fail(failure, duration_ms=invocation.timeout_s * 1000)
        self._reset("time-out")

    def fail(self, failure: Failure, duration_ms: float | None = None) -> None:
        """The current invocation has failed; what becomes of the runtime is for others."""
        self._finish(failure.payload, failure=failure, duration_ms=duration_ms)

    def answered(self, payload: bytes, *, failed: bool = False, error_type: str = "") -> None:
        """The runtime's result of the current invocation."""
        self._finish(payload, failed=failed, error_type=error_type)

    def _finish(
        self,
        payload: bytes,
        *,
        failure: Failure | None = None,
        failed: bool = False,
        error_type: str = "",
        duration_ms: float | None = None,
    ) -> None:
        """The invocation's result is known: account for it and answer the caller."""
        current = self.current
        if current is None:
            return
        now = self._clock.monotonic()
        if duration_ms is None:
            duration_ms = (now - current.began) * 1000
        if now - self._window_began > CPU_PERIOD_S:
            self._window_began, self._window_busy_s = now, 0.0
        self._window_busy_s += now - current.began
        self._log.drain()
        if failure is not None:
            error_type = failure.error_type
            for text in failure.log_lines:
                self._log.line(text)
        request_id = current.invocation.request_id
        measured = report.Measurement(
            request_id=request_id,
            duration_ms=duration_ms,
            memory_mb=self.plan.function.memory_mb,
            memory_peak_bytes=self.sandbox.memory_peak_bytes() + self.beginning.shared_bytes,
            init_ms=self._init.take_ms(),
            status=failure.report_status if failure else None,
            error_type=failure.report_error_type if failure else None,
            restored=self._init.take_restored(),
            is_init_billed=not self.beginning.is_provisioned,
        )
        self._log.line(report.end(request_id))
        self._log.line(report.report(measured))
        self.current = None
        if current.stream is not None and not current.stream.is_ended:
            current.stream.end()
        current.answer(
            payload,
            failed=failed or failure is not None,
            error_type=error_type,
            log_tail=self._log.end(),
        )

    def fail_init(self, error_type: str, body: bytes) -> None:
        """The function cannot be initialised; the process will end by itself or be ended."""
        if self._machine.state is State.INIT:
            self._give_up_init("error", error_type or None)
        else:
            self.fail(Failure(error_type, body, report_error_type=error_type or None))
            self._reset("initialisation failed")

    def fail_restore(self, error_type: str, body: bytes) -> None:
        """A hook has failed after RESTORE; the process will end by itself or be ended."""
        self.failure = restore_failure("error")
        self.fail_init(error_type, body)

    def connected(self) -> None:
        """A process has connected."""
        self._init.connected()

    def stream_broke_off(self) -> None:
        """A streamed response ended in the middle; why may be known in a moment."""
        if self.current is not None and self._exit_timer is None:
            self._exit_timer = self._loop.call_later(_BREAK_GRACE_S, self._truncated, self.current)

    def _truncated(self, current: CurrentInvocation) -> None:
        self._exit_timer = None
        if self.current is current:
            self.fail(failures.truncated(current.invocation.request_id))

    # -- the sandbox --------------------------------------------------------------------------

    def on_exit(self, how: Exit) -> None:
        """The runtime process has ended."""
        if self._machine.state is State.IDLE:
            self._reset("the runtime ended between invocations")
        elif self._machine.state in (State.INIT, State.BUSY):
            self._forget_exit()
            self._exit_timer = self._loop.call_later(_EXIT_GRACE_S, self._runtime_gone, how)

    def _runtime_gone(self, how: Exit) -> None:
        state = self._machine.state
        if state is State.INIT:
            self.is_image_broken = self._init.is_image_broken
            self._give_up_init("error", "Runtime.ExitError")
        elif state is State.BUSY:
            if self.current is not None:
                self.fail(self._exit_failure(self.current, how))
            self._reset("the runtime has ended")
        elif state is State.IDLE:
            self._reset("the runtime ended after its answer")

    def _exit_failure(self, current: CurrentInvocation, how: Exit) -> Failure:
        kills = self.sandbox.out_of_memory_kills()
        memory = kills > self._killed_for_memory
        self._killed_for_memory = kills
        return exit_failure(
            current.invocation.request_id,
            how,
            self.plan.programs,
            has_begun=current.is_delivered,
            memory=memory,
        )

    def _reset(self, reason: str) -> None:
        """Kill what runs; /tmp stays for the next invocation."""
        if self._machine.state not in (State.INIT, State.IDLE, State.BUSY):
            return
        self._disarm()
        self._forget_exit()
        if self.beginning.is_repeated:
            # Another takes its place, with a /tmp of its own.
            self.stop(reason)
            return
        self._machine.move(State.RESETTING, reason)
        self._arm(_RESET_MAX_S, lambda: self.stop("its processes could not be ended"))
        self.is_frozen = False
        self._runtime.disconnect()
        self.sandbox.kill()

    def on_empty(self) -> None:
        """No process of the customer is left."""
        if self._machine.state is State.RESETTING:
            self._log.drain()
            self._runtime.disconnect()
            self._machine.move(State.EMPTY, "reset")
            self._become_available()

    def on_gone(self, reason: str) -> None:
        """The sandbox is lost."""
        if self._machine.state is State.STOPPED:
            return
        self._disarm()
        self._forget_exit()
        self._machine.move(State.STOPPED, reason)
        if self.current is not None:
            request_id = self.current.invocation.request_id
            self.fail(failures.exited(request_id, None, "killed", memory=False))
        self._runtime.disconnect()
        self._log.close()
        self._owner.on_stopped(self, reason)

    # -- rest ---------------------------------------------------------------------------------

    def freeze(self) -> None:
        """No processor time until the next invocation."""
        if self._machine.state is State.IDLE and not self.is_frozen:
            self.is_frozen = True
            self.sandbox.freeze()

    def stop(self, reason: str) -> None:
        """SHUTDOWN: without extensions the processes are killed at once."""
        if self._machine.state is not State.STOPPED:
            self._log.drain()
            self.sandbox.destroy(reason)

    def _arm(self, seconds: float, callback: Callable[[], None]) -> None:
        self._disarm()
        self._timer = self._loop.call_later(seconds, callback)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _forget_exit(self) -> None:
        """What is known of an exit is of no use to the process that comes next."""
        if self._exit_timer is not None:
            self._exit_timer.cancel()
            self._exit_timer = None
