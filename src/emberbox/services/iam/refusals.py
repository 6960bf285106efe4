"""What IAM answers when the store refuses a change: code, status and words for each reason."""

from collections.abc import Mapping
from typing import Any

from emberbox.errors import CallerError
from emberbox.model.policy_documents import MalformedPolicyError
from emberbox.model.request import Operation, Params, Reply, RequestContext
from emberbox.records import dataclass
from emberbox.storage.access_keys import KEYS_MAX
from emberbox.storage.grants import ATTACHED_MAX, INLINE_MAX_BYTES
from emberbox.storage.identities import ROLES_MAX
from emberbox.storage.identity_records import TAGS_MAX, Kind, Reason, RefusedError
from emberbox.storage.policies import POLICIES_MAX
from emberbox.storage.profiles import CLIENTS_MAX, PROFILES_MAX, PROVIDERS_MAX
from emberbox.storage.users import GROUPS_MAX, GROUPS_PER_USER_MAX, USERS_MAX


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


def _quota(name: str, most: int) -> _Answer:
    return _limit(f"Cannot exceed quota for {name}: {most}")


def _too_large(kind: Kind) -> _Answer:
    word = kind.value
    return _limit(
        f"Maximum policy size of {INLINE_MAX_BYTES[kind]} bytes exceeded for {word} "
        f"{{{word.capitalize()}Name}}"
    )


class _Named(dict[str, Any]):
    """Parameters by name; one that the request does not have reads as empty."""

    def __missing__(self, _name: str) -> str:
        return ""


