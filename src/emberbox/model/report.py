"""Platform lines of a function's log, in AWS's text format, and the arithmetic in them.

Source: "Working with Lambda function logs" and "Understanding the execution environment lifecycle"
of AWS's guide.
"""

import math
import re
from collections.abc import Iterable
from typing import NamedTuple

_MB = 1 << 20
_NOTHING_MS = 0.000_05
"""So much more than a whole millisecond is that millisecond: times do not say more."""

_RUNTIME = re.compile(r"([a-z]*)\.?(.*?)(?:\.x)?")


class Restored(NamedTuple):
    """How long RESTORE took, and the part of that when the process ran again, which is billed."""

    total_ms: float
    billed_ms: float

    @classmethod
    def between(cls, began: float, ran: float, ended: float) -> "Restored":
        """From its beginning and the moments when the process ran and was ready; seconds."""
        return cls((ended - began) * 1000, (ended - ran) * 1000)


class Measurement(NamedTuple):
    """What one invocation used. The log line, the bill and the metrics are views of it.

    `init_ms` and `restored` are None for a warm start. `status` is None for success.
    `cpu_ms` is negative where processor time is not counted. `failed` says that the function
    failed, in whatever way. `extensions_ms` is what extensions took after the runtime was done;
    None without extensions.
    """

    request_id: str
    duration_ms: float
    memory_mb: int
    memory_peak_bytes: int
    init_ms: float | None = None
    status: str | None = None
    error_type: str | None = None
    restored: Restored | None = None
    is_init_billed: bool = True
    cpu_ms: float = -1.0
    failed: bool = False
    extensions_ms: float | None = None

    @property
    def billed_ms(self) -> int:
        """Duration and initialisation, rounded up to whole milliseconds.

        What was initialised ahead of need is not billed by the invocation.
        """
        took_ms = self.duration_ms
        if self.init_ms and self.is_init_billed:
            took_ms += self.init_ms
        whole = int(took_ms)
        return max(1, whole + (took_ms - whole > _NOTHING_MS))

    @property
    def memory_peak_mb(self) -> int:
        """Rounded up, and never more than the limit."""
        return min(self.memory_mb, math.ceil(self.memory_peak_bytes / _MB))


def init_start(runtime: str, version_arn: str) -> str:
    """The line that opens a runtime's initialisation."""
    return (
        f"INIT_START Runtime Version: {runtime_version(runtime)}\t"
        f"Runtime Version ARN: {version_arn}"
    )


def runtime_version(runtime: str) -> str:
    """The name of a runtime's version, as the log and telemetry have it."""
    found = _RUNTIME.fullmatch(runtime)
    return f"{found[1]}:{found[2] or 'local'}" if found else runtime


def init_report(
    init_ms: float, phase: str, status: str | None = None, error_type: str | None = None
) -> str:
    """The line that tells of an initialisation that failed, or of a template's."""
    return _phase_report(f"INIT_REPORT Init Duration: {init_ms:.2f} ms", phase, status, error_type)


def restore_start(runtime: str, version_arn: str) -> str:
    """The line that opens a restoration from a snapshot."""
    return init_start(runtime, version_arn).replace("INIT_START", "RESTORE_START", 1)


def restore_report(
    restore_ms: float, status: str | None = None, error_type: str | None = None
) -> str:
    """The line that ends a restoration."""
    line = f"RESTORE_REPORT Restore Duration: {restore_ms:.2f} ms"
    return line if status is None else _phase_report(line, "restore", status, error_type)


def _phase_report(line: str, phase: str, status: str | None, error_type: str | None) -> str:
    line += f"\tPhase: {phase}"
    if status is not None:
        line += f"\tStatus: {status}"
    return f"{line}\tError Type: {error_type}" if error_type else line


def extension(name: str, state: str, events: Iterable[str], error_type: str = "") -> str:
    """The line about an extension at the end of an initialisation, or when it fails."""
    line = f"EXTENSION\tName: {name}\tState: {state}\tEvents: [{', '.join(events)}]"
    return f"{line}\tError Type: {error_type}" if error_type else line


def subscription(word: str, name: str, types: Iterable[str]) -> str:
    """The line about a subscription: TELEMETRY, or LOGS for the older API."""
    shown = ", ".join(kind.capitalize() for kind in types)
    return f"{word}\tName: {name}\tState: Subscribed\tTypes: [{shown}]"


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
    if measured.restored is not None:
        line += (
            f"Restore Duration: {measured.restored.total_ms:.2f} ms\t"
            f"Billed Restore Duration: {math.ceil(measured.restored.billed_ms)} ms\t"
        )
    if measured.status is not None:
        line += f"Status: {measured.status}\t"
    if measured.error_type is not None:
        line += f"Error Type: {measured.error_type}\t"
    return line


def traced(trace: str) -> str:
    """What the REPORT says of a trace that is recorded: a second line of it."""
    fields = dict(part.partition("=")[::2] for part in trace.split(";"))
    root, segment = fields.get("Root", ""), fields.get("Parent", "")
    return f"\nXRAY TraceId: {root}\tSegmentId: {segment}\tSampled: true\t"
