"""What one invocation used, and what sums of it tell."""

from math import ceil
from typing import NamedTuple

from emberbox.model.function import FunctionVersion
from emberbox.model.limits import MEMORY_MAX_MB, MEMORY_MB_PER_VCPU, MEMORY_MIN_MB
from emberbox.model.report import Measurement
from emberbox.records import dataclass

_HEADROOM = 1.25
_STEP_MB = 64
_BUSY, _LAZY = 0.85, 0.5
_RUNS_MIN = 20


class Subject(NamedTuple):
    """A version of a function as it was configured when it ran."""

    account: str
    region: str
    name: str
    version: str
    memory_mb: int
    ephemeral_mb: int
    architecture: str

    @classmethod
    def of(cls, function: FunctionVersion) -> "Subject":
        """A version as it is now."""
        return cls(
            *function.key,
            function.version,
            function.memory_mb,
            function.ephemeral_mb,
            function.architecture,
        )

    def qualifier_in(self, arn: str) -> str:
        """The version or alias that an ARN of the function ends with; empty for none."""
        return arn.partition(f":function:{self.name}")[2][1:]


class Usage(NamedTuple):
    """One invocation: the record that metrics, bill and REPORT line are views of.

    `at` in epoch seconds is when it ended; `init_ms` is None for a warm start; `cpu_ms` is
    processor time of all processes, negative if it could not be measured; `error` is empty for
    success. `is_provisioned`: it ran where somebody had kept an environment ahead of need.
    """

    subject: Subject
    request_id: str
    at: float
    duration_ms: float
    billed_ms: int
    init_ms: float | None
    peak_mb: int
    cpu_ms: float = -1.0
    error: str = ""
    qualifier: str = ""
    is_provisioned: bool = False


def usage_of(subject: Subject, qualifier: str, at: float, measured: Measurement) -> Usage:
    """The record of an invocation that ended at a time."""
    return Usage(
        subject,
        measured.request_id,
        at,
        measured.duration_ms,
        measured.billed_ms,
        measured.init_ms,
        measured.memory_peak_mb,
        measured.cpu_ms,
        (measured.error_type or measured.status or "Unhandled") if measured.failed else "",
        qualifier,
        not measured.is_init_billed,
    )


Run = tuple[str, float, float, int, float | None, int, float, str, str, bool]
"""What a `Usage` says besides its subject, in the same order: the form in which many are kept."""


@dataclass(slots=True)
class Totals:
    """Sums over invocations of one subject; times in milliseconds.

    `provisioned_ms` is the part of `billed_ms` on environments that were kept ahead of need,
    `kept_ms` for how long those were kept, each counted.
    """

    runs: int = 0
    errors: int = 0
    cold: int = 0
    billed_ms: int = 0
    duration_ms: float = 0.0
    init_ms: float = 0.0
    peak_mb: int = 0
    cpu_ms: float = 0.0
    cpu_duration_ms: float = 0.0
    provisioned_ms: int = 0
    kept_ms: float = 0.0

    def add(self, usage: Usage) -> None:
        """Take one invocation in."""
        self.runs += 1
        self.errors += bool(usage.error)
        self.cold += usage.init_ms is not None
        self.billed_ms += usage.billed_ms
        self.duration_ms += usage.duration_ms
        self.init_ms += usage.init_ms or 0.0
        self.peak_mb = max(self.peak_mb, usage.peak_mb)
        if usage.is_provisioned:
            self.provisioned_ms += usage.billed_ms
        if usage.cpu_ms >= 0:
            self.cpu_ms += usage.cpu_ms
            self.cpu_duration_ms += usage.duration_ms

    def merge(self, other: "Totals") -> None:
        """Take other sums in."""
        self.runs += other.runs
        self.errors += other.errors
        self.cold += other.cold
        self.billed_ms += other.billed_ms
        self.duration_ms += other.duration_ms
        self.init_ms += other.init_ms
        self.peak_mb = max(self.peak_mb, other.peak_mb)
        self.cpu_ms += other.cpu_ms
        self.cpu_duration_ms += other.cpu_duration_ms
        self.provisioned_ms += other.provisioned_ms
        self.kept_ms += other.kept_ms


@dataclass(frozen=True, slots=True)
class Advice:
    """Another memory size, and why."""

    memory_mb: int
    why: str


def advise(memory_mb: int, totals: Totals) -> Advice | None:
    """A better memory size as far as measured runs tell; None if there is none.

    Memory that was never used may go if the processor is not needed either; a function that is
    always short of processor time gets more of it for the same money.
    """
    if totals.runs < _RUNS_MIN or totals.cpu_duration_ms <= 0:
        return None
    share = min(1.0, memory_mb / MEMORY_MB_PER_VCPU)
    load = totals.cpu_ms / (totals.cpu_duration_ms * share)
    needed = _size(totals.peak_mb * _HEADROOM)
    if load > _BUSY and memory_mb < MEMORY_MB_PER_VCPU:
        more = min(MEMORY_MB_PER_VCPU, memory_mb * 2)
        return Advice(more, "it uses all the processor time it has: more is as cheap and faster")
    busy_ms = totals.cpu_ms / totals.cpu_duration_ms
    least = max(needed, _size(busy_ms * MEMORY_MB_PER_VCPU / _LAZY))
    if least < memory_mb:
        return Advice(least, f"it used {totals.peak_mb} MB at most and waits most of its time")
    return None


def _size(megabytes: float) -> int:
    stepped = ceil(megabytes / _STEP_MB) * _STEP_MB
    return max(MEMORY_MIN_MB, min(MEMORY_MAX_MB, stepped))
