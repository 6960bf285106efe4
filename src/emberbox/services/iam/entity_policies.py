"""Operations on what users, groups and roles may do: inline policies and attached policies."""

from emberbox.model.policy_documents import check_identity_policy
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.iam import wire
from emberbox.services.iam.policy_arns import check_attachable
from emberbox.storage.grants import GrantStore
from emberbox.storage.identity_records import Kind, Reason, RefusedError

_MISSING = {
    Kind.USER: Reason.NO_USER_POLICY,
    Kind.GROUP: Reason.NO_GROUP_POLICY,
    Kind.ROLE: Reason.NO_ROLE_POLICY,
}


class EntityPolicyOperations:
    """What IAM does with the policies of one kind of entity."""

    def __init__(self, grants: GrantStore, kind: Kind) -> None:
        self._grants = grants
        self._kind = kind
        self._word = kind.value.capitalize()
        self._name = f"{self._word}Name"

    @property
    def operations(self) -> dict[str, Operation]:
        """Operation name -> what runs it."""
        word = self._word
        return {
            f"Attach{word}Policy": self.attach,
            f"Detach{word}Policy": self.detach,
            f"ListAttached{word}Policies": self.list_attached,
            f"Put{word}Policy": self.put,
            f"Get{word}Policy": self.get,
            f"List{word}Policies": self.list_inline,
            f"Delete{word}Policy": self.delete,
        }

    async def attach(self, context: RequestContext, params: Params) -> Params:
        """Attach a managed policy."""
        check_attachable(params["PolicyArn"])
        arn = params["PolicyArn"]
        await self._grants.attach(context.account, self._kind, params[self._name], arn)
        return {}

    async def detach(self, context: RequestContext, params: Params) -> Params:
        """Detach a managed policy."""
        arn = params["PolicyArn"]
        await self._grants.detach(context.account, self._kind, params[self._name], arn)
        return {}

    async def list_attached(self, context: RequestContext, params: Params) -> Params:
        """List the managed policies by name."""
        arns = await self._grants.attached(context.account, self._kind, params[self._name])
        prefix = params.get("PathPrefix", "/")
        items = [
            wire.attached(arn) for arn in arns if arn.partition(":policy")[2].startswith(prefix)
        ]
        # A name may be AWS's and the account's own at once; a Marker has no room for whole ARNs.
        return wire.paged(
            params,
            "AttachedPolicies",
            items,
            lambda item: f"{item['PolicyName']} {item['PolicyArn'][13:25]}",
            lambda item: item,
        )

    async def put(self, context: RequestContext, params: Params) -> Params:
        """Add or replace an inline policy."""
        document = params["PolicyDocument"]
        check_identity_policy(document)
        await self._grants.put_inline(
            context.account, self._kind, params[self._name], params["PolicyName"], document
        )
        return {}

    async def get(self, context: RequestContext, params: Params) -> Params:
        """Show an inline policy."""
        name, entity = params["PolicyName"], params[self._name]
        documents = await self._grants.inline(context.account, self._kind, entity)
        if name not in documents:
            raise RefusedError(_MISSING[self._kind])
        document = wire.encoded(documents[name])
        return {self._name: entity, "PolicyName": name, "PolicyDocument": document}

    async def list_inline(self, context: RequestContext, params: Params) -> Params:
        """List the names of the inline policies."""
        documents = await self._grants.inline(context.account, self._kind, params[self._name])
        return wire.paged(
            params, "PolicyNames", list(documents), lambda name: name, lambda name: name
        )

    async def delete(self, context: RequestContext, params: Params) -> Params:
        """Remove an inline policy."""
        name = params["PolicyName"]
        await self._grants.delete_inline(context.account, self._kind, params[self._name], name)
        return {}
