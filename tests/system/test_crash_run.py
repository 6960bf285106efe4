"""The short forms of `bench.crash`, `crash_push`, `message_crash` and `conservation`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def ran(module, *arguments):
    """The report of a program of the benchmark; its complaint if it has one."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_accepted_events_outlive_a_server_that_is_killed():
    """Each runs at least once."""
    report = ran("bench.crash", "--events", "600", "--kills", "3")

    assert report["accepted"] >= 600
    assert report["lost"] == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_uploads_events_and_schedules_outlive_a_server_that_is_killed():
    """What was acknowledged is there and was told of; nothing is half, nothing skipped."""
    report = ran("bench.crash_push", "--kills", "2")

    assert all(report["acknowledged"].values())
    assert not any(report["lost"].values())
    assert report["half_objects"] == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_acknowledged_messages_outlive_a_server_that_is_killed():
    """None is lost; those of FIFO queues and topics come once, and in the order of their groups."""
    report = ran("bench.message_crash", "--messages", "600", "--kills", "3")

    assert report["acknowledged"] >= 600
    assert report["wrong"] == {}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_everybody_counts_alike():
    """The client, the bill, the metrics, the live counters and the logs."""
    report = ran("bench.conservation", "--invocations", "800")

    assert sum(report["kinds"].values()) == 800
    assert report["disagreements"] == []
