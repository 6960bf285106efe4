"""ListLogGroups: groups by patterns of names, class and tags."""

import re
from typing import Final

from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.logs.groups import PAGE, asks_only_for_others, classes_like
from emberbox.services.logs.naming import from_token, group_arn, invalid, to_token
from emberbox.storage.log_records import GroupQuery, LogGroup
from emberbox.storage.logs import LogStore

_SCANNED: Final = 1_000


class ListOperations:
    """What CloudWatch Logs lists in brief."""

    def __init__(self, store: LogStore) -> None:
        self._store = store

    @property
    def operations(self) -> dict[str, Operation]:
        """Operation name -> what runs it."""
        return {"ListLogGroups": self.list_log_groups}

    async def list_log_groups(self, context: RequestContext, params: Params) -> Params:
        """List groups by name: those that match one of the patterns, and all tags."""
        if params.get("fieldIndexNames") or params.get("dataSources"):
            raise invalid("Emberbox builds no field indexes and no data sources of log groups.")
        if asks_only_for_others(context, params):
            return {"logGroups": []}
        after = from_token(params["nextToken"]) if "nextToken" in params else ""
        limit, found = params.get("limit", PAGE), list[LogGroup]()
        while len(found) <= limit:
            query = GroupQuery(
                account=context.account,
                region=context.region,
                limit=_SCANNED,
                after=after,
                classes=classes_like(params.get("logGroupClass")),
            )
            page = await self._store.groups(query)
            found += [group for group in page if _is_listed(group, params)]
            if len(page) < _SCANNED:
                break
            after = page[-1].key.name
        answer: Params = {"logGroups": [_shown(group) for group in found[:limit]]}
        if len(found) > limit:
            answer["nextToken"] = to_token(found[limit - 1].key.name)
        return answer


def _shown(group: LogGroup) -> Params:
    return {
        "logGroupName": group.key.name,
        "logGroupArn": group_arn(group.key),
        "logGroupClass": group.group_class,
    }


def _is_listed(group: LogGroup, params: Params) -> bool:
    """Patterns are texts within the name or, after `^`, prefixes."""
    name = group.key.name
    patterns = params.get("logGroupNamePattern", "^").split("|")
    if not any(
        name.startswith(each[1:]) if each.startswith("^") else each in name for each in patterns
    ):
        return False
    return all(
        each["key"] in group.tags and _has_value(group.tags[each["key"]], each.get("values") or ())
        for each in params.get("logGroupTags", ())
    )


def _has_value(value: str, wanted: list[str] | tuple[()]) -> bool:
    return not wanted or any(_matches(value, each) for each in wanted)


def _matches(value: str, wanted: str) -> bool:
    """Exactly, not at all after `!`, and with `*` for anything whatever the case."""
    if wanted.startswith("!"):
        return not _matches(value, wanted[1:])
    if "*" not in wanted:
        return value == wanted
    pattern = ".*".join(re.escape(part) for part in wanted.split("*"))
    return re.fullmatch(pattern, value, re.IGNORECASE | re.DOTALL) is not None
