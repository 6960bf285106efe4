"""A request that comes between an answer and the runtime's asking for more."""

import asyncio
from types import SimpleNamespace

import pytest

from emberbox.clock import ManualClock
from emberbox.environment.pool import Pool


@pytest.fixture
def begun():
    """The starts that were begun."""
    return []


@pytest.fixture
def happened():
    """Set when one was."""
    return asyncio.Event()


@pytest.fixture
def pool(begun, happened):
    """A pool with one environment that has answered and is not yet available."""

    def begin(pool):
        pool.starting += 1
        begun.append(pool)
        happened.set()

    pool = Pool(SimpleNamespace(function=SimpleNamespace(name="f")), begin, ManualClock())
    pool.all.add(returning())
    return pool


def returning():
    """An environment that has answered."""
    kept = SimpleNamespace(is_provisioned=False)

    class Environment(SimpleNamespace):
        __hash__ = object.__hash__

    return Environment(has_answered=True, is_tired=False, is_available=False, beginning=kept)


async def waiting(pool):
    task = asyncio.ensure_future(pool.wait())
    await asyncio.sleep(0)
    return task


async def test_it_gets_the_one_that_comes_back(pool, begun):
    """Nothing is started for it."""
    request = await waiting(pool)
    (environment,) = pool.all

    pool.offer(environment)

    assert await request is environment
    assert begun == []


async def test_one_that_does_not_come_back_is_not_waited_for(pool, begun, happened):
    """After a moment another is started."""
    request = await waiting(pool)

    await asyncio.wait_for(happened.wait(), 10)

    assert begun == [pool]
    request.cancel()


async def test_two_do_not_wait_for_the_same(pool, begun):
    """The second request begins a start of its own at once."""
    requests = [await waiting(pool) for _ in range(2)]

    assert begun == [pool]
    for request in requests:
        request.cancel()


async def test_a_start_is_left_to_the_next(pool, begun):
    """A request that was served by another environment leaves its start to who waits then."""
    pool.all.clear()
    first = await waiting(pool)
    pool.offer(returning())
    await first

    second = await waiting(pool)

    assert begun == [pool]
    second.cancel()
