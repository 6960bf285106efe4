"""`python -m bench.soak`: many invocations with failures mixed in, then a search for leaks.

Functions that work, print, fail, exit, overrun their time, exceed their memory or do not import are
invoked by several clients at once. Afterwards the functions are deleted, and what the server holds
is compared with what it held after a first round: processes, descriptors, control groups, mounts,
directories, memory.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench import processes
from bench.client import Answer, connect, invoke_request
from bench.subjects import Subjects
from tools.running import RunningServer, running

_CLIENTS = 8
_FIRST_ROUND = 400
_MEMORY_GROWTH_MB = 24.0
_SETTLE_S = 60.0
_LOOK_S = 0.2
_STEADY_LOOKS = 20


@dataclass(frozen=True, slots=True)
class Kind:
    """How often a kind of function is invoked, and what its answer must be."""

    weight: int
    failure: str | None = None
    timeout_s: int = 10


# `failure` is what the payload's errorType or errorMessage must contain; None for success.
KINDS = {
    "hello": Kind(60),
    "print": Kind(25),
    "echo": Kind(10),
    "fails": Kind(4, "ValueError"),
    "exits": Kind(2, "Runtime.ExitError"),
    "hungry": Kind(1, "signal: killed"),
    "broken": Kind(1, "Runtime.ImportModuleError"),
    "slow": Kind(1, "timed out", timeout_s=1),
}


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a server holds: each number must not grow with the work it has done."""

    processes: int
    descriptors: int
    control_groups: int
    mounts: int
    directories: int
    loop_devices: int
    memory_mb: float

    def grown(self, before: "Holdings") -> list[str]:
        """What has grown since, in words."""
        counts = (
            "processes",
            "descriptors",
            "control_groups",
            "mounts",
            "directories",
            "loop_devices",
        )
        found = [
            f"{name}: {getattr(before, name)} -> {getattr(self, name)}"
            for name in counts
            if getattr(self, name) > getattr(before, name)
        ]
        if self.memory_mb > before.memory_mb + _MEMORY_GROWTH_MB:
            found.append(f"memory: {before.memory_mb:.1f} -> {self.memory_mb:.1f} MB")
        return found


def holdings(server: RunningServer, data: Path) -> Holdings:
    """Count what the server's process tree holds now."""
    tree = processes.tree(server.pid)
    mounts = Path(f"/proc/{server.pid}/mountinfo").read_text("utf-8").count("\n")
    return Holdings(
        processes=len(tree),
        descriptors=processes.descriptors(server.pid),
        control_groups=len(processes.control_groups(server.pid)),
        mounts=mounts,
        directories=sum(1 for place, _, _ in os.walk(data) if "packages" not in place),
        loop_devices=processes.loop_devices(data),
        memory_mb=processes.pss_mb(server.pid),
    )


async def work(url: str, names: Mapping[str, str], count: int, seed: int) -> Counter[str]:
    """Invoke functions at random, `count` times in all; how often each kind was right.

    Wrong answers are counted under their own text.
    """
    choice = random.Random(seed)
    kinds = choice.choices(list(names), [KINDS[kind].weight for kind in names], k=count)
    requests = {kind: invoke_request(url, name, b'{"n": 1}') for kind, name in names.items()}
    results: Counter[str] = Counter()

    async def client() -> None:
        connection = await connect(url)
        while kinds:
            kind = kinds.pop()
            results[judge(kind, await connection.call(requests[kind]))] += 1
        connection.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(_CLIENTS):
            group.create_task(client())
    return results


def judge(kind: str, answer: Answer) -> str:
    """The kind if the answer is what it must be, else what is wrong with it."""
    wanted = KINDS[kind].failure
    if wanted is None:
        return kind if answer.is_good else f"WRONG {kind}: {answer.status} {answer.body[:200]!r}"
    text = answer.body.decode("utf-8", "replace")
    if answer.status == 200 and answer.is_function_error and wanted in text:
        return kind
    return f"WRONG {kind}: {answer.status} {text[:200]}"


def settle(server: RunningServer, data: Path, least: Holdings | None) -> Holdings:
    """Holdings once nothing has changed for a while, or has come down to `least`."""
    end = time.monotonic() + _SETTLE_S
    last = holdings(server, data)
    steady = 0
    while time.monotonic() < end:
        time.sleep(_LOOK_S)
        now = holdings(server, data)
        steady = steady + 1 if now.processes == last.processes else 0
        last = now
        if (least is None and steady >= _STEADY_LOOKS) or (
            least is not None and not now.grown(least)
        ):
            break
    return last


def round_of(server: RunningServer, subjects: Subjects, count: int, seed: int) -> Counter[str]:
    """Create one function of each kind, invoke them `count` times, delete them."""
    names = {kind: subjects.create(kind, timeout_s=how.timeout_s)[0] for kind, how in KINDS.items()}
    results: Counter[str] = uvloop.run(work(server.url, names, count, seed))
    for name in names.values():
        subjects.delete(name)
    return results


def main() -> int:
    """Status 1 for a wrong answer or a leak."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--invocations", type=int, default=10_000, help="default: 10000")
    parser.add_argument("--seed", type=int, default=1, help="of the random order (default: 1)")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="emberbox-soak-") as place,
        running(Path(place) / "data", Path(place) / "log") as server,
    ):
        data = Path(place) / "data"
        subjects = Subjects(server.url)
        results = round_of(server, subjects, _FIRST_ROUND, arguments.seed)
        before = settle(server, data, None)
        began = time.monotonic()
        results += round_of(server, subjects, arguments.invocations, arguments.seed + 1)
        took = time.monotonic() - began
        after = settle(server, data, before)
        subjects.close()
        log = server.log.read_text("utf-8", "replace")
    wrong = {text: n for text, n in results.items() if text.startswith("WRONG")}
    grown = after.grown(before)
    report = {
        "invocations": results.total(),
        "seconds": round(took, 1),
        "kinds": {kind: n for kind, n in sorted(results.items()) if kind not in wrong},
        "wrong": wrong,
        "before": str(before),
        "after": str(after),
        "grown": grown,
        "tracebacks_in_the_server_log": log.count("Traceback"),
    }
    print(json.dumps(report, indent=2))
    return 1 if wrong or grown or "Traceback" in log else 0


if __name__ == "__main__":
    sys.exit(main())
