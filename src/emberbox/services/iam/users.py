"""Operations on users, their access keys and their tags."""

from emberbox.clock import Clock, utc
from emberbox.errors import CallerError
from emberbox.identity.callers import Callers
from emberbox.model.policy.principals import Kind
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.iam import wire
from emberbox.services.iam.policy_arns import check_attachable
from emberbox.storage.identities import IdentityStore
from emberbox.storage.identity_records import AccessKey, Reason, RefusedError, User


class UserOperations:
    """What IAM does with users. Where a user's name is left out, the caller is meant."""

    def __init__(self, identities: IdentityStore, callers: Callers, clock: Clock) -> None:
        self._users = identities.users
        self._keys = identities.keys
        self._callers = callers
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        """Operation name -> what runs it."""
        return {
            "CreateUser": self.create_user,
            "GetUser": self.get_user,
            "ListUsers": self.list_users,
            "UpdateUser": self.update_user,
            "DeleteUser": self.delete_user,
            "TagUser": self.tag_user,
            "UntagUser": self.untag_user,
            "ListUserTags": self.list_user_tags,
            "PutUserPermissionsBoundary": self.put_user_permissions_boundary,
            "DeleteUserPermissionsBoundary": self.delete_user_permissions_boundary,
            "ListGroupsForUser": self.list_groups_for_user,
            "CreateAccessKey": self.create_access_key,
            "ListAccessKeys": self.list_access_keys,
            "UpdateAccessKey": self.update_access_key,
            "DeleteAccessKey": self.delete_access_key,
            "GetAccessKeyLastUsed": self.get_access_key_last_used,
        }

    async def create_user(self, context: RequestContext, params: Params) -> Params:
        """Add a user."""
        boundary = params.get("PermissionsBoundary")
        if boundary is not None:
            check_attachable(boundary)
        user = User(
            account=context.account,
            name=params["UserName"],
            id=wire.unique_id("AIDA"),
            path=params.get("Path", "/"),
            created=float(int(self._clock.now())),
            boundary=boundary,
            tags=wire.tags_of(params),
        )
        await self._users.create(user)
        return {"User": wire.user_in_full(user)}

    async def get_user(self, context: RequestContext, params: Params) -> Params:
        """Show a user; the root, too, if it asks for itself."""
        name = _named(context, params)
        if name is None:
            arn = f"arn:aws:iam::{context.account}:root"
            created = utc(self._clock.now()).replace(microsecond=0)
            shown = {"Path": "/", "UserName": "root", "UserId": context.account}
            return {"User": {**shown, "Arn": arn, "CreateDate": created}}
        return {"User": wire.user_in_full(await self._users.user(context.account, name))}

    async def list_users(self, context: RequestContext, params: Params) -> Params:
        """List users by name."""
        prefix = params.get("PathPrefix", "/")
        found = await self._users.users(context.account)
        chosen = [user for user in found if user.path.startswith(prefix)]
        return wire.paged(params, "Users", chosen, lambda user: user.name, wire.user_in_brief)

    async def update_user(self, context: RequestContext, params: Params) -> Params:
        """Change name or path."""
        await self._users.rename(
            context.account, params["UserName"], params.get("NewUserName"), params.get("NewPath")
        )
        return {}

    async def delete_user(self, context: RequestContext, params: Params) -> Params:
        """Remove a user that has no policies, keys and groups."""
        await self._users.delete(context.account, params["UserName"])
        return {}

    async def tag_user(self, context: RequestContext, params: Params) -> Params:
        """Add or replace tags."""
        await self._users.tag(context.account, params["UserName"], wire.tags_of(params), ())
        return {}

    async def untag_user(self, context: RequestContext, params: Params) -> Params:
        """Remove tags; those that are not there are no error."""
        await self._users.tag(context.account, params["UserName"], {}, params["TagKeys"])
        return {}

    async def list_user_tags(self, context: RequestContext, params: Params) -> Params:
        """List a user's tags by key."""
        user = await self._users.user(context.account, params["UserName"])
        return wire.paged_tags(params, user.tags)

    async def put_user_permissions_boundary(
        self, context: RequestContext, params: Params
    ) -> Params:
        """Bound what the user's policies can allow."""
        boundary = params["PermissionsBoundary"]
        check_attachable(boundary)
        await self._users.bound(context.account, params["UserName"], boundary)
        return {}

    async def delete_user_permissions_boundary(
        self, context: RequestContext, params: Params
    ) -> Params:
        """Remove the permissions boundary."""
        await self._users.bound(context.account, params["UserName"], None)
        return {}

    async def list_groups_for_user(self, context: RequestContext, params: Params) -> Params:
        """List the groups a user is in."""
        found = await self._users.groups_of(context.account, params["UserName"])
        return wire.paged(params, "Groups", found, lambda group: group.name, wire.group_in_brief)

    async def create_access_key(self, context: RequestContext, params: Params) -> Params:
        """Make a key; its secret is shown this once."""
        name = _named(context, params)
        key, secret = await self._callers.new_key(context.account, name)
        return {"AccessKey": _key_in_brief(key) | {"SecretAccessKey": secret}}

    async def list_access_keys(self, context: RequestContext, params: Params) -> Params:
        """List a user's keys without their secrets."""
        keys = await self._keys.of(context.account, _named(context, params))
        return wire.paged(
            params, "AccessKeyMetadata", keys, lambda key: key.access_key, _key_in_brief
        )

    async def update_access_key(self, context: RequestContext, params: Params) -> Params:
        """Make a key work, or not."""
        status = params["Status"]
        if status == "Expired":
            raise CallerError("ValidationError", "Status must be Active or Inactive.", status=400)
        await self._keys.set_active(
            context.account,
            _named(context, params),
            params["AccessKeyId"],
            is_active=status == "Active",
        )
        return {}

    async def delete_access_key(self, context: RequestContext, params: Params) -> Params:
        """Remove a key."""
        name = _named(context, params)
        await self._keys.remove(context.account, name, params["AccessKeyId"])
        return {}

    async def get_access_key_last_used(self, context: RequestContext, params: Params) -> Params:
        """Show when a key was last used, and for what."""
        await self._callers.keep_uses()
        key = await self._keys.find(params["AccessKeyId"])
        if key is None or key.account != context.account:
            raise RefusedError(Reason.NO_KEY)
        used: Params = {"ServiceName": "N/A", "Region": "N/A"}
        if key.used is not None:
            used = {
                "LastUsedDate": utc(key.used),
                "ServiceName": key.used_service,
                "Region": key.used_region,
            }
        return {"UserName": key.user or "root", "AccessKeyLastUsed": used}


def _named(context: RequestContext, params: Params) -> str | None:
    """The user in the request or, without one, the caller; None for the account's root."""
    if "UserName" in params:
        return str(params["UserName"])
    who = context.principal
    if who is None or who.kind is Kind.ROOT:
        return None
    if who.kind is Kind.USER:
        return who.arn.rsplit("/", 1)[-1]
    raise CallerError(
        "ValidationError",
        "Must specify userName when calling with non-User credentials",
        status=400,
    )


def _key_in_brief(key: AccessKey) -> Params:
    return {
        "UserName": key.user or "root",
        "AccessKeyId": key.access_key,
        "Status": "Active" if key.is_active else "Inactive",
        "CreateDate": utc(key.created),
    }
