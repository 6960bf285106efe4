"""A short form of `make soak`: thousands of invocations, failures mixed in, and no leak."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(300)
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
