"""Tags of groups and of sampling rules."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

from emberbox.errors import CallerError
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.xray.refusing import invalid
from emberbox.storage.trace_groups import TraceGroups

_TAGS_MAX: Final = 50
_OURS: Final = "aws:"

Has = Callable[[RequestContext, str], Awaitable[bool]]
"""Whether there is something of an ARN."""


class TagOperations:
    """See the module. `has` knows what may have tags."""

    def __init__(self, groups: TraceGroups, has: Has) -> None:
        self._groups = groups
        self._has = has
        self.operations: Mapping[str, Operation] = {
            "TagResource": self.tag_resource,
            "UntagResource": self.untag_resource,
            "ListTagsForResource": self.list_tags_for_resource,
        }

    async def tag_resource(self, context: RequestContext, params: Params) -> Params:
        """Add or replace tags."""
        await self._change(context, params["ResourceARN"], tags_of(params["Tags"]), frozenset())
        return {}

    async def untag_resource(self, context: RequestContext, params: Params) -> Params:
        """Remove tags."""
        await self._change(context, params["ResourceARN"], {}, frozenset(params["TagKeys"]))
        return {}

    async def list_tags_for_resource(self, context: RequestContext, params: Params) -> Params:
        """The tags: all on one page."""
        arn = await self._known(context, params["ResourceARN"])
        tags = await self._groups.tags((context.account, context.region), arn)
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    async def _change(
        self, context: RequestContext, arn: str, more: Mapping[str, str], without: frozenset[str]
    ) -> None:
        await self._known(context, arn)
        place = (context.account, context.region)
        if not await self._groups.tag(place, arn, more, without, _TAGS_MAX):
            raise CallerError(
                "TooManyTagsException",
                f"A resource may have {_TAGS_MAX} tags.",
                status=400,
                fields={"ResourceName": arn},
            )

    async def _known(self, context: RequestContext, arn: str) -> str:
        if await self._has(context, arn):
            return arn
        raise CallerError(
            "ResourceNotFoundException",
            "There is neither a group nor a sampling rule of that ARN.",
            status=404,
            fields={"ResourceName": arn},
        )


def tags_of(given: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Tags by their keys; refused if there are too many, or keys that are AWS's own."""
    found = {tag["Key"]: tag["Value"] for tag in given}
    if any(key.lower().startswith(_OURS) for key in found):
        raise invalid(f"Keys of tags must not begin with {_OURS}")
    if len(found) > _TAGS_MAX:
        raise CallerError(
            "TooManyTagsException", f"A resource may have {_TAGS_MAX} tags.", status=400
        )
    return found
