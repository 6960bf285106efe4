"""Asynchronous invocation: how many events a second are accepted and on disk, and what a backlog of
them costs those who call synchronously.

`python -m bench.events --backlog 1000000` builds the backlog of the second part.
"""

import argparse
import asyncio
import json
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from statistics import median

import uvloop

from bench import processes
from bench.client import Connection, closed_loop, connect, event_request
from bench.measures import Bench, Figures
from bench.subjects import Subjects
from tools.running import RunningServer, running

_CLIENTS = 32
_CALLS = 500
_ROUNDS = 3
_PAUSE_S = 0.002
_BACKLOG = 100_000
_ACCEPTED = 2_000
_SLOTS = ("--async-concurrency", "4")
_PAYLOAD = b'{"n": 1}'


async def measure_events(bench: Bench) -> Figures:
    """Accepted events a second, while the function also runs them, and a small backlog."""
    name = await bench.create("hello")
    request = event_request(bench.server.url, name, _PAYLOAD)
    load = await closed_loop(
        bench.server.url, request, clients=_CLIENTS, seconds=max(1.0, bench.seconds)
    )
    await asyncio.to_thread(bench.subjects.delete, name)
    if load.bad:
        raise RuntimeError(f"an event was refused: {load.bad[0]}")
    costs = await asyncio.to_thread(lambda: uvloop.run(_backlog(_BACKLOG)))
    return {"events_per_s": load.per_second, **costs}


async def _backlog(events: int) -> Figures:
    """A server that works through a backlog, a few events at a time, beside one that has none.

    Of so many events only the first are accepted by the server; the others are copies of them, made
    in its database while it is down.
    """
    with tempfile.TemporaryDirectory(prefix="emberbox-bench-") as place:
        data, log = Path(place) / "data", Path(place) / "log"
        with running(data, log, *_SLOTS) as server:
            bench = Bench(server, Subjects(server.url), 1.0)
            slow, other = await bench.create("sleep50"), await bench.create("hello")
            before_mb = await _memory(server, bench.request(other))
            await _fill(server.url, event_request(server.url, slow, _PAYLOAD), _ACCEPTED)
            server.kill()
            server.process.returncode = 0
        _copy(data / "events.db", events)
        place_of_idle = Path(place) / "idle", Path(place) / "idle.log"
        with running(*place_of_idle, *_SLOTS) as idle, running(data, log, *_SLOTS) as server:
            bench, alone = (Bench(each, Subjects(each.url), 1.0) for each in (server, idle))
            request = bench.request(other)
            after_mb = await _memory(server, request)
            same = alone.request(await alone.create("hello"))
            await _memory(idle, same)
            busy_s, idle_s = await _in_turn((server.url, request), (idle.url, same))
            ready_s = server.ready_s
            server.kill()
            server.process.returncode = 0
    return {
        "backlog_start_ms": ready_s * 1_000,
        "backlog_growth_mb": after_mb - before_mb,
        "backlog_ratio": busy_s / idle_s,
    }


def _copy(path: Path, events: int) -> None:
    """Fill the queue of a server that is down with copies of what it holds."""
    with closing(sqlite3.connect(path)) as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(events)")]
        names = ", ".join(name for name in columns if name != "id")
        while (have := database.execute("SELECT COUNT(*) FROM events").fetchone()[0]) < events:
            database.execute(
                f"INSERT INTO events ({names}) SELECT {names} FROM events LIMIT ?",
                (min(have, events - have),),
            )
        database.commit()


async def _memory(server: RunningServer, request: bytes) -> float:
    """The server's memory in MB after many synchronous calls."""
    connection = await connect(server.url)
    for _ in range(_CALLS):
        await _call(connection, request)
    connection.close()
    return processes.resident_mb(server.pid)


async def _fill(url: str, request: bytes, events: int) -> None:
    left = events

    async def client(connection: Connection) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            answer = await connection.call(request)
            if answer.status != 202:
                raise RuntimeError(f"an event was refused: {answer}")
        connection.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(_CLIENTS):
            group.create_task(client(await connect(url)))


async def _in_turn(*servers: tuple[str, bytes]) -> list[float]:
    """The median in seconds of synchronous calls of each.

    Calls of one after those of the other would measure what else the machine did meanwhile.
    """
    connections = [(await connect(url), request) for url, request in servers]
    took: list[list[float]] = [[] for _ in servers]
    for _ in range(_ROUNDS * _CALLS):
        for seconds, (connection, request) in zip(took, connections, strict=True):
            await asyncio.sleep(_PAUSE_S)
            seconds.append(await _call(connection, request))
    for connection, _ in connections:
        connection.close()
    return [median(seconds) for seconds in took]


async def _call(connection: Connection, request: bytes) -> float:
    answer = await connection.call(request)
    if answer.status != 200:
        raise RuntimeError(f"a call was refused: {answer}")
    return answer.seconds


def main() -> int:
    """Build a backlog and print what it costs."""
    parser = argparse.ArgumentParser(prog="python -m bench.events", description=__doc__)
    parser.add_argument("--backlog", type=int, default=_BACKLOG, help="events that wait")
    arguments = parser.parse_args()
    figures: Figures = uvloop.run(_backlog(arguments.backlog))
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
