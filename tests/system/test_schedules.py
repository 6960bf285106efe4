"""EventBridge Scheduler through a real client: functions, queues and universal targets."""

import itertools
import json
import os
import time
from datetime import UTC, datetime, timedelta

import pytest
from test_message_recovery import client, drained

from tools.running import running, start

ROLE = "arn:aws:iam::123456789012:role/run"
_numbers = itertools.count(1)
_WAIT_S = 80.0

TELL = """
    import boto3, json, os

    def lambda_handler(event, context):
        sqs = boto3.client("sqs")
        url = sqs.get_queue_url(QueueName=os.environ["TO"])["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(event))
"""


def soon(seconds=5):
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("at(%Y-%m-%dT%H:%M:%S)")


def received(boto, url):
    """The body of the next message."""
    deadline = time.monotonic() + _WAIT_S
    while time.monotonic() < deadline:
        got = boto.call("sqs", "ReceiveMessage", QueueUrl=url, WaitTimeSeconds=5)
        for message in got.get("Messages", []):
            receipt = message["ReceiptHandle"]
            boto.call("sqs", "DeleteMessage", QueueUrl=url, ReceiptHandle=receipt)
            return json.loads(message["Body"])
    raise AssertionError("nothing came")


def test_a_schedule_wakes_a_function_and_removes_itself(hands, boto, make_function):
    """At its moment the function runs with the input; then the schedule is gone."""
    name = f"schedules-{os.getpid()}-{next(_numbers)}"
    url = boto.call("sqs", "CreateQueue", QueueName=name)["QueueUrl"]
    function = make_function(TELL, Timeout=60, Environment={"Variables": {"TO": name}})
    text = '{"clean": "up", "at": "<aws.scheduler.scheduled-time>"}'
    expression = soon()
    boto.call(
        "scheduler",
        "CreateSchedule",
        Name=name,
        ScheduleExpression=expression,
        FlexibleTimeWindow={"Mode": "OFF"},
        ActionAfterCompletion="DELETE",
        Target={
            "Arn": f"arn:aws:lambda:us-east-1:123456789012:function:{function}",
            "RoleArn": ROLE,
            "Input": text,
        },
    )
    assert received(boto, url) == {"clean": "up", "at": f"{expression[3:-1]}Z"}
    deadline = time.monotonic() + _WAIT_S
    while hands.call("scheduler", "ListSchedules", NamePrefix=name)["Schedules"]:
        assert time.monotonic() < deadline
    boto.call("sqs", "DeleteQueue", QueueUrl=url)


def test_a_universal_target_calls_any_operation(boto):
    """An operation of a service is called with the input as its parameters."""
    name = f"schedules-{os.getpid()}-{next(_numbers)}"
    url = boto.call("sqs", "CreateQueue", QueueName=name)["QueueUrl"]
    boto.call(
        "scheduler",
        "CreateSchedule",
        Name=name,
        ScheduleExpression=soon(),
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage",
            "RoleArn": ROLE,
            "Input": json.dumps({"QueueUrl": url, "MessageBody": '{"by": "schedule"}'}),
        },
    )
    boto.call("s3", "CreateBucket", Bucket=name)
    boto.call(
        "scheduler",
        "CreateSchedule",
        Name=f"{name}-object",
        ScheduleExpression=soon(),
        FlexibleTimeWindow={"Mode": "OFF"},
        ActionAfterCompletion="DELETE",
        Target={
            "Arn": "arn:aws:scheduler:::aws-sdk:s3:putObject",
            "RoleArn": ROLE,
            "Input": json.dumps({"Bucket": name, "Key": "k", "Body": "aGVsbG8="}),
        },
    )
    assert received(boto, url) == {"by": "schedule"}
    boto.wait("s3", "object_exists", Bucket=name, Key="k")
    assert boto.call("s3", "GetObject", Bucket=name, Key="k")["Body"].read() == b"hello"
    boto.call("s3", "DeleteObject", Bucket=name, Key="k")
    boto.call("s3", "DeleteBucket", Bucket=name)
    boto.call("scheduler", "DeleteSchedule", Name=name)
    boto.call("sqs", "DeleteQueue", QueueUrl=url)


@pytest.mark.slow
def test_no_schedule_is_skipped_whatever_is_killed(tmp_path):
    """Servers are killed while schedules fire; each of them has sent at the end."""
    data, count = tmp_path / "data", 60
    with running(data, tmp_path / "log") as server:
        client("sqs", server.url).create_queue(QueueName="fired")
        scheduler = client("scheduler", server.url)
        for number in range(count):
            scheduler.create_schedule(
                Name=f"s{number}",
                ScheduleExpression=soon(5 + number % 4),
                FlexibleTimeWindow={"Mode": "OFF"},
                Target={
                    "Arn": "arn:aws:sqs:us-east-1:123456789012:fired",
                    "RoleArn": ROLE,
                    "Input": str(number),
                },
            )
    for round_ in range(4):
        killed = start(data, tmp_path / f"log{round_}")
        sqs = client("sqs", killed.url)
        url = sqs.get_queue_url(QueueName="fired")["QueueUrl"]
        sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, VisibilityTimeout=0)
        killed.kill()
    with running(data, tmp_path / "last") as server:
        sqs = client("sqs", server.url)
        url = sqs.get_queue_url(QueueName="fired")["QueueUrl"]
        assert set(drained(sqs, url, set(range(count)))) == set(range(count))
