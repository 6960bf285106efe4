"""What is measured against a running server, each measure a function from a server to figures."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import processes
from bench.client import Answer, Load, closed_loop, connect, invoke_request, together
from bench.raw import ECHO_BODY
from bench.snapshots import measure_snapshots
from bench.statistics import median_ms, percentile
from bench.subjects import WHOLE_PROCESSOR_MB, Subjects
from tools.running import RunningServer, running, start

Figures = dict[str, float]

_FRESH = 30
_WARM_CALLS = 2_000
_BURST = 50
_IDLE = 10
_STARTS = 5
_PAUSES = 60
# Longer than a server waits before it freezes an idle environment.
_LONG_ENOUGH_TO_FREEZE_S = 0.1


@dataclass(slots=True)
class Bench:
    """A server under measurement and how long each closed loop runs."""

    server: RunningServer
    subjects: Subjects
    seconds: float

    def request(self, function: str, payload: bytes = b"{}") -> bytes:
        """A signed invocation of the function."""
        return invoke_request(self.server.url, function, payload)

    async def create(self, kind: str, memory_mb: int = WHOLE_PROCESSOR_MB) -> str:
        """A new function's name."""
        name, _ = await asyncio.to_thread(self.subjects.create, kind, memory_mb=memory_mb)
        return name

    async def load(self, function: str, clients: int, payload: bytes = b"{}") -> Load:
        """A closed loop, after a short one that starts the environments."""
        request = self.request(function, payload)
        await closed_loop(self.server.url, request, clients=clients, seconds=0.5)
        load = await closed_loop(self.server.url, request, clients=clients, seconds=self.seconds)
        if load.bad:
            raise RuntimeError(f"{function}: {len(load.bad)} failed, first {load.bad[0]}")
        return load


async def measure_memory_at_rest(bench: Bench) -> Figures:
    """The server before anything has run on it."""
    return {"server_mb": processes.pss_mb(bench.server.pid)}


async def measure_first_invokes(bench: Bench) -> Figures:
    """Fresh functions: time until Active, the first invoke and the second."""
    creating, first, second = [], [], []
    connection = await connect(bench.server.url)
    for _ in range(_FRESH):
        name, seconds = await asyncio.to_thread(bench.subjects.create, "hello")
        request = bench.request(name)
        creating.append(seconds)
        first.append(_good(await connection.call(request)).seconds)
        second.append(_good(await connection.call(request)).seconds)
        await asyncio.to_thread(bench.subjects.delete, name)
    connection.close()
    return {
        "create_ms": median_ms(creating),
        "first_invoke_ms": median_ms(first),
        "first_invoke_p95_ms": percentile(first, 0.95) * 1000,
        "second_invoke_ms": median_ms(second),
    }


async def measure_updates(bench: Bench) -> Figures:
    """From the call that changes the code until the new code has answered."""
    name = await bench.create("hello")
    request = bench.request(name)
    connection = await connect(bench.server.url)
    took = []
    for n in range(_FRESH):
        _good(await connection.call(request))
        source = f"def handler(event, context):\n    return {n}\n"
        began = time.perf_counter()
        await asyncio.to_thread(bench.subjects.update, name, source)
        answer = _good(await connection.call(request))
        took.append(time.perf_counter() - began)
        if answer.body != str(n).encode():
            raise RuntimeError(f"old code answered after an update: {answer.body!r}")
    connection.close()
    return {"update_ms": median_ms(took)}


async def measure_warm(bench: Bench) -> Figures:
    """One client that invokes one function again and again."""
    name = await bench.create("hello")
    request = bench.request(name)
    connection = await connect(bench.server.url)
    for _ in range(50):
        _good(await connection.call(request))
    took = [_good(await connection.call(request)).seconds for _ in range(_WARM_CALLS)]
    connection.close()
    return {"warm_ms": median_ms(took), "warm_p99_ms": percentile(took, 0.99) * 1000}


