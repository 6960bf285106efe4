"""Operations on roles, their trust policies and their tags."""

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.model.policy_documents import check_trust_policy, size_without_blanks
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.iam import wire
from emberbox.services.iam.policy_arns import check_attachable
from emberbox.storage.identities import IdentityStore
from emberbox.storage.identity_records import Role

TRUST_MAX_BYTES = 2_048


class RoleOperations:
    """What IAM does with roles."""

    def __init__(self, identities: IdentityStore, clock: Clock) -> None:
        self._identities = identities
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        """Operation name -> what runs it."""
        return {
            "CreateRole": self.create_role,
            "GetRole": self.get_role,
            "ListRoles": self.list_roles,
            "UpdateRole": self.update_role,
            "UpdateRoleDescription": self.update_role_description,
            "UpdateAssumeRolePolicy": self.update_assume_role_policy,
            "DeleteRole": self.delete_role,
            "PutRolePermissionsBoundary": self.put_role_permissions_boundary,
            "DeleteRolePermissionsBoundary": self.delete_role_permissions_boundary,
            "TagRole": self.tag_role,
            "UntagRole": self.untag_role,
            "ListRoleTags": self.list_role_tags,
            "ListInstanceProfilesForRole": self.list_instance_profiles_for_role,
        }

    async def create_role(self, context: RequestContext, params: Params) -> Params:
        """Add a role."""
        _check_trust(params["AssumeRolePolicyDocument"])
        boundary = params.get("PermissionsBoundary")
        if boundary is not None:
            check_attachable(boundary)
        role = Role(
            account=context.account,
            name=params["RoleName"],
            id=wire.unique_id("AROA"),
            path=params.get("Path", "/"),
            created=float(int(self._clock.now())),
            trust=params["AssumeRolePolicyDocument"],
            description=params.get("Description", ""),
            max_session_s=params.get("MaxSessionDuration", 3_600),
            boundary=boundary,
            tags=wire.tags_of(params),
        )
        await self._identities.create_role(role)
        shown = wire.role_in_brief(role) | wire.boundary_of(role)
        return {"Role": shown | ({"Tags": wire.tag_list(role.tags)} if role.tags else {})}

    async def get_role(self, context: RequestContext, params: Params) -> Params:
        """Show a role."""
        role = await self._identities.role_named(context.account, params["RoleName"])
        return {"Role": wire.role_in_full(role)}

    async def list_roles(self, context: RequestContext, params: Params) -> Params:
        """List roles by name."""
        size = wire.page_size(params)
        found = await self._identities.roles(
            context.account, params.get("PathPrefix", "/"), wire.after(params), size + 1
        )
        shown = [wire.role_in_list(role) for role in found[:size]]
        return {"Roles": shown} | wire.ending(found, size, lambda role: role.name)

    async def update_role(self, context: RequestContext, params: Params) -> Params:
        """Change description and longest session; the latter goes back to an hour if not given."""
        await self._identities.change_role(
            context.account,
            params["RoleName"],
            description=params.get("Description"),
            max_session_s=params.get("MaxSessionDuration", 3_600),
        )
        return {}

    async def update_role_description(self, context: RequestContext, params: Params) -> Params:
        """Change the description."""
        role = await self._identities.change_role(
            context.account, params["RoleName"], description=params["Description"]
        )
        return {"Role": wire.role_in_list(role)}

    async def update_assume_role_policy(self, context: RequestContext, params: Params) -> Params:
        """Replace the trust policy."""
        _check_trust(params["PolicyDocument"])
        await self._identities.change_role(
            context.account, params["RoleName"], trust=params["PolicyDocument"]
        )
        return {}

    async def delete_role(self, context: RequestContext, params: Params) -> Params:
        """Remove a role that has no policies."""
        await self._identities.delete_role(context.account, params["RoleName"])
        return {}

    async def put_role_permissions_boundary(
        self, context: RequestContext, params: Params
    ) -> Params:
        """Bound what the role's policies can allow."""
        check_attachable(params["PermissionsBoundary"])
        await self._identities.bound_role(
            context.account, params["RoleName"], params["PermissionsBoundary"]
        )
        return {}

    async def delete_role_permissions_boundary(
        self, context: RequestContext, params: Params
    ) -> Params:
        """Remove the permissions boundary."""
        await self._identities.bound_role(context.account, params["RoleName"], None)
        return {}

    async def tag_role(self, context: RequestContext, params: Params) -> Params:
        """Add or replace tags."""
        tags = wire.tags_of(params)
        await self._identities.tag_role(context.account, params["RoleName"], tags, ())
        return {}

    async def untag_role(self, context: RequestContext, params: Params) -> Params:
        """Remove tags; those that are not there are no error."""
        await self._identities.tag_role(context.account, params["RoleName"], {}, params["TagKeys"])
        return {}

    async def list_role_tags(self, context: RequestContext, params: Params) -> Params:
        """List a role's tags by key."""
        role = await self._identities.role_named(context.account, params["RoleName"])
        return wire.paged(
            params, "Tags", wire.tag_list(role.tags), lambda tag: str(tag["Key"]), lambda tag: tag
        )

    async def list_instance_profiles_for_role(
        self, context: RequestContext, params: Params
    ) -> Params:
        """List the instance profiles of a role: there are none, since there are no instances."""
        await self._identities.role_named(context.account, params["RoleName"])
        return {"InstanceProfiles": [], "IsTruncated": False}


def _check_trust(document: str) -> None:
    check_trust_policy(document)
    if size_without_blanks(document) > TRUST_MAX_BYTES:
        raise CallerError(
            "LimitExceeded",
            f"Cannot exceed quota for ACLSizePerRole: {TRUST_MAX_BYTES}",
            status=409,
        )
