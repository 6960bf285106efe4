"""What an alarm's actions are told when its state changes.

Source: "Alarm events" and the notifications of CloudWatch alarms in AWS's guide.
"""

import importlib.util
from functools import cache
from json import loads
from pathlib import Path
from typing import Any

from emberbox.clock import utc
from emberbox.storage.alarms import Alarm

_SUBJECT_MAX = 100
_STATISTICS = {"SampleCount": "SAMPLE_COUNT"}


def notification(before: Alarm, after: Alarm) -> dict[str, Any]:
    """The message that a topic gets."""
    settings = after.settings
    return {
        "AlarmName": after.name,
        "AlarmDescription": settings.get("AlarmDescription"),
        "AWSAccountId": after.account,
        "AlarmConfigurationUpdatedTimestamp": _stamp(after.configured_s, "+0000"),
        "NewStateValue": after.state.value,
        "NewStateReason": after.reason,
        "StateChangeTime": _stamp(after.state_s, "+0000"),
        "Region": _region_name(after.region),
        "AlarmArn": after.arn,
        "OldStateValue": before.state.value,
        "OKActions": settings.get("OKActions", []),
        "AlarmActions": settings.get("AlarmActions", []),
        "InsufficientDataActions": settings.get("InsufficientDataActions", []),
        "Trigger": _trigger(after),
    }


def subject_of(message: dict[str, Any]) -> str:
    """The subject that a topic's notification has; at most SNS's hundred characters."""
    subject = f'{message["NewStateValue"]}: "{message["AlarmName"]}" in {message["Region"]}'
    return subject if len(subject) <= _SUBJECT_MAX else f"{subject[: _SUBJECT_MAX - 3]}..."


def event(before: Alarm, after: Alarm) -> dict[str, Any]:
    """The event that a function gets."""
    return {
        "source": "aws.cloudwatch",
        "alarmArn": after.arn,
        "accountId": after.account,
        "time": _stamp(after.state_s, "+0000"),
        "region": after.region,
        "alarmData": {
            "alarmName": after.name,
            "state": _state(after),
            "previousState": _state(before),
            "configuration": {
                "description": after.settings.get("AlarmDescription", ""),
                "metrics": _metrics(after),
            },
        },
    }


def _state(alarm: Alarm) -> dict[str, Any]:
    return {
        "value": alarm.state.value,
        "reason": alarm.reason,
        "reasonData": alarm.reason_data,
        "timestamp": _stamp(alarm.state_s, "+0000"),
    }


def _metrics(alarm: Alarm) -> list[dict[str, Any]]:
    settings = alarm.settings
    if "Metrics" in settings:
        return [
            {_lower(name): value for name, value in query.items()} for query in settings["Metrics"]
        ]
    metric = {
        "namespace": settings["Namespace"],
        "name": settings["MetricName"],
        "dimensions": {d["Name"]: d["Value"] for d in settings.get("Dimensions", [])},
    }
    statistic = settings.get("Statistic") or settings.get("ExtendedStatistic")
    stat = {"metric": metric, "period": settings["Period"], "stat": statistic}
    return [{"id": "m1", "metricStat": stat, "returnData": True}]


def _trigger(alarm: Alarm) -> dict[str, Any]:
    settings = alarm.settings
    compared = {
        "EvaluationPeriods": settings["EvaluationPeriods"],
        "DatapointsToAlarm": settings.get("DatapointsToAlarm", settings["EvaluationPeriods"]),
        "ComparisonOperator": settings["ComparisonOperator"],
        "Threshold": settings["Threshold"],
        "TreatMissingData": settings.get("TreatMissingData", "missing"),
        "EvaluateLowSampleCountPercentile": "",
    }
    if "Metrics" in settings:
        return {"Metrics": settings["Metrics"], **compared}
    extended = "ExtendedStatistic" in settings
    statistic = settings.get("ExtendedStatistic") or settings["Statistic"]
    return {
        "MetricName": settings["MetricName"],
        "Namespace": settings["Namespace"],
        "StatisticType": "ExtendedStatistic" if extended else "Statistic",
        "Statistic": statistic if extended else _STATISTICS.get(statistic, statistic.upper()),
        "Unit": settings.get("Unit"),
        "Dimensions": [
            {"value": d["Value"], "name": d["Name"]} for d in settings.get("Dimensions", [])
        ],
        "Period": settings["Period"],
        **compared,
    }


def history_of(before: Alarm, after: Alarm) -> dict[str, Any]:
    """HistoryData of a change of state."""
    return {
        "version": "1.0",
        "oldState": {"stateValue": before.state.value, "stateReason": before.reason},
        "newState": {
            "stateValue": after.state.value,
            "stateReason": after.reason,
            "stateReasonData": loads(after.reason_data) if after.reason_data else None,
        },
    }


def _stamp(seconds: float, zone: str) -> str:
    return f"{utc(seconds):%Y-%m-%dT%H:%M:%S}.{int(seconds * 1000) % 1000:03d}{zone}"


@cache
def _region_names() -> dict[str, str]:
    """How AWS calls its regions, as botocore knows them."""
    spec = importlib.util.find_spec("botocore")
    if spec is None or spec.origin is None:
        return {}
    text = (Path(spec.origin).parent / "data" / "partitions.json").read_text("utf-8")
    partitions = loads(text)["partitions"]
    return {
        region: about.get("description", region)
        for partition in partitions
        for region, about in partition["regions"].items()
    }


def _region_name(region: str) -> str:
    return _region_names().get(region, region)


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]
