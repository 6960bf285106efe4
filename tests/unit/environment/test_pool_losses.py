"""What becomes of requests whose environment is lost before it can serve."""

import asyncio
from types import SimpleNamespace

import pytest

from emberbox.clock import ManualClock
from emberbox.environment.pool import Pool
from emberbox.errors import CallerError, PlatformError


@pytest.fixture
def begun():
    """The starts that were begun."""
    return []


@pytest.fixture
def pool(begun):
    """A pool without environments."""
    plan = SimpleNamespace(function=SimpleNamespace(name="f"))
    return Pool(plan, begun.append, ManualClock())


async def waiting(pool):
    task = asyncio.ensure_future(pool.wait())
    await asyncio.sleep(0)
    return task


async def test_a_lost_start_is_begun_again(pool, begun):
    """The request does not hear of it, and gets the next environment."""
    request = await waiting(pool)
    environment = SimpleNamespace(is_tired=False)

    pool.start_failed(PlatformError("its zygote has ended"))
    pool.offer(environment)

    assert await request is environment
    assert begun == [pool, pool]


async def test_what_is_lost_at_once_is_shared(pool, begun):
    """Four environments of four requests: each begins one more, and none is told."""
    requests = [await waiting(pool) for _ in range(4)]

    for _ in range(4):
        pool.start_failed(PlatformError("its zygote has ended"))

    assert len(begun) == 8
    assert not [request for request in requests if request.done()]
    for request in requests:
        request.cancel()


async def test_a_fault_that_stays_is_told(pool, begun):
    """After three more tries."""
    request = await waiting(pool)

    for _ in range(4):
        pool.start_failed(PlatformError("no memory"))

    with pytest.raises(PlatformError, match="no memory"):
        await request
    assert len(begun) == 1 + 3


@pytest.mark.parametrize("retired", ["", "the server stops"])
async def test_what_no_other_try_would_mend_is_told_at_once(pool, begun, retired):
    """The function's own fault, and any fault once the pool is given up."""
    pool.retired = retired
    request = await waiting(pool)
    own = CallerError("SnapStartException", "no", status=400)

    pool.start_failed(PlatformError("gone") if retired else own)

    with pytest.raises(PlatformError if retired else CallerError):
        await request
    assert begun == [pool]
