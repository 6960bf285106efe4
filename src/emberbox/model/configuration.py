"""Rules on what a function may be configured to, and on how a change of it goes.

Sources: the Lambda guide's pages on quotas, environment variables and function states; where
botocore's model is laxer than the service (it also covers kinds of functions that are not built
here), the service's bound counts.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from emberbox.errors import CallerError
from emberbox.machine import Machine
from emberbox.model import limits
from emberbox.model.function import (
    STATE_TABLE,
    UPDATE_TABLE,
    FunctionVersion,
    State,
    UpdateStatus,
)

RESERVED_VARIABLES = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)
_TAG_PREFIX = "aws:"
_ENVIRONMENT = "Lambda was unable to configure your environment variables because the environment"
_STALE = (
    "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias "
    "API to retrieve the latest Revision Id"
)


class SupersededError(Exception):
    """The function has changed since."""


def check_environment(variables: Mapping[str, str]) -> None:
    """CallerError unless a function may have these environment variables."""
    reserved = [name for name in variables if name in RESERVED_VARIABLES]
    if reserved:
        raise invalid(
            f"{_ENVIRONMENT} variables you have provided contains reserved keys that are currently "
            f"not supported for modification. Reserved keys used in this request: "
            f"{', '.join(reserved)}"
        )
    measured = json.dumps(dict(variables), separators=(",", ":"), ensure_ascii=False)
    if len(measured.encode()) > limits.ENVIRONMENT_MAX_BYTES:
        raise invalid(
            f"{_ENVIRONMENT} variables you have provided exceeded the 4KB limit. "
            f"String measured: {measured}"
        )
    for name, value in variables.items():
        if "\0" in value:
            raise invalid(f"{_ENVIRONMENT} variable {name} holds a NUL character.")


def check_sizes(
    timeout_s: int | None,
    memory_mb: int | None,
    ephemeral_mb: int | None,
    timeout_max_s: int = limits.TIMEOUT_MAX_S,
) -> None:
    """CallerError that names every size above the service's bound; None was not asked for."""
    found = list(_too_large(timeout_s, memory_mb, ephemeral_mb, timeout_max_s))
    if found:
        raise validation_error(found)


def check_tags(tags: Mapping[str, str]) -> None:
    """CallerError unless a function may have these tags, all that it has."""
    if len(tags) > limits.TAGS_MAX:
        raise invalid("Number of tags exceeds resource tag limit.")
    check_tag_keys(tags)


def check_tag_keys(keys: Collection[str]) -> None:
    """CallerError if a tag belongs to AWS."""
    if any(key.lower().startswith(_TAG_PREFIX) for key in keys):
        raise invalid("Tag keys that begin with aws: are reserved for internal use.")


def begun(before: FunctionVersion, revision_id: str | None) -> FunctionVersion:
    """The function as an update of it begins.

    CallerError if another change is under way, or if the caller means another revision.
    """
    check_steady(before, revision_id)
    update = Machine(UPDATE_TABLE, before.update_status or UpdateStatus.SUCCESSFUL)
    update.move(UpdateStatus.IN_PROGRESS)
    return replace(
        before,
        update_status=update.state,
        update_reason="The function is being created.",
        update_reason_code="Creating",
    )


def check_steady(before: FunctionVersion, revision_id: str | None) -> None:
    """CallerError if a change is under way, or if the caller means another revision."""
    if before.update_status is UpdateStatus.IN_PROGRESS:
        raise CallerError(
            "ResourceConflictException",
            "The operation cannot be performed at this time. An update is in progress for "
            f"resource: {before.arn}",
            status=409,
        )
    if before.state not in (State.ACTIVE, State.INACTIVE):
        raise CallerError(
            "ResourceConflictException",
            "The operation cannot be performed at this time. The function is currently in the "
            f"following state: {before.state.value}",
            status=409,
        )
    check_revision(before.revision_id, revision_id)


def check_revision(current: str, wanted: str | None) -> None:
    """CallerError if a caller means another revision than the current one."""
    if wanted is not None and wanted != current:
        raise CallerError("PreconditionFailedException", _STALE, status=412)


def is_unsettled(function: FunctionVersion) -> bool:
    """Whether its creation or an update of it has not come to an end yet."""
    return function.state is State.PENDING or function.update_status is UpdateStatus.IN_PROGRESS


def settled(before: FunctionVersion, revision_id: str, next_revision_id: str) -> FunctionVersion:
    """The function once its creation or its update has come to an end, which is mostly a good one.

    SupersededError if it is not at the given revision any more.
    """
    if before.revision_id != revision_id:
        raise SupersededError(before.name)
    if before.image is not None and before.state is State.PENDING:
        return _without_images(before, next_revision_id)
    state = Machine(STATE_TABLE, before.state)
    if before.state is State.PENDING:
        state.move(State.ACTIVE)
    update = Machine(UPDATE_TABLE, before.update_status or UpdateStatus.SUCCESSFUL)
    if before.update_status is UpdateStatus.IN_PROGRESS:
        update.move(UpdateStatus.SUCCESSFUL)
    return replace(
        before,
        state=state.state,
        state_reason=None,
        state_reason_code=None,
        update_status=update.state,
        update_reason=None,
        update_reason_code=None,
        revision_id=next_revision_id,
    )


def _without_images(before: FunctionVersion, revision_id: str) -> FunctionVersion:
    state = Machine(STATE_TABLE, before.state)
    state.move(State.FAILED)
    return replace(
        before,
        state=state.state,
        state_reason="Emberbox does not run container images yet: create the function from a zip "
        "file, PackageType Zip.",
        state_reason_code="InvalidConfiguration",
        revision_id=revision_id,
    )


def invalid(message: str) -> CallerError:
    """The error for a parameter whose value the service does not take."""
    return CallerError("InvalidParameterValueException", message, status=400)


def untyped(message: str) -> CallerError:
    """The same where the service leaves out whose fault it is."""
    return CallerError("InvalidParameterValueException", message, status=400, fields={"Type": ""})


def validation_error(violations: list[str]) -> CallerError:
    """The error for broken constraints, all of them at once."""
    count = f"{len(violations)} validation error{'s' if len(violations) > 1 else ''} detected"
    return CallerError("ValidationException", f"{count}: {'; '.join(violations)}", status=400)


def _too_large(
    timeout_s: int | None, memory_mb: int | None, ephemeral_mb: int | None, timeout_max_s: int
) -> Iterator[str]:
    for value, path, most in (
        (timeout_s, "timeout", timeout_max_s),
        (memory_mb, "memorySize", limits.MEMORY_MAX_MB),
        (ephemeral_mb, "ephemeralStorage.size", limits.EPHEMERAL_MAX_MB),
    ):
        if value is not None and value > most:
            yield (
                f"Value '{value}' at '{path}' failed to satisfy constraint: Member must have value "
                f"less than or equal to {most}"
            )
