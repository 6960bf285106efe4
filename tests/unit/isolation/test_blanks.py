"""How many blank sandboxes there are, and when they are made."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.errors import PlatformError
from emberbox.isolation import blanks as blanks_module
from emberbox.isolation.blanks import Blanks
from emberbox.isolation.demand import Demand


class Sandbox:
    """One that notes its end."""

    is_gone = False

    def destroy(self, _reason):
        self.is_gone = True


class Maker:
    """Makes sandboxes, while `may_go_on` is set; `error` is why it cannot."""

    def __init__(self):
        self.tasks, self.made, self.error, self.busy = set(), 0, None, False
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def make(self):
        await self.may_go_on.wait()
        if self.error is not None:
            raise self.error
        self.made += 1
        return Sandbox()

    def own(self, work):
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        return task

    async def settle(self):
        """All that was begun has come to its end."""
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()


@pytest.fixture
async def maker():
    return Maker()


@pytest.fixture
async def blanks(maker):
    """Two always, up to six in demand."""
    made = Blanks(
        maker.make,
        Demand(2, 6),
        maker.own,
        lambda: maker.busy or made.awaited,
        lambda _wanted: None,
    )
    yield made
    made.close()


async def take(blanks, count):
    return await asyncio.gather(*(blanks.take() for _ in range(count)))


async def test_a_few_are_ready_before_anybody_asks(blanks, maker):
    """As many as were asked for at least."""
    blanks.refill()
    await maker.settle()

    assert len(blanks.ready) == 2


async def test_after_a_burst_more_are_ready(blanks, maker):
    """For the next one; only so many are made together."""
    await take(blanks, 5)
    blanks.refill()
    await maker.settle()
    together = len(blanks.ready)
    blanks.refill()
    await maker.settle()

    assert (together, len(blanks.ready)) == (4, 5)


async def test_those_that_nobody_needed_for_long_go(blanks, maker, monkeypatch):
    """A burst is not expected for ever."""
    await take(blanks, 4)
    blanks.refill()
    await maker.settle()
    kept = list(blanks.ready)
    monkeypatch.setattr(blanks._demand, "until", 0.0)

    blanks._shed()

    assert [each.is_gone for each in kept] == [True, True, False, False]
    assert list(blanks.ready) == kept[2:]


async def test_nothing_is_made_ahead_while_somebody_waits(blanks, maker, monkeypatch):
    """It would take a processor from who waits."""
    monkeypatch.setattr(blanks_module, "_REFILL_AFTER_S", 0.0)
    maker.may_go_on.clear()
    taking = asyncio.ensure_future(blanks.take())
    for _ in range(5):
        await asyncio.sleep(0)
    begun = len(maker.tasks)
    maker.may_go_on.set()
    await taking
    while len(blanks.ready) < 2:
        await asyncio.wait_for(asyncio.sleep(0), 5)

    assert begun == 1


async def test_whoever_asks_is_told_why_none_can_be_made(blanks, maker):
    """What is made ahead fails in silence."""
    maker.error = PlatformError("no room")
    blanks.refill()
    await maker.settle()

    with pytest.raises(PlatformError, match="no room"):
        await blanks.take()


async def test_those_that_have_ended_are_not_given_out(blanks, maker):
    """Another is, or is made."""
    blanks.refill()
    await maker.settle()
    for ended in list(blanks.ready):
        ended.is_gone = True

    assert not (await blanks.take()).is_gone


@given(st.lists(st.floats(0, 300), max_size=80), st.integers(0, 4), st.integers(4, 32))
def test_demand_stays_between_its_bounds(instants, least, most):
    """Whatever is taken, and when."""
    demand = Demand(least, most)
    for now in sorted(instants):
        demand.take(now)
        assert least <= demand.wanted(now) <= most

    assert demand.wanted(1_000.0) == least


def test_what_was_taken_at_once_is_expected_for_a_minute():
    """And no longer; what came one after another is not a burst."""
    demand = Demand(4, 32)
    for n in range(20):
        demand.take(2.0 * n)
    alone = demand.wanted(40.0)
    for _ in range(10):
        demand.take(100.0)

    assert (alone, demand.wanted(100.0), demand.wanted(159.0), demand.wanted(161.0)) == (
        4,
        10,
        10,
        4,
    )
