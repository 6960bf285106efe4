"""One execution environment: a sandbox, its runtime, and the one invocation it may be serving.

It decides from its state and what arrives (Runtime API calls, exits, deadlines); nothing waits.
Its owner hears through `Owner` when it can take an invocation and when it is gone.
Life cycle: AWS's "Understanding the Lambda execution environment lifecycle".
"""

import signal
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from emberbox.clock import Clock
from emberbox.environment.accounting import Accounting
from emberbox.environment.beginning import ON_DEMAND, Beginning
from emberbox.environment.chronicle import Chronicle
from emberbox.environment.console_log import ConsoleLog
from emberbox.environment.current import CurrentInvocation, Result
from emberbox.environment.deadline import Deadline
from emberbox.environment.exits import exit_failure, exit_words
from emberbox.environment.extension_side import ExtensionSide
from emberbox.environment.extensions import Extension
from emberbox.environment.init_phase import InitPhase
from emberbox.environment.owner import Owner
from emberbox.environment.plan import Plan
from emberbox.environment.processes import Processes
from emberbox.environment.restoring import restore_failure
from emberbox.environment.runtime_api import RuntimeConnection
from emberbox.environment.runtime_side import RuntimeSide
from emberbox.environment.states import TABLE, State
from emberbox.environment.telemetry_hub import TelemetryHub
from emberbox.errors import CallerError
from emberbox.isolation.sandbox import Exit, Sandbox
from emberbox.machine import Machine
from emberbox.model import invocation as failures
from emberbox.model.invocation import Failure, Invocation, Outcome
from emberbox.model.telemetry import instant

# An answer written just before the end of the process is read first.
_EXIT_GRACE_S = 0.005
# A response that breaks off is mostly the end of its process, which is told of a little later.
_BREAK_GRACE_S = 0.05
_RESET_MAX_S = 30.0


