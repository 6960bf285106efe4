"""When idle environments are frozen."""

import asyncio

from emberbox.clock import ManualClock
from emberbox.environment.freezer import Freezer

_AFTER_S = 0.001


class _Idle:
    """What the freezer sees of an environment."""

    def __init__(self, clock: ManualClock) -> None:
        self.idle_since = clock.monotonic()
        self.is_available = True
        self.is_frozen = False
        self.was_frozen = asyncio.Event()

    def freeze(self) -> None:
        """As an environment is."""
        self.is_frozen = True
        self.was_frozen.set()

    def serve(self, freezer: Freezer, clock: ManualClock) -> None:
        """One invocation that takes no time."""
        freezer.serves(self)
        self.is_frozen = False
        self.was_frozen.clear()
        self.idle_since = clock.monotonic()
        freezer.rests(self)


async def _rested(
    freezer: Freezer, clock: ManualClock, *, frozen_for_s: float
) -> tuple[_Idle, _Idle]:
    """One that was frozen once for so long and one that never was, both idle since now."""
    again, fresh = _Idle(clock), _Idle(clock)
    freezer.rests(again)
    clock.advance(_AFTER_S)
    await again.was_frozen.wait()
    clock.advance(frozen_for_s)
    again.serve(freezer, clock)
    fresh.idle_since = clock.monotonic()
    freezer.rests(fresh)
    return again, fresh


async def test_after_a_freeze_that_was_not_worth_it_the_rest_is_twice_as_long() -> None:
    """An environment that was thawed at once rests twice as long before it is frozen again."""
    clock = ManualClock()
    freezer = Freezer(_AFTER_S, clock)
    again, fresh = await _rested(freezer, clock, frozen_for_s=_AFTER_S)
    clock.advance(_AFTER_S)
    await fresh.was_frozen.wait()
    assert not again.is_frozen
    clock.advance(_AFTER_S)
    await again.was_frozen.wait()
    freezer.close()


async def test_after_a_freeze_that_lasted_the_rest_is_as_short_as_ever() -> None:
    """An environment whose freeze has lasted is frozen as soon as any other."""
    clock = ManualClock()
    freezer = Freezer(_AFTER_S, clock)
    again, fresh = await _rested(freezer, clock, frozen_for_s=_AFTER_S)
    clock.advance(2 * _AFTER_S)
    await again.was_frozen.wait()
    clock.advance(100 * _AFTER_S)
    again.serve(freezer, clock)
    fresh.serve(freezer, clock)
    clock.advance(_AFTER_S)
    await fresh.was_frozen.wait()
    assert again.is_frozen
    freezer.close()


async def test_a_rest_never_becomes_longer_than_sixteen_times() -> None:
    """However often an environment is thawed at once, its rest stays within the bound."""
    clock = ManualClock()
    freezer = Freezer(_AFTER_S, clock)
    idle = _Idle(clock)
    freezer.rests(idle)
    for _ in range(20):
        clock.advance(16 * _AFTER_S)
        await idle.was_frozen.wait()
        idle.serve(freezer, clock)
    clock.advance(16 * _AFTER_S)
    await idle.was_frozen.wait()
    assert idle.is_frozen
    freezer.close()
