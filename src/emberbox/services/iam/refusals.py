"""What IAM answers when the store refuses a change: code, status and words for each reason."""

from collections.abc import Mapping
from dataclasses import dataclass

from emberbox.errors import CallerError
from emberbox.model.policy_documents import MalformedPolicyError
from emberbox.model.request import Operation, Params, Reply, RequestContext
from emberbox.storage.identities import ATTACHED_MAX, INLINE_MAX_BYTES, ROLES_MAX
from emberbox.storage.identity_records import TAGS_MAX, Reason, RefusedError
from emberbox.storage.policies import POLICIES_MAX


@dataclass(frozen=True, slots=True)
class _Answer:
    code: str
    status: int
    text: str
    """May name parameters of the request in braces."""


def _missing(text: str) -> _Answer:
    return _Answer("NoSuchEntity", 404, text)


def _conflict(text: str) -> _Answer:
    return _Answer("DeleteConflict", 409, text)


def _exists(text: str) -> _Answer:
    return _Answer("EntityAlreadyExists", 409, text)


def _limit(text: str) -> _Answer:
    return _Answer("LimitExceeded", 409, text)


_ANSWERS: Mapping[Reason, _Answer] = {
    Reason.NO_ROLE: _missing("The role with name {RoleName} cannot be found."),
    Reason.NO_INLINE_POLICY: _missing("The role policy with name {PolicyName} cannot be found."),
    Reason.NO_POLICY: _missing("Policy {PolicyArn} was not found."),
    Reason.NO_VERSION: _missing(
        "Policy {PolicyArn} version {VersionId} does not exist or is not attachable."
    ),
    Reason.NOT_ATTACHABLE: _missing("Policy {PolicyArn} does not exist or is not attachable."),
    Reason.NOT_ATTACHED: _missing("Policy {PolicyArn} was not found."),
    Reason.NO_BOUNDARY: _missing("Role {RoleName} does not have a permissions boundary."),
    Reason.ROLE_EXISTS: _exists("Role with name {RoleName} already exists."),
    Reason.POLICY_EXISTS: _exists(
        "A policy called {PolicyName} already exists. Duplicate names are not allowed."
    ),
    Reason.HAS_ATTACHED: _conflict("Cannot delete entity, must detach all policies first."),
    Reason.HAS_INLINE: _conflict("Cannot delete entity, must delete policies first."),
    Reason.IS_ATTACHED: _conflict("Cannot delete a policy attached to entities."),
    Reason.HAS_VERSIONS: _conflict(
        "This policy has more than one version. Before you delete a policy, you must delete the "
        "policy's versions. The default version is deleted with the policy."
    ),
    Reason.IS_DEFAULT: _conflict("Cannot delete the default version of a policy."),
    Reason.TOO_MANY_ROLES: _limit(f"Cannot exceed quota for RolesPerAccount: {ROLES_MAX}"),
    Reason.TOO_MANY_POLICIES: _limit(f"Cannot exceed quota for PoliciesPerAccount: {POLICIES_MAX}"),
    Reason.TOO_MANY_ATTACHED: _limit(f"Cannot exceed quota for PoliciesPerRole: {ATTACHED_MAX}"),
    Reason.TOO_MANY_VERSIONS: _limit(
        "A managed policy can have up to 5 versions. Before you create a new version, you must "
        "delete an existing version."
    ),
    Reason.TOO_MANY_TAGS: _limit(f"The number of tags has reached the maximum limit: {TAGS_MAX}."),
    Reason.INLINE_TOO_LARGE: _limit(
        f"Maximum policy size of {INLINE_MAX_BYTES} bytes exceeded for role {{RoleName}}"
    ),
}


def answering(operation: Operation) -> Operation:
    """The operation, with what the store or the policy grammar refuses in IAM's words."""

    async def answered(context: RequestContext, params: Params) -> Params | Reply:
        try:
            return await operation(context, params)
        except RefusedError as refused:
            answer = _ANSWERS[refused.reason]
            arn = params.get("PolicyArn", params.get("PermissionsBoundary"))
            text = answer.text.format_map(params | {"PolicyArn": arn})
            raise CallerError(answer.code, text, status=answer.status) from None
        except MalformedPolicyError as malformed:
            raise CallerError("MalformedPolicyDocument", str(malformed), status=400) from None

    return answered
