"""What the invocations of one environment use, by the counters of its sandbox."""

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

    def __init__(self, plan: Plan, beginning: Beginning, sandbox: Sandbox, init: InitPhase) -> None:
        self._memory_mb = plan.function.memory_mb
        self._beginning = beginning
        self._sandbox = sandbox
        self._init = init
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
        ended: float,
        result: Result,
        failure: Failure | None,
        duration_ms: float | None,
        *,
        has_extensions: bool,
    ) -> Measurement:
        """The invocation has `ended`; `duration_ms` is given if it is other than until then."""
        self._effort.add(current.began, ended)
        # By position: by name it takes seven times as long, and each invocation makes one.
        return Measurement(
            current.invocation.request_id,
            (ended - current.began) * 1000 if duration_ms is None else duration_ms,
            self._memory_mb,
            self._sandbox.memory_peak_bytes() + self._beginning.shared_bytes,
            self._init.take_ms(),
            failure.report_status if failure else None,
            failure.report_error_type if failure else None,
            self._init.take_restored(),
            not self._beginning.is_provisioned,
            self._cpu_spent_ms(),
            result.failed or failure is not None,
            (ended - current.done) * 1000 if has_extensions and current.done else None,
        )

    def _cpu_spent_ms(self) -> float:
        """Processor time since the invocation before; negative if it is not counted."""
        before, self._cpu_ms = self._cpu_ms, self._sandbox.cpu_ms()
        return self._cpu_ms - before if self._cpu_ms >= 0 <= before else -1.0
