"""Operations on metric alarms."""

from dataclasses import replace
from typing import Any

from emberbox.clock import Clock, utc
from emberbox.errors import CallerError
from emberbox.model.alarms import COMPARISONS, TREATMENTS, AlarmState
from emberbox.model.metrics import is_statistic
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.cloudwatch.alarm_clock import AlarmClock
from emberbox.services.cloudwatch.wire import (
    combination,
    from_token,
    invalid,
    number_in,
    seconds,
    to_token,
    validation,
)
from emberbox.storage.alarms import Alarm, AlarmStore, HistoryItem

_PAGE = 50
_ALL = 1 << 30
_TAGS_MAX = 50
_RANGE_MAX_S = 7 * 86_400
_SHORT_PERIODS = (10, 20, 30)
_UNBUILT = (
    "ThresholdMetricId",
    "EvaluationWindow",
    "WarmUpConfiguration",
    "EvaluationCriteria",
    "EvaluationInterval",
    "ActionConfiguration",
    "EvaluateLowSampleCountPercentile",
)
_SHOWN = (
    *("AlarmDescription", "MetricName", "Namespace", "Statistic", "ExtendedStatistic"),
    *("Period", "Unit", "EvaluationPeriods", "DatapointsToAlarm", "Threshold"),
    *("ComparisonOperator", "TreatMissingData", "Metrics"),
)
_LISTS = ("OKActions", "AlarmActions", "InsufficientDataActions")


