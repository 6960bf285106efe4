"""What many tasks want written goes to the writer together."""

import asyncio

import pytest

from emberbox.storage.gathering import Gathering


async def test_what_comes_during_a_write_is_written_together():
    """The first is written at once, the others after it in one write; each has its result."""
    writes, begun, free = [], asyncio.Event(), asyncio.Event()

    async def write(items):
        writes.append(items)
        begun.set()
        await free.wait()
        return [item * 10 for item in items]

    gathering = Gathering(write)
    first = gathering.put(1)
    await begun.wait()
    others = [gathering.put(n) for n in (2, 3)]
    free.set()

    assert await asyncio.gather(first, *others) == [10, 20, 30]
    assert writes == [[1], [2, 3]]


async def test_a_failed_write_is_everybodys_failure_and_nobodys_end():
    """All items of the write fail; the next write is made."""
    trouble = [OSError("full")]

    async def write(items):
        if trouble:
            raise trouble.pop()
        return items

    gathering = Gathering(write)
    failed = await asyncio.gather(gathering.put(1), gathering.put(2), return_exceptions=True)

    assert [type(each) for each in failed] == [OSError, OSError]
    assert await gathering.put(3) == 3


async def test_a_caller_that_is_gone_does_not_undo_the_write():
    """The others of the same write have their results."""
    writes = []

    async def write(items):
        writes.append(items)
        return items

    gathering = Gathering(write)
    gone, there = (gathering.put(n) for n in (1, 2))
    gone.cancel()

    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await there == 2
    assert writes == [[1, 2]]


async def test_who_waits_until_all_is_decided_waits_for_what_failed_too():
    """And not at all if there is nothing."""
    trouble = [OSError("full")]

    async def write(items):
        await asyncio.sleep(0)
        if trouble:
            raise trouble.pop()
        return items

    gathering = Gathering(write)
    await gathering.decided()
    failed = gathering.put(1)
    await asyncio.sleep(0)
    written = gathering.put(2)

    await gathering.decided()

    assert isinstance(failed.exception(), OSError)
    assert written.result() == 2
