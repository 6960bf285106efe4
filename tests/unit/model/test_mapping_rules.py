"""What mappings may be set to, by what they read from."""

import re

import pytest

from emberbox.errors import CallerError
from emberbox.model.mapping import SourceKind
from emberbox.model.mapping_rules import (
    check_given,
    check_settings,
    check_source,
    defaults,
    kind_of_source,
)

BASE = "us-east-1:123456789012"
ARNS = {
    SourceKind.SQS: f"arn:aws:sqs:{BASE}:q",
    SourceKind.FIFO: f"arn:aws:sqs:{BASE}:q.fifo",
    SourceKind.KINESIS: f"arn:aws:kinesis:{BASE}:stream/s",
    SourceKind.DYNAMODB: f"arn:aws:dynamodb:{BASE}:table/t/stream/2026-01-01T00:00:00.000",
    SourceKind.MSK: f"arn:aws:kafka:{BASE}:cluster/c/abc-1",
    SourceKind.MQ: f"arn:aws:mq:{BASE}:broker:b:b-1",
    SourceKind.DOCUMENTDB: f"arn:aws:rds:{BASE}:cluster:c",
}
BROKERS = {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["b:9092", "a:9092"]}}
ACCESS = [{"Type": "BASIC_AUTH", "URI": "arn:aws:secretsmanager:x"}]
NEEDED = {
    SourceKind.KINESIS: {"StartingPosition": "LATEST"},
    SourceKind.DYNAMODB: {"StartingPosition": "LATEST"},
    SourceKind.MSK: {"StartingPosition": "LATEST", "Topics": ["t1"]},
    SourceKind.KAFKA: {
        "StartingPosition": "LATEST",
        "Topics": ["t1"],
        "SourceAccessConfigurations": ACCESS,
    },
    SourceKind.MQ: {"Queues": ["q"], "SourceAccessConfigurations": ACCESS},
    SourceKind.DOCUMENTDB: {
        "StartingPosition": "LATEST",
        "SourceAccessConfigurations": ACCESS,
        "DocumentDBEventSourceConfig": {"DatabaseName": "d"},
    },
}


def checked(kind, **params):
    """What CreateEventSourceMapping checks, in its order."""
    source = (
        {"SelfManagedEventSource": BROKERS}
        if kind is SourceKind.KAFKA
        else {"EventSourceArn": ARNS[kind]}
    )
    request = {"FunctionName": "f", **source, **NEEDED.get(kind, {}), **params}
    request = {name: value for name, value in request.items() if value is not None}
    found = kind_of_source(request)
    check_given(found, request)
    check_source(found, request)
    check_settings(found, {**defaults(found), **request})
    return found


@pytest.mark.parametrize("kind", SourceKind)
def test_each_source_is_known_by_its_arn_or_its_brokers(kind):
    """With the least that it needs it is accepted."""
    assert checked(kind) is kind


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        (SourceKind.SQS, {"BatchSize": 10_000, "MaximumBatchingWindowInSeconds": 1}),
        (SourceKind.SQS, {"ScalingConfig": {"MaximumConcurrency": 2}}),
        (SourceKind.SQS, {"ProvisionedPollerConfig": {"MinimumPollers": 2, "MaximumPollers": 2}}),
        (SourceKind.SQS, {"DestinationConfig": {"OnFailure": {}}}),
        (SourceKind.FIFO, {"BatchSize": 10, "FunctionResponseTypes": ["ReportBatchItemFailures"]}),
        (SourceKind.KINESIS, {"ParallelizationFactor": 10, "TumblingWindowInSeconds": 900}),
        (
            SourceKind.KINESIS,
            {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::bucket"}}},
        ),
        (
            SourceKind.DYNAMODB,
            {"MaximumRecordAgeInSeconds": 60, "BisectBatchOnFunctionError": True},
        ),
        (SourceKind.MSK, {"MetricsConfig": {"Metrics": ["EventCount", "KafkaMetrics"]}}),
        (
            SourceKind.MSK,
            {"DestinationConfig": {"OnFailure": {"Destination": "kafka://dead-letters"}}},
        ),
    ],
)
def test_what_a_source_has_is_accepted(kind, params):
    """Up to its bounds."""
    assert checked(kind, **params) is kind


