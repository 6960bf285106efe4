"""The tables of all services, and of those too small to have a file of their own."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from emberbox.gateway.access.data import DYNAMODB, DYNAMODB_STREAMS, KINESIS, S3, SNS, SQS
from emberbox.gateway.access.lambda_ import LAMBDA
from emberbox.gateway.access.needs import Access, Need, Place, itself, named, pass_role
from emberbox.gateway.access.people import IAM, STS
from emberbox.model.request import Params


def _group(value: Any, place: Place, params: Params) -> str:
    """A log group with one of its streams, or none: policies that end in `:*` cover both."""
    text = str(value)
    if text.startswith("arn:"):
        return f"{text.removesuffix(':*')}:log-stream:"
    stream = params.get("logStreamName") or ""
    return place.arn("logs", f"log-group:{text}:log-stream:{stream}")


LOGS: Final = Access(
    "logs",
    {
        "logGroupName": _group,
        "logGroupIdentifier": _group,
        "logGroupIdentifiers": _group,
        "logGroupNames": _group,
        "resourceIdentifier": _group,
        "resourceArn": itself,
        "destinationName": named("logs", "destination:{}"),
    },
    without=frozenset(
        {
            "CancelExportTask",
            "DeleteQueryDefinition",
            "DeleteResourcePolicy",
            "DescribeAccountPolicies",
            "DescribeDestinations",
            "DescribeExportTasks",
            "DescribeQueries",
            "DescribeQueryDefinitions",
            "DescribeResourcePolicies",
            "GetLogRecord",
            "GetQueryResults",
            "ListLogGroups",
            "PutQueryDefinition",
            "PutResourcePolicy",
            "StopQuery",
            "TestMetricFilter",
        }
    ),
    instead={
        "DescribeLogGroups": lambda place, _params: [
            Need("logs:DescribeLogGroups", place.arn("logs", "log-group::log-stream:"))
        ]
    },
)


def _put_data(_place: Place, params: Params) -> Iterable[Need]:
    context = {"cloudwatch:namespace": (str(params.get("Namespace", "")),)}
    yield Need("cloudwatch:PutMetricData", "*", context)


CLOUDWATCH: Final = Access(
    "cloudwatch",
    {
        "AlarmName": named("cloudwatch", "alarm:{}"),
        "AlarmNames": named("cloudwatch", "alarm:{}"),
        "ResourceARN": itself,
    },
    without=frozenset(
        {
            "DescribeAlarms",
            "DescribeAlarmsForMetric",
            "DescribeAlarmHistory",
            "GetMetricData",
            "GetMetricStatistics",
            "ListMetrics",
        }
    ),
    instead={"PutMetricData": _put_data},
)


def _rule(value: Any, place: Place, params: Params) -> str:
    bus = str(params.get("EventBusName") or "default").rsplit("/", 1)[-1]
    prefix = "" if bus == "default" else f"{bus}/"
    return place.arn("events", f"rule/{prefix}{value}")


def _put_events(place: Place, params: Params) -> Iterable[Need]:
    for entry in params.get("Entries") or ():
        bus = str(entry.get("EventBusName") or "default")
        arn = bus if bus.startswith("arn:") else place.arn("events", f"event-bus/{bus}")
        context = {
            "events:source": (str(entry.get("Source", "")),),
            "events:detail-type": (str(entry.get("DetailType", "")),),
        }
        yield Need("events:PutEvents", arn, context)


_BUS = named("events", "event-bus/{}")


def _on_bus(action: str) -> Any:
    def needs(place: Place, params: Params) -> Iterable[Need]:
        bus = params.get("Name") or params.get("EventBusName") or "default"
        yield Need(f"events:{action}", _BUS(bus, place, params))

    return needs


EVENTS: Final = Access(
    "events",
    {
        "Rule": _rule,
        "Name": _rule,
        "ResourceARN": itself,
        "ArchiveName": named("events", "archive/{}"),
        "ReplayName": named("events", "replay/{}"),
    },
    without=frozenset(
        {
            "ListApiDestinations",
            "ListArchives",
            "ListConnections",
            "ListEventBuses",
            "ListReplays",
            "ListRuleNamesByTarget",
            "ListRules",
            "TestEventPattern",
        }
    ),
    more={
        "PutRule": pass_role("RoleArn", "events.amazonaws.com"),
        "PutTargets": lambda place, params: [
            need
            for target in params.get("Targets") or ()
            for need in pass_role("RoleArn", "events.amazonaws.com")(place, target)
        ],
    },
    instead={
        "PutEvents": _put_events,
        **{
            action: _on_bus(action)
            for action in (
                "CreateEventBus",
                "DeleteEventBus",
                "DescribeEventBus",
                "PutPermission",
                "RemovePermission",
                "UpdateEventBus",
            )
        },
    },
)


def _schedule(value: Any, place: Place, params: Params) -> str:
    return place.arn("scheduler", f"schedule/{params.get('GroupName') or 'default'}/{value}")


def _schedule_group(action: str) -> Any:
    def needs(place: Place, params: Params) -> Iterable[Need]:
        yield Need(
            f"scheduler:{action}", place.arn("scheduler", f"schedule-group/{params['Name']}")
        )

    return needs


def _target_role(place: Place, params: Params) -> Iterable[Need]:
    return pass_role("RoleArn", "scheduler.amazonaws.com")(place, params.get("Target") or {})


SCHEDULER: Final = Access(
    "scheduler",
    {"Name": _schedule, "ResourceArn": itself},
    without=frozenset({"ListSchedules", "ListScheduleGroups"}),
    more={"CreateSchedule": _target_role, "UpdateSchedule": _target_role},
    instead={
        action: _schedule_group(action)
        for action in ("CreateScheduleGroup", "DeleteScheduleGroup", "GetScheduleGroup")
    },
)

SECRETS: Final = Access(
    "secretsmanager",
    {
        "SecretId": named("secretsmanager", "secret:{}"),
        "Name": named("secretsmanager", "secret:{}"),
    },
    without=frozenset({"ListSecrets", "GetRandomPassword", "BatchGetSecretValue"}),
)


def _parameter(value: Any, place: Place, _params: Params) -> str:
    text = str(value)
    whole = place.arn("ssm", f"parameter/{text.lstrip('/')}")
    return text if text.startswith("arn:") else whole


SSM: Final = Access(
    "ssm",
    {"Name": _parameter, "Names": _parameter, "Path": _parameter, "ResourceId": _parameter},
    without=frozenset({"DescribeParameters"}),
)

KMS: Final = Access(
    "kms",
    {
        "KeyId": named("kms", "key/{}"),
        "TargetKeyId": named("kms", "key/{}"),
        "AliasName": named("kms", "{}"),
        "CiphertextBlob": lambda _value, place, _params: place.arn("kms", "key/*"),
    },
    without=frozenset({"CreateKey", "GenerateRandom", "ListAliases", "ListKeys"}),
)

STACKS: Final = Access(
    "cloudformation",
    {
        "StackName": named("cloudformation", "stack/{}/*"),
        "StackId": itself,
        "ChangeSetName": named("cloudformation", "changeSet/{}/*"),
    },
    without=frozenset(
        {
            "DescribeAccountLimits",
            "DescribeStacks",
            "EstimateTemplateCost",
            "ListExports",
            "ListImports",
            "ListStacks",
            "ValidateTemplate",
        }
    ),
)

SCALING: Final = Access(
    "application-autoscaling",
    {"ResourceARN": itself},
    without=frozenset(
        {
            "DeleteScalingPolicy",
            "DeleteScheduledAction",
            "DeregisterScalableTarget",
            "DescribeScalableTargets",
            "DescribeScalingActivities",
            "DescribeScalingPolicies",
            "DescribeScheduledActions",
            "PutScalingPolicy",
            "PutScheduledAction",
            "RegisterScalableTarget",
        }
    ),
)


def _sampling_rule(value: Any, place: Place, _params: Params) -> str:
    return place.arn("xray", f"sampling-rule/{value.get('RuleName', '*')}")


XRAY: Final = Access(
    "xray",
    {
        "RuleARN": itself,
        "RuleName": named("xray", "sampling-rule/{}"),
        "SamplingRule": _sampling_rule,
        "SamplingRuleUpdate": _sampling_rule,
        "ResourceARN": itself,
        "GroupARN": itself,
        "GroupName": named("xray", "group/{}/*"),
    },
    without=frozenset(
        {
            "PutTraceSegments",
            "PutTelemetryRecords",
            "BatchGetTraces",
            "GetTraceSummaries",
            "GetTraceGraph",
            "GetServiceGraph",
            "GetTimeSeriesServiceStatistics",
            "GetGroups",
            "GetEncryptionConfig",
            "PutEncryptionConfig",
            "GetIndexingRules",
            "UpdateIndexingRule",
            "GetTraceSegmentDestination",
            "UpdateTraceSegmentDestination",
            "GetInsightSummaries",
            "GetInsight",
            "GetInsightEvents",
            "GetInsightImpactGraph",
            "GetSamplingRules",
            "GetSamplingTargets",
            "GetSamplingStatisticSummaries",
        }
    ),
)

ACCESS: Final[Mapping[str, Access]] = {
    "lambda": LAMBDA,
    "iam": IAM,
    "sts": STS,
    "logs": LOGS,
    "cloudwatch": CLOUDWATCH,
    "sqs": SQS,
    "sns": SNS,
    "s3": S3,
    "dynamodb": DYNAMODB,
    "dynamodbstreams": DYNAMODB_STREAMS,
    "kinesis": KINESIS,
    "events": EVENTS,
    "scheduler": SCHEDULER,
    "secretsmanager": SECRETS,
    "ssm": SSM,
    "kms": KMS,
    "cloudformation": STACKS,
    "application-autoscaling": SCALING,
    "xray": XRAY,
}
"""Service -> its table. A service without one can be used by the root only, where policies are
enforced; API Gateway's is the request itself (`emberbox.gateway.guard`)."""
