"""Schedule groups and their tags."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from emberbox.clock import Clock, utc
from emberbox.model.page_tokens import to_token
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.model.scheduling import DEFAULT_GROUP, Group
from emberbox.services.scheduler.naming import after, conflict, invalid, not_found
from emberbox.storage.schedules import ScheduleStore
from emberbox.storage.shelf import Shelf, ShelfKey

_PAGE: Final = 100
_TAGS_MAX: Final = 200


class GroupOperations:
    """What is done to groups. The group `default` is there without asking."""

    def __init__(self, groups: Shelf[Group], schedules: ScheduleStore, clock: Clock) -> None:
        self._groups = groups
        self._schedules = schedules
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "CreateScheduleGroup": self.create_schedule_group,
            "DeleteScheduleGroup": self.delete_schedule_group,
            "GetScheduleGroup": self.get_schedule_group,
            "ListScheduleGroups": self.list_schedule_groups,
            "ListTagsForResource": self.list_tags_for_resource,
            "TagResource": self.tag_resource,
            "UntagResource": self.untag_resource,
        }

    def at(self, account: str, region: str, name: str) -> Group:
        """A group, or CallerError."""
        found = self._groups.get(ShelfKey(account, region, name))
        if found is None and name == DEFAULT_GROUP:
            return Group(account, region, name, 0.0, 0.0)
        if found is None:
            raise not_found(f"Schedule group {name} does not exist.")
        return found

    async def create_schedule_group(self, context: RequestContext, params: Params) -> Params:
        """Add a group; the same request again, by its token, is no error."""
        name, now = params["Name"], self._clock.now()
        token = params.get("ClientToken") or ""
        tags = _checked({tag["Key"]: tag["Value"] for tag in params.get("Tags") or ()})
        fresh = Group(context.account, context.region, name, now, now, token, tags)

        def alter(found: Group | None) -> Group:
            if found is not None and token and found.token == token:
                return found
            if found is not None or name == DEFAULT_GROUP:
                raise conflict(f"Schedule group {name} already exists.")
            return fresh

        await self._groups.put(ShelfKey(context.account, context.region, name), alter)
        return {"ScheduleGroupArn": fresh.arn}

    async def delete_schedule_group(self, context: RequestContext, params: Params) -> Params:
        """Remove a group and all its schedules."""
        name = params["Name"]
        if name == DEFAULT_GROUP:
            raise invalid("The default schedule group cannot be deleted.")
        group = self.at(context.account, context.region, name)
        where = ShelfKey(group.account, group.region, name)
        # The group goes last: none of its schedules runs on without it, whenever the server ends.
        await self._schedules.remove_group(*where)
        await self._groups.remove(where, partial(self._schedules.remove_some, key=where))
        return {}

    async def get_schedule_group(self, context: RequestContext, params: Params) -> Params:
        """One group."""
        return _shown(self.at(context.account, context.region, params["Name"]))

    async def list_schedule_groups(self, context: RequestContext, params: Params) -> Params:
        """The groups of the caller's account, by name."""
        where = (context.account, context.region)
        prefix, limit = params.get("NamePrefix") or "", params.get("MaxResults") or _PAGE
        _, last = after(params.get("NextToken"))
        stored = [g for g in self._groups.mirror if (g.account, g.region) == where]
        if all(group.name != DEFAULT_GROUP for group in stored):
            stored.append(self.at(*where, DEFAULT_GROUP))
        found = sorted(
            (g for g in stored if g.name.startswith(prefix) and g.name > last),
            key=lambda group: group.name,
        )
        answer: Params = {"ScheduleGroups": [_shown(group) for group in found[:limit]]}
        if len(found) > limit:
            answer["NextToken"] = to_token(f"/{found[limit - 1].name}")
        return answer

    async def list_tags_for_resource(self, context: RequestContext, params: Params) -> Params:
        """The tags of a group."""
        tags = self._named(context, params["ResourceArn"]).tags
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    async def tag_resource(self, context: RequestContext, params: Params) -> Params:
        """Add or replace tags."""
        group = self._named(context, params["ResourceArn"])
        added = {tag["Key"]: tag["Value"] for tag in params["Tags"]}
        await self._tag(group, _checked({**group.tags, **added}))
        return {}

    async def untag_resource(self, context: RequestContext, params: Params) -> Params:
        """Remove tags."""
        group = self._named(context, params["ResourceArn"])
        gone = frozenset(params["TagKeys"])
        await self._tag(group, {k: v for k, v in group.tags.items() if k not in gone})
        return {}

    def _named(self, context: RequestContext, arn: str) -> Group:
        name = arn.partition(":schedule-group/")[2]
        found = self.at(context.account, context.region, name) if name else None
        if found is None or found.arn != arn:
            raise not_found(f"Resource {arn} does not exist.")
        return found

    async def _tag(self, group: Group, tags: Mapping[str, str]) -> None:
        key = ShelfKey(group.account, group.region, group.name)
        await self._groups.put(key, lambda found: replace(found or group, tags=dict(tags)))


def _checked(tags: dict[str, str]) -> dict[str, str]:
    if len(tags) > _TAGS_MAX:
        raise invalid("Too many tags.")
    return tags


def _shown(group: Group) -> Params:
    shown: Params = {"Arn": group.arn, "Name": group.name, "State": "ACTIVE"}
    if group.created:
        shown["CreationDate"] = utc(group.created)
        shown["LastModificationDate"] = utc(group.modified)
    return shown
