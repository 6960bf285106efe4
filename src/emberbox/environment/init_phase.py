"""The INIT phase of an environment: its lines in the log, its time, and its processor share."""

from emberbox.clock import Clock
from emberbox.environment.console_log import ConsoleLog
from emberbox.environment.plan import Plan
from emberbox.isolation.sandbox import Sandbox
from emberbox.model import report


class InitPhase:
    """`begin` and `ended` or `failed`, in turn, as often as the environment initialises.

    `took_ms` is what the next invocation's report says: None once it has been told, or where the
    initialisation was a part of the invocation.
    """

    def __init__(self, plan: Plan, sandbox: Sandbox, log: ConsoleLog, clock: Clock) -> None:
        self._plan = plan
        self._sandbox = sandbox
        self._log = log
        self._clock = clock
        self._began = 0.0
        self._is_boosted = False
        self.took_ms: float | None = None

    def begin(self) -> None:
        """Initialisation starts, before the first invocation or within one."""
        self.took_ms = None
        self._began = self._clock.monotonic()
        runtime = self._plan.function.runtime
        self._log.line(report.init_start(runtime, self._plan.runtime_version_arn))
        if self._plan.notice:
            self._log.line(self._plan.notice)
        self._is_boosted = True

    def end_boost(self) -> None:
        """INIT runs on a whole processor, as on AWS; what follows has the function's share."""
        if self._is_boosted:
            self._is_boosted = False
            self._sandbox.boost(on=False)

    def ended(self) -> None:
        """It has come to its end before any invocation."""
        self._log.drain()
        self.took_ms = self._elapsed_ms()

    def failed(self, status: str, error_type: str | None) -> None:
        """It has failed before any invocation: the first one will try again."""
        self._log.drain()
        self._log.line(report.init_report(self._elapsed_ms(), "init", status, error_type))

    def take_ms(self) -> float | None:
        """Its duration, for one report."""
        took, self.took_ms = self.took_ms, None
        return took

    def _elapsed_ms(self) -> float:
        return (self._clock.monotonic() - self._began) * 1000
