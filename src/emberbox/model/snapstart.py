"""SnapStart of a version: what became of its snapshot, and what that makes of the version.

Source: "Improving startup performance with Lambda SnapStart" and "Lambda function states" of the
Lambda guide.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from emberbox.errors import CallerError
from emberbox.machine import Machine
from emberbox.model.configuration import invalid, settled
from emberbox.model.function import STATE_TABLE, FunctionVersion, State
from emberbox.model.limits import EPHEMERAL_DEFAULT_MB

_CODES: Mapping[str, str] = MappingProxyType(
    {
        "Sandbox.Timedout": "FunctionError.InitTimeout",
        "Runtime.OutOfMemory": "FunctionError.InitResourceExhausted",
    }
)
_OTHER_CODE = "FunctionError.RuntimeInitError"


class Optimization(NamedTuple):
    """What became of a version's snapshot.

    Without one, environments run INIT because of `reason`. `error_type` is set if initialisation
    itself failed: AWS's name for how.
    """

    reason: str = ""
    error_type: str = ""


def check_snap_start(function: FunctionVersion) -> None:
    """CallerError if the function has what SnapStart does not go together with."""
    if function.snap_start and function.ephemeral_mb > EPHEMERAL_DEFAULT_MB:
        raise invalid(
            f"Ephemeral storage of more than {EPHEMERAL_DEFAULT_MB} MB is not supported for "
            "SnapStart enabled functions."
        )


def optimized(
    before: FunctionVersion, revision_id: str, next_revision_id: str, outcome: Optimization
) -> FunctionVersion:
    """The version once its snapshot has been made or not; see `settled` for errors."""
    if outcome.error_type:
        state = Machine(STATE_TABLE, before.state)
        state.move(State.FAILED)
        return replace(
            settled(before, revision_id, next_revision_id),
            state=state.state,
            state_reason=outcome.reason,
            state_reason_code=_CODES.get(outcome.error_type, _OTHER_CODE),
        )
    reason = f"SnapStart: environments run INIT because {outcome.reason}"
    return replace(
        settled(before, revision_id, next_revision_id),
        snap_optimized=not outcome.reason,
        state_reason=reason if outcome.reason else None,
    )


def not_ready() -> CallerError:
    """What the caller of Invoke hears while the snapshot is being made."""
    return CallerError(
        "SnapStartNotReadyException",
        "Lambda is initializing your function. It will be ready to invoke once your function "
        "state becomes ACTIVE.",
        status=409,
        fields={"Type": "User"},
    )
