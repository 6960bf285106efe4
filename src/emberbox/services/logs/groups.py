"""Operations on log groups: creation, deletion, listing, retention, protection, tags."""

from collections.abc import Sequence

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.logs.naming import (
    from_token,
    group_arn,
    group_by_arn,
    group_identified,
    group_key,
    invalid,
    to_token,
)
from emberbox.storage.log_filters import Kind, LogFilterStore
from emberbox.storage.log_records import (
    GroupKey,
    GroupQuery,
    LogGroup,
    MissingGroupError,
    TooManyTagsError,
)
from emberbox.storage.logs import LogStore

PAGE = 50
TAGS_MAX = 50
DELIVERY_DAYS = 1
RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
_INFREQUENT = ("INFREQUENT_ACCESS", "ESSENTIALS")


class GroupOperations:
    """What CloudWatch Logs does with groups."""

    def __init__(self, store: LogStore, filters: LogFilterStore, clock: Clock) -> None:
        self._store = store
        self._filters = filters
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        """Operation name -> what runs it."""
        return {
            "CreateLogGroup": self.create_log_group,
            "DeleteLogGroup": self.delete_log_group,
            "DescribeLogGroups": self.describe_log_groups,
            "PutLogGroupDeletionProtection": self.put_log_group_deletion_protection,
            "PutRetentionPolicy": self.put_retention_policy,
            "DeleteRetentionPolicy": self.delete_retention_policy,
            "ListTagsForResource": self.list_tags_for_resource,
            "TagResource": self.tag_resource,
            "UntagResource": self.untag_resource,
            "ListTagsLogGroup": self.list_tags_log_group,
            "TagLogGroup": self.tag_log_group,
            "UntagLogGroup": self.untag_log_group,
        }

    async def create_log_group(self, context: RequestContext, params: Params) -> Params:
        """Add a group."""
        name = params["logGroupName"]
        if name.startswith("aws/"):
            raise invalid("Log group names can't start with aws/.")
        if "kmsKeyId" in params:
            raise invalid("The specified KMS Key Id could not be found.")
        key = group_key(context, name)
        group_class = params.get("logGroupClass", "STANDARD")
        await self._store.create_group(
            key,
            int(self._clock.now() * 1000),
            group_class=group_class,
            is_protected=params.get("deletionProtectionEnabled", False),
            retention_days=DELIVERY_DAYS if group_class == "DELIVERY" else None,
            tags=params.get("tags", {}),
        )
        return {}

    async def delete_log_group(self, context: RequestContext, params: Params) -> Params:
        """Remove a group with all that is in it."""
        await self._store.delete_group(group_key(context, params["logGroupName"]))
        return {}

    async def describe_log_groups(self, context: RequestContext, params: Params) -> Params:
        """List groups by name."""
        prefix, pattern = params.get("logGroupNamePrefix"), params.get("logGroupNamePattern")
        if prefix is not None and pattern is not None:
            raise invalid(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
            )
        if "logGroupIdentifiers" in params:
            return {"logGroups": await self._identified(context, params)}
        if asks_only_for_others(context, params):
            return {"logGroups": []}
        limit = params.get("limit", PAGE)
        found = await self._store.groups(
            GroupQuery(
                account=context.account,
                region=context.region,
                limit=limit + 1,
                after=from_token(params["nextToken"]) if "nextToken" in params else "",
                prefix=prefix or "",
                pattern=pattern,
                classes=classes_like(params.get("logGroupClass")),
            )
        )
        show = self._shown if pattern is None else _shown_in_brief
        answer: Params = {"logGroups": [show(group) for group in found[:limit]]}
        if len(found) > limit:
            answer["nextToken"] = to_token(found[limit - 1].key.name)
        return answer

    async def _identified(self, context: RequestContext, params: Params) -> list[Params]:
        filters = ("logGroupNamePrefix", "logGroupNamePattern", "logGroupClass", "nextToken")
        if any(name in params for name in filters):
            raise invalid("logGroupIdentifiers cannot be combined with other filters.")
        found: dict[str, Params] = {}
        for identifier in params["logGroupIdentifiers"]:
            try:
                group = await self._store.group(group_identified(context, identifier))
            except MissingGroupError:
                continue
            found[group.key.name] = self._shown(group)
        return [shown for _, shown in sorted(found.items())]

    def _shown(self, group: LogGroup) -> Params:
        shown = _shown_in_brief(group) | {
            "metricFilterCount": len(self._filters.of(group.id, Kind.METRIC)),
            "storedBytes": group.size_bytes,
            "logGroupClass": group.group_class,
            "logGroupArn": group_arn(group.key),
        }
        if group.retention_days is not None:
            shown["retentionInDays"] = group.retention_days
        if group.is_protected:
            shown["deletionProtectionEnabled"] = True
        return shown

    async def put_log_group_deletion_protection(
        self, context: RequestContext, params: Params
    ) -> Params:
        """Protect a group against deletion, or no longer."""
        await self._store.protect(
            group_identified(context, params["logGroupIdentifier"]),
            is_protected=params["deletionProtectionEnabled"],
        )
        return {}

    async def put_retention_policy(self, context: RequestContext, params: Params) -> Params:
        """Set for how many days events are kept."""
        days = params["retentionInDays"]
        if days not in RETENTION_DAYS:
            raise invalid(
                f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to "
                "satisfy constraint: Member must satisfy enum value set: "
                f"[{', '.join(map(str, RETENTION_DAYS))}]"
            )
        await self._retain(context, params, days)
        return {}

    async def delete_retention_policy(self, context: RequestContext, params: Params) -> Params:
        """Keep events for ever."""
        await self._retain(context, params, None)
        return {}

    async def _retain(self, context: RequestContext, params: Params, days: int | None) -> None:
        key = group_key(context, params["logGroupName"])
        group = await self._store.group(key)
        if group.group_class == "DELIVERY":
            raise invalid("The retention of a log group of the Delivery class cannot be changed.")
        await self._store.retain(key, days)

    async def list_tags_for_resource(self, context: RequestContext, params: Params) -> Params:
        """List the tags of a group by its ARN."""
        group = await self._store.group(group_by_arn(context, params["resourceArn"]))
        return {"tags": dict(group.tags)}

    async def tag_resource(self, context: RequestContext, params: Params) -> Params:
        """Add or replace tags of a group by its ARN."""
        arn = params["resourceArn"]
        try:
            await self._tag(group_by_arn(context, arn), params["tags"], ())
        except TooManyTagsError:
            raise CallerError(
                "TooManyTagsException",
                f"A resource can have no more than {TAGS_MAX} tags.",
                status=400,
                fields={"resourceName": arn},
            ) from None
        return {}

    async def untag_resource(self, context: RequestContext, params: Params) -> Params:
        """Remove tags of a group by its ARN."""
        await self._tag(group_by_arn(context, params["resourceArn"]), {}, params["tagKeys"])
        return {}

    async def list_tags_log_group(self, context: RequestContext, params: Params) -> Params:
        """List the tags of a group."""
        group = await self._store.group(group_key(context, params["logGroupName"]))
        return {"tags": dict(group.tags)}

    async def tag_log_group(self, context: RequestContext, params: Params) -> Params:
        """Add or replace tags of a group."""
        try:
            await self._tag(group_key(context, params["logGroupName"]), params["tags"], ())
        except TooManyTagsError:
            raise invalid(f"A resource can have no more than {TAGS_MAX} tags.") from None
        return {}

    async def untag_log_group(self, context: RequestContext, params: Params) -> Params:
        """Remove tags of a group."""
        await self._tag(group_key(context, params["logGroupName"]), {}, params["tags"])
        return {}

    async def _tag(self, key: GroupKey, add: dict[str, str], remove: Sequence[str]) -> None:
        await self._store.tag(key, add, remove, TAGS_MAX)


def asks_only_for_others(context: RequestContext, params: Params) -> bool:
    """Whether the request is for log groups of linked accounts alone, of which there are none."""
    accounts = params.get("accountIdentifiers", ())
    if not params.get("includeLinkedAccounts", False):
        return False
    return bool(accounts) and context.account not in accounts


def classes_like(group_class: str | None) -> Sequence[str] | None:
    """The classes that a filter by class lets through; None for all."""
    if group_class is None:
        return None
    return _INFREQUENT if group_class in _INFREQUENT else (group_class,)


def _shown_in_brief(group: LogGroup) -> Params:
    return {
        "logGroupName": group.key.name,
        "creationTime": group.created_ms,
        "arn": f"{group_arn(group.key)}:*",
    }
