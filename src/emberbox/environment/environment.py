"""One execution environment: a sandbox, its runtime, and the one invocation it may be serving.

It decides from its state and what arrives (Runtime API calls, exits, deadlines); nothing waits.
Its owner hears through `Owner` when it can take an invocation and when it is gone.
Life cycle: AWS's "Understanding the Lambda execution environment lifecycle".
"""

import asyncio
import signal
from collections.abc import Callable
from typing import Protocol

from emberbox.clock import Clock, utc
from emberbox.environment.console_log import ConsoleLog
from emberbox.environment.plan import Plan
from emberbox.environment.runtime_api import (
    RefusedError,
    RuntimeConnection,
    illegal_transition,
)
from emberbox.environment.states import TABLE, State
from emberbox.isolation.sandbox import CPU_PERIOD_S, Exit, Launch, Sandbox
from emberbox.machine import Machine
from emberbox.model import invocation as failures
from emberbox.model import report
from emberbox.model.invocation import Failure, Invocation, Outcome
from emberbox.model.limits import INIT_TIMEOUT_S, RESPONSE_PAYLOAD_MAX_BYTES

# An answer written just before the end of the process is read first.
_EXIT_GRACE_S = 0.005
_EXIT_NO_PROGRAM = 127
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
    ) -> None:
        self.plan = plan
        self.sandbox = sandbox
        self.created = self.idle_since = clock.monotonic()
        self.is_frozen = False
        self.retire = False
        self._log = log
        self._stream_name = stream_name
        self._owner = owner
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._machine = Machine(TABLE, State.INIT)
        self._connections: set[RuntimeConnection] = set()
        self._waiting: RuntimeConnection | None = None
        self._invocation: Invocation | None = None
        self._done: Callable[[Outcome], None] | None = None
        self._delivered = False
        self._init_began = 0.0
        self._boosted = False
        self._init_ms: float | None = None
        self._began = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._exit_timer: asyncio.TimerHandle | None = None
        self._killed_for_memory = 0
        self._window_began = 0.0
        self._window_busy_s = 0.0
        self.invocations = 0

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
        return RuntimeConnection(self, self._connections)

    # -- starting -----------------------------------------------------------------------------

    def start(self) -> None:
        """Assign the sandbox and begin the INIT phase."""
        self._begin_init()
        self._arm(INIT_TIMEOUT_S, self._init_timed_out)
        self.sandbox.assign(
            self.plan.function.package_id, self.plan.limits, self._launch(), self, boost=True
        )

    def _launch(self) -> Launch:
        return self.plan.launch(self._stream_name, self.sandbox.addresses)

    def _begin_init(self) -> None:
        function = self.plan.function
        self._init_began = self._clock.monotonic()
        self._log.line(report.init_start(function.runtime, self.plan.runtime_version_arn))
        if self.plan.notice:
            self._log.line(self.plan.notice)
        self._boosted = True

    def _end_boost(self) -> None:
        """INIT runs on a whole processor, as on AWS; what follows has the function's share."""
        if self._boosted:
            self._boosted = False
            self.sandbox.boost(on=False)

    def _init_elapsed_ms(self) -> float:
        return (self._clock.monotonic() - self._init_began) * 1000

    def _init_timed_out(self) -> None:
        self._end_init("timeout", None)

    def _end_init(self, status: str, error_type: str | None) -> None:
        """INIT has failed before any invocation: the first one will try again."""
        self._log.drain()
        self._log.line(report.init_report(self._init_elapsed_ms(), "init", status, error_type))
        self._reset("initialisation failed")

    # -- serving ------------------------------------------------------------------------------

    def invoke(self, invocation: Invocation, done: Callable[[Outcome], None]) -> None:
        """Serve one invocation; `done` is always called, once, later, and must not raise."""
        was = self._machine.state
        self._machine.move(State.BUSY, invocation.request_id)
        self._invocation = invocation
        self._done = done
        self._delivered = False
        self.invocations += 1
        if self.is_frozen:
            self.is_frozen = False
            self.sandbox.thaw()
        self.sandbox.reset_memory_peak()
        self._log.begin(tail=invocation.tail)
        if was is State.EMPTY:
            self._init_ms = None
            self._begin_init()
        self._log.line(report.start(invocation.request_id, self.plan.function.version))
        self._began = self._clock.monotonic()
        self._arm(invocation.timeout_s, self._timed_out)
        if was is State.EMPTY:
            self.sandbox.boost(on=True)
            self.sandbox.launch(self._launch())
        elif self._waiting is not None:
            self._deliver()

    def _deliver(self) -> None:
        invocation, waiting = self._invocation, self._waiting
        if invocation is None or waiting is None:
            return
        self._waiting = None
        deadline_ms = int((self._clock.now() + self._time_left()) * 1000)
        context = (
            f"Lambda-Runtime-Client-Context: {invocation.client_context}\r\n"
            if invocation.client_context
            else ""
        )
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            f"Lambda-Runtime-Aws-Request-Id: {invocation.request_id}\r\n"
            f"Lambda-Runtime-Deadline-Ms: {deadline_ms}\r\n"
            f"Lambda-Runtime-Invoked-Function-Arn: {invocation.invoked_arn}\r\n"
            f"Lambda-Runtime-Trace-Id: {invocation.trace}\r\n{context}"
            f"Content-Length: {len(invocation.payload)}\r\n\r\n"
        )
        self._delivered = waiting.deliver(head.encode("utf-8"), invocation.payload)

    def _time_left(self) -> float:
        if self._invocation is None:
            return 0.0
        return self._began + self._invocation.timeout_s - self._clock.monotonic()

    def _timed_out(self) -> None:
        invocation = self._invocation
        if invocation is None:
            self._reset("the runtime did not come back after its answer")
            return
        self.sandbox.kill()
        now = utc(self._clock.now()).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        failure = failures.timed_out(invocation.request_id, invocation.timeout_s, now)
        self._fail(failure, duration_ms=invocation.timeout_s * 1000)
        self._reset("time-out")

    def _finish(
        self,
        payload: bytes,
        *,
        failure: Failure | None = None,
        failed: bool = False,
        duration_ms: float | None = None,
    ) -> None:
        """The invocation's result is known: account for it and answer the caller."""
        invocation, done = self._invocation, self._done
        if invocation is None or done is None:
            return
        now = self._clock.monotonic()
        if duration_ms is None:
            duration_ms = (now - self._began) * 1000
        if now - self._window_began > CPU_PERIOD_S:
            self._window_began, self._window_busy_s = now, 0.0
        self._window_busy_s += now - self._began
        self._log.drain()
        if failure is not None:
            for text in failure.log_lines:
                self._log.line(text)
        measured = report.Measurement(
            request_id=invocation.request_id,
            duration_ms=duration_ms,
            memory_mb=self.plan.function.memory_mb,
            memory_peak_bytes=self.sandbox.memory_peak_bytes(),
            init_ms=self._init_ms,
            status=failure.report_status if failure else None,
            error_type=failure.report_error_type if failure else None,
        )
        self._init_ms = None
        self._log.line(report.end(invocation.request_id))
        self._log.line(report.report(measured))
        self._invocation = self._done = None
        done(Outcome(payload, failed or failure is not None, self._log.end()))

    def _fail(self, failure: Failure, duration_ms: float | None = None) -> None:
        self._finish(failure.payload, failure=failure, duration_ms=duration_ms)

    def _become_available(self) -> None:
        self._disarm()
        self.idle_since = self._clock.monotonic()
        self._owner.on_available(self)

    # -- Runtime API --------------------------------------------------------------------------

    def runtime_asks_next(self, connection: RuntimeConnection) -> None:
        """The runtime is ready: for the first time, again, or for a delivery that waits."""
        state = self._machine.state
        if self._waiting is not None or (self._invocation is not None and self._delivered):
            raise illegal_transition(_api_state(state), "Ready")
        self._waiting = connection
        self._end_boost()
        if state is State.INIT:
            self._log.drain()
            self._init_ms = self._init_elapsed_ms()
            self._killed_for_memory = self.sandbox.out_of_memory_kills()
            self._machine.move(State.IDLE, "initialised")
            self._become_available()
        elif state is State.BUSY and self._invocation is not None:
            self._deliver()
        elif state is State.BUSY:
            self._machine.move(State.IDLE, "answered")
            self._become_available()
        elif state is not State.IDLE:
            # Of a process that is being killed: it must not get what its successor is for.
            self._waiting = None
            raise illegal_transition(_api_state(state), "Ready")

    def expects_answer(self, request_id: str) -> None:
        """Only the invocation that was delivered may be answered."""
        invocation = self._invocation
        if invocation is None or not self._delivered or invocation.request_id != request_id:
            raise RefusedError(400, "InvalidRequestID", "Invalid request ID")

    def runtime_responds(self, request_id: str, body: bytes, *, too_large: bool) -> None:
        """The handler's result, or one that is too large to pass on."""
        self.expects_answer(request_id)
        if too_large:
            self._fail(failures.response_too_large(RESPONSE_PAYLOAD_MAX_BYTES))
        else:
            self._finish(body)

    def runtime_fails(self, request_id: str, error_type: str, body: bytes) -> None:
        """The handler's failure; the process lives on."""
        self.expects_answer(request_id)
        self._finish(body, failed=True)

    def expects_init_error(self) -> None:
        """Only while the runtime initialises."""
        initialising = self._machine.state is State.INIT or (
            self._machine.state is State.BUSY and not self._delivered and self._waiting is None
        )
        if not initialising:
            raise illegal_transition(_api_state(self.state), "InitError")

    def runtime_fails_init(self, error_type: str, body: bytes) -> None:
        """The function cannot be initialised; the process will end by itself or be ended."""
        self.expects_init_error()
        failure = Failure(error_type, body, report_error_type=error_type or None)
        if self._machine.state is State.INIT:
            self._end_init("error", error_type or None)
        else:
            self._fail(failure)
            self._reset("initialisation failed")

    def connection_lost(self, connection: RuntimeConnection) -> None:
        """A process has closed its connection."""
        if self._waiting is connection:
            self._waiting = None

    # -- the sandbox --------------------------------------------------------------------------

    def on_exit(self, how: Exit) -> None:
        """The runtime process has ended."""
        if self._machine.state is State.IDLE:
            self._reset("the runtime ended between invocations")
        elif self._machine.state in (State.INIT, State.BUSY):
            self._exit_timer = self._loop.call_later(_EXIT_GRACE_S, self._runtime_gone, how)

    def _runtime_gone(self, how: Exit) -> None:
        state = self._machine.state
        if state is State.INIT:
            self._end_init("error", "Runtime.ExitError")
        elif state is State.BUSY:
            self._fail(self._exit_failure(how))
            self._reset("the runtime has ended")
        elif state is State.IDLE:
            self._reset("the runtime ended after its answer")

    def _exit_failure(self, how: Exit) -> Failure:
        request_id = self._invocation.request_id if self._invocation else ""
        programs = self.plan.programs
        if how.status == _EXIT_NO_PROGRAM and programs and not self._delivered:
            return failures.entrypoint_missing(request_id, " ".join(programs))
        name = _signal_name(how.signal) if how.signal is not None else None
        kills = self.sandbox.out_of_memory_kills()
        memory = name == "killed" and kills > self._killed_for_memory
        self._killed_for_memory = kills
        return failures.exited(request_id, how.status, name, memory=memory)

    def _reset(self, reason: str) -> None:
        """Kill what runs; /tmp stays for the next invocation."""
        if self._machine.state not in (State.INIT, State.IDLE, State.BUSY):
            return
        self._disarm()
        self._forget_exit()
        self._machine.move(State.RESETTING, reason)
        self._arm(_RESET_MAX_S, lambda: self.stop("its processes could not be ended"))
        self.is_frozen = False
        for connection in list(self._connections):
            connection.close()
        self._waiting = None
        self.sandbox.kill()

    def on_empty(self) -> None:
        """No process of the customer is left."""
        if self._machine.state is State.RESETTING:
            self._log.drain()
            for connection in list(self._connections):
                connection.close()
            self._machine.move(State.EMPTY, "reset")
            self._become_available()

    def on_gone(self, reason: str) -> None:
        """The sandbox is lost."""
        if self._machine.state is State.STOPPED:
            return
        self._disarm()
        self._forget_exit()
        self._machine.move(State.STOPPED, reason)
        if self._invocation is not None:
            failure = failures.exited(self._invocation.request_id, None, "killed", memory=False)
            self._finish(failure.payload, failure=failure)
        for connection in list(self._connections):
            connection.close()
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


def _api_state(state: State) -> str:
    """The Runtime API's word for a state."""
    return {State.INIT: "Started", State.IDLE: "Ready", State.BUSY: "Running"}.get(state, "Stopped")


def _signal_name(number: int) -> str:
    """As Go prints it, which is how AWS shows it."""
    words = {
        signal.SIGKILL: "killed",
        signal.SIGSEGV: "segmentation fault",
        signal.SIGABRT: "aborted",
        signal.SIGTERM: "terminated",
        signal.SIGBUS: "bus error",
        signal.SIGFPE: "floating point exception",
        signal.SIGILL: "illegal instruction",
    }
    return words.get(signal.Signals(number), f"signal {number}") if number < 65 else "unknown"
