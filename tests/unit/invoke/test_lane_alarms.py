"""Each lane is looked at again at its earliest moment."""

import asyncio

from emberbox.clock import ManualClock
from emberbox.invoke.lane_alarms import Alarms

F, G = ("1", "r", "f"), ("1", "r", "g")


async def test_a_lane_rings_once_at_its_earliest_moment():
    """However often it was set."""
    clock = ManualClock()
    alarms = Alarms(clock, lambda: None)
    now = clock.now()
    for due, lane in ((30, F), (10, F), (20, F), (15, G)):
        alarms.set(now + due, lane)
    found = []

    for _ in range(4):
        clock.advance(10)
        found.append(alarms.take())

    assert found == [[F], [G], [], []]


async def test_the_timer_rings_while_alarms_are_on():
    """What was set before counts too."""
    clock, rung = ManualClock(), asyncio.Event()
    alarms = Alarms(clock, rung.set)
    alarms.set(clock.now(), F)
    for _ in range(3):
        await asyncio.sleep(0)
    silent = not rung.is_set()

    alarms.switch(on=True)
    async with asyncio.timeout(60):
        await rung.wait()

    assert silent
    assert alarms.take() == [F]
