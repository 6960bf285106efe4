"""Functions that nobody invokes: when they become Inactive, and how they come back.

Source: "Lambda function states" and "Lambda SnapStart and function states" of the Lambda guide, and
the errors of Invoke in botocore's model.
"""

from dataclasses import replace

from emberbox.errors import CallerError
from emberbox.machine import Machine
from emberbox.model.configuration import SupersededError, is_unsettled
from emberbox.model.function import (
    STATE_TABLE,
    UPDATE_TABLE,
    FunctionVersion,
    State,
    UpdateStatus,
)
from emberbox.model.snapstart import not_ready


def is_idle(used_at: float, now: float, inactive_after_s: float) -> bool:
    """Whether what was used last then has been idle long enough to become Inactive."""
    return now - used_at >= inactive_after_s


def inactive(before: FunctionVersion, revision_id: str) -> FunctionVersion:
    """The version without what it needs to run; SupersededError if it is not Active and at rest."""
    if before.state is not State.ACTIVE or is_unsettled(before):
        raise SupersededError(before.name)
    return replace(
        before,
        state=_moved(before, State.INACTIVE),
        state_reason="The function is currently idle.",
        state_reason_code="Idle",
        snap_optimized=False,
        revision_id=revision_id,
    )


def restoring(before: FunctionVersion, revision_id: str) -> FunctionVersion:
    """The version as it begins to come back; SupersededError if it is not Inactive."""
    if before.state is not State.INACTIVE:
        raise SupersededError(before.name)
    return replace(awakened(before), revision_id=revision_id)


def awakened(before: FunctionVersion) -> FunctionVersion:
    """The same as part of another change, which brings an Inactive version back."""
    if before.state is not State.INACTIVE:
        return before
    return replace(
        before,
        state=_moved(before, State.PENDING),
        state_reason="The function is being restored.",
        state_reason_code="Restoring",
    )


def unrestored(
    before: FunctionVersion, revision_id: str, next_revision_id: str, reason: str
) -> FunctionVersion:
    """The version Inactive again, as it cannot come back; SupersededError if it has changed."""
    if before.revision_id != revision_id:
        raise SupersededError(before.name)
    update = Machine(UPDATE_TABLE, before.update_status or UpdateStatus.SUCCESSFUL)
    if before.update_status is UpdateStatus.IN_PROGRESS:
        update.move(UpdateStatus.FAILED)
    failed = update.state is UpdateStatus.FAILED
    return replace(
        before,
        state=_moved(before, State.INACTIVE),
        state_reason=reason,
        state_reason_code="InternalError",
        update_status=update.state,
        update_reason=reason if failed else None,
        update_reason_code="InternalError" if failed else None,
        revision_id=next_revision_id,
    )


def waking(function: FunctionVersion) -> CallerError:
    """What the invocation hears that finds a version Inactive."""
    if function.is_snapshot:
        return not_ready()
    return CallerError(
        "CodeArtifactUserPendingException",
        "Lambda is initializing your function. It will be ready to invoke shortly.",
        status=409,
    )


def _moved(before: FunctionVersion, to: State) -> State:
    state = Machine(STATE_TABLE, before.state)
    state.move(to)
    return state.state
