"""Operations on what a role may do: inline policies and attached managed policies."""

from emberbox.model.policy_documents import check_identity_policy
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.iam import wire
from emberbox.services.iam.policy_arns import check_attachable, policy_of_aws
from emberbox.storage.identities import IdentityStore
from emberbox.storage.identity_records import Reason, RefusedError, Role


class RolePolicyOperations:
    """What IAM does with the policies of roles."""

    def __init__(self, identities: IdentityStore) -> None:
        self._identities = identities

    @property
    def operations(self) -> dict[str, Operation]:
        """Operation name -> what runs it."""
        return {
            "AttachRolePolicy": self.attach_role_policy,
            "DetachRolePolicy": self.detach_role_policy,
            "ListAttachedRolePolicies": self.list_attached_role_policies,
            "PutRolePolicy": self.put_role_policy,
            "GetRolePolicy": self.get_role_policy,
            "ListRolePolicies": self.list_role_policies,
            "DeleteRolePolicy": self.delete_role_policy,
            "ListEntitiesForPolicy": self.list_entities_for_policy,
        }

    async def attach_role_policy(self, context: RequestContext, params: Params) -> Params:
        """Attach a managed policy to a role."""
        check_attachable(params["PolicyArn"])
        await self._identities.attach(context.account, params["RoleName"], params["PolicyArn"])
        return {}

    async def detach_role_policy(self, context: RequestContext, params: Params) -> Params:
        """Detach a managed policy from a role."""
        await self._identities.detach(context.account, params["RoleName"], params["PolicyArn"])
        return {}

    async def list_attached_role_policies(self, context: RequestContext, params: Params) -> Params:
        """List the managed policies of a role by name."""
        arns = await self._identities.attached(context.account, params["RoleName"])
        prefix = params.get("PathPrefix", "/")
        items = [
            {"PolicyName": arn.rsplit("/", 1)[-1], "PolicyArn": arn}
            for arn in arns
            if arn.partition(":policy")[2].startswith(prefix)
        ]
        # A name may be AWS's and the account's own at once; a Marker has no room for whole ARNs.
        return wire.paged(
            params,
            "AttachedPolicies",
            items,
            lambda item: f"{item['PolicyName']} {item['PolicyArn'][13:25]}",
            lambda item: item,
        )

    async def put_role_policy(self, context: RequestContext, params: Params) -> Params:
        """Add or replace an inline policy."""
        check_identity_policy(params["PolicyDocument"])
        await self._identities.put_inline(
            context.account, params["RoleName"], params["PolicyName"], params["PolicyDocument"]
        )
        return {}

    async def get_role_policy(self, context: RequestContext, params: Params) -> Params:
        """Show an inline policy."""
        name = params["PolicyName"]
        documents = await self._identities.inline(context.account, params["RoleName"])
        if name not in documents:
            raise RefusedError(Reason.NO_INLINE_POLICY)
        return {
            "RoleName": params["RoleName"],
            "PolicyName": name,
            "PolicyDocument": wire.encoded(documents[name]),
        }

    async def list_role_policies(self, context: RequestContext, params: Params) -> Params:
        """List the names of a role's inline policies."""
        documents = await self._identities.inline(context.account, params["RoleName"])
        return wire.paged(
            params, "PolicyNames", list(documents), lambda name: name, lambda name: name
        )

    async def delete_role_policy(self, context: RequestContext, params: Params) -> Params:
        """Remove an inline policy."""
        await self._identities.delete_inline(
            context.account, params["RoleName"], params["PolicyName"]
        )
        return {}

    async def list_entities_for_policy(self, context: RequestContext, params: Params) -> Params:
        """List the roles that use a policy; there are no users and groups."""
        arn = params["PolicyArn"]
        if policy_of_aws(arn) is None:
            await self._identities.policies.policy(context.account, arn)
        attached, bounded = await self._identities.roles_using(context.account, arn)
        usage = params.get("PolicyUsageFilter")
        found: dict[str, Role] = {}
        if params.get("EntityFilter", "Role") == "Role":
            if usage != "PermissionsBoundary":
                found |= {role.name: role for role in attached}
            if usage != "PermissionsPolicy":
                found |= {role.name: role for role in bounded}
        prefix = params.get("PathPrefix", "/")
        page = wire.paged(
            params,
            "PolicyRoles",
            [role for role in found.values() if role.path.startswith(prefix)],
            lambda role: role.name,
            lambda role: {"RoleName": role.name, "RoleId": role.id},
        )
        return {"PolicyGroups": [], "PolicyUsers": []} | page