class AlarmOperations:
    """What CloudWatch does with alarms."""

    def __init__(self, store: AlarmStore, clock: Clock, alarm_clock: AlarmClock) -> None:
        self._store = store
        self._clock = clock
        self._alarm_clock = alarm_clock

    @property
    def operations(self) -> dict[str, Operation]:
        """Operation name -> what runs it."""
        return {
            "PutMetricAlarm": self.put_metric_alarm,
            "DescribeAlarms": self.describe_alarms,
            "DescribeAlarmsForMetric": self.describe_alarms_for_metric,
            "DescribeAlarmHistory": self.describe_alarm_history,
            "DeleteAlarms": self.delete_alarms,
            "SetAlarmState": self.set_alarm_state,
            "EnableAlarmActions": self.enable_alarm_actions,
            "DisableAlarmActions": self.disable_alarm_actions,
            "ListTagsForResource": self.list_tags_for_resource,
            "TagResource": self.tag_resource,
            "UntagResource": self.untag_resource,
        }

    async def put_metric_alarm(self, context: RequestContext, params: Params) -> Params:
        """Make an alarm or configure it anew; a new one has insufficient data."""
        _check(params)
        name, now = params["AlarmName"], self._clock.now()
        settings = {k: v for k, v in params.items() if k not in ("AlarmName", "Tags")}
        settings.setdefault("ActionsEnabled", True)
        before = await self._store.get(context.account, context.region, name)
        kind = "created" if before is None else "updated"
        alarm = Alarm(
            context.account,
            context.region,
            name,
            settings,
            before.state if before else AlarmState.INSUFFICIENT_DATA,
            before.reason if before else "Unchecked: Initial alarm creation",
            before.reason_data if before else "",
            before.state_s if before else now,
            now,
            now,
            before.tags if before else {t["Key"]: t["Value"] for t in params.get("Tags") or ()},
        )
        item = HistoryItem(0, name, now, "ConfigurationUpdate", f'Alarm "{name}" {kind}', "{}")
        await self._store.put(alarm, item)
        return {}

    async def describe_alarms(self, context: RequestContext, params: Params) -> Params:
        """Alarms by name. There are no composite alarms and none on logs here."""
        kinds = params.get("AlarmTypes") or ["MetricAlarm"]
        names = params.get("AlarmNames")
        prefix = params.get("AlarmNamePrefix", "")
        if names and prefix:
            raise combination("AlarmNames and AlarmNamePrefix must not be given together.")
        limit = params.get("MaxRecords", _PAGE)
        found: list[Params] = []
        after = from_token(params.get("NextToken"))
        while "MetricAlarm" in kinds:
            page = await self._store.page(context.account, context.region, after, _PAGE)
            for alarm in page:
                if len(found) == limit:
                    return {"MetricAlarms": found, "NextToken": to_token(after)}
                after = alarm.name
                if _is_asked_for(alarm, names, prefix, params):
                    found.append(_shown(alarm))
            if len(page) < _PAGE:
                break
        return {"MetricAlarms": found, "CompositeAlarms": []}

    async def describe_alarms_for_metric(self, context: RequestContext, params: Params) -> Params:
        """Alarms on one metric."""
        wanted = {d["Name"]: d["Value"] for d in params.get("Dimensions") or ()}
        alarms = await self._store.page(context.account, context.region, "", _ALL)
        found = []
        for alarm in alarms:
            own = alarm.settings
            same = own.get("MetricName") == params["MetricName"]
            same = same and own.get("Namespace") == params["Namespace"]
            same = same and {d["Name"]: d["Value"] for d in own.get("Dimensions", [])} == wanted
            given = ("Statistic", "ExtendedStatistic", "Period", "Unit")
            if same and all(n not in params or params[n] == own.get(n) for n in given):
                found.append(_shown(alarm))
        return {"MetricAlarms": found}

    async def describe_alarm_history(self, context: RequestContext, params: Params) -> Params:
        """What happened to alarms, newest first unless asked otherwise."""
        limit = params.get("MaxRecords", 100)
        found = await self._store.history(
            context.account,
            context.region,
            name=params.get("AlarmName"),
            kind=params.get("HistoryItemType"),
            start=seconds(params["StartDate"]) if "StartDate" in params else 0.0,
            end=seconds(params["EndDate"]) if "EndDate" in params else float(_ALL * 8),
            before=number_in(params.get("NextToken"), 1 << 62),
            limit=limit + 1,
        )
        items = [
            {
                "AlarmName": item.name,
                "AlarmType": "MetricAlarm",
                "Timestamp": utc(item.at_s),
                "HistoryItemType": item.kind,
                "HistorySummary": item.summary,
                "HistoryData": item.data,
            }
            for item in found[:limit]
        ]
        if params.get("ScanBy") == "TimestampAscending":
            items.reverse()
        answer: Params = {"AlarmHistoryItems": items}
        if len(found) > limit:
            answer["NextToken"] = to_token(str(found[limit - 1].number))
        return answer

    async def delete_alarms(self, context: RequestContext, params: Params) -> Params:
        """Remove alarms; those that are not there are passed over."""
        for name in params["AlarmNames"]:
            alarm = await self._store.get(context.account, context.region, name)
            if alarm is not None:
                item = HistoryItem(
                    0,
                    name,
                    self._clock.now(),
                    "ConfigurationUpdate",
                    f'Alarm "{name}" deleted',
                    "{}",
                )
                await self._store.remove(alarm, item)
        return {}

    async def set_alarm_state(self, context: RequestContext, params: Params) -> Params:
        """Put an alarm into a state until its next evaluation, actions included."""
        alarm = await self._store.get(context.account, context.region, params["AlarmName"])
        if alarm is None:
            raise _missing()
        state = AlarmState(params["StateValue"])
        if state is not alarm.state:
            data = params.get("StateReasonData", "")
            await self._alarm_clock.change(alarm, state, params["StateReason"], data)
        return {}

    async def enable_alarm_actions(self, context: RequestContext, params: Params) -> Params:
        """Actions run again."""
        return await self._set_actions(context, params, enabled=True)

    async def disable_alarm_actions(self, context: RequestContext, params: Params) -> Params:
        """Actions do not run."""
        return await self._set_actions(context, params, enabled=False)

    async def _set_actions(
        self, context: RequestContext, params: Params, *, enabled: bool
    ) -> Params:
        for name in params["AlarmNames"]:
            alarm = await self._store.get(context.account, context.region, name)
            if alarm is not None:
                kind, now = "ConfigurationUpdate", self._clock.now()
                item = HistoryItem(0, name, now, kind, f'Alarm "{name}" updated', "{}")
                await self._store.put(_changed(alarm, ActionsEnabled=enabled), item)
        return {}

    async def list_tags_for_resource(self, context: RequestContext, params: Params) -> Params:
        """Tags of an alarm."""
        alarm = await self._tagged(context, params)
        return {"Tags": [{"Key": key, "Value": value} for key, value in alarm.tags.items()]}

    async def tag_resource(self, context: RequestContext, params: Params) -> Params:
        """Add tags, or change their values."""
        alarm = await self._tagged(context, params)
        tags = {**alarm.tags, **{t["Key"]: t["Value"] for t in params["Tags"]}}
        if len(tags) > _TAGS_MAX:
            raise invalid("The number of tags exceeds the limit of 50.")
        await self._store.put(_tagged(alarm, tags))
        return {}

    async def untag_resource(self, context: RequestContext, params: Params) -> Params:
        """Remove tags."""
        alarm = await self._tagged(context, params)
        tags = {k: v for k, v in alarm.tags.items() if k not in params["TagKeys"]}
        await self._store.put(_tagged(alarm, tags))
        return {}

    async def _tagged(self, context: RequestContext, params: Params) -> Alarm:
        prefix = f"arn:aws:cloudwatch:{context.region}:{context.account}:alarm:"
        arn = params["ResourceARN"]
        name = arn.removeprefix(prefix)
        alarm = await self._store.get(context.account, context.region, name)
        if alarm is None or not arn.startswith(prefix):
            raise CallerError("ResourceNotFoundException", f"Unknown: {arn}", status=404)
        return alarm


