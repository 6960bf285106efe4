"""Work in the background goes on whatever it meets, and ends when it is told to."""

import asyncio
import logging

import pytest

from emberbox.clock import ManualClock
from emberbox.errors import PlatformError
from emberbox.rounds import Paced, Rounds, Trouble, until_done

LOG = logging.getLogger("emberbox.test")


@pytest.fixture
def clock():
    return ManualClock()


async def test_a_round_follows_each_call_and_none_comes_by_itself(clock):
    """The first is at once; then whoever has something to do says so."""
    rounds_done = []

    async def work():
        rounds_done.append(clock.now())

    rounds = Rounds(work, clock, Trouble(LOG, "work waits"))
    rounds.open()
    await rounds.rested()
    assert len(rounds_done) == 1
    rounds.soon()
    await rounds.rested()
    assert len(rounds_done) == 2
    await rounds.close()
    rounds.soon()
    assert len(rounds_done) == 2


async def test_a_round_comes_at_its_time(clock):
    """Not before the time that the last one has named, and not after."""
    done = asyncio.Event()
    times = [clock.now() - 1, None]

    async def work():
        later = times.pop(0)
        if not times:
            done.set()
        return later

    rounds = Rounds(work, clock, Trouble(LOG, "work waits"))
    rounds.open()
    async with asyncio.timeout(60):
        await done.wait()
    await rounds.close()


async def test_whatever_a_round_raises_it_is_tried_again(clock, caplog):
    """What nobody expected is logged once with its trace, what is known by its words alone."""
    errors = [KeyError("odd"), ValueError("odd"), PlatformError("disk full"), None]

    async def work():
        error = errors.pop(0)
        if error is not None:
            rounds.soon()
            raise error

    rounds = Rounds(work, clock, Trouble(LOG, "work waits"))
    rounds.open()
    async with asyncio.timeout(60):
        await rounds.rested()
    await rounds.close()
    assert errors == []
    assert [bool(each.exc_info) for each in caplog.records] == [True, False, False]
    assert caplog.messages[-1] == "work waits, trying again: disk full"


async def test_a_cancellation_is_no_trouble(clock):
    """Closed in the middle of a round, it ends there."""
    began, never = asyncio.Event(), asyncio.Event()

    async def work():
        began.set()
        await never.wait()

    rounds = Rounds(work, clock, Trouble(LOG, "work waits"))
    rounds.open()
    await began.wait()
    async with asyncio.timeout(60):
        await rounds.close()


def test_pauses_grow_and_begin_anew_when_it_went_on(caplog):
    """Twice as long each time, no more than half a minute."""
    trouble = Trouble(LOG, "work waits")
    pauses = [trouble.met(PlatformError("no")) for _ in range(7)]
    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    trouble.over()
    assert trouble.met(ValueError("odd")) == 1
    assert caplog.records[-1].exc_info


async def test_work_is_tried_until_it_is_done(monkeypatch):
    """Its result is that of the try that succeeded; a cancellation ends the trying."""
    paused = []

    async def sleep(seconds):
        paused.append(seconds)

    results = [PlatformError("no"), OSError("no"), "done"]

    async def work():
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(asyncio, "sleep", sleep)
    assert await until_done(work, Trouble(LOG, "work waits")) == "done"
    assert paused == [1, 2]


async def test_paced_work_is_done_again_and_again_until_it_is_closed():
    """First at once or after a pause, as is asked."""
    enough, count = asyncio.Event(), 0

    async def work():
        nonlocal count
        count += 1
        if count == 3:
            enough.set()

    paced = Paced(work, 0.0, Trouble(LOG, "work waits"))
    paced.open(at_once=True)
    async with asyncio.timeout(60):
        await enough.wait()
    await paced.close()
    done = count
    await asyncio.sleep(0)
    assert count == done >= 3


async def test_paced_work_waits_for_its_first_time():
    """Nothing is done while a server is still starting."""
    began = asyncio.Event()

    async def work():
        began.set()

    paced = Paced(work, 3_600.0, Trouble(LOG, "work waits"))
    paced.open()
    await asyncio.sleep(0)
    assert not began.is_set()
    await paced.close()


async def test_paced_work_outlives_what_it_raises(caplog):
    """An error that nobody expected is logged, and the work is done again."""
    errors, enough = [KeyError("odd"), None], asyncio.Event()

    async def work():
        error = errors.pop(0)
        if error is not None:
            raise error
        enough.set()
        await asyncio.Event().wait()

    paced = Paced(work, 0.0, Trouble(LOG, "work waits"))
    paced.open(at_once=True)
    async with asyncio.timeout(60):
        await enough.wait()
    await paced.close()
    assert errors == []
    assert caplog.messages == ["work waits, trying again"]
