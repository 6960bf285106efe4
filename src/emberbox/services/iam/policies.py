"""Operations on managed policies and their versions: the account's own, and AWS's to read."""

from emberbox.clock import Clock, utc
from emberbox.errors import CallerError
from emberbox.identity.managed_policies import CREATED, ManagedPolicy, managed_policies
from emberbox.model.policy_documents import check_identity_policy, size_without_blanks
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.iam import wire
from emberbox.services.iam.policy_arns import check_own, policy_of_aws
from emberbox.storage.identities import IdentityStore
from emberbox.storage.identity_records import (
    Group,
    Kind,
    Policy,
    PolicyVersion,
    Reason,
    RefusedError,
    Role,
    User,
    Uses,
)

DOCUMENT_MAX_BYTES = 6_144

_WORDS = {Group: "Group", User: "User", Role: "Role"}


class PolicyOperations:
    """What IAM does with managed policies."""

    def __init__(self, identities: IdentityStore, clock: Clock) -> None:
        self._identities = identities
        self._policies = identities.policies
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        """Operation name -> what runs it."""
        return {
            "CreatePolicy": self.create_policy,
            "GetPolicy": self.get_policy,
            "ListPolicies": self.list_policies,
            "DeletePolicy": self.delete_policy,
            "TagPolicy": self.tag_policy,
            "UntagPolicy": self.untag_policy,
            "ListPolicyTags": self.list_policy_tags,
            "CreatePolicyVersion": self.create_policy_version,
            "GetPolicyVersion": self.get_policy_version,
            "ListPolicyVersions": self.list_policy_versions,
            "SetDefaultPolicyVersion": self.set_default_policy_version,
            "DeletePolicyVersion": self.delete_policy_version,
            "ListEntitiesForPolicy": self.list_entities_for_policy,
        }

    async def create_policy(self, context: RequestContext, params: Params) -> Params:
        """Add a policy with its first version."""
        _check_document(params["PolicyDocument"])
        path, name, now = params.get("Path", "/"), params["PolicyName"], self._now()
        policy = Policy(
            account=context.account,
            arn=f"arn:aws:iam::{context.account}:policy{path}{name}",
            name=name,
            id=wire.unique_id("ANPA"),
            path=path,
            created=now,
            updated=now,
            description=params.get("Description", ""),
            default_version=1,
            last_version=1,
            tags=wire.tags_of(params),
        )
        await self._policies.create(policy, params["PolicyDocument"])
        shown = _in_brief(policy, Uses())
        return {"Policy": shown | ({"Tags": wire.tag_list(policy.tags)} if policy.tags else {})}

    async def get_policy(self, context: RequestContext, params: Params) -> Params:
        """Show a policy without its document."""
        arn = params["PolicyArn"]
        of_aws = policy_of_aws(arn)
        if of_aws is None:
            policy = await self._policies.policy(context.account, arn)
        else:
            policy = _as_policy(of_aws)
        uses = (await self._policies.uses(context.account)).get(arn, Uses())
        shown = _in_brief(policy, uses) | {"Tags": wire.tag_list(policy.tags)}
        if policy.description:
            shown["Description"] = policy.description
        return {"Policy": shown}

    async def list_policies(self, context: RequestContext, params: Params) -> Params:
        """List policies: the account's own by name, then AWS's."""
        scope, usage = params.get("Scope", "All"), params.get("PolicyUsageFilter")
        uses = await self._policies.uses(context.account)
        found: list[Policy] = []
        if scope != "AWS":
            found += await self._policies.policies(context.account)
        if scope != "Local":
            found += [_as_policy(policy) for policy in managed_policies().values()]
        chosen = [
            policy
            for policy in found
            if policy.path.startswith(params.get("PathPrefix", "/"))
            and _is_used(
                uses.get(policy.arn, Uses()), usage, attached=params.get("OnlyAttached", False)
            )
        ]
        return wire.paged(
            params,
            "Policies",
            chosen,
            lambda policy: f"{policy.account} {policy.name}",
            lambda policy: _in_brief(policy, uses.get(policy.arn, Uses())),
        )

    async def delete_policy(self, context: RequestContext, params: Params) -> Params:
        """Remove a policy that nothing uses."""
        check_own(params["PolicyArn"])
        await self._policies.delete(context.account, params["PolicyArn"])
        return {}

    async def tag_policy(self, context: RequestContext, params: Params) -> Params:
        """Add or replace tags."""
        check_own(params["PolicyArn"])
        tags = wire.tags_of(params)
        await self._policies.tag(context.account, params["PolicyArn"], tags, ())
        return {}

    async def untag_policy(self, context: RequestContext, params: Params) -> Params:
        """Remove tags; those that are not there are no error."""
        check_own(params["PolicyArn"])
        await self._policies.tag(context.account, params["PolicyArn"], {}, params["TagKeys"])
        return {}

    async def list_policy_tags(self, context: RequestContext, params: Params) -> Params:
        """List a policy's tags by key."""
        tags: list[Params] = []
        if policy_of_aws(params["PolicyArn"]) is None:
            policy = await self._policies.policy(context.account, params["PolicyArn"])
            tags = wire.tag_list(policy.tags)
        return wire.paged(params, "Tags", tags, lambda tag: str(tag["Key"]), lambda tag: tag)

    async def create_policy_version(self, context: RequestContext, params: Params) -> Params:
        """Add a version."""
        check_own(params["PolicyArn"])
        _check_document(params["PolicyDocument"])
        version = await self._policies.add_version(
            context.account,
            params["PolicyArn"],
            params["PolicyDocument"],
            self._now(),
            is_default=params.get("SetAsDefault", False),
        )
        return {"PolicyVersion": wire.version_in_brief(version)}

    async def get_policy_version(self, context: RequestContext, params: Params) -> Params:
        """Show a version with its document."""
        arn, number = params["PolicyArn"], _number(params["VersionId"])
        of_aws = policy_of_aws(arn)
        if of_aws is None:
            version = await self._policies.version(context.account, arn, number)
        elif number == 1:
            version = _only_version(of_aws)
        else:
            raise RefusedError(Reason.NO_VERSION)
        shown = {"Document": wire.encoded(version.document)}
        return {"PolicyVersion": shown | wire.version_in_brief(version)}

    async def list_policy_versions(self, context: RequestContext, params: Params) -> Params:
        """List versions, newest first."""
        of_aws = policy_of_aws(params["PolicyArn"])
        if of_aws is None:
            versions = await self._policies.versions(context.account, params["PolicyArn"])
        else:
            versions = [_only_version(of_aws)]
        return wire.paged(
            params,
            "Versions",
            versions,
            lambda version: f"{10**9 - version.version}",
            wire.version_in_brief,
        )

    async def set_default_policy_version(self, context: RequestContext, params: Params) -> Params:
        """Make a version the one that counts."""
        arn = params["PolicyArn"]
        check_own(arn)
        number = _number(params["VersionId"])
        await self._policies.set_default(context.account, arn, number, self._now())
        return {}

    async def delete_policy_version(self, context: RequestContext, params: Params) -> Params:
        """Remove a version that is not the default."""
        check_own(params["PolicyArn"])
        await self._policies.delete_version(
            context.account, params["PolicyArn"], _number(params["VersionId"])
        )
        return {}

    async def list_entities_for_policy(self, context: RequestContext, params: Params) -> Params:
        """List the users, groups and roles that a policy is attached to or bounds."""
        arn = params["PolicyArn"]
        if policy_of_aws(arn) is None:
            await self._policies.policy(context.account, arn)
        attached, bounded = await self._identities.grants.users_of(context.account, arn)
        usage = params.get("PolicyUsageFilter")
        found: set[tuple[Kind, str]] = set()
        if usage != "PermissionsBoundary":
            found |= set(attached)
        if usage != "PermissionsPolicy":
            found |= set(bounded)
        only = params.get("EntityFilter")
        chosen = [each for each in found if only in {None, each[0].value.capitalize()}]
        prefix = params.get("PathPrefix", "/")
        entities = [
            entity
            for kind, name in chosen
            if (entity := await self._entity(context.account, kind, name)).path.startswith(prefix)
        ]
        page = wire.paged(params, "All", entities, _entity_key, lambda entity: entity)
        members: dict[str, list[Params]] = {f"Policy{word}s": [] for word in _WORDS.values()}
        for entity in page.pop("All"):
            word = _WORDS[type(entity)]
            shown = {f"{word}Name": entity.name, f"{word}Id": entity.id}
            members[f"Policy{word}s"].append(shown)
        return members | page

    async def _entity(self, account: str, kind: Kind, name: str) -> User | Group | Role:
        match kind:
            case Kind.USER:
                return await self._identities.users.user(account, name)
            case Kind.GROUP:
                return await self._identities.users.group(account, name)
            case Kind.ROLE:
                return await self._identities.role_named(account, name)

    def _now(self) -> float:
        return float(int(self._clock.now()))


