"""Levels of the platform's events in a log of JSON format, by AWS's table."""

import pytest

from emberbox.model.system_log import LEVELS, is_written, level_of

GOOD, BAD = {"status": "success"}, {"status": "timeout"}
ON_DEMAND = {"initializationType": "on-demand"}


@pytest.mark.parametrize(
    ("kind", "record", "level"),
    [
        ("platform.initStart", {"runtimeVersion": "python:3.12"}, "INFO"),
        ("platform.initStart", {}, "DEBUG"),
        ("platform.initRuntimeDone", GOOD, "DEBUG"),
        ("platform.initRuntimeDone", BAD, "WARN"),
        ("platform.initReport", {**GOOD, **ON_DEMAND}, "DEBUG"),
        ("platform.initReport", {**GOOD, "initializationType": "snap-start"}, "INFO"),
        ("platform.initReport", {**BAD, **ON_DEMAND}, "WARN"),
        ("platform.restoreStart", {"runtimeVersion": "python:3.12"}, "INFO"),
        ("platform.restoreRuntimeDone", GOOD, "DEBUG"),
        ("platform.restoreReport", GOOD, "INFO"),
        ("platform.restoreReport", BAD, "WARN"),
        ("platform.start", {}, "INFO"),
        ("platform.runtimeDone", GOOD, "DEBUG"),
        ("platform.runtimeDone", BAD, "WARN"),
        ("platform.report", GOOD, "INFO"),
        ("platform.report", {"status": "error"}, "WARN"),
        ("platform.extension", {"state": "Ready"}, "INFO"),
        ("platform.extension", {"errorType": "Extension.Crash"}, "WARN"),
        ("platform.telemetrySubscription", {}, "INFO"),
        ("platform.logsDropped", {}, "WARN"),
        ("platform.end", {}, ""),
        ("function", "a line", ""),
    ],
)
def test_each_event_has_its_level(kind, record, level):
    """An event without one is written at no level; the others from theirs on."""
    assert level_of(kind, record) == level
    for least in LEVELS:
        wanted = bool(level) and LEVELS.index(level) >= LEVELS.index(least)
        assert is_written(kind, record, least) is wanted
