"""Schedules: create, change, get, list, delete."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from emberbox.clock import Clock, utc
from emberbox.model.cron import ScheduleError
from emberbox.model.page_tokens import to_token
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.model.schedules import parse_expression, zone_of
from emberbox.model.scheduling import DEFAULT_GROUP, Run, Schedule, next_run
from emberbox.services.scheduler.groups import GroupOperations
from emberbox.services.scheduler.naming import after, conflict, invalid, not_found
from emberbox.services.targets.senders import kind_of
from emberbox.storage.schedules import ScheduleKey, ScheduleStore

_PAGE: Final = 100
_KINDS: Final = frozenset({"lambda", "sqs", "sns", "bus", "universal"})
_UNBUILT: Final = (
    "EcsParameters",
    "KinesisParameters",
    "SageMakerPipelineParameters",
    "EventBridgePutEventsV2Parameters",
    "EventBridgePutRawEventsParameters",
)


class ScheduleOperations:
    """What is done to schedules. `changed` hears of each change; `callable_` tells whether an
    operation can be a universal target: its service and name, as the ARN has them."""

    def __init__(
        self,
        schedules: ScheduleStore,
        groups: GroupOperations,
        clock: Clock,
        changed: Callable[[], None],
        callable_: Callable[[str], bool],
    ) -> None:
        self._schedules = schedules
        self._groups = groups
        self._clock = clock
        self._changed = changed
        self._callable = callable_

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "CreateSchedule": self.create_schedule,
            "DeleteSchedule": self.delete_schedule,
            "GetSchedule": self.get_schedule,
            "ListSchedules": self.list_schedules,
            "UpdateSchedule": self.update_schedule,
        }

    async def create_schedule(self, context: RequestContext, params: Params) -> Params:
        """Add a schedule; the same request again, by its token, is no error."""
        fresh = self._read(context, params)

        def alter(found: Schedule | None) -> Schedule:
            if found is not None and fresh.token and found.token == fresh.token:
                return found
            if found is not None:
                raise conflict(f"Schedule {fresh.name} already exists.")
            return fresh

        return await self._put(fresh, alter)

    async def update_schedule(self, context: RequestContext, params: Params) -> Params:
        """Replace all that a schedule says; what is not given takes its default."""
        fresh = self._read(context, params)

        def alter(found: Schedule | None) -> Schedule:
            if found is None:
                raise not_found(f"Schedule {fresh.name} does not exist.")
            return replace(fresh, created=found.created)

        return await self._put(fresh, alter)

    async def delete_schedule(self, context: RequestContext, params: Params) -> Params:
        """Remove a schedule; what it has sent goes on its way."""
        key = self._key(context, params)
        if not await self._schedules.remove(key):
            raise not_found(f"Schedule {key.name} does not exist.")
        return {}

    async def get_schedule(self, context: RequestContext, params: Params) -> Params:
        """One schedule."""
        key = self._key(context, params)
        found = await self._schedules.get(key)
        if found is None:
            raise not_found(f"Schedule {key.name} does not exist.")
        return _shown(found)

    async def list_schedules(self, context: RequestContext, params: Params) -> Params:
        """The schedules of the caller's account, by group and name."""
        limit = params.get("MaxResults") or _PAGE
        group, name = after(params.get("NextToken"))
        found = await self._schedules.page(
            limit + 1,
            account=context.account,
            region=context.region,
            grp=params.get("GroupName") or "",
            state=params.get("State") or "",
            prefix=params.get("NamePrefix") or "",
            after_group=group,
            after_name=name,
        )
        answer: Params = {"Schedules": [_summary(each) for each in found[:limit]]}
        if len(found) > limit:
            last = found[limit - 1]
            answer["NextToken"] = to_token(f"{last.group}/{last.name}")
        return answer

    async def _put(self, fresh: Schedule, alter: Callable[[Schedule | None], Schedule]) -> Params:
        key = ScheduleKey(fresh.account, fresh.region, fresh.group, fresh.name)
        now = fresh.modified
        await self._schedules.put(key, alter, lambda schedule: _first(schedule, now))
        self._changed()
        return {"ScheduleArn": fresh.arn}

    def _key(self, context: RequestContext, params: Params) -> ScheduleKey:
        group = params.get("GroupName") or DEFAULT_GROUP
        return ScheduleKey(context.account, context.region, group, params["Name"])

    def _read(self, context: RequestContext, params: Params) -> Schedule:
        """The schedule that a request describes; CallerError if it is none."""
        key = self._key(context, params)
        self._groups.at(context.account, context.region, key.grp)
        if params.get("KmsKeyArn"):
            raise invalid("KmsKeyArn: Emberbox does not build it.")
        zone = params.get("ScheduleExpressionTimezone") or "UTC"
        _check_expression(params["ScheduleExpression"], zone)
        self._check_target(params["Target"])
        _check_window(params["FlexibleTimeWindow"])
        now = self._clock.now()
        start, end = params.get("StartDate"), params.get("EndDate")
        if end is not None and end.timestamp() <= (start.timestamp() if start else now):
            raise invalid("The EndDate you specify must come after the StartDate and be in future.")
        return Schedule(
            *key,
            params["ScheduleExpression"],
            zone,
            params["Target"],
            params["FlexibleTimeWindow"],
            now,
            now,
            start.timestamp() if start else 0.0,
            end.timestamp() if end else 0.0,
            params.get("Description") or "",
            params.get("State") or "ENABLED",
            params.get("ActionAfterCompletion") or "NONE",
            params.get("ClientToken") or "",
        )

    def _check_target(self, target: Mapping[str, Any]) -> None:
        arn = target["Arn"]
        kind = kind_of(arn)
        if kind not in _KINDS or (kind == "universal" and not self._callable(arn)):
            raise invalid(f"Provided Arn is not in correct format, or not of a target: {arn}")
        for member in _UNBUILT:
            if target.get(member):
                raise invalid(f"{member}: Emberbox does not build it.")
        if kind == "bus" and not target.get("EventBridgeParameters"):
            raise invalid("EventBridgeParameters must be specified for the target.")
        is_fifo = kind == "sqs" and arn.endswith(".fifo")
        if is_fifo and not (target.get("SqsParameters") or {}).get("MessageGroupId"):
            raise invalid("SqsParameters must be specified for a FIFO queue.")
        if kind == "universal" and not _is_object(target.get("Input") or "{}"):
            raise invalid("Input must be a JSON object for the target.")


