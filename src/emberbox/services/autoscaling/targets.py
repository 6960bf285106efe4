"""Scalable targets: what may be scaled, between which capacities; their tags and activities."""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.autoscaling.naming import (
    DIMENSION,
    check_namespace,
    function_of,
    invalid,
    missing,
    moment,
    page,
    place_of,
    shown_place,
)
from emberbox.storage.scaling import Kind, Record, ScalingStore

TAGS_MAX: Final = 50
_SUSPENDED: Final = (
    "DynamicScalingInSuspended",
    "DynamicScalingOutSuspended",
    "ScheduledScalingSuspended",
)
_LINKED_ROLE: Final = (
    "arn:aws:iam::{}:role/aws-service-role/lambda.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_LambdaConcurrency"
)

Exists = Callable[[tuple[str, str, str], str], bool]
"""Whether a function has a version or an alias of a name."""

Look = Callable[[Record], Awaitable[None]]
"""Brings a target within its bounds."""


class TargetOperations:
    """The operations."""

    def __init__(self, store: ScalingStore, clock: Clock, exists: Exists, look: Look) -> None:
        self._store = store
        self._clock = clock
        self._exists = exists
        self._look = look

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "RegisterScalableTarget": self.register,
            "DeregisterScalableTarget": self.deregister,
            "DescribeScalableTargets": self.describe,
            "DescribeScalingActivities": self.activities,
            "ListTagsForResource": self.list_tags,
            "TagResource": self.tag,
            "UntagResource": self.untag,
        }

    async def register(self, context: RequestContext, params: Params) -> Params:
        """Make a target, or change one; its capacity is brought between the bounds."""
        place = place_of(context, params)
        before = self._store.get(Kind.TARGET, place)
        name, qualifier = function_of(place[2])
        if not self._exists((*place[:2], name), qualifier):
            raise invalid(f"No such function, version or alias: {place[2]}")
        value = _value(context, params, before)
        tags = dict(params.get("Tags") or {})
        if before is not None and tags:
            raise invalid("A target that exists is tagged with TagResource.")
        _check_tags(tags)
        record = Record(Kind.TARGET, *place, "", value, self._clock.now(), tags)
        if before is not None:
            record = replace(before, value=value)
        await self._store.put(record)
        await self._look(record)
        return {"ScalableTargetARN": arn_of(record)}

    async def deregister(self, context: RequestContext, params: Params) -> Params:
        """Remove a target with its policies and scheduled actions; the capacity stays."""
        place = place_of(context, params)
        if self._store.get(Kind.TARGET, place) is None:
            raise missing("scalable target", params)
        await self._store.remove(self._store.of(place))
        return {}

    async def describe(self, context: RequestContext, params: Params) -> Params:
        """The targets of an account and region, or those asked for."""
        wanted = params.get("ResourceIds")
        found = [
            self._shown(each)
            for each in self._mine(context, params, Kind.TARGET)
            if not wanted or each.resource_id in wanted
        ]
        return page("ScalableTargets", found, params)

    async def activities(self, context: RequestContext, params: Params) -> Params:
        """What was scaled, the newest first; what was not, is not remembered."""
        wanted = params.get("ResourceId")
        found = [
            {
                **activity,
                "StartTime": moment(activity["StartTime"]),
                "EndTime": moment(activity["EndTime"]),
                **shown_place(each.resource_id),
            }
            for each in self._mine(context, params, Kind.ACTIVITIES)
            if wanted in (None, each.resource_id)
            for activity in each.value["activities"]
        ]
        found.sort(key=lambda each: each["StartTime"], reverse=True)
        return page("ScalingActivities", found, params)

    async def list_tags(self, context: RequestContext, params: Params) -> Params:
        """The tags of a target."""
        return {"Tags": dict(self._by_arn(context, params).tags)}

    async def tag(self, context: RequestContext, params: Params) -> Params:
        """Add tags to a target."""
        record = self._by_arn(context, params)
        tags = {**record.tags, **params["Tags"]}
        _check_tags(tags)
        await self._store.put(replace(record, tags=tags))
        return {}

    async def untag(self, context: RequestContext, params: Params) -> Params:
        """Take tags from a target."""
        record = self._by_arn(context, params)
        tags = {k: v for k, v in record.tags.items() if k not in params["TagKeys"]}
        await self._store.put(replace(record, tags=tags))
        return {}

    def _mine(self, context: RequestContext, params: Params, kind: Kind) -> list[Record]:
        check_namespace(params)
        if params.get("ScalableDimension") not in (None, DIMENSION):
            return []
        place = (context.account, context.region)
        return [each for each in self._store.all(kind) if each.place[:2] == place]

    def _by_arn(self, context: RequestContext, params: Params) -> Record:
        place = (context.account, context.region)
        for each in self._store.all(Kind.TARGET):
            if each.place[:2] == place and arn_of(each) == params["ResourceARN"]:
                return each
        raise CallerError(
            "ResourceNotFoundException",
            f"The resource {params['ResourceARN']} does not exist.",
            status=400,
        )

    def _shown(self, record: Record) -> Params:
        value = record.value
        return {
            **shown_place(record.resource_id),
            "MinCapacity": value["min"],
            "MaxCapacity": value["max"],
            "RoleARN": value["role"],
            "CreationTime": moment(record.created),
            "SuspendedState": {name: name in value["suspended"] for name in _SUSPENDED},
            "ScalableTargetARN": arn_of(record),
        }


def arn_of(record: Record) -> str:
    """The ARN of a target."""
    account, region, _ = record.place
    target = f"scalable-target/{record.value['id']}"
    return f"arn:aws:application-autoscaling:{region}:{account}:{target}"


def _value(context: RequestContext, params: Params, before: Record | None) -> dict[str, Any]:
    known = before.value if before is not None else {}
    minimum = params.get("MinCapacity", known.get("min"))
    maximum = params.get("MaxCapacity", known.get("max"))
    if minimum is None or maximum is None:
        raise invalid("MinCapacity and MaxCapacity are needed to register a new scalable target.")
    check_bounds(minimum, maximum)
    suspended = set(known.get("suspended", ()))
    for name, is_on in (params.get("SuspendedState") or {}).items():
        (suspended.add if is_on else suspended.discard)(name)
    return {
        "id": known.get("id") or uuid.uuid4().hex,
        "min": minimum,
        "max": maximum,
        "role": params.get("RoleARN") or known.get("role") or _LINKED_ROLE.format(context.account),
        "suspended": sorted(suspended),
    }


def check_bounds(minimum: int, maximum: int) -> None:
    """CallerError unless a capacity may lie between them."""
    if minimum < 0 or maximum < minimum:
        raise invalid("MaxCapacity must be at least MinCapacity, and neither below 0.")


def _check_tags(tags: Params) -> None:
    if len(tags) > TAGS_MAX:
        raise CallerError("TooManyTagsException", f"At most {TAGS_MAX} tags.", status=400)