def _entity_key(entity: User | Group | Role) -> str:
    return f"{_WORDS[type(entity)]} {entity.name}"


def _check_document(document: str) -> None:
    check_identity_policy(document)
    if size_without_blanks(document) > DOCUMENT_MAX_BYTES:
        raise CallerError(
            "LimitExceeded",
            f"Cannot exceed quota for PolicySize: {DOCUMENT_MAX_BYTES}",
            status=409,
        )


def _number(version_id: str) -> int:
    digits = version_id.removeprefix("v")
    if not digits.isdecimal() or len(digits) > 9:
        raise RefusedError(Reason.NO_VERSION)
    return int(digits)


def _is_used(uses: Uses, usage: str | None, *, attached: bool) -> bool:
    if usage == "PermissionsPolicy":
        return uses.attached > 0
    if usage == "PermissionsBoundary":
        return uses.bounded > 0
    return uses.attached > 0 if attached else True


def _as_policy(policy: ManagedPolicy) -> Policy:
    return Policy(
        account="aws",
        arn=policy.arn,
        name=policy.name,
        id=policy.id,
        path=policy.path,
        created=CREATED,
        updated=CREATED,
        description=policy.description,
        default_version=1,
        last_version=1,
        tags={},
    )


def _only_version(policy: ManagedPolicy) -> PolicyVersion:
    return PolicyVersion(1, policy.document, CREATED, is_default=True)


def _in_brief(policy: Policy, uses: Uses) -> Params:
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": f"v{policy.default_version}",
        "AttachmentCount": uses.attached,
        "PermissionsBoundaryUsageCount": uses.bounded,
        "IsAttachable": True,
        "CreateDate": utc(policy.created),
        "UpdateDate": utc(policy.updated),
    }
