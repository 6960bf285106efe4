"""INIT of an environment, or RESTORE: its lines in the log, its time, and its processor share."""

from emberbox.clock import Clock
from emberbox.environment.beginning import Beginning
from emberbox.environment.console_log import ConsoleLog
from emberbox.environment.plan import Plan
from emberbox.isolation.sandbox import Sandbox
from emberbox.model import report
from emberbox.model.report import Restored


class InitPhase:
    """`begin` and `ended` or `failed`, in turn, as often as the environment initialises.

    `took_ms` is what the next invocation's report says: None once it has been told, or where the
    initialisation was a part of the invocation. `restored` is the same for RESTORE.
    """

    def __init__(
        self, plan: Plan, beginning: Beginning, sandbox: Sandbox, log: ConsoleLog, clock: Clock
    ) -> None:
        self._plan = plan
        self._beginning = beginning
        self._sandbox = sandbox
        self._log = log
        self._clock = clock
        self._began = 0.0
        self._is_boosted = False
        self._connected = 0.0
        self._restored: Restored | None = None
        self.took_ms: float | None = None

    def begin(self) -> None:
        """Initialisation starts, before the first invocation or within one."""
        self.took_ms = None
        self._began = self._clock.monotonic()
        runtime = self._plan.function.runtime
        line = report.restore_start if self._beginning.image else report.init_start
        self._log.line(line(runtime, self._plan.runtime_version_arn))
        for notice in filter(None, (self._plan.notice, self._beginning.notice)):
            self._log.line(notice)
        self._is_boosted = True

    def connected(self) -> None:
        """A process has connected: what is restored runs again."""
        self._connected = self._connected or self._clock.monotonic()

    @property
    def is_image_broken(self) -> bool:
        """Whether a process that ends now has never run again: the image is no good."""
        return self._beginning.image is not None and not self._connected

    def end_boost(self) -> None:
        """INIT runs on a whole processor, as on AWS; what follows has the function's share."""
        if self._is_boosted:
            self._is_boosted = False
            self._sandbox.boost(on=False)

    def ended(self) -> None:
        """It has come to its end before any invocation."""
        self._log.drain()
        if self._beginning.image is None:
            self.took_ms = self._elapsed_ms()
            return
        now = self._clock.monotonic()
        self._restored = Restored.between(self._began, self._connected, now)
        self._log.line(report.restore_report(self._restored.total_ms))

    def failed(self, status: str, error_type: str | None) -> None:
        """It has failed before any invocation: the first one will try again."""
        self._log.drain()
        took_ms = self._elapsed_ms()
        if self._beginning.image is None:
            self._log.line(report.init_report(took_ms, "init", status, error_type))
        else:
            self._log.line(report.restore_report(took_ms, status, error_type))

    def take_ms(self) -> float | None:
        """Its duration, for one report."""
        took, self.took_ms = self.took_ms, None
        return took

    def take_restored(self) -> Restored | None:
        """The duration of RESTORE, for one report."""
        restored, self._restored = self._restored, None
        return restored

    def _elapsed_ms(self) -> float:
        return (self._clock.monotonic() - self._began) * 1000