async def measure_freezing(bench: Bench) -> Figures:
    """What freezing and thawing add to a warm invoke after a pause.

    A pause makes any round trip slower, on caches and clock speed alone: so the same pauses are
    made in turn before invokes on a second server, which freezes nothing.
    """
    with (
        tempfile.TemporaryDirectory(prefix="emberbox-bench-") as place,
        running(Path(place) / "data", Path(place) / "log", "--freeze-after", "3600") as server,
    ):
        warm = Bench(server, Subjects(server.url), bench.seconds)
        took: dict[str, list[float]] = {"frozen": [], "warm": []}
        lines = {}
        for label, which in (("frozen", bench), ("warm", warm)):
            request = which.request(await which.create("hello"))
            lines[label] = (await connect(which.server.url), request)
        for _ in range(_PAUSES):
            for label, (connection, request) in lines.items():
                await asyncio.sleep(_LONG_ENOUGH_TO_FREEZE_S)
                took[label].append(_good(await connection.call(request)).seconds)
        for connection, _ in lines.values():
            connection.close()
        warm.subjects.close()
    return {"freeze_ms": max(0.0, median_ms(took["frozen"]) - median_ms(took["warm"]))}


async def measure_throughput(bench: Bench) -> Figures:
    """Closed loops of several clients over several kinds of function."""
    figures: Figures = {}
    name = await bench.create("hello")
    for clients in (1, 8, 32):
        figures[f"hello_{clients}_per_s"] = (await bench.load(name, clients)).per_second
    for kind, payload in (("print", b"{}"), ("echo", ECHO_BODY), ("sleep50", b"{}")):
        name = await bench.create(kind)
        key = f"{kind.removesuffix('50')}_32_per_s"
        figures[key] = (await bench.load(name, 32, payload)).per_second
    name = await bench.create("hello", memory_mb=128)
    figures["small_32_per_s"] = (await bench.load(name, 32)).per_second
    return figures


async def measure_burst(bench: Bench) -> Figures:
    """Simultaneous first invokes of a function that sleeps: how long until all have answered."""
    name, _ = await asyncio.to_thread(bench.subjects.create, "sleep200")
    answers, seconds = await together(bench.server.url, [bench.request(name)] * _BURST)
    for answer in answers:
        _good(answer)
    return {"burst_ms": seconds * 1000}


async def measure_idle_memory(bench: Bench) -> Figures:
    """Memory that functions with one idle environment each add to the server's process tree."""
    names = []
    await asyncio.sleep(1.0)
    before = processes.pss_mb(bench.server.pid)
    connection = await connect(bench.server.url)
    for _ in range(_IDLE):
        name, _ = await asyncio.to_thread(bench.subjects.create, "hello")
        names.append(name)
        for _ in range(3):
            _good(await connection.call(bench.request(name)))
    connection.close()
    await asyncio.sleep(1.0)
    after = processes.pss_mb(bench.server.pid)
    for name in names:
        await asyncio.to_thread(bench.subjects.delete, name)
    return {"memory_mb": (after - before) / _IDLE}


async def measure_snapshots_of(bench: Bench) -> Figures:
    """A function that imports numpy and pandas, with SnapStart."""
    return await measure_snapshots(bench.server, bench.subjects.client)


def measure_starting() -> Figures:
    """Servers with fresh data directories: spawn until ready, SIGTERM until gone."""
    starting, stopping = [], []
    for _ in range(_STARTS):
        with tempfile.TemporaryDirectory(prefix="emberbox-bench-") as place:
            server = start(Path(place) / "data", Path(place) / "log")
            starting.append(server.ready_s)
            began = time.perf_counter()
            status = server.stop()
            stopping.append(time.perf_counter() - began)
            if status != 0:
                raise RuntimeError(f"a server ended with status {status}")
    return {"start_ms": median_ms(starting), "stop_ms": median_ms(stopping)}


def _good(answer: Answer) -> Answer:
    if not answer.is_good:
        raise RuntimeError(f"an invocation failed: {answer.status} {answer.body[:300]!r}")
    return answer


MEASURES: dict[str, Callable[[Bench], Coroutine[Any, Any, Figures]]] = {
    "rest": measure_memory_at_rest,
    "first": measure_first_invokes,
    "memory": measure_idle_memory,
    "update": measure_updates,
    "warm": measure_warm,
    "freeze": measure_freezing,
    "burst": measure_burst,
    "throughput": measure_throughput,
    "snapshots": measure_snapshots_of,
}
