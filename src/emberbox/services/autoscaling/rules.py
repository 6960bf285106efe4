"""What scales a target: policies of target tracking, and scheduled actions."""

import uuid
from typing import Any, Final

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.model.schedules import parse_expression
from emberbox.services.autoscaling.naming import (
    DIMENSION,
    METRIC,
    check_namespace,
    invalid,
    missing,
    moment,
    page,
    place_of,
    shown_place,
)
from emberbox.services.autoscaling.targets import check_bounds
from emberbox.storage.scaling import Kind, Record, ScalingStore

_POLICIES_MAX: Final = 50
_ACTIONS_MAX: Final = 200
_TRACKING: Final = "TargetTrackingScaling"
_CONFIGURATION: Final = "TargetTrackingScalingPolicyConfiguration"


class RuleOperations:
    """The operations."""

    def __init__(self, store: ScalingStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "PutScalingPolicy": self.put_policy,
            "DeleteScalingPolicy": self.delete_policy,
            "DescribeScalingPolicies": self.describe_policies,
            "PutScheduledAction": self.put_action,
            "DeleteScheduledAction": self.delete_action,
            "DescribeScheduledActions": self.describe_actions,
        }

    async def put_policy(self, context: RequestContext, params: Params) -> Params:
        """Make a policy, or change one. It has no alarms: the server looks by itself."""
        place, name = place_of(context, params), params["PolicyName"]
        self._check_target(place, params)
        before = self._store.get(Kind.POLICY, place, name)
        configuration = _tracking(params, before)
        value = {"configuration": configuration, "id": _id(before)}
        self._check_room(Kind.POLICY, place, before, _POLICIES_MAX)
        record = Record(Kind.POLICY, *place, name, value, self._created(before))
        await self._store.put(record)
        return {"PolicyARN": _policy_arn(record), "Alarms": []}

    async def delete_policy(self, context: RequestContext, params: Params) -> Params:
        """Remove a policy."""
        await self._delete(context, params, Kind.POLICY, params["PolicyName"], "scaling policy")
        return {}

    async def describe_policies(self, context: RequestContext, params: Params) -> Params:
        """The policies of an account and region, or those asked for."""
        found = [
            {
                "PolicyARN": _policy_arn(each),
                "PolicyName": each.name,
                "PolicyType": _TRACKING,
                _CONFIGURATION: each.value["configuration"],
                "Alarms": [],
                "CreationTime": moment(each.created),
                **shown_place(each.resource_id),
            }
            for each in self._asked(context, params, Kind.POLICY, params.get("PolicyNames"))
        ]
        return page("ScalingPolicies", found, params)

    async def put_action(self, context: RequestContext, params: Params) -> Params:
        """Make a scheduled action, or change one."""
        place, name = place_of(context, params), params["ScheduledActionName"]
        self._check_target(place, params)
        before = self._store.get(Kind.ACTION, place, name)
        self._check_room(Kind.ACTION, place, before, _ACTIONS_MAX)
        value = {**_action(params, before), "since": self._clock.now()}
        _check_schedule(value, value.get("StartTime", self._created(before)))
        await self._store.put(Record(Kind.ACTION, *place, name, value, self._created(before)))
        return {}

    async def delete_action(self, context: RequestContext, params: Params) -> Params:
        """Remove a scheduled action."""
        name = params["ScheduledActionName"]
        await self._delete(context, params, Kind.ACTION, name, "scheduled action")
        return {}

    async def describe_actions(self, context: RequestContext, params: Params) -> Params:
        """The scheduled actions of an account and region, or those asked for."""
        names = params.get("ScheduledActionNames")
        found = [_shown_action(each) for each in self._asked(context, params, Kind.ACTION, names)]
        return page("ScheduledActions", found, params)

    def _check_target(self, place: tuple[str, str, str], params: Params) -> None:
        if self._store.get(Kind.TARGET, place) is None:
            raise missing("scalable target", params)

    def _check_room(
        self, kind: Kind, place: tuple[str, str, str], before: Record | None, most: int
    ) -> None:
        there = sum(1 for each in self._store.of(place) if each.kind is kind)
        if before is None and there >= most:
            raise CallerError("LimitExceededException", f"A target has at most {most}.", status=400)

    def _created(self, before: Record | None) -> float:
        return self._clock.now() if before is None else before.created

    async def _delete(
        self, context: RequestContext, params: Params, kind: Kind, name: str, what: str
    ) -> None:
        record = self._store.get(kind, place_of(context, params), name)
        if record is None:
            raise missing(f"{what} {name}", params)
        await self._store.remove([record])

    def _asked(
        self, context: RequestContext, params: Params, kind: Kind, names: list[str] | None
    ) -> list[Record]:
        check_namespace(params)
        if params.get("ScalableDimension") not in (None, DIMENSION):
            return []
        resource_id, place = params.get("ResourceId"), (context.account, context.region)
        return [
            each
            for each in self._store.all(kind)
            if each.place[:2] == place
            and resource_id in (None, each.resource_id)
            and (not names or each.name in names)
        ]


