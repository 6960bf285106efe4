"""Platform lines of a function's log, in AWS's text format, and the arithmetic in them.

Source: "Working with Lambda function logs" and "Understanding the execution environment lifecycle"
of AWS's guide.
"""

import math
from typing import NamedTuple

_MB = 1 << 20


class Measurement(NamedTuple):
    """What one invocation used. The log line, the bill and the metrics are views of it.

    `init_ms` is None for a warm start. `status` is None for success.
    """

    request_id: str
    duration_ms: float
    memory_mb: int
    memory_peak_bytes: int
    init_ms: float | None = None
    status: str | None = None
    error_type: str | None = None

    @property
    def billed_ms(self) -> int:
        """Duration and initialisation, rounded up to whole milliseconds."""
        return max(1, math.ceil(round(self.duration_ms + (self.init_ms or 0.0), 4)))

    @property
    def memory_peak_mb(self) -> int:
        """Rounded up, and never more than the limit."""
        return min(self.memory_mb, math.ceil(self.memory_peak_bytes / _MB))


def init_start(runtime: str, version_arn: str) -> str:
    """The line that opens a runtime's initialisation."""
    family, _, version = _split_runtime(runtime)
    return f"INIT_START Runtime Version: {family}:{version}\tRuntime Version ARN: {version_arn}"


def init_report(init_ms: float, phase: str, status: str, error_type: str | None) -> str:
    """The line that tells of an initialisation that failed."""
    line = f"INIT_REPORT Init Duration: {init_ms:.2f} ms\tPhase: {phase}\tStatus: {status}"
    return f"{line}\tError Type: {error_type}" if error_type else line


def start(request_id: str, version: str) -> str:
    """The first line of an invocation."""
    return f"START RequestId: {request_id} Version: {version}"


def end(request_id: str) -> str:
    """The line before the report."""
    return f"END RequestId: {request_id}"


def report(measured: Measurement) -> str:
    """The REPORT line."""
    line = (
        f"REPORT RequestId: {measured.request_id}\tDuration: {measured.duration_ms:.2f} ms\t"
        f"Billed Duration: {measured.billed_ms} ms\tMemory Size: {measured.memory_mb} MB\t"
        f"Max Memory Used: {measured.memory_peak_mb} MB\t"
    )
    if measured.init_ms is not None:
        line += f"Init Duration: {measured.init_ms:.2f} ms\t"
    if measured.status is not None:
        line += f"Status: {measured.status}\t"
    if measured.error_type is not None:
        line += f"Error Type: {measured.error_type}\t"
    return line


def _split_runtime(runtime: str) -> tuple[str, str, str]:
    digits = next((n for n, c in enumerate(runtime) if c.isdigit()), len(runtime))
    family = runtime[:digits].rstrip(".")
    return (family, "", runtime[digits:]) if runtime[digits:] else (family, "", "local")
