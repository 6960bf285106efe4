"""A server whose queues, topics, buckets and buses are on another server."""

import gzip
import json
import time

import boto3
import pytest
from botocore.config import Config
from material import ROLE, make_zip

from tools.running import running

ARN = "arn:aws:sqs:us-east-1:123456789012:"
SOURCE = """
    def lambda_handler(event, context):
        if "Records" not in event:
            raise ValueError("on purpose")
        bad = [r["messageId"] for r in event["Records"] if r["body"] == "bad"]
        return {"batchItemFailures": [{"itemIdentifier": each} for each in bad]}
"""


def client(service, server):
    """A client of one of the servers."""
    return boto3.client(
        service,
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id="emberbox",
        aws_secret_access_key="emberbox",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture(scope="module")
def elsewhere(server, tmp_path_factory):
    """A server of this module's own that uses what the shared one has."""
    services = ("sqs", "sns", "s3", "events")
    options = [text for each in services for text in (f"--{each}-endpoint", server.url)]
    tmp_path = tmp_path_factory.mktemp("elsewhere")
    with running(tmp_path / "data", tmp_path / "log", *options) as other:
        yield other


def received(sqs, url, count):
    """So many bodies, within the time."""
    found = []
    deadline = time.monotonic() + 90
    while len(found) < count and time.monotonic() < deadline:
        got = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2, MaxNumberOfMessages=10)
        found += [message["Body"] for message in got.get("Messages", [])]
    return found


def test_queues_and_topics_of_another_server_feed_and_hear(server, elsewhere):
    """The mapping polls there; dead letters, destinations and topics get what is theirs there."""
    sqs, sns, functions = client("sqs", server), client("sns", server), client("lambda", elsewhere)
    urls = {
        name: sqs.create_queue(QueueName=f"there-{name}", Attributes=attributes)["QueueUrl"]
        for name, attributes in {
            "dead": {},
            "told": {},
            "work": {
                "VisibilityTimeout": "4",
                "RedrivePolicy": json.dumps(
                    {"deadLetterTargetArn": f"{ARN}there-dead", "maxReceiveCount": 1}
                ),
            },
        }.items()
    }
    topic = sns.create_topic(Name="there")["TopicArn"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=f"{ARN}there-told",
        Attributes={"RawMessageDelivery": "true"},
    )
    functions.create_function(
        FunctionName="here",
        Runtime="python3.12",
        Role=ROLE,
        Handler="lambda_function.lambda_handler",
        Code={"ZipFile": make_zip(lambda_function=SOURCE)},
        Timeout=4,
        DeadLetterConfig={"TargetArn": f"{ARN}there-told"},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="here")
    functions.put_function_event_invoke_config(
        FunctionName="here",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": topic}},
    )
    functions.create_event_source_mapping(
        FunctionName="here",
        EventSourceArn=f"{ARN}there-work",
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )

    for body in ("good", "bad"):
        sqs.send_message(QueueUrl=urls["work"], MessageBody=body)
    functions.invoke(FunctionName="here", InvocationType="Event", Payload=b'{"n": 1}')

    assert received(sqs, urls["dead"], 1) == ["bad"]
    told = [json.loads(body) for body in received(sqs, urls["told"], 2)]
    assert {"n": 1} in told
    assert {"n": 1} in [each.get("requestPayload") for each in told]
    here = client("sqs", elsewhere)
    assert "QueueUrls" not in here.list_queues()


def test_buckets_and_buses_of_another_server_are_used(server, elsewhere):
    """Code is read there; records of failures, exported logs and events go there."""
    s3, events, sqs = (client(each, server) for each in ("s3", "events", "sqs"))
    functions, logs = client("lambda", elsewhere), client("logs", elsewhere)
    s3.create_bucket(Bucket="there-kept")
    s3.put_object(Bucket="there-kept", Key="code.zip", Body=make_zip(lambda_function=SOURCE))
    url = sqs.create_queue(QueueName="there-heard")["QueueUrl"]
    events.put_rule(Name="there", EventPattern='{"source": ["lambda"]}')
    told = {"Id": "q", "Arn": f"{ARN}there-heard", "InputPath": "$.detail.requestPayload"}
    events.put_targets(Rule="there", Targets=[told])
    bus = "arn:aws:events:us-east-1:123456789012:event-bus/default"
    for name, failed in (("stored", "arn:aws:s3:::there-kept"), ("heard", bus)):
        functions.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role=ROLE,
            Handler="lambda_function.lambda_handler",
            Code={"S3Bucket": "there-kept", "S3Key": "code.zip"},
        )
        functions.get_waiter("function_active_v2").wait(FunctionName=name)
        functions.put_function_event_invoke_config(
            FunctionName=name,
            MaximumRetryAttempts=0,
            DestinationConfig={"OnFailure": {"Destination": failed}},
        )
        functions.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"n": 2}')

    assert [json.loads(body) for body in received(sqs, url, 1)] == [{"n": 2}]
    (record,) = stored(s3, "aws/lambda/async/stored/")
    assert json.loads(record)["requestPayload"] == {"n": 2}

    task = logs.create_export_task(
        **{"from": 0, "to": int(time.time() * 1000) + 60_000},
        logGroupName="/aws/lambda/stored",
        destination="there-kept",
    )["taskId"]
    texts = [gzip.decompress(each) for each in stored(s3, f"exportedlogs/{task}/")]
    assert b"START RequestId" in b"".join(texts)
    (found,) = logs.describe_export_tasks(taskId=task)["exportTasks"]
    assert found["status"]["code"] in ("RUNNING", "COMPLETED")

    events.remove_targets(Rule="there", Ids=["q"])
    events.delete_rule(Name="there")


def stored(s3, prefix):
    """The objects with a prefix, once there are some."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        found = s3.list_objects_v2(Bucket="there-kept", Prefix=prefix).get("Contents", [])
        if found:
            return [
                s3.get_object(Bucket="there-kept", Key=each["Key"])["Body"].read() for each in found
            ]
    raise AssertionError(f"nothing came under {prefix}")