def _tracking(params: Params, before: Record | None) -> dict[str, Any]:
    """The configuration of target tracking, checked; that of before if none is given."""
    kind = params.get("PolicyType") or _TRACKING
    if kind != _TRACKING:
        raise invalid(f"Emberbox does not build policies of type {kind}: only {_TRACKING}")
    configuration = params.get(_CONFIGURATION)
    if configuration is None:
        if before is None:
            raise invalid(f"{_CONFIGURATION} is needed")
        return dict(before.value["configuration"])
    metric = (configuration.get("PredefinedMetricSpecification") or {}).get("PredefinedMetricType")
    if metric != METRIC or configuration.get("CustomizedMetricSpecification"):
        raise invalid(f"Emberbox tracks no other metric than the predefined {METRIC}")
    if not 0 < configuration["TargetValue"] <= 1:
        raise invalid(f"TargetValue of {METRIC} must be above 0, and 1 at most")
    return dict(configuration)


def _action(params: Params, before: Record | None) -> dict[str, Any]:
    known = before.value if before is not None else {}
    schedule = params.get("Schedule") or known.get("schedule")
    zone = params.get("Timezone") or known.get("zone") or "UTC"
    if schedule is None:
        raise invalid("Schedule is needed")
    bounds = params.get("ScalableTargetAction") or known.get("bounds") or {}
    if not bounds:
        raise invalid("ScalableTargetAction with MinCapacity or MaxCapacity is needed")
    minimum = bounds.get("MinCapacity", 0)
    check_bounds(minimum, bounds.get("MaxCapacity", minimum))
    value = {"schedule": schedule, "zone": zone, "bounds": dict(bounds), "id": _id(before)}
    for member in ("StartTime", "EndTime"):
        given = params.get(member)
        if given is not None or member in known:
            value[member] = known[member] if given is None else given.timestamp()
    return value


def _check_schedule(value: dict[str, Any], start: float) -> None:
    """Also that it can be told when it is next due: times have an end, in the year 9999."""
    try:
        parse_expression(value["schedule"], value["zone"]).after(value["since"], start)
    except (ValueError, OverflowError, OSError) as error:
        raise invalid(f"Schedule {value['schedule']} is not valid: {error}") from None


def _shown_action(record: Record) -> Params:
    value = record.value
    shown = {
        "ScheduledActionName": record.name,
        "ScheduledActionARN": _arn(record, f"scheduledActionName/{record.name}"),
        "Schedule": value["schedule"],
        "Timezone": value["zone"],
        "ScalableTargetAction": dict(value["bounds"]),
        "CreationTime": moment(record.created),
        **shown_place(record.resource_id),
    }
    for member in ("StartTime", "EndTime"):
        if member in value:
            shown[member] = moment(value[member])
    return shown


def _policy_arn(record: Record) -> str:
    return _arn(record, f"policyName/{record.name}")


def _arn(record: Record, end: str) -> str:
    account, region, resource_id = record.place
    kind = "scalingPolicy" if record.kind is Kind.POLICY else "scheduledAction"
    whole = f"{record.value['id']}:resource/lambda/{resource_id}:{end}"
    return f"arn:aws:autoscaling:{region}:{account}:{kind}:{whole}"


def _id(before: Record | None) -> str:
    return before.value["id"] if before is not None else str(uuid.uuid4())
