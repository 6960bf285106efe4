"""How a version comes from `$LATEST`, and when none does.

Source: the Lambda guide's page on function versions and the API reference of PublishVersion.
"""

from dataclasses import replace

from emberbox.model.configuration import invalid, is_unsettled
from emberbox.model.function import FunctionVersion, State, UpdateStatus
from emberbox.records import dataclass


@dataclass(frozen=True, slots=True)
class Publication:
    """What is wanted of a new version; `description` None takes that of `$LATEST`.

    `renews` asks for `$LATEST.PUBLISHED` in place of the next number.
    """

    revision_id: str
    description: str | None = None
    renews: bool = False


@dataclass(frozen=True, slots=True)
class LastPublished:
    """The version that was published last, and the description `$LATEST` had then."""

    version: FunctionVersion
    description: str


def is_unchanged(latest: FunctionVersion, last: LastPublished) -> bool:
    """Whether publishing would only repeat the last version: same code, same configuration."""
    then = replace(
        latest,
        version=last.version.version,
        description=last.version.description,
        revision_id=last.version.revision_id,
        last_modified=last.version.last_modified,
        state=last.version.state,
        state_reason=last.version.state_reason,
        state_reason_code=last.version.state_reason_code,
        update_status=last.version.update_status,
        update_reason=last.version.update_reason,
        update_reason_code=last.version.update_reason_code,
        tags=last.version.tags,
        snap_optimized=last.version.snap_optimized,
    )
    return then == last.version and latest.description == last.description


def published(latest: FunctionVersion, version: str, wanted: Publication) -> FunctionVersion:
    """`$LATEST` as the version of that name.

    It is Active at once if `$LATEST` has settled, has all that it needs to run, and no snapshot has
    to be made.
    """
    ready = latest.state is State.ACTIVE and not is_unsettled(latest)
    pending = latest.snap_start or not ready
    description = latest.description if wanted.description is None else wanted.description
    return replace(
        latest,
        version=version,
        description=description,
        revision_id=wanted.revision_id,
        state=State.PENDING if pending else State.ACTIVE,
        state_reason="The function is being created." if pending else None,
        state_reason_code="Creating" if pending else None,
        update_status=None if pending else UpdateStatus.SUCCESSFUL,
        update_reason=None,
        update_reason_code=None,
        tags={},
    )


def check_code(latest: FunctionVersion, code_sha256: str | None) -> None:
    """CallerError unless the code is the one that the caller wants to publish."""
    if code_sha256 and code_sha256 != latest.code_sha256:
        raise invalid(
            f"CodeSHA256 ({code_sha256}) is different from current CodeSHA256 in $LATEST "
            f"({latest.code_sha256}). Please try again with the CodeSHA256 in $LATEST."
        )
