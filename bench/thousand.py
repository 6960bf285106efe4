"""`python -m bench.thousand`: many environments of one small function, each invoked, all frozen.

All invocations run at the same time, each until the same moment, so that each has an environment of
its own. Then memory is measured, of what is idle and frozen.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

from bench import processes
from bench.client import invoke_request
from bench.subjects import SOURCES, Subjects
from tools.running import RunningServer, running

SOURCES["stay"] = (
    "import os, time\n"
    "START = os.urandom(8).hex()\n"
    "def handler(event, context):\n"
    "    time.sleep(max(0, event['until'] - time.time()))\n"
    "    return START\n"
)
_FROZEN_S = 60.0


def main() -> int:
    """Measure and print; status 1 if not every invocation had an environment of its own."""
    arguments = _arguments()
    options = ["--max-concurrency", "10000", "--idle-timeout", "3600", *arguments.server]
    with (
        tempfile.TemporaryDirectory(prefix="emberbox-thousand-") as place,
        running(Path(place) / "data", Path(place) / "log", *options) as server,
    ):
        subjects = Subjects(server.url)
        name, _ = subjects.create("stay", timeout_s=900)
        subjects.close()
        before = processes.pss_mb(server.pid)
        began = time.time()
        until = began + arguments.seconds
        found = uvloop.run(_invoke_all(server.url, name, arguments.number, until))
        late = sum(1 for ended in found.values() if ended > until + 5)
        frozen = _await_frozen(server, len(found))
        after = processes.pss_mb(server.pid)
        print(f"environments            {len(found)} of {arguments.number}, each invoked")
        print(f"frozen                  {frozen}")
        print(f"answered late by > 5 s  {late}")
        print(f"last answer after       {max(found.values()) - began:.1f} s of {arguments.seconds}")
        print(f"memory (PSS)            {after:.0f} MB, before {before:.0f} MB")
        print(f"  per environment       {(after - before) / max(1, len(found)):.2f} MB")
        print(f"  of the server         {_pss_of_one(server.pid):.0f} MB")
        print(f"descriptors of server   {len(list(Path(f'/proc/{server.pid}/fd').iterdir()))}")
        print(f"loop devices            {processes.loop_devices(Path(place) / 'data')}")
        return 0 if len(found) == arguments.number else 1


async def _invoke_all(url: str, name: str, number: int, until: float) -> dict[str, float]:
    """Identity of each environment that answered -> when it did."""
    request = invoke_request(url, name, json.dumps({"until": until}).encode())
    place = urlsplit(url)
    found: dict[str, float] = {}

    async def invoke() -> None:
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        writer.close()
        if b"200 OK" in head and b"function-error" not in head.lower():
            found[body.decode()] = time.time()
        else:
            print(f"failed: {body[:200]!r}", file=sys.stderr)

    await asyncio.gather(*(invoke() for _ in range(number)))
    return found


def _await_frozen(server: RunningServer, number: int) -> int:
    """How many control groups of sandboxes say that all in them is frozen."""
    end = time.monotonic() + _FROZEN_S
    frozen = 0
    while frozen < number and time.monotonic() < end:
        frozen = 0
        for group in processes.control_groups(server.pid):
            with suppress(OSError):
                frozen += "frozen 1" in (group / "cgroup.events").read_text("ascii")
        time.sleep(0.2)
    return frozen


def _pss_of_one(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.thousand", description=__doc__)
    parser.add_argument("--number", type=int, default=1_000, help="environments (default: 1000)")
    parser.add_argument(
        "--seconds", type=float, default=60, help="until all answer; time for all to start"
    )
    parser.add_argument("server", nargs="*", help="options of the server, after --")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