UNSUPPORTED = "Unsupported {} parameter for given event source mapping type."
REFUSED = [
    (SourceKind.SQS, {"StartingPosition": "LATEST"}, "StartingPosition is not valid for SQS"),
    (SourceKind.SQS, {"BatchSize": 11}, "Maximum batch window in seconds must be greater than 0"),
    (SourceKind.SQS, {"ParallelizationFactor": 2}, UNSUPPORTED.format("ParallelizationFactor")),
    (SourceKind.SQS, {"TumblingWindowInSeconds": 0}, UNSUPPORTED.format("TumblingWindowInSeconds")),
    (SourceKind.SQS, {"Topics": ["t1"]}, UNSUPPORTED.format("Topics")),
    (
        SourceKind.SQS,
        {"DestinationConfig": {"OnFailure": {"Destination": ARNS[SourceKind.SQS]}}},
        UNSUPPORTED.format("DestinationConfig"),
    ),
    (SourceKind.SQS, {"MetricsConfig": {"Metrics": ["ErrorCount"]}}, "Unsupported MetricsConfig"),
    (SourceKind.SQS, {"ProvisionedPollerConfig": {"MinimumPollers": 1}}, "must be at least 2"),
    (
        SourceKind.SQS,
        {"ProvisionedPollerConfig": {"MinimumPollers": 5, "MaximumPollers": 4}},
        "less than or equal to MaximumPollers",
    ),
    (
        SourceKind.SQS,
        {
            "ProvisionedPollerConfig": {"MinimumPollers": 5},
            "ScalingConfig": {"MaximumConcurrency": 5},
        },
        "cannot both be",
    ),
    (SourceKind.FIFO, {"BatchSize": 11}, "must not exceed 10"),
    (SourceKind.FIFO, {"MaximumBatchingWindowInSeconds": 1}, "not supported for FIFO"),
    (SourceKind.FIFO, {"ProvisionedPollerConfig": {"MinimumPollers": 2}}, "Unsupported Prov"),
    (
        SourceKind.KINESIS,
        {"StartingPosition": None},
        "1 validation error detected: Value null at 's",
    ),
    (SourceKind.KINESIS, {"StartingPosition": "AT_TIMESTAMP"}, "StartingPositionTimestamp"),
    (SourceKind.KINESIS, {"ScalingConfig": {"MaximumConcurrency": 5}}, "Unsupported ScalingConf"),
    (SourceKind.KINESIS, {"MaximumRecordAgeInSeconds": 59}, "at least 60"),
    (
        SourceKind.KINESIS,
        {"DestinationConfig": {"OnSuccess": {"Destination": ARNS[SourceKind.SQS]}}},
        UNSUPPORTED.format("DestinationConfig"),
    ),
    (
        SourceKind.KINESIS,
        {"DestinationConfig": {"OnFailure": {"Destination": "kafka://topic"}}},
        UNSUPPORTED.format("DestinationConfig"),
    ),
    (
        SourceKind.KINESIS,
        {"DestinationConfig": {"OnFailure": {"Destination": ARNS[SourceKind.FIFO]}}},
        "The destination ARN .* is invalid",
    ),
    (
        SourceKind.KINESIS,
        {"DestinationConfig": {"OnFailure": {"Destination": f"arn:aws:lambda:{BASE}:function:g"}}},
        "The destination ARN .* is invalid",
    ),
    (
        SourceKind.KINESIS,
        {"DestinationConfig": {"OnFailure": {"Destination": "a" * 300}}},
        "The destination ARN .* is invalid",
    ),
    (SourceKind.DYNAMODB, {"StartingPosition": "AT_TIMESTAMP"}, "Unsupported starting position fo"),
    (
        SourceKind.KINESIS,
        {"StartingPositionTimestamp": 1.0},
        "Timestamp only valid with StartingPosition AT_TIMESTAMP",
    ),
    (SourceKind.MSK, {"Topics": None}, "Required 'topics' parameter is missing"),
    (SourceKind.MSK, {"ProvisionedPollerConfig": {"MaximumPollers": 2_001}}, "at most 2000"),
    (
        SourceKind.KAFKA,
        {"SourceAccessConfigurations": None},
        "Required 'sourceAccessConfigurations'",
    ),
    (SourceKind.KAFKA, {"EventSourceArn": ARNS[SourceKind.MSK]}, "cannot both be specified"),
    (SourceKind.MQ, {"Queues": None}, "Required 'queues'"),
    (SourceKind.MQ, {"StartingPosition": "LATEST"}, "Unsupported StartingPosition"),
    (SourceKind.SQS, {"EventSourceArn": f"arn:aws:sns:{BASE}:t"}, "Unrecognized event source."),
    (SourceKind.SQS, {"EventSourceArn": f"arn:aws:dynamodb:{BASE}:table/t"}, "Unrecognized event"),
    (SourceKind.SQS, {"EventSourceArn": None}, "Unrecognized event source."),
    *(
        (
            SourceKind.SQS,
            {"FilterCriteria": {"Filters": [{"Pattern": pattern}]}},
            "Invalid filter pattern definition.",
        )
        for pattern in ("", "{}", '{"body": "x"}', '{"body": [{"wildcard": "*"}]}')
    ),
    (
        SourceKind.SQS,
        {"FilterCriteria": {"Filters": [{"Pattern": '{"body": [1]}'}] * 11}},
        "Filters count exceeds",
    ),
]


@pytest.mark.parametrize(("kind", "params", "message"), REFUSED)
def test_what_a_source_does_not_have_is_refused(kind, params, message):
    """With the service's words where they are known."""
    with pytest.raises(CallerError) as caught:
        checked(kind, **params)

    assert caught.value.code == "InvalidParameterValueException"
    assert re.search(message, caught.value.message), caught.value.message
