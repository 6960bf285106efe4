"""`python -m bench.crash`: asynchronous events outlive a server that is killed again and again.

Clients send numbered events. The server is killed with SIGKILL while they do, and started again on
the same data directory, until enough events have been accepted. Then it may finish in peace, and
the function's log is searched for each event that was accepted.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import uvloop

from bench.client import connect, event_request
from bench.ledger import messages
from bench.subjects import Subjects
from tools.running import RunningServer, start

_CLIENTS = 8
_PATIENCE_S = 300.0
_LOOK_S = 1.0
_SETTLED_LOOKS = 5


async def send(
    server: RunningServer, function: str, numbers: Iterator[int], life: int
) -> tuple[set[int], int]:
    """Send events until `life` of them are accepted, then kill the server: (accepted, sent)."""
    accepted: set[int] = set()
    sent = 0

    async def client() -> None:
        nonlocal sent
        connection = await connect(server.url)
        while len(accepted) < life:
            number = next(numbers)
            sent += 1
            answer = await connection.call(
                event_request(server.url, function, b'{"n": %d}' % number)
            )
            if answer.status == 202:
                accepted.add(number)
            elif answer.status == 0:
                break
        if server.process.poll() is None:
            server.process.kill()
        connection.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(_CLIENTS):
            group.create_task(client())
    return accepted, sent


def runs_of(server: RunningServer, function: str) -> Counter[int]:
    """How often each event has run, by the function's own word."""
    return Counter(int(line.split()[1]) for line in messages(server.url, function, '"ran"'))


def wait_for(server: RunningServer, function: str, accepted: set[int]) -> Counter[int]:
    """The runs once all that was accepted has run, and a while nothing more comes."""
    end = time.monotonic() + _PATIENCE_S
    runs, steady = runs_of(server, function), 0
    while time.monotonic() < end and steady < _SETTLED_LOOKS:
        time.sleep(_LOOK_S)
        now = runs_of(server, function)
        whole = accepted <= now.keys()
        steady = steady + 1 if whole and now == runs else 0
        runs = now
    return runs


def main() -> int:
    """Status 1 if an accepted event did not run."""
    parser = argparse.ArgumentParser(prog="python -m bench.crash", description=__doc__)
    parser.add_argument("--events", type=int, default=20_000, help="default: 20000")
    parser.add_argument("--kills", type=int, default=20, help="default: 20")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (default: 1)")
    arguments = parser.parse_args()
    choice = random.Random(arguments.seed)
    numbers, accepted, sent, kills = count(), set[int](), 0, 0
    with tempfile.TemporaryDirectory(prefix="emberbox-crash-") as place:
        data, log = Path(place) / "data", Path(place) / "log"
        server = start(data, log)
        subjects = Subjects(server.url)
        function, _ = subjects.create("numbered")
        subjects.close()
        while len(accepted) < arguments.events:
            mean = arguments.events / arguments.kills
            life = max(1, int(mean * choice.uniform(0.5, 1.5)))
            now, tried = uvloop.run(send(server, function, numbers, life))
            server.kill()
            accepted |= now
            sent += tried
            kills += 1
            server = start(data, log)
        began = time.monotonic()
        runs = wait_for(server, function, accepted)
        took = time.monotonic() - began
        status = server.stop()
        said = log.read_text("utf-8", "replace")
    lost = sorted(accepted - runs.keys())
    report = {
        "kills": kills,
        "sent": sent,
        "accepted": len(accepted),
        "lost": len(lost),
        "first_lost": lost[:10],
        "run_more_than_once": sum(1 for times in runs.values() if times > 1),
        "runs_in_all": runs.total(),
        "run_without_being_acknowledged": len(runs.keys() - accepted),
        "seconds_to_finish": round(took, 1),
        "tracebacks_in_the_server_log": said.count("Traceback"),
    }
    print(json.dumps(report, indent=2))
    return 1 if lost or status or "Traceback" in said else 0


if __name__ == "__main__":
    sys.exit(main())
