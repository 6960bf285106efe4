"""`python -m bench`: measure a fresh server, print a table, write a JSON file."""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from bench import processes, raw, report
from bench.budgets import BUDGETS
from bench.events import measure_events
from bench.many import measure_many
from bench.measures import MEASURES as OF_THE_SERVER
from bench.measures import Bench, Figures, measure_starting
from bench.overload import measure_overload
from bench.runtimes import measure_runtimes
from bench.streaming import measure_streaming
from bench.subjects import Subjects
from bench.urls import measure_urls
from tools.running import running

RESULTS = Path(__file__).parent / "results"
_STARTING, _MANY, _RAW = "start", "many", "raw"
MEASURES = {
    **OF_THE_SERVER,
    "runtimes": measure_runtimes,
    "stream": measure_streaming,
    "urls": measure_urls,
    "overload": measure_overload,
    "events": measure_events,
}


def main() -> int:
    """Run what is asked for; status 1 if a budget is missed and --strict was given."""
    arguments = _arguments()
    wanted = arguments.only or [_STARTING, _MANY, *MEASURES, _RAW]
    began = time.time()
    figures: Figures = {}
    others: dict[str, float] = {}
    if _STARTING in wanted:
        _say(_STARTING)
        figures.update(measure_starting())
    if _MANY in wanted:
        _say(_MANY)
        figures.update(measure_many())
    with (
        tempfile.TemporaryDirectory(prefix="emberbox-bench-") as place,
        # AWS's rate for a thousand executions, 10,000 requests a second, is less than is measured.
        running(Path(place) / "data", Path(place) / "log", "--request-rate", "100") as server,
    ):
        bench = Bench(server, Subjects(server.url), arguments.seconds)
        for name in [n for n in MEASURES if n in wanted]:
            _say(name)
            done, busy = _measured(bench, name)
            figures.update(done)
            others[name] = busy
        bench.subjects.close()
    limits: Figures = {}
    if _RAW in wanted:
        _say(_RAW)
        limits = raw.forks() | uvloop.run(raw.http(arguments.seconds))
    print(report.table(figures, limits))
    disturbed = [f"{name} ({busy:.1f})" for name, busy in others.items() if busy > 0.3]
    if disturbed:
        print(f"\nOther processes used the processors meanwhile: {', '.join(disturbed)}")
    _write(arguments.json, began, figures, limits, others)
    missed = [n for n, value in figures.items() if n in BUDGETS and not BUDGETS[n].is_met(value)]
    return 1 if missed and arguments.strict else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=[_STARTING, _MANY, *MEASURES, _RAW], help="measure only these"
    )
    parser.add_argument(
        "--seconds", type=float, default=4.0, help="length of each closed loop (default: 4)"
    )
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--strict", action="store_true", help="fail if a budget is missed")
    return parser.parse_args()


def _measured(bench: Bench, name: str) -> tuple[Figures, float]:
    """Figures of one measure, and how many processors other programs used meanwhile."""
    machine, ours, began = _usage()
    figures: Figures = uvloop.run(MEASURES[name](bench))
    machine_after, ours_after, ended = _usage()
    used = (machine_after - machine) - (ours_after - ours)
    return figures, max(0.0, used / (ended - began))


def _usage() -> tuple[float, float, float]:
    """Processor time of the machine and of this process with its children (the server), and now."""
    own = processes.cpu_seconds(os.getpid())
    return processes.machine_cpu_seconds(), own, time.perf_counter()


def _write(
    path: Path | None, began: float, figures: Figures, limits: Figures, others: dict[str, float]
) -> None:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(began))
    path = path or RESULTS / f"{stamp}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = {
        "began": stamp,
        "revision": _revision(),
        "machine": {
            "processors": os.cpu_count(),
            "kernel": platform.release(),
            "architecture": platform.machine(),
            "python": platform.python_version(),
        },
        "figures": {name: round(value, 4) for name, value in figures.items()},
        "raw": {name: round(value, 4) for name, value in limits.items()},
        "other_processors_used": {name: round(value, 2) for name, value in others.items()},
    }
    path.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    print(f"\nwritten to {path}")


def _revision() -> str:
    try:
        ran = subprocess.run(
            ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return ran.stdout.strip()


def _say(name: str) -> None:
    print(f"measuring: {name}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
