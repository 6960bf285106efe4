"""Operations on groups and who is in them."""

from emberbox.clock import Clock
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.iam import wire
from emberbox.storage.identity_records import Group
from emberbox.storage.users import UserStore


class GroupOperations:
    """What IAM does with groups."""

    def __init__(self, users: UserStore, clock: Clock) -> None:
        self._users = users
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        """Operation name -> what runs it."""
        return {
            "CreateGroup": self.create_group,
            "GetGroup": self.get_group,
            "ListGroups": self.list_groups,
            "UpdateGroup": self.update_group,
            "DeleteGroup": self.delete_group,
            "AddUserToGroup": self.add_user_to_group,
            "RemoveUserFromGroup": self.remove_user_from_group,
        }

    async def create_group(self, context: RequestContext, params: Params) -> Params:
        """Add a group."""
        group = Group(
            account=context.account,
            name=params["GroupName"],
            id=wire.unique_id("AGPA"),
            path=params.get("Path", "/"),
            created=float(int(self._clock.now())),
        )
        await self._users.create_group(group)
        return {"Group": wire.group_in_brief(group)}

    async def get_group(self, context: RequestContext, params: Params) -> Params:
        """Show a group and its users."""
        group = await self._users.group(context.account, params["GroupName"])
        members = await self._users.members(context.account, params["GroupName"])
        page = wire.paged(params, "Users", members, lambda user: user.name, wire.user_in_brief)
        return {"Group": wire.group_in_brief(group)} | page

    async def list_groups(self, context: RequestContext, params: Params) -> Params:
        """List groups by name."""
        prefix = params.get("PathPrefix", "/")
        found = await self._users.groups(context.account)
        chosen = [group for group in found if group.path.startswith(prefix)]
        return wire.paged(params, "Groups", chosen, lambda group: group.name, wire.group_in_brief)

    async def update_group(self, context: RequestContext, params: Params) -> Params:
        """Change name or path."""
        await self._users.rename_group(
            context.account, params["GroupName"], params.get("NewGroupName"), params.get("NewPath")
        )
        return {}

    async def delete_group(self, context: RequestContext, params: Params) -> Params:
        """Remove a group without users and policies."""
        await self._users.delete_group(context.account, params["GroupName"])
        return {}

    async def add_user_to_group(self, context: RequestContext, params: Params) -> Params:
        """Put a user into a group."""
        await self._users.join(context.account, params["GroupName"], params["UserName"])
        return {}

    async def remove_user_from_group(self, context: RequestContext, params: Params) -> Params:
        """Take a user out of a group."""
        await self._users.leave(context.account, params["GroupName"], params["UserName"])
        return {}
