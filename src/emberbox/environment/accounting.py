"""What the invocations of one environment use, by the counters of its sandbox."""

from emberbox.clock import Clock
from emberbox.environment.beginning import Beginning
from emberbox.environment.current import CurrentInvocation, Result
from emberbox.environment.effort import Effort
from emberbox.environment.init_phase import InitPhase
from emberbox.environment.plan import Plan
from emberbox.isolation.sandbox import Sandbox
from emberbox.model.invocation import Failure
from emberbox.model.report import Measurement


class Accounting:
    """See the module; `begin` after each INIT, `measure` at the end of each invocation."""

    def __init__(
        self, plan: Plan, beginning: Beginning, sandbox: Sandbox, init: InitPhase, clock: Clock
    ) -> None:
        self._memory_mb = plan.function.memory_mb
        self._beginning = beginning
        self._sandbox = sandbox
        self._init = init
        self._clock = clock
        self._effort = Effort(plan.limits.cpus)
        self._killed_for_memory = 0
        self._cpu_ms = -1.0

    @property
    def is_tired(self) -> bool:
        """Whether the share of the processor may be used up for this moment."""
        return self._effort.is_spent

    def begin(self) -> None:
        """What was used until now belongs to no invocation."""
        self._killed_for_memory = self._sandbox.out_of_memory_kills()
        self._cpu_ms = self._sandbox.cpu_ms()

    def has_run_out_of_memory(self) -> bool:
        """Whether the kernel has killed for want of memory since this was asked last."""
        kills = self._sandbox.out_of_memory_kills()
        before, self._killed_for_memory = self._killed_for_memory, kills
        return kills > before

    def measure(
        self,
        current: CurrentInvocation,
        result: Result,
        failure: Failure | None,
        duration_ms: float | None,
        *,
        has_extensions: bool,
    ) -> Measurement:
        """The invocation ends now; `duration_ms` is given if it is other than until now."""
        now = self._clock.monotonic()
        self._effort.add(current.began, now)
        return Measurement(
            request_id=current.invocation.request_id,
            duration_ms=(now - current.began) * 1000 if duration_ms is None else duration_ms,
            memory_mb=self._memory_mb,
            memory_peak_bytes=self._sandbox.memory_peak_bytes() + self._beginning.shared_bytes,
            init_ms=self._init.take_ms(),
            status=failure.report_status if failure else None,
            error_type=failure.report_error_type if failure else None,
            restored=self._init.take_restored(),
            is_init_billed=not self._beginning.is_provisioned,
            cpu_ms=self._cpu_spent_ms(),
            failed=result.failed or failure is not None,
            extensions_ms=(now - current.done) * 1000 if has_extensions and current.done else None,
        )

    def _cpu_spent_ms(self) -> float:
        """Processor time since the invocation before; negative if it is not counted."""
        before, self._cpu_ms = self._cpu_ms, self._sandbox.cpu_ms()
        return self._cpu_ms - before if self._cpu_ms >= 0 <= before else -1.0
