"""Operations on roles, their trust policies and their tags."""

import re
from json import dumps
from uuid import uuid4

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.model.policy_documents import check_trust_policy, size_without_blanks
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.iam import wire
from emberbox.services.iam.policy_arns import check_attachable
from emberbox.storage.identities import IdentityStore
from emberbox.storage.identity_records import Role

TRUST_MAX_BYTES = 2_048

_LINKED = "/aws-service-role/"
_SERVICE = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com")
_TASK = re.compile(r"task/aws-service-role/[a-z0-9.-]+/[\w+=,.@-]+/[0-9a-f-]{36}")


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
            "CreateServiceLinkedRole": self.create_service_linked_role,
            "DeleteServiceLinkedRole": self.delete_service_linked_role,
            "GetServiceLinkedRoleDeletionStatus": self.get_service_linked_role_deletion_status,
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
        return wire.paged_tags(params, role.tags)

    async def create_service_linked_role(self, context: RequestContext, params: Params) -> Params:
        """Add the role that a service of AWS would work as; only that service may assume it."""
        service = params["AWSServiceName"]
        if _SERVICE.fullmatch(service) is None:
            raise CallerError("InvalidInput", f"{service} is not a service name.", status=400)
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sts:AssumeRole",
        }
        suffix = f"_{params['CustomSuffix']}" if "CustomSuffix" in params else ""
        name = "".join(part.title() for part in service.split(".")[0].split("-"))
        role = Role(
            account=context.account,
            name=f"AWSServiceRoleFor{name}{suffix}",
            id=wire.unique_id("AROA"),
            path=f"{_LINKED}{service}/",
            created=float(int(self._clock.now())),
            trust=dumps({"Version": "2012-10-17", "Statement": [trust]}),
            description=params.get("Description", ""),
        )
        await self._identities.create_role(role)
        return {"Role": wire.role_in_brief(role)}

    async def delete_service_linked_role(self, context: RequestContext, params: Params) -> Params:
        """Remove such a role at once."""
        role = await self._identities.role_named(context.account, params["RoleName"])
        if not role.path.startswith(_LINKED):
            raise CallerError(
                "InvalidInput", f"Role {role.name} is not a service-linked role.", status=400
            )
        await self._identities.delete_role(context.account, role.name)
        task = f"task{role.path}{role.name}/{uuid4()}"
        return {"DeletionTaskId": task}

    async def get_service_linked_role_deletion_status(
        self, context: RequestContext, params: Params
    ) -> Params:
        """Show what became of a removal: it is done when it is answered."""
        found = _TASK.fullmatch(params["DeletionTaskId"])
        if found is None:
            raise CallerError("NoSuchEntity", "There is no such deletion task.", status=404)
        return {"Status": "SUCCEEDED"}


def _check_trust(document: str) -> None:
    check_trust_policy(document)
    if size_without_blanks(document) > TRUST_MAX_BYTES:
        raise CallerError(
            "LimitExceeded",
            f"Cannot exceed quota for ACLSizePerRole: {TRUST_MAX_BYTES}",
            status=409,
        )