_ANSWERS: Mapping[Reason, _Answer] = {
    Reason.NO_USER: _missing("The user with name {UserName} cannot be found."),
    Reason.NO_GROUP: _missing("The group with name {GroupName} cannot be found."),
    Reason.NO_ROLE: _missing("The role with name {RoleName} cannot be found."),
    Reason.NO_USER_POLICY: _missing("The user policy with name {PolicyName} cannot be found."),
    Reason.NO_GROUP_POLICY: _missing("The group policy with name {PolicyName} cannot be found."),
    Reason.NO_ROLE_POLICY: _missing("The role policy with name {PolicyName} cannot be found."),
    Reason.NO_POLICY: _missing("Policy {PolicyArn} was not found."),
    Reason.NO_VERSION: _missing(
        "Policy {PolicyArn} version {VersionId} does not exist or is not attachable."
    ),
    Reason.NO_KEY: _missing("The Access Key with id {AccessKeyId} cannot be found."),
    Reason.NO_PROFILE: _missing("Instance Profile {InstanceProfileName} cannot be found."),
    Reason.NO_PROVIDER: _missing(
        "OpenIDConnect Provider not found for arn {OpenIDConnectProviderArn}"
    ),
    Reason.NO_ALIAS: _missing("The account alias {AccountAlias} was not found."),
    Reason.NOT_ATTACHABLE: _missing("Policy {PolicyArn} does not exist or is not attachable."),
    Reason.NOT_ATTACHED: _missing("Policy {PolicyArn} was not found."),
    Reason.NO_USER_BOUNDARY: _missing("User {UserName} does not have a permissions boundary."),
    Reason.NO_ROLE_BOUNDARY: _missing("Role {RoleName} does not have a permissions boundary."),
    Reason.NOT_IN_PROFILE: _missing(
        "Role {RoleName} is not in instance profile {InstanceProfileName}."
    ),
    Reason.USER_EXISTS: _exists("User with name {UserName} already exists."),
    Reason.GROUP_EXISTS: _exists("Group with name {GroupName} already exists."),
    Reason.ROLE_EXISTS: _exists("Role with name {RoleName} already exists."),
    Reason.POLICY_EXISTS: _exists(
        "A policy called {PolicyName} already exists. Duplicate names are not allowed."
    ),
    Reason.PROFILE_EXISTS: _exists("Instance Profile {InstanceProfileName} already exists."),
    Reason.PROVIDER_EXISTS: _exists("Provider with url {Url} already exists."),
    Reason.ALIAS_EXISTS: _exists("The account alias {AccountAlias} already exists."),
    Reason.HAS_ATTACHED: _conflict("Cannot delete entity, must detach all policies first."),
    Reason.HAS_INLINE: _conflict("Cannot delete entity, must delete policies first."),
    Reason.HAS_KEYS: _conflict("Cannot delete entity, must delete access keys first."),
    Reason.HAS_GROUPS: _conflict("Cannot delete entity, must remove user from all groups first."),
    Reason.HAS_USERS: _conflict("Cannot delete entity, must remove users from group first."),
    Reason.HAS_PROFILES: _conflict(
        "Cannot delete entity, must remove roles from instance profile first."
    ),
    Reason.HAS_ROLE: _conflict(
        "Cannot delete entity, must remove roles from instance profile first."
    ),
    Reason.IS_ATTACHED: _conflict("Cannot delete a policy attached to entities."),
    Reason.HAS_VERSIONS: _conflict(
        "This policy has more than one version. Before you delete a policy, you must delete the "
        "policy's versions. The default version is deleted with the policy."
    ),
    Reason.IS_DEFAULT: _conflict("Cannot delete the default version of a policy."),
    Reason.TOO_MANY_USERS: _quota("UsersPerAccount", USERS_MAX),
    Reason.TOO_MANY_GROUPS: _quota("GroupsPerAccount", GROUPS_MAX),
    Reason.TOO_MANY_ROLES: _quota("RolesPerAccount", ROLES_MAX),
    Reason.TOO_MANY_POLICIES: _quota("PoliciesPerAccount", POLICIES_MAX),
    Reason.TOO_MANY_KEYS: _quota("AccessKeysPerUser", KEYS_MAX),
    Reason.TOO_MANY_PROFILES: _quota("InstanceProfilesPerAccount", PROFILES_MAX),
    Reason.TOO_MANY_PROVIDERS: _quota("OpenIdConnectProvidersPerAccount", PROVIDERS_MAX),
    Reason.TOO_MANY_CLIENTS: _quota("ClientIdsPerOpenIdConnectProvider", CLIENTS_MAX),
    Reason.TOO_MANY_MEMBERSHIPS: _quota("GroupsPerUser", GROUPS_PER_USER_MAX),
    Reason.TOO_MANY_ATTACHED: _limit(f"Cannot exceed quota for PoliciesPerRole: {ATTACHED_MAX}"),
    Reason.TOO_MANY_VERSIONS: _limit(
        "A managed policy can have up to 5 versions. Before you create a new version, you must "
        "delete an existing version."
    ),
    Reason.TOO_MANY_TAGS: _limit(f"The number of tags has reached the maximum limit: {TAGS_MAX}."),
    Reason.PROFILE_FULL: _quota("InstanceSessionsPerInstanceProfile", 1),
    Reason.USER_INLINE_TOO_LARGE: _too_large(Kind.USER),
    Reason.GROUP_INLINE_TOO_LARGE: _too_large(Kind.GROUP),
    Reason.ROLE_INLINE_TOO_LARGE: _too_large(Kind.ROLE),
}


def answering(operation: Operation) -> Operation:
    """The operation, with what the store or the policy grammar refuses in IAM's words."""

    async def answered(context: RequestContext, params: Params) -> Params | Reply:
        try:
            return await operation(context, params)
        except RefusedError as refused:
            answer = _ANSWERS[refused.reason]
            arn = params.get("PolicyArn", params.get("PermissionsBoundary"))
            text = answer.text.format_map(_Named(params | {"PolicyArn": arn}))
            raise CallerError(answer.code, text, status=answer.status) from None
        except MalformedPolicyError as malformed:
            raise CallerError("MalformedPolicyDocument", str(malformed), status=400) from None

    return answered
