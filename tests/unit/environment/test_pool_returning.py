"""A request that comes between an answer and the runtime's asking for more."""

import asyncio
from contextlib import suppress
from types import SimpleNamespace

import pytest

from emberbox.clock import ManualClock
from emberbox.environment.pool import Pool
from emberbox.errors import CallerError
from emberbox.model.throttling import throttled


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

    await asyncio.wait_for(happened.wait(), 60)

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


def refusing(_pool):
    """There may be no more environments."""
    raise throttled("ConcurrentInvocationLimitExceeded")


async def test_no_growth_is_asked_for_who_gets_one_that_comes_back(pool, begun):
    """However often: only environments that are begun count."""
    pool._check_growth = refusing
    for _ in range(3):
        (environment,) = pool.all
        request = await waiting(pool)
        pool.offer(environment)

        assert await request is environment
    assert begun == []


async def test_who_waits_in_vain_where_there_may_be_no_more_is_refused(pool, begun):
    """After the moment in which one might have come back; others wait on."""
    pool._check_growth = refusing
    request = await waiting(pool)

    with pytest.raises(CallerError):
        await asyncio.wait_for(request, 60)

    assert begun == []
    assert not pool.has_waiters


async def test_who_would_need_a_new_one_is_refused_at_once(pool, begun):
    """Nobody is about to come back for the second."""
    pool._check_growth = refusing
    first = await waiting(pool)

    with pytest.raises(CallerError):
        await pool.wait()

    assert begun == []
    first.cancel()


async def test_what_ended_before_it_was_taken_is_not_offered_again(pool):
    """The request that it was given to was cancelled meanwhile."""
    (environment,) = pool.all
    request = await waiting(pool)
    pool.offer(environment)
    request.cancel()
    with suppress(asyncio.CancelledError):
        await request

    assert not pool.idle
    environment.is_available = True
    request = await waiting(pool)
    pool.offer(environment)
    request.cancel()
    with suppress(asyncio.CancelledError):
        await request
    assert list(pool.idle) == [environment]
