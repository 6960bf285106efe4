"""When functions become Inactive, and how they come back."""

import pytest

from emberbox.machine import IllegalMoveError, Machine
from emberbox.model.configuration import SupersededError, begun, settled
from emberbox.model.function import STATE_TABLE, State, UpdateStatus
from emberbox.model.idleness import awakened, inactive, is_idle, restoring, unrestored, waking
from specimens import function_version

ACTIVE = function_version(
    "f", state=State.ACTIVE, state_reason=None, state_reason_code=None, revision_id="one"
)
ALLOWED = {
    (State.PENDING, State.ACTIVE),
    (State.PENDING, State.INACTIVE),
    (State.PENDING, State.FAILED),
    (State.ACTIVE, State.INACTIVE),
    (State.ACTIVE, State.FAILED),
    (State.INACTIVE, State.PENDING),
    (State.FAILED, State.PENDING),
}


@pytest.mark.parametrize("origin", State)
@pytest.mark.parametrize("to", State)
def test_a_function_moves_only_as_the_table_says(origin, to):
    """All pairs of states."""
    machine = Machine(STATE_TABLE, origin)
    if (origin, to) in ALLOWED:
        machine.move(to)
        assert machine.state is to
    else:
        with pytest.raises(IllegalMoveError):
            machine.move(to)


@pytest.mark.parametrize(("now", "idle"), [(109.9, False), (110.0, True), (500.0, True)])
def test_idle_is_what_was_not_used_for_that_long(now, idle):
    """To the moment."""
    assert is_idle(100.0, now, 10.0) is idle


def test_an_inactive_version_says_that_it_is_idle():
    """With AWS's code, a new revision, and no snapshot any more."""
    after = inactive(ACTIVE, "two")

    assert (after.state, after.state_reason_code) == (State.INACTIVE, "Idle")
    assert after.state_reason == "The function is currently idle."
    assert (after.revision_id, after.snap_optimized) == ("two", False)


@pytest.mark.parametrize(
    "settings",
    [
        {"state": State.PENDING},
        {"state": State.FAILED},
        {"state": State.ACTIVE, "update_status": UpdateStatus.IN_PROGRESS},
    ],
)
def test_only_what_is_active_and_at_rest_becomes_inactive(settings):
    """A change that is under way is a use."""
    with pytest.raises(SupersededError):
        inactive(function_version("f", **settings), "two")


def test_it_comes_back_over_pending():
    """Restoring, then Active with nothing to explain."""
    pending = restoring(inactive(ACTIVE, "two"), "three")
    back = settled(pending, "three", "four")

    assert (pending.state, pending.state_reason_code) == (State.PENDING, "Restoring")
    assert (back.state, back.state_reason, back.state_reason_code) == (State.ACTIVE, None, None)


def test_what_is_not_inactive_is_not_restored():
    """Somebody else was quicker."""
    with pytest.raises(SupersededError):
        restoring(ACTIVE, "two")


def test_an_update_brings_it_back():
    """It begins as one that is restored, and is in progress."""
    after = awakened(begun(inactive(ACTIVE, "two"), "two"))

    assert (after.state, after.update_status) == (State.PENDING, UpdateStatus.IN_PROGRESS)
    assert after.state_reason_code == "Restoring"


def test_what_cannot_be_restored_is_inactive_again():
    """And says why; an update that was to bring it back has failed."""
    pending = awakened(begun(inactive(ACTIVE, "two"), "two"))
    after = unrestored(pending, "two", "three", "the disk is full")

    assert (after.state, after.state_reason) == (State.INACTIVE, "the disk is full")
    assert (after.update_status, after.update_reason) == (UpdateStatus.FAILED, "the disk is full")
    assert after.state_reason_code == after.update_reason_code == "InternalError"


def test_another_revision_is_not_put_back():
    """It was changed meanwhile."""
    with pytest.raises(SupersededError):
        unrestored(restoring(inactive(ACTIVE, "two"), "three"), "two", "four", "why")


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({}, "CodeArtifactUserPendingException"),
        ({"snap_start": True}, "CodeArtifactUserPendingException"),
        ({"snap_start": True, "version": "1"}, "SnapStartNotReadyException"),
    ],
)
def test_the_invocation_that_finds_it_so_hears_that_it_is_made_ready(settings, code):
    """A version with SnapStart gets a new snapshot."""
    error = waking(function_version("f", **settings))

    assert (error.code, error.status) == (code, 409)
