"""Log groups through boto3: filters that wake functions and count."""

import json
import os
import time

import pytest
from hands import ApiError

LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:"
_WAIT_S = 40.0

ALARMED = """
    import base64, gzip, json

    def lambda_handler(event, context):
        data = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
        for each in data["logEvents"]:
            print("SEEN", data["logGroup"], data["subscriptionFilters"][0], each["message"])
"""
TALKING = """
    def lambda_handler(event, context):
        print(event["say"])
"""


def until(look):
    """What a look finds, once it finds something."""
    deadline = time.monotonic() + _WAIT_S
    while not (found := look()) and time.monotonic() < deadline:
        pass
    return found


@pytest.fixture
def logs(boto):
    """A boto3 client."""
    return boto.client("logs")


@pytest.fixture
def group(logs):
    """A group of this test's own with a stream `s`."""
    name = f"/app/{os.getpid()}-{time.monotonic_ns()}"
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="s")
    yield name
    logs.delete_log_group(logGroupName=name)


def put(logs, group, *messages):
    """Put messages of now."""
    events = [{"timestamp": int(time.time() * 1000), "message": text} for text in messages]
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)


def test_a_pattern_in_a_functions_log_wakes_another_function(boto, logs, make_function):
    """What one prints invokes the other, which may not be subscribed to itself."""
    talking, alarmed = make_function(TALKING), make_function(ALARMED)
    boto.call(
        "lambda",
        "AddPermission",
        FunctionName=alarmed,
        StatementId="logs",
        Action="lambda:InvokeFunction",
        Principal="logs.amazonaws.com",
        SourceArn=f"arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/{talking}:*",
    )
    group, own = f"/aws/lambda/{talking}", f"/aws/lambda/{alarmed}"
    for each in (group, own):
        logs.create_log_group(logGroupName=each)
    subscription = {
        "filterName": "money",
        "filterPattern": "{ $.total > 100 }",
        "destinationArn": LAMBDA + alarmed,
    }
    logs.put_subscription_filter(logGroupName=group, **subscription)
    with pytest.raises(ApiError, match="endless loop"):
        boto.call("logs", "PutSubscriptionFilter", logGroupName=own, **subscription)
    for total in (99, 101):
        boto.invoke(talking, json.dumps({"say": json.dumps({"total": total})}).encode())

    def seen():
        return logs.filter_log_events(logGroupName=own, filterPattern="SEEN")["events"]

    assert [event["message"].rstrip() for event in until(seen)] == [
        f'SEEN {group} money {{"total": 101}}'
    ]


def test_a_metric_filter_feeds_cloudwatch(boto, logs, group):
    """Values of JSON events by their dimension, read as any metric."""
    transformation = {
        "metricNamespace": f"Shop{group}".replace("/", "-"),
        "metricName": "Total",
        "metricValue": "$.total",
        "dimensions": {"Shop": "$.shop"},
        "unit": "None",
    }
    logs.put_metric_filter(
        logGroupName=group,
        filterName="totals",
        filterPattern="{ $.total = * }",
        metricTransformations=[transformation],
    )
    put(logs, group, *(json.dumps({"shop": "a", "total": total}) for total in (1, 2, 39)))

    def measured():
        now = time.time()
        return boto.client("cloudwatch").get_metric_statistics(
            Namespace=transformation["metricNamespace"],
            MetricName="Total",
            Dimensions=[{"Name": "Shop", "Value": "a"}],
            StartTime=now - 3_600,
            EndTime=now + 60,
            Period=3_600 * 24,
            Statistics=["Sum", "SampleCount"],
        )["Datapoints"]

    assert [(each["Sum"], each["SampleCount"]) for each in until(measured)] == [(42.0, 3.0)]
