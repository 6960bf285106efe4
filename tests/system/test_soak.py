"""Short forms of `make soak`: failures and kills mixed in, every answer right, and no leak."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_leaks_and_every_answer_is_right():
    """Every kind of function gets its own answer, and what the server holds has not grown."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.soak", "--invocations", "2000"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["wrong"] == {}
    assert report["grown"] == []
    assert sum(report["kinds"].values()) == 2400


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kills_of_our_own_processes_are_survived():
    """Runtimes, extensions, inits and zygotes of all languages are killed under load.

    Each request is answered rightly or with AWS's word for a process that was killed.
    """
    done = subprocess.run(
        [sys.executable, "-m", "bench.mixed_soak", "--minutes", "0.35"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["wrong"] == {}
    assert report["grown"] == []
    assert sum(report["killed"].values()) > 5
    assert report["answers"].get("excused", 0) <= report["excusable_at_most"]
