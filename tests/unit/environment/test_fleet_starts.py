"""Starts of environments that fail in ways nobody foresaw, and what becomes of who waits."""

import asyncio
from types import SimpleNamespace

import pytest

from emberbox.clock import ManualClock
from emberbox.environment.beginning import Beginning
from emberbox.environment.fleet import Fleet, FleetSettings
from emberbox.environment.growth import Growth
from emberbox.environment.plan import Plan
from emberbox.environment.room import Room
from emberbox.errors import PlatformError
from emberbox.isolation.sandbox import Limits
from emberbox.model.invocation import Invocation
from specimens import function_version

FUNCTION = function_version("unlucky")
INVOCATION = Invocation("id", b"{}", 3, FUNCTION.arn, "")


class Sandbox:
    """One that has ended, and with it its descriptors."""

    lineage = 1
    log_descriptor = -1
    reason = ""

    def destroy(self, reason):
        self.reason = reason


class Sandboxes:
    """Gives out sandboxes that have ended, or raises."""

    def __init__(self):
        self.error = None
        self.given = []

    async def take(self, _function):
        if self.error is not None:
            raise self.error
        self.given.append(Sandbox())
        return self.given[-1]

    def plan(self, function):
        limits = Limits(128 << 20, 0.0, 512 << 20)
        return Plan(function, limits, lambda *_: {}, (), "arn")


class Templates:
    """There are none."""

    def beginning(self, _function, _lineage):
        return Beginning()

    async def close(self):
        """Nothing to close."""


@pytest.fixture
def sandboxes():
    """What the fleet gets its sandboxes from."""
    return Sandboxes()


@pytest.fixture
async def fleet(sandboxes):
    """A fleet of nothing yet."""
    clock = ManualClock()
    memory = SimpleNamespace(total_mb=1e6, available_mb=lambda: 1e6)
    logs = SimpleNamespace(stream=lambda *_, **__: None, pending_bytes=0)
    return Fleet(
        sandboxes,
        sandboxes,
        logs,
        FleetSettings(60.0, 0.1),
        clock,
        lambda _function: lambda: None,
        Templates(),
        lambda *_: None,
        Growth(clock, Room(memory, clock, 100.0)),
    )


def unheard(_outcome):
    """Nothing of these runs."""
    raise AssertionError("an invocation that was refused has an outcome")


async def test_an_unforeseen_fault_is_told_and_keeps_no_place_at_the_start(fleet, sandboxes):
    """Many of them, and the next request is still answered."""
    sandboxes.error = RuntimeError("a fault of ours")
    for _ in range(20):
        with pytest.raises(PlatformError, match="a fault of ours"):
            await asyncio.wait_for(fleet.give(FUNCTION, INVOCATION, unheard), 60)


async def test_a_sandbox_that_ended_before_it_was_moved_into_is_told(fleet, sandboxes):
    """Its descriptors are closed: no reader can be put on them."""
    with pytest.raises(PlatformError):
        await asyncio.wait_for(fleet.give(FUNCTION, INVOCATION, unheard), 60)

    assert sandboxes.given
    assert all(sandbox.reason for sandbox in sandboxes.given)
    assert not fleet.environments()


async def test_a_fleet_that_is_closed_starts_nothing(fleet, sandboxes):
    """Who asks then is told so."""
    await fleet.close()

    with pytest.raises(PlatformError, match="the server stops"):
        await asyncio.wait_for(fleet.give(FUNCTION, INVOCATION, unheard), 60)

    assert not sandboxes.given
