"""The short form of `python -m bench.crash` and `python -m bench.conservation`."""

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
@pytest.mark.timeout(300)
def test_accepted_events_outlive_a_server_that_is_killed():
    """Each runs at least once."""
    report = ran("bench.crash", "--events", "600", "--kills", "3")

    assert report["accepted"] >= 600
    assert report["lost"] == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_everybody_counts_alike():
    """The client, the bill, the metrics, the live counters and the logs."""
    report = ran("bench.conservation", "--invocations", "800")

    assert sum(report["kinds"].values()) == 800
    assert report["disagreements"] == []
