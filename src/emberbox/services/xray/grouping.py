"""Groups: filter expressions that have a name, to be asked for by it.

Source: API reference of X-Ray, operations CreateGroup, GetGroups and the like; "Configuring
groups". Insights are not found here, so no group can want them.
"""

from collections.abc import Callable, Mapping
from typing import Final

from emberbox.entropy import Entropy
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.model.xray.expressions import BadExpressionError, read_expression
from emberbox.model.xray.facts import Trace
from emberbox.services.xray.refusing import invalid
from emberbox.services.xray.tagging import tags_of
from emberbox.storage.trace_groups import TraceGroup, TraceGroups
from emberbox.storage.traces import Place

DEFAULT: Final = "Default"
"""The group of all traces, which is always there."""

_GROUPS_MAX: Final = 25
_ID_DIGITS: Final = 32


class GroupOperations:
    """See the module."""

    def __init__(self, groups: TraceGroups) -> None:
        self._groups = groups
        self._entropy = Entropy()
        self.operations: Mapping[str, Operation] = {
            "CreateGroup": self.create_group,
            "GetGroup": self.get_group,
            "GetGroups": self.get_groups,
            "UpdateGroup": self.update_group,
            "DeleteGroup": self.delete_group,
        }

    async def create_group(self, context: RequestContext, params: Params) -> Params:
        """A new group."""
        name, place = params["GroupName"], _place(context)
        expression = _checked(params.get("FilterExpression") or "")
        _check_insights(params)
        found = await self._groups.all(place)
        if len(found) >= _GROUPS_MAX:
            raise invalid(f"There may be {_GROUPS_MAX} groups besides the one named {DEFAULT}.")
        arn = _arn(context, f"{name}/{self._entropy.hex(_ID_DIGITS).upper()}")
        group = TraceGroup(name, arn, expression)
        tags = tags_of(params.get("Tags") or ())
        if name == DEFAULT or not await self._groups.add(place, group, tags):
            raise invalid(f"A group of the name {name} is there already.")
        return {"Group": _shown(group)}

    async def get_group(self, context: RequestContext, params: Params) -> Params:
        """A group by its name or its ARN."""
        return {"Group": _shown(await self.named(context, params))}

    async def get_groups(self, context: RequestContext, params: Params) -> Params:
        """All groups: there are few enough for one page."""
        if params.get("NextToken"):
            raise invalid("The token is none of ours.")
        found = await self._groups.all(_place(context))
        return {"Groups": [_shown(each) for each in (default_of(context), *found)]}

    async def update_group(self, context: RequestContext, params: Params) -> Params:
        """Give a group another expression."""
        group = await self.named(context, params)
        _check_insights(params)
        given = params.get("FilterExpression")
        if given is None:
            return {"Group": _shown(group)}
        if group.name == DEFAULT:
            raise invalid(f"The group {DEFAULT} has no filter expression.")
        changed = group._replace(expression=_checked(given))
        await self._groups.change(_place(context), group.name, changed.expression)
        return {"Group": _shown(changed)}

    async def delete_group(self, context: RequestContext, params: Params) -> Params:
        """Remove a group; its traces stay."""
        group = await self.named(context, params)
        if group.name == DEFAULT:
            raise invalid(f"The group {DEFAULT} cannot be deleted.")
        await self._groups.remove(_place(context), group)
        return {}

    async def has(self, context: RequestContext, arn: str) -> bool:
        """Whether a group has that ARN."""
        found = await self._groups.all(_place(context))
        return any(each.arn == arn for each in (default_of(context), *found))

    async def named(self, context: RequestContext, params: Params) -> TraceGroup:
        """The group that a request names by `GroupName` or `GroupARN`; else it is refused."""
        name, arn = params.get("GroupName"), params.get("GroupARN")
        if not name and not arn:
            raise invalid("GroupName or GroupARN is needed.")
        for each in (default_of(context), *await self._groups.all(_place(context))):
            if (not name or each.name == name) and (not arn or each.arn == arn):
                return each
        raise invalid("There is no group of that name.")

    async def fitting(self, context: RequestContext, params: Params) -> Callable[[Trace], bool]:
        """Whether a trace is of the group that a request names, of any if it names none."""
        if not params.get("GroupName") and not params.get("GroupARN"):
            return read_expression("")
        return read_expression((await self.named(context, params)).expression)

    async def predicates(self, context: RequestContext) -> dict[str, Callable[[Trace], bool]]:
        """What filter expressions may ask for by `group.name` and `group.arn`."""
        found = (default_of(context), *await self._groups.all(_place(context)))
        fits = {each: read_expression(each.expression) for each in found}
        return {**{g.name: f for g, f in fits.items()}, **{g.arn: f for g, f in fits.items()}}


def default_of(context: RequestContext) -> TraceGroup:
    """The group of all traces."""
    return TraceGroup(DEFAULT, _arn(context, DEFAULT), "")


def _checked(expression: str) -> str:
    try:
        read_expression(expression)
    except BadExpressionError as error:
        raise invalid(f"Invalid filter expression: {error}") from None
    return expression


def _check_insights(params: Params) -> None:
    if any((params.get("InsightsConfiguration") or {}).values()):
        raise invalid("Emberbox finds no insights: InsightsConfiguration can only say false.")


def _arn(context: RequestContext, name: str) -> str:
    return f"arn:aws:xray:{context.region}:{context.account}:group/{name}"


def _place(context: RequestContext) -> Place:
    return context.account, context.region


def _shown(group: TraceGroup) -> Params:
    return {
        "GroupName": group.name,
        "GroupARN": group.arn,
        "FilterExpression": group.expression,
        "InsightsConfiguration": {"InsightsEnabled": False, "NotificationsEnabled": False},
    }
