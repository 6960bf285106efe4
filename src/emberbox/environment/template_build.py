"""Makes the template of one function version: INIT in a sandbox, then an image of the process.

The process is the customer's. All that it can do here is to fill a file that only sandboxes of the
same version will read, within bounds of size and time, or to fail.
"""

import asyncio
import signal
from collections.abc import Callable
from enum import Enum

from emberbox.clock import Clock
from emberbox.environment.console_log import ConsoleLog
from emberbox.environment.plan import Plan
from emberbox.environment.refusals import illegal_transition
from emberbox.environment.restoring import RESTORED_AT_ONCE
from emberbox.environment.runtime_api import RuntimeConnection
from emberbox.environment.unasked import Unasked
from emberbox.errors import EmberboxError
from emberbox.isolation.sandbox import Exit, Launch, Sandbox
from emberbox.machine import Machine, Table
from emberbox.model import report
from emberbox.model.initialization import Initialization, init_timeout_s

_SAVE_TIMEOUT_S = 60.0
_EXIT_GRACE_S = 0.005
_SAVING_EXTRA_BYTES = 64 << 20
_REASON_MAX = 300
_UNFIT = "unfit: "


class TemplateState(Enum):
    """Where the making of a template is."""

    INIT = "the function initialises"
    SAVING = "the process writes its image"
    ENDED = "there is an image, or there will be none"


TABLE: Table[TemplateState] = {
    TemplateState.INIT: frozenset({TemplateState.SAVING, TemplateState.ENDED}),
    TemplateState.SAVING: frozenset({TemplateState.ENDED}),
    TemplateState.ENDED: frozenset(),
}


