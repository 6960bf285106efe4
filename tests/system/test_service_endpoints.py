"""A server whose queues and topics are on another server."""

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


@pytest.fixture
def elsewhere(server, tmp_path):
    """A server of this test's own that uses the queues and topics of the shared one."""
    options = ["--sqs-endpoint", server.url, "--sns-endpoint", server.url]
    with running(tmp_path / "data", tmp_path / "log", *options) as other:
        yield other


def received(sqs, url, count):
    """So many bodies, within the time."""
    found = []
    deadline = time.monotonic() + 40
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
                "VisibilityTimeout": "1",
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
        Timeout=1,
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
