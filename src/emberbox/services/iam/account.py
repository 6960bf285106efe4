"""Operations on a whole account: its alias, what it has, and everything that decides rights."""

from emberbox.clock import utc
from emberbox.identity.managed_policies import CREATED, managed_policies
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.iam import wire
from emberbox.storage.access_keys import KEYS_MAX
from emberbox.storage.grants import ATTACHED_MAX, INLINE_MAX_BYTES
from emberbox.storage.identities import ROLES_MAX, IdentityStore
from emberbox.storage.identity_records import Group, Kind, Policy, Role, User, Uses
from emberbox.storage.policies import POLICIES_MAX, VERSIONS_MAX
from emberbox.storage.profiles import PROFILES_MAX
from emberbox.storage.users import GROUPS_MAX, GROUPS_PER_USER_MAX, USERS_MAX

_ALL = ("User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy")


class AccountOperations:
    """What IAM shows of an account."""

    def __init__(self, identities: IdentityStore) -> None:
        self._identities = identities

    @property
    def operations(self) -> dict[str, Operation]:
        """Operation name -> what runs it."""
        return {
            "CreateAccountAlias": self.create_account_alias,
            "DeleteAccountAlias": self.delete_account_alias,
            "ListAccountAliases": self.list_account_aliases,
            "GetAccountSummary": self.get_account_summary,
            "GetAccountAuthorizationDetails": self.get_account_authorization_details,
        }

    async def create_account_alias(self, context: RequestContext, params: Params) -> Params:
        """Give the account an alias, in place of the one it may have."""
        await self._identities.providers.set_alias(context.account, params["AccountAlias"])
        return {}

    async def delete_account_alias(self, context: RequestContext, params: Params) -> Params:
        """Take the alias away."""
        await self._identities.providers.remove_alias(context.account, params["AccountAlias"])
        return {}

    async def list_account_aliases(self, context: RequestContext, _params: Params) -> Params:
        """List the alias, if there is one."""
        alias = await self._identities.providers.alias(context.account)
        return {"AccountAliases": [] if alias is None else [alias], "IsTruncated": False}

    async def get_account_summary(self, context: RequestContext, _params: Params) -> Params:
        """Count what the account has, beside what it may have."""
        account, store = context.account, self._identities
        policies = await store.policies.policies(account)
        root_keys = await store.keys.of(account, None)
        summary = {
            "Users": len(await store.users.users(account)),
            "UsersQuota": USERS_MAX,
            "Groups": len(await store.users.groups(account)),
            "GroupsQuota": GROUPS_MAX,
            "Roles": len(await store.roles(account, "/", "", ROLES_MAX)),
            "RolesQuota": ROLES_MAX,
            "Policies": len(policies),
            "PoliciesQuota": POLICIES_MAX,
            "VersionsPerPolicyQuota": VERSIONS_MAX,
            "InstanceProfiles": len(await store.profiles.profiles(account)),
            "InstanceProfilesQuota": PROFILES_MAX,
            "Providers": len(await store.providers.providers(account)),
            "AccessKeysPerUserQuota": KEYS_MAX,
            "AccountAccessKeysPresent": int(bool(root_keys)),
            "AccountMFAEnabled": 0,
            "AttachedPoliciesPerUserQuota": ATTACHED_MAX,
            "AttachedPoliciesPerGroupQuota": ATTACHED_MAX,
            "AttachedPoliciesPerRoleQuota": ATTACHED_MAX,
            "GroupsPerUserQuota": GROUPS_PER_USER_MAX,
            "UserPolicySizeQuota": INLINE_MAX_BYTES[Kind.USER],
            "GroupPolicySizeQuota": INLINE_MAX_BYTES[Kind.GROUP],
        }
        return {"SummaryMap": summary}

    async def get_account_authorization_details(
        self, context: RequestContext, params: Params
    ) -> Params:
        """Show users, groups, roles and policies with all that they allow."""
        wanted = params.get("Filter") or _ALL
        account, store = context.account, self._identities
        found: list[User | Group | Role | Policy] = []
        if "User" in wanted:
            found += await store.users.users(account)
        if "Group" in wanted:
            found += await store.users.groups(account)
        if "Role" in wanted:
            found += await store.roles(account, "/", "", ROLES_MAX)
        uses = await store.policies.uses(account)
        if "LocalManagedPolicy" in wanted:
            found += await store.policies.policies(account)
        if "AWSManagedPolicy" in wanted:
            found += [_of_aws(arn) for arn in managed_policies() if arn in uses]
        page = wire.paged(params, "All", found, lambda item: item.arn, lambda item: item)
        lists: dict[str, list[Params]] = {
            "UserDetailList": [],
            "GroupDetailList": [],
            "RoleDetailList": [],
            "Policies": [],
        }
        for item in page.pop("All"):
            member, shown = await self._detail(item, uses)
            lists[member].append(shown)
        return lists | page

    async def _detail(
        self, item: User | Group | Role | Policy, uses: dict[str, Uses]
    ) -> tuple[str, Params]:
        if isinstance(item, Policy):
            return "Policies", await self._policy(item, uses.get(item.arn, Uses()))
        if isinstance(item, User):
            groups = await self._identities.users.groups_of(item.account, item.name)
            shown = wire.user_in_full(item) | {"GroupList": [group.name for group in groups]}
            return "UserDetailList", shown | await self._grants(item, Kind.USER)
        if isinstance(item, Group):
            shown = wire.group_in_brief(item)
            return "GroupDetailList", shown | await self._grants(item, Kind.GROUP)
        shown = wire.role_in_brief(item) | wire.boundary_of(item) | {"RoleLastUsed": {}}
        shown |= {"Tags": wire.tag_list(item.tags), "InstanceProfileList": []}
        return "RoleDetailList", shown | await self._grants(item, Kind.ROLE)

    async def _grants(self, item: User | Group | Role, kind: Kind) -> Params:
        grants = self._identities.grants
        inline = await grants.inline(item.account, kind, item.name)
        attached = await grants.attached(item.account, kind, item.name)
        return {
            f"{kind.value.capitalize()}PolicyList": [
                {"PolicyName": name, "PolicyDocument": wire.encoded(text)}
                for name, text in inline.items()
            ],
            "AttachedManagedPolicies": [wire.attached(arn) for arn in attached],
        }

    async def _policy(self, policy: Policy, uses: Uses) -> Params:
        of_aws = managed_policies().get(policy.arn)
        if of_aws is not None:
            only = {"VersionId": "v1", "IsDefaultVersion": True, "CreateDate": utc(CREATED)}
            versions = [only | {"Document": wire.encoded(of_aws.document)}]
        else:
            versions = [
                wire.version_in_brief(version) | {"Document": wire.encoded(version.document)}
                for version in await self._identities.policies.versions(policy.account, policy.arn)
            ]
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
            "PolicyVersionList": versions,
        }


def _of_aws(arn: str) -> Policy:
    policy = managed_policies()[arn]
    return Policy("aws", arn, policy.name, policy.id, policy.path, CREATED, CREATED, "", 1, 1, {})