def _check(params: Params) -> None:
    for name in _UNBUILT:
        if name in params:
            raise invalid(f"Emberbox does not build the parameter {name} of an alarm.")
    if params["ComparisonOperator"] not in COMPARISONS:
        raise invalid("Alarms on anomaly detection are not built.")
    if "Threshold" not in params:
        raise validation("Exactly one of the parameters Threshold and ThresholdMetricId is needed.")
    if params.get("TreatMissingData", "missing") not in TREATMENTS:
        raise invalid(f"TreatMissingData must be one of {', '.join(TREATMENTS)}.")
    if params.get("DatapointsToAlarm", 1) > params.get("EvaluationPeriods", 1):
        raise validation("DatapointsToAlarm must not be greater than EvaluationPeriods.")
    if ("MetricName" in params) == ("Metrics" in params):
        raise combination("Exactly one of MetricName and Metrics must be given.")
    if "Metrics" in params:
        watched = [q for q in params["Metrics"] if q.get("ReturnData", True)]
        if len(watched) != 1:
            raise validation("Exactly one element of the metrics list should return data.")
        return
    _check_metric(params)


def _check_metric(params: Params) -> None:
    for name in ("Namespace", "Period", "EvaluationPeriods"):
        if name not in params:
            raise validation(f"The parameter {name} is needed for an alarm on a metric.")
    given = [params[name] for name in ("Statistic", "ExtendedStatistic") if name in params]
    if len(given) != 1 or not is_statistic(given[0]):
        raise validation("Exactly one of Statistic and ExtendedStatistic must be given.")
    if params["Period"] not in _SHORT_PERIODS and params["Period"] % 60:
        raise validation("Period must be 10, 20, 30 or a multiple of 60.")
    if params["Period"] * params["EvaluationPeriods"] > _RANGE_MAX_S:
        raise validation("Metrics cannot be checked across more than seven days.")


def _is_asked_for(alarm: Alarm, names: list[str] | None, prefix: str, params: Params) -> bool:
    if names and alarm.name not in names:
        return False
    if "StateValue" in params and alarm.state.value != params["StateValue"]:
        return False
    actions = [arn for name in _LISTS for arn in alarm.settings.get(name, [])]
    if "ActionPrefix" in params and not any(a.startswith(params["ActionPrefix"]) for a in actions):
        return False
    return alarm.name.startswith(prefix)


def _shown(alarm: Alarm) -> Params:
    settings: Any = alarm.settings
    shown: Params = {
        "AlarmName": alarm.name,
        "AlarmArn": alarm.arn,
        "AlarmConfigurationUpdatedTimestamp": utc(alarm.configured_s),
        "ActionsEnabled": settings.get("ActionsEnabled", True),
        "StateValue": alarm.state.value,
        "StateReason": alarm.reason,
        "StateUpdatedTimestamp": utc(alarm.updated_s),
        "StateTransitionedTimestamp": utc(alarm.state_s),
        "Dimensions": settings.get("Dimensions", []),
        **{name: settings.get(name, []) for name in _LISTS},
        **{name: settings[name] for name in _SHOWN if name in settings},
    }
    if alarm.reason_data:
        shown["StateReasonData"] = alarm.reason_data
    return shown


def _changed(alarm: Alarm, **settings: Any) -> Alarm:
    return replace(alarm, settings={**alarm.settings, **settings})


def _tagged(alarm: Alarm, tags: dict[str, str]) -> Alarm:
    return replace(alarm, tags=tags)


def _missing() -> CallerError:
    return CallerError("ResourceNotFound", "The alarm does not exist.", status=404)
