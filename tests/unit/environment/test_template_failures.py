"""Snapshots that cannot be made for want of something on the host."""

import errno
import os
from types import SimpleNamespace

import pytest

from emberbox.clock import ManualClock
from emberbox.environment.templates import Templates
from specimens import function_version

FUNCTION = function_version(
    "pictured",
    version="1",
    snap_start=True,
)
NO_DESCRIPTORS = OSError(errno.EMFILE, "Too many open files")


class Sandboxes:
    """Gives out one sandbox that notes its end, or raises."""

    def __init__(self, error=None):
        self.error, self.reason = error, ""
        self.lineage = 1

    def plan(self, _function):
        return SimpleNamespace(forks=True)

    async def take(self, _function):
        if self.error is not None:
            raise self.error
        return self

    def destroy(self, reason):
        self.reason = reason


@pytest.fixture
async def make():
    """Makes the templates over a source of sandboxes."""
    made = []

    def make(sandboxes):
        made.append(Templates(sandboxes, None, ManualClock(), lambda _function: None, idle_s=9.0))
        return made[-1]

    yield make
    for templates in made:
        await templates.close()


@pytest.mark.parametrize("error", [NO_DESCRIPTORS, RuntimeError("a fault of ours")])
async def test_whatever_goes_wrong_a_version_hears_what_became_of_its_snapshot(make, error):
    """It would stay Pending for ever else."""
    outcome = await make(Sandboxes(error)).optimize(FUNCTION)

    assert outcome.reason == str(error)


async def test_a_new_attempt_that_fails_is_not_made_again_at_once(make):
    """Each environment that begins would try it."""
    templates = make(Sandboxes(RuntimeError("a fault of ours")))
    templates.beginning(FUNCTION, 1)
    (kept,) = templates._kept.values()
    await kept.making

    beginning = templates.beginning(FUNCTION, 1)

    assert kept.making is None
    assert "its snapshot cannot be made: a fault of ours" in beginning.notice


async def test_no_sandbox_is_left_where_there_is_no_file_for_its_image(make, monkeypatch):
    """Nobody would know of it."""

    def full(*_):
        raise NO_DESCRIPTORS

    monkeypatch.setattr(os, "memfd_create", full)
    sandboxes = Sandboxes()

    outcome = await make(sandboxes).optimize(FUNCTION)

    assert "Too many open files" in outcome.reason
    assert "no file for its image" in sandboxes.reason