class InitFailedError(EmberboxError):
    """The function's own initialisation failed; `error_type` is AWS's name for it."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


class UnfitError(EmberboxError):
    """The process cannot be made an image of; the text completes "because ..."."""


class TemplateBuild(Unasked):
    """One attempt. `finished` ends without a value when the image is written, or with an error."""

    def __init__(
        self, plan: Plan, sandbox: Sandbox, log: ConsoleLog, stream_name: str, clock: Clock
    ) -> None:
        self._plan = plan
        self._sandbox = sandbox
        self._log = log
        self._stream_name = stream_name
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._machine = Machine(TABLE, TemplateState.INIT)
        self._connections: set[RuntimeConnection] = set()
        self._began = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.finished: asyncio.Future[None] = self._loop.create_future()

    def connection(self) -> RuntimeConnection:
        """A protocol for one connection to the Runtime API."""
        return RuntimeConnection(self, self._connections)

    def start(self, descriptor: int) -> None:
        """Begin INIT; the image goes to the descriptor."""
        function = self._plan.function
        self._began = self._clock.monotonic()
        self._log.line(report.init_start(function.runtime, self._plan.runtime_version_arn))
        kind = Initialization.SNAP_START
        self._arm(init_timeout_s(kind, function.timeout_s), self._timed_out)
        variables = self._plan.variables(self._stream_name, self._sandbox.addresses, kind)
        launch = Launch(variables, image=descriptor, image_use="save")
        limits = self._plan.limits
        self._sandbox.assign(self._plan.trees, limits, launch, self, boost=True)

    def close(self) -> None:
        """End what is left of it."""
        self._end(UnfitError("the attempt was given up"))
        self._log.drain()
        self._log.close()
        for connection in list(self._connections):
            connection.close()
        self._sandbox.destroy("its image is made, or cannot be")

    # -- Runtime API --------------------------------------------------------------------------

    def runtime_connected(self) -> None:
        """Of no interest here."""

    def runtime_awaits_restore(self, connection: RuntimeConnection, snapshot: str) -> None:
        """INIT has ended, or the image is written, or cannot be."""
        state = self._machine.state
        if state is TemplateState.INIT and snapshot == "saving":
            self._log.drain()
            self._report_init(None, None)
            self._machine.move(TemplateState.SAVING, "initialised")
            self._arm(_SAVE_TIMEOUT_S, self._timed_out)
            # The image counts as its memory, beside that which it is an image of.
            self._sandbox.raise_memory(2 * self._plan.limits.memory_bytes + _SAVING_EXTRA_BYTES)
            connection.deliver(RESTORED_AT_ONCE, b"")
        elif state is TemplateState.INIT:
            self._report_init(None, None)
            self._end(UnfitError("its runtime is a program of its own"))
        elif state is TemplateState.SAVING and snapshot == "saved":
            self._end(None)
        elif state is TemplateState.SAVING:
            reason = snapshot.removeprefix(_UNFIT)[:_REASON_MAX]
            self._end(UnfitError(reason or "it does not say why"))
        else:
            raise illegal_transition(state.name, "Restoring")

    def runtime_asks_next(self, connection: RuntimeConnection) -> None:
        """A runtime that knows nothing of snapshots."""
        if self._machine.state is TemplateState.INIT:
            self._report_init(None, None)
        self._end(UnfitError("its runtime does not wait for a snapshot"))

    def expects_init_error(self) -> None:
        """Only while it initialises."""
        if self._machine.state is not TemplateState.INIT:
            raise illegal_transition(self._machine.state.name, "InitError")

    def runtime_fails_init(self, error_type: str, body: bytes) -> None:
        """The function, or a hook before the snapshot, failed."""
        self.expects_init_error()
        self._fail(error_type or "Runtime.Unknown", "error")

    def expects_restore_error(self) -> None:
        """Nothing is restored here."""
        raise illegal_transition(self._machine.state.name, "RestoreError")

    def runtime_fails_restore(self, error_type: str, body: bytes) -> None:
        """Nothing is restored here."""
        self.expects_restore_error()

    def connection_lost(self, connection: RuntimeConnection) -> None:
        """A runtime closes its connection before it writes its image."""

    # -- the sandbox --------------------------------------------------------------------------

    def on_exit(self, how: Exit) -> None:
        """The process has ended; what it said just before is read first."""
        self._loop.call_later(_EXIT_GRACE_S, self._exited, how)

    def _exited(self, how: Exit) -> None:
        if self._machine.state is TemplateState.INIT:
            killed = how.signal == signal.SIGKILL and self._sandbox.out_of_memory_kills() > 0
            self._fail("Runtime.OutOfMemory" if killed else "Runtime.ExitError", "error")
        else:
            self._end(UnfitError("it ended while its image was written"))

    def on_empty(self) -> None:
        """Nothing is started again here."""

    def on_gone(self, reason: str) -> None:
        """The sandbox is lost."""
        self._end(UnfitError(f"its sandbox was lost: {reason}"))

    # -- rest ---------------------------------------------------------------------------------

    def _timed_out(self) -> None:
        if self._machine.state is TemplateState.INIT:
            self._fail("Sandbox.Timedout", "timeout")
        else:
            self._end(UnfitError(f"its image was not written within {_SAVE_TIMEOUT_S:.0f} s"))

    def _fail(self, error_type: str, status: str) -> None:
        if self._machine.state is not TemplateState.INIT:
            return
        self._log.drain()
        self._report_init(status, error_type)
        self._end(
            InitFailedError(error_type, f"The function could not be initialised: {error_type}")
        )

    def _report_init(self, status: str | None, error_type: str | None) -> None:
        init_ms = (self._clock.monotonic() - self._began) * 1000
        self._log.line(report.init_report(init_ms, "init", status, error_type))

    def _end(self, error: EmberboxError | None) -> None:
        if self._machine.state is TemplateState.ENDED:
            return
        self._machine.move(TemplateState.ENDED, str(error or "saved"))
        if self._timer is not None:
            self._timer.cancel()
        if error is None:
            self.finished.set_result(None)
        else:
            self.finished.set_exception(error)
            # Whoever gave up does not ask.
            self.finished.exception()

    def _arm(self, seconds: float, callback: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, callback)