class Environment:
    """See the module. Give it an invocation only while `is_available`."""

    def __init__(
        self,
        plan: Plan,
        sandbox: Sandbox,
        log: ConsoleLog,
        stream_name: str,
        owner: "Owner[Environment]",
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
        self._owner = owner
        self._clock = clock
        self._machine = Machine(TABLE, State.INIT)
        hub = TelemetryHub(sandbox.blank_socket, clock)
        self._chronicle = Chronicle(plan, beginning, log, hub, clock)
        self._extensions = ExtensionSide(self, plan.function, self._chronicle, hub)
        self._runtime = RuntimeSide(self, self._extensions, clock)
        self._init = InitPhase(beginning, sandbox, self._chronicle, clock)
        self._accounting = Accounting(plan, beginning, sandbox, self._init)
        sides = (self._runtime, self._extensions)
        self._processes = Processes(plan, beginning, sandbox, stream_name, log, *sides, hub, clock)
        self._deadline = Deadline()
        self._grace = Deadline()

    def __repr__(self) -> str:
        return f"<environment {self.sandbox.name} of {self.plan.function.name} {self.state.name}>"

    @property
    def state(self) -> State:
        """Where it is in its life."""
        return self._machine.state

    @property
    def is_initialising(self) -> bool:
        """Whether INIT runs, within an invocation too, or has just failed."""
        return self._init.is_running or self._machine.state in (State.INIT, State.RESETTING)

    @property
    def is_available(self) -> bool:
        """Whether `invoke` may be called."""
        return self._machine.state in (State.IDLE, State.EMPTY)

    @property
    def has_answered(self) -> bool:
        """Whether its invocation is over, and its runtime is about to ask for the next."""
        current = self.current
        is_over = current is None or (current.answered > 0 and not self._extensions.known)
        return is_over and self._machine.state is State.BUSY

    @property
    def is_tired(self) -> bool:
        """Whether it may have used up its share of the processor for this moment."""
        return self._accounting.is_tired

    def connection(self) -> RuntimeConnection:
        """A protocol for one connection to this environment's Runtime API."""
        return self._runtime.connection()

    # -- starting -----------------------------------------------------------------------------

    def start(self) -> None:
        """Assign the sandbox and begin the INIT phase."""
        self._init.begin("init")
        self._deadline.set(
            self.beginning.timeout_s(self.plan.function),
            lambda: self._give_up_init("timeout", None),
        )
        self._processes.start(self)

    def on_extensions(
        self, started: Sequence[str], not_started: Mapping[str, str], output: int
    ) -> None:
        """The programs of extensions run, or do not."""
        if output >= 0:
            self._log.read_extensions(output)
        if self._machine.state not in (State.INIT, State.BUSY):
            return
        failed = self._processes.extensions_started(started, not_started)
        if failed is not None:
            self.extension_failed(failed, not_started[failed.name])

    def extension_registered(self) -> None:
        """When all processes have registered, the runtime may start."""
        self._processes.extension_registered()

    def _give_up_init(self, status: str, error_type: str | None) -> None:
        self._init.failed(status, error_type)
        if self.beginning.image is not None:
            self.failure = self.failure or restore_failure(status)
        self._reset("initialisation failed", "timeout" if status == "timeout" else "failure")

    def _initialised(self) -> None:
        self._init.ended()
        for extension in self._extensions.known.all():
            self._chronicle.extension(extension)
        self._chronicle.settled()
        self._accounting.begin()

    # -- serving ------------------------------------------------------------------------------

    def invoke(self, invocation: Invocation, done: Callable[[Outcome], None]) -> None:
        """Serve one invocation; `done` is always called, once, later, and must not raise."""
        was = self._machine.state
        self._machine.move(State.BUSY, invocation.request_id)
        current = self.current = CurrentInvocation(invocation, done)
        self.invocations += 1
        self._thaw()
        self.sandbox.reset_memory_peak()
        self._log.begin(tail=invocation.tail)
        if was is State.EMPTY:
            self._init.begin("invoke")
        self._chronicle.start(current)
        current.began = self._clock.monotonic()
        self._deadline.set(invocation.timeout_s, self._timed_out)
        if was is State.EMPTY:
            self._processes.start_again()
        elif self._runtime.waiting is not None:
            self._deliver(current)

    def advance(self) -> None:
        """Somebody waits for the next event: a phase may have come to its end."""
        known, current = self._extensions.known, self.current
        if self._runtime.waiting is not None:
            if self._init.is_running:
                known.close_registration()
            if current is not None and current.result is not None:
                self._runtime_done(current, current.result)
        if self._runtime.waiting is None or (known and not known.are_ready):
            return
        if current is not None and current.result is not None:
            self._account(current, current.result)
            current = None
        if self._init.is_running:
            self._initialised()
        state = self._machine.state
        if state is State.INIT:
            self._become_idle("initialised")
        elif state is State.BUSY and current is not None:
            self._deliver(current)
        elif state is State.BUSY:
            self._become_idle("answered")

    def _deliver(self, current: CurrentInvocation) -> None:
        left = current.time_left(self._clock.monotonic())
        deadline_ms = int((self._clock.now() + left) * 1000)
        if self._extensions.known:
            self._extensions.give_invoke(current, deadline_ms)
        self._runtime.deliver(current, deadline_ms)

    def _become_idle(self, reason: str) -> None:
        self._machine.move(State.IDLE, reason)
        self._become_available()

    def _become_available(self) -> None:
        self._deadline.clear()
        self.idle_since = self._clock.monotonic()
        self._owner.on_available(self)

    def _timed_out(self) -> None:
        self._settle_for_answer()
        current = self.current
        if current is None:
            self._reset("the runtime did not come back after its answer", "timeout")
            return
        if self._extensions.known:
            self.sandbox.signal_runtime(signal.SIGKILL)
        else:
            self.sandbox.kill()
        invocation = current.invocation
        failure = failures.timed_out(
            invocation.request_id, invocation.timeout_s, instant(self._clock.now())
        )
        self.fail(failure, duration_ms=invocation.timeout_s * 1000)
        self._reset("time-out", "timeout")

    def answered(self, payload: bytes, *, failed: bool = False, error_type: str = "") -> None:
        """The runtime's result of the current invocation: the caller need not wait for more."""
        current = self.current
        if current is None:
            return
        self._log.drain()
        result = current.result = Result(payload, failed, error_type)
        if not self._extensions.known and not self._chronicle.is_told:
            self._account(current, result)
            return
        # It is over when the runtime and all extensions have asked for the next.
        current.answered = self._clock.monotonic()
        if not current.invocation.tail:
            current.answer(result, None)

    def _runtime_done(
        self, current: CurrentInvocation, result: Result, status: str | None = None
    ) -> None:
        """The runtime's part is over, in whatever way."""
        if not current.done:
            current.done = self._clock.monotonic()
            status = status or ("error" if result.failed else "success")
            self._chronicle.runtime_done(current, status, result)

    def _settle_for_answer(self) -> None:
        """The runtime will not ask for the next: without extensions its answer was all."""
        current = self.current
        if current is not None and current.result is not None and not self._extensions.known:
            self._leave_invocation()

    def fail(self, failure: Failure, duration_ms: float | None = None) -> None:
        """The current invocation has failed; what becomes of the runtime is for others."""
        current = self.current
        if current is None:
            return
        self._log.drain()
        result = Result(failure.payload, True, failure.error_type)
        self._runtime_done(current, result, failure.report_status)
        self._chronicle.failed(failure)
        self._account(current, result, failure, duration_ms)

    def _account(
        self,
        current: CurrentInvocation,
        result: Result,
        failure: Failure | None = None,
        duration_ms: float | None = None,
    ) -> None:
        """It is over: keep what it used, whoever kills us now, answer, and tell the log of it."""
        has_extensions = bool(self._extensions.known)
        if has_extensions:
            self._log.drain()
        ended = self._clock.monotonic()
        self.current = None
        measured = self._accounting.measure(
            current, ended, result, failure, duration_ms, has_extensions=has_extensions
        )
        error = result.payload if measured.failed else b""
        self._owner.on_report(self, current.invocation, measured, error)
        if not current.invocation.tail:
            current.answer(result, None)
        self._chronicle.report(current, measured, failed=result.failed)
        current.answer(result, self._log.end())

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
        if self.current is not None and not self._grace.is_set:
            self._grace.set(_BREAK_GRACE_S, partial(self._truncated, self.current))

    def _truncated(self, current: CurrentInvocation) -> None:
        if self.current is current:
            self.fail(failures.truncated(current.invocation.request_id))

    # -- the sandbox --------------------------------------------------------------------------

    def on_exit(self, how: Exit) -> None:
        """The runtime process has ended."""
        if self._processes.runtime_ended():
            return
        if self._machine.state is State.IDLE:
            self._reset("the runtime ended between invocations")
        elif self._machine.state in (State.INIT, State.BUSY):
            self._grace.set(_EXIT_GRACE_S, partial(self._runtime_gone, how))

    def _runtime_gone(self, how: Exit) -> None:
        self._settle_for_answer()
        state = self._machine.state
        if state is State.INIT:
            self.is_image_broken = self._init.is_image_broken
            self._give_up_init("error", self._exit_failure(how).report_error_type)
        elif state is State.BUSY:
            if self.current is not None:
                self.fail(self._exit_failure(how))
            self._reset("the runtime has ended")
        elif state is State.IDLE:
            self._reset("the runtime ended after its answer")

    def _exit_failure(self, how: Exit) -> Failure:
        current = self.current
        return exit_failure(
            current.invocation.request_id if current else "",
            how,
            self.plan.programs,
            has_begun=current is not None and current.is_delivered,
            memory=self._accounting.has_run_out_of_memory(),
        )

    def on_extension_exit(self, name: str, how: Exit) -> None:
        """The process of an extension has ended, which none may before its SHUTDOWN."""
        extension = self._processes.extension_ended(name)
        if extension is not None and self._machine.state in (State.INIT, State.IDLE, State.BUSY):
            memory = self._accounting.has_run_out_of_memory()
            extension.error_type = "Runtime.OutOfMemory" if memory else "Extension.Crash"
            self.extension_failed(extension, exit_words(how))

    def extension_failed(self, extension: Extension, text: str) -> None:
        """It has reported an error or has ended: the environment begins anew."""
        self._chronicle.extension(extension)
        if self._machine.state is State.INIT:
            self._give_up_init("error", extension.error_type)
            return
        if self.current is not None:
            request_id = self.current.invocation.request_id
            self.fail(failures.extension_failed(request_id, extension.error_type, text))
        self._reset(f"the extension {extension.name} has failed")

    def _reset(self, reason: str, told: str = "failure") -> None:
        """End what runs; /tmp stays for the next invocation. Extensions are told the reason."""
        if self._machine.state not in (State.INIT, State.IDLE, State.BUSY):
            return
        self._deadline.clear()
        self._grace.end()
        if self.beginning.is_repeated:
            # Another takes its place, with a /tmp of its own.
            self.stop(reason, told)
            return
        self._machine.move(State.RESETTING, reason)
        self._deadline.set(_RESET_MAX_S, lambda: self.stop("its processes could not be ended"))
        self._thaw()
        self._processes.shut_down(told, self._processes.kill)

    def on_empty(self) -> None:
        """No process of the customer is left."""
        if self._machine.state is State.RESETTING:
            self._log.drain()
            self._processes.all_ended()
            self._machine.move(State.EMPTY, "reset")
            self._become_available()

    def on_gone(self, reason: str) -> None:
        """The sandbox is lost."""
        if self._machine.state is State.STOPPED:
            return
        self._deadline.end()
        self._grace.end()
        self._machine.move(State.STOPPED, reason)
        self._leave_invocation()
        self._processes.all_ended()
        self._log.close()
        self._owner.on_stopped(self, reason)

    # -- rest ---------------------------------------------------------------------------------

    def freeze(self) -> None:
        """No processor time until the next invocation."""
        if self._machine.state is State.IDLE and not self.is_frozen:
            self.is_frozen = True
            self.sandbox.freeze()

    def _thaw(self) -> None:
        if self.is_frozen:
            self.is_frozen = False
            self.sandbox.thaw()

    def stop(self, reason: str, told: str = "spindown") -> None:
        """SHUTDOWN: without extensions the processes are killed at once."""
        state = self._machine.state
        if state in (State.STOPPED, State.SHUTDOWN):
            return
        self._log.drain()
        if state in (State.IDLE, State.BUSY) and self._extensions.known:
            self._deadline.end()
            self._grace.end()
            self._machine.move(State.SHUTDOWN, reason)
            self._leave_invocation()
            self._thaw()
            self._processes.shut_down(told, lambda: self.sandbox.destroy(reason))
        else:
            self.sandbox.destroy(reason)

    def _leave_invocation(self) -> None:
        """The runtime will say no more: its answer was all, or there will be none."""
        current = self.current
        if current is not None and current.result is not None:
            self._runtime_done(current, current.result)
            self._account(current, current.result)
        elif current is not None:
            request_id = current.invocation.request_id
            self.fail(failures.exited(request_id, None, "killed", memory=False))
