"""Sandboxes that cannot be had, or whose log nobody can decide about."""

import errno

import pytest

from emberbox.clock import ManualClock
from emberbox.environment.quarters import Quarters
from emberbox.errors import PlatformError
from specimens import function_version

FUNCTION = function_version("homeless")


class Room:
    """A sandbox that knows why it was destroyed."""

    reason = ""

    def destroy(self, reason):
        self.reason = reason


class Rooms:
    """Gives out one sandbox, or fails as a host without descriptors does."""

    def __init__(self, room=None):
        self.room = room

    async def take(self, _function):
        if self.room is None:
            raise OSError(errno.EMFILE, "Too many open files")
        return self.room


async def test_a_host_without_descriptors_is_the_platforms_failure():
    """So that whoever waits is told."""
    with pytest.raises(PlatformError, match="Too many open files"):
        await Quarters(Rooms(), None, ManualClock()).take(FUNCTION)


async def test_a_sandbox_is_not_left_behind_when_its_log_cannot_be_decided():
    """It is destroyed, and the error goes on."""
    room = Room()

    async def unknown(_function, _stream):
        raise PlatformError("identities cannot be read")

    with pytest.raises(PlatformError, match="identities"):
        await Quarters(Rooms(room), unknown, ManualClock()).take(FUNCTION)

    assert "identities" in room.reason