def _first(schedule: Schedule, now: float) -> Run | None:
    """The first run; CallerError if it cannot be told: times have an end, in the year 9999."""
    try:
        return next_run(schedule, now)
    except (OverflowError, ValueError, OSError) as error:
        text = f"Invalid Schedule Expression {schedule.expression}: {error}."
        raise invalid(text) from None


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _check_expression(text: str, zone: str) -> None:
    try:
        zone_of(zone)
    except ScheduleError:
        raise invalid(f"Invalid ScheduleExpressionTimezone {zone}.") from None
    try:
        parse_expression(text, zone)
    except ScheduleError:
        raise invalid(f"Invalid Schedule Expression {text}.") from None


def _check_window(window: Mapping[str, Any]) -> None:
    minutes = window.get("MaximumWindowInMinutes")
    if (window["Mode"] == "FLEXIBLE") != (minutes is not None):
        raise invalid(
            "MaximumWindowInMinutes must be given when the mode is FLEXIBLE, and only then."
        )


def _summary(schedule: Schedule) -> Params:
    return {
        "Arn": schedule.arn,
        "Name": schedule.name,
        "GroupName": schedule.group,
        "State": schedule.state,
        "CreationDate": utc(schedule.created),
        "LastModificationDate": utc(schedule.modified),
        "Target": {"Arn": schedule.target["Arn"]},
    }


def _shown(schedule: Schedule) -> Params:
    shown = _summary(schedule) | {
        "ScheduleExpression": schedule.expression,
        "ScheduleExpressionTimezone": schedule.zone,
        "FlexibleTimeWindow": schedule.window,
        "Target": _with_defaults(schedule.target),
        "ActionAfterCompletion": schedule.completion,
    }
    if schedule.description:
        shown["Description"] = schedule.description
    if schedule.start:
        shown["StartDate"] = utc(schedule.start)
    if schedule.end:
        shown["EndDate"] = utc(schedule.end)
    return shown


def _with_defaults(target: Mapping[str, Any]) -> Params:
    policy = {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}
    return {**target, "RetryPolicy": policy | (target.get("RetryPolicy") or {})}
