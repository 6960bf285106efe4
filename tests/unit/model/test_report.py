"""Platform lines of the log, and the arithmetic in them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.model import invocation, report


def measured(**changes: object) -> report.Measurement:
    values: dict[str, object] = {
        "request_id": "r1", "duration_ms": 12.344, "memory_mb": 128, "memory_peak_bytes": 34 << 20
    }  # fmt: skip
    return report.Measurement(**{**values, **changes})  # type: ignore[arg-type]


def test_a_warm_report() -> None:
    """Fields are separated by tabs and the line ends with one."""
    assert report.report(measured()) == (
        "REPORT RequestId: r1\tDuration: 12.34 ms\tBilled Duration: 13 ms\t"
        "Memory Size: 128 MB\tMax Memory Used: 34 MB\t"
    )


def test_a_cold_report_bills_the_initialisation() -> None:
    """Billed is initialisation and duration together, rounded up."""
    line = report.report(measured(init_ms=100.12))

    assert "Billed Duration: 113 ms" in line
    assert line.endswith("Init Duration: 100.12 ms\t")


def test_a_failed_report_names_the_error() -> None:
    """Status and error type stand at the end."""
    line = report.report(measured(status="error", error_type="Runtime.OutOfMemory"))

    assert line.endswith("Status: error\tError Type: Runtime.OutOfMemory\t")


def test_init_start_names_family_and_version() -> None:
    """The runtime is written as family and version."""
    assert report.init_start("python3.12", "arn:x") == (
        "INIT_START Runtime Version: python:3.12\tRuntime Version ARN: arn:x"
    )


@pytest.mark.parametrize(
    ("runtime", "version"),
    [
        ("python3.13", "python:3.13"),
        ("nodejs22.x", "nodejs:22"),
        ("provided.al2023", "provided:al2023"),
        ("java8.al2", "java:8.al2"),
        ("custom", "custom:local"),
    ],
)
def test_runtime_versions_are_written_as_awss(runtime: str, version: str) -> None:
    """Family and version, as AWS's log lines have them."""
    assert report.runtime_version(runtime) == version


@pytest.mark.parametrize(
    ("duration_ms", "billed_ms"),
    [
        (0.0, 1),
        (0.3, 1),
        (1.0, 1),
        (1.000_04, 1),
        (1.000_06, 2),
        (1.5, 2),
        (2.0, 2),
        (899_999.9, 900_000),
    ],
)
def test_times_are_billed_by_whole_milliseconds(duration_ms: float, billed_ms: int) -> None:
    """Rounded up, at least one; less than a tenth of a microsecond above counts for nothing."""
    assert measured(duration_ms=duration_ms).billed_ms == billed_ms


@given(
    st.floats(0, 900_000, allow_nan=False), st.floats(0, 10_000, allow_nan=False) | st.none(),
    st.integers(0, 1 << 36), st.integers(128, 10_240),
)  # fmt: skip
def test_figures_are_plausible(
    duration: float, init: float | None, peak: int, memory_mb: int
) -> None:
    """Billed at least what was used, at most a millisecond more; no more memory than given."""
    found = measured(
        duration_ms=duration, init_ms=init, memory_peak_bytes=peak, memory_mb=memory_mb
    )

    used = duration + (init or 0.0)
    assert used - 0.001 <= found.billed_ms <= max(1, used + 1)
    assert 0 <= found.memory_peak_mb <= memory_mb
    assert re.match(r"REPORT RequestId: r1\tDuration: \d+\.\d\d ms\t", report.report(found))


def test_failures_carry_awss_payloads() -> None:
    """The bodies of failed invocations are the service's literals."""
    assert invocation.timed_out("r", 3, "t").payload == (
        b'{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: r Error: Task timed out '
        b'after 3.00 seconds"}'
    )
    assert (
        b"Runtime exited without providing a reason"
        in invocation.exited("r", 0, None, memory=False).payload
    )
    assert b"exit status 7" in invocation.exited("r", 7, None, memory=False).payload
    killed = invocation.exited("r", None, "killed", memory=True)
    assert b"signal: killed" in killed.payload
    assert killed.report_error_type == "Runtime.OutOfMemory"


def test_a_restored_report_has_both_durations() -> None:
    """What is billed of it is rounded up by itself, and Billed Duration leaves it out."""
    restored = report.Restored.between(10.0, 10.0105, 10.012)
    line = report.report(measured(restored=restored))

    assert "Billed Duration: 13 ms" in line
    assert line.endswith("Restore Duration: 12.00 ms\tBilled Restore Duration: 2 ms\t")


def test_what_was_initialised_ahead_is_shown_but_not_billed() -> None:
    """It is billed as provisioned time."""
    line = report.report(measured(init_ms=100.12, is_init_billed=False))

    assert "Billed Duration: 13 ms" in line
    assert line.endswith("Init Duration: 100.12 ms\t")


def test_restore_lines() -> None:
    """RESTORE_START is like INIT_START; RESTORE_REPORT has a status only if it failed."""
    assert report.restore_start("python3.13", "arn").startswith(
        "RESTORE_START Runtime Version: python:3.13\t"
    )
    assert report.restore_report(1.234) == "RESTORE_REPORT Restore Duration: 1.23 ms"
    assert report.restore_report(1.234, "error", "X").endswith(
        "\tPhase: restore\tStatus: error\tError Type: X"
    )
    assert report.init_report(1.234, "init") == "INIT_REPORT Init Duration: 1.23 ms\tPhase: init"
