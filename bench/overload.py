"""What the others notice of a function that is asked for four times as much as it may run.

The offered load has a rate, as traffic has: whoever is refused does not come back at once.
"""

import asyncio
import statistics
from collections import Counter

from bench.client import Connection, connect
from bench.measures import Bench, Figures
from bench.statistics import median_ms

_RESERVED = 4
_TIMES = 4
_CLIENTS = 2 * _TIMES * _RESERVED
# What a reservation of four can do of 50 ms, and four times that.
_OFFERED_PER_S = _TIMES * _RESERVED / 0.05
_CALLS = 150
_ROUNDS = 5
_PAUSE_S = 0.01


async def measure_overload(bench: Bench) -> Figures:
    """Rounds of the same calls, in turn without and with the overload beside them."""
    busy, other = await bench.create("sleep50"), await bench.create("hello")
    await asyncio.to_thread(
        bench.subjects.client.put_function_concurrency,
        FunctionName=busy,
        ReservedConcurrentExecutions=_RESERVED,
    )
    took: dict[bool, list[float]] = {False: [], True: []}
    answers: Counter[int] = Counter()
    connection = await connect(bench.server.url)
    lines = [await connect(bench.server.url) for _ in range(_CLIENTS)]
    request = bench.request(other)
    for _ in range(20):
        await connection.call(request)
    for _ in range(_ROUNDS):
        for is_busy in (False, True):
            ended = asyncio.Event()
            load = asyncio.ensure_future(_offer(lines, bench.request(busy), ended, answers))
            if not is_busy:
                ended.set()
                await load
            took[is_busy].append(await _calls(connection, request))
            ended.set()
            await load
    for each in (connection, *lines):
        each.close()
    if not answers[200] or answers[429] < 2 * answers[200]:
        raise RuntimeError(f"there was no overload: {dict(answers)}")
    return {
        "overload_quiet_ms": median_ms(took[False]),
        "overload_ms": median_ms(took[True]),
        "overload_ratio": statistics.median(
            loaded / quiet for quiet, loaded in zip(took[False], took[True], strict=True)
        ),
    }


async def _calls(connection: Connection, request: bytes) -> float:
    """The median of one round, in seconds."""
    took = []
    for _ in range(_CALLS):
        await asyncio.sleep(_PAUSE_S)
        answer = await connection.call(request)
        if answer.status != 200:
            raise RuntimeError(f"another function was refused: {answer}")
        took.append(answer.seconds)
    return statistics.median(took)


async def _offer(
    lines: list[Connection], request: bytes, ended: asyncio.Event, answers: Counter[int]
) -> None:
    """Requests at the offered rate, over connections of which each has one at a time."""
    pause_s = len(lines) / _OFFERED_PER_S

    async def client(line: Connection, first_s: float) -> None:
        await asyncio.sleep(first_s)
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not ended.is_set():
            answers[(await line.call(request)).status] += 1
            due += pause_s
            await asyncio.sleep(max(0.0, due - loop.time()))

    async with asyncio.TaskGroup() as group:
        for n, line in enumerate(lines):
            group.create_task(client(line, pause_s * n / len(lines)))
