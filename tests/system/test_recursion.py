"""Functions that invoke themselves over and over are stopped, whichever way they take."""

import json
import os
import re
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from hands import ApiError

LOOPS = 16
SOURCE = """
    import boto3, json, os

    clients = {name: boto3.client(name) for name in ("lambda", "sqs", "sns")}

    def lambda_handler(event, context):
        record = event["Records"][0] if "Records" in event else None
        if record is not None:
            event = json.loads(record["Sns"]["Message"] if "Sns" in record else record["body"])
        event["n"] += 1
        print("run", event["n"], os.environ["_X_AMZN_TRACE_ID"])
        if event["n"] >= event["stop"]:
            return event["n"]
        again, to = json.dumps(event), event["to"]
        if event["via"] == "sqs":
            clients["sqs"].send_message(QueueUrl=to, MessageBody=again)
        elif event["via"] == "sns":
            clients["sns"].publish(TopicArn=to, Message=again)
        else:
            clients["lambda"].invoke(FunctionName=to, InvocationType="Event", Payload=again)
        return event["n"]
"""


@pytest.fixture(scope="module")
def queue(boto):
    """A queue where dropped events end: its URL."""
    url = boto.call("sqs", "CreateQueue", QueueName=f"recursion-{os.getpid()}")["QueueUrl"]
    yield url
    boto.call("sqs", "DeleteQueue", QueueUrl=url)


@pytest.fixture
def looping(boto, make_function, queue):
    """The function above; what it drops is told to the queue."""
    name = make_function(SOURCE, Timeout=20, MemorySize=1_769)
    boto.call(
        "lambda",
        "PutFunctionEventInvokeConfig",
        FunctionName=name,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": arn_of(queue)}},
    )
    return name


def arn_of(queue):
    return f"arn:aws:sqs:us-east-1:123456789012:{queue.rpartition('/')[2]}"


def function_arn(name):
    return f"arn:aws:lambda:us-east-1:123456789012:function:{name}"


def begin(boto, name, via, to, stop=40):
    payload = json.dumps({"n": 0, "via": via, "to": to, "stop": stop}).encode()
    return boto.client("lambda").invoke(FunctionName=name, Payload=payload)


def total(boto, name, metric):
    """The sum of a metric of a function."""
    now = datetime.now(UTC)
    points = boto.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName=metric,
        Dimensions=[{"Name": "FunctionName", "Value": name}],
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=10),
        Period=3600,
        Statistics=["Sum"],
    )
    return sum(point["Sum"] for point in points["Datapoints"])


def until(happened, wait_s=60.0):
    """What a question gives as soon as it gives anything."""
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        if found := happened():
            return found
        time.sleep(0.2)
    raise AssertionError("it did not happen")


def dropped(boto, queue):
    """The record of what was dropped."""
    got = boto.call("sqs", "ReceiveMessage", QueueUrl=queue, WaitTimeSeconds=5)
    for message in got.get("Messages", []):
        boto.call("sqs", "DeleteMessage", QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return json.loads(message["Body"])
    return None


@pytest.mark.parametrize("via", ["lambda", "sns"])
def test_asynchronous_loops_end_at_their_destination(boto, looping, queue, via):
    """By itself, and by a topic."""
    to = looping
    if via == "sns":
        to = boto.call("sns", "CreateTopic", Name=looping)["TopicArn"]
        boto.call(
            "sns", "Subscribe", TopicArn=to, Protocol="lambda", Endpoint=function_arn(looping)
        )
    begin(boto, looping, via, to)

    record = until(lambda: dropped(boto, queue))
    # The last one to run hands on its event before it has ended itself.
    until(lambda: total(boto, looping, "Invocations") >= LOOPS)

    assert total(boto, looping, "Invocations") == LOOPS
    assert total(boto, looping, "RecursiveInvocationsDropped") == 1
    assert record["responseContext"]["statusCode"] == 400
    assert "recursive loop" in record["responsePayload"]["errorMessage"]
    if via == "sns":
        boto.call("sns", "DeleteTopic", TopicArn=to)


@pytest.mark.parametrize("via", ["lambda", "sns"])
def test_a_loop_of_destinations_is_cut(boto, make_function, queue, via):
    """Functions whose results come back to them; what is stopped is told of once."""
    source = "def lambda_handler(event, context):\n    return 1"
    first, other = (make_function(source, MemorySize=1_769) for _ in range(2))
    to = function_arn(first)
    if via == "sns":
        to = boto.call("sns", "CreateTopic", Name=first)["TopicArn"]
        endpoint = function_arn(first)
        boto.call("sns", "Subscribe", TopicArn=to, Protocol="lambda", Endpoint=endpoint)
    for name, target in ((first, function_arn(other)), (other, to)):
        boto.call(
            "lambda",
            "PutFunctionEventInvokeConfig",
            FunctionName=name,
            MaximumRetryAttempts=0,
            DestinationConfig={
                "OnSuccess": {"Destination": target},
                "OnFailure": {"Destination": arn_of(queue)},
            },
        )
    boto.client("lambda").invoke(FunctionName=first, InvocationType="Event", Payload=b"{}")

    record = until(lambda: dropped(boto, queue))
    until(lambda: total(boto, other, "Invocations") >= LOOPS)

    assert total(boto, first, "Invocations") == LOOPS
    assert "recursive loop" in record["responsePayload"]["errorMessage"]
    if via == "sns":
        boto.call("sns", "DeleteTopic", TopicArn=to)


def test_a_loop_through_a_queue_is_cut(boto, looping):
    """Its messages stay in the queue, whose own dead letters they become."""
    url = boto.call(
        "sqs", "CreateQueue", QueueName=looping, Attributes={"VisibilityTimeout": "30"}
    )["QueueUrl"]
    mapping = boto.call(
        "lambda",
        "CreateEventSourceMapping",
        FunctionName=looping,
        EventSourceArn=arn_of(url),
        BatchSize=1,
    )["UUID"]
    begin(boto, looping, "sqs", url)

    until(lambda: total(boto, looping, "RecursiveInvocationsDropped"))
    until(lambda: total(boto, looping, "Invocations") >= LOOPS)

    assert total(boto, looping, "Invocations") == LOOPS
    boto.call("lambda", "DeleteEventSourceMapping", UUID=mapping)
    with suppress(ApiError):
        boto.call("sqs", "DeleteQueue", QueueUrl=url)


def test_a_function_may_be_allowed_to(boto, looping):
    """Then it runs until it ends by itself."""
    boto.call("lambda", "PutFunctionRecursionConfig", FunctionName=looping, RecursiveLoop="Allow")
    begin(boto, looping, "lambda", looping, stop=LOOPS + 3)

    until(lambda: total(boto, looping, "Invocations") >= LOOPS + 3)

    assert total(boto, looping, "RecursiveInvocationsDropped") == 0


def test_a_synchronous_loop_is_refused_and_traces_go_on(boto, make_function):
    """With AWS's error; a trace that comes in goes on to the function, W3C's too."""
    name = make_function(
        """
        import os

        def lambda_handler(event, context):
            return os.environ["_X_AMZN_TRACE_ID"]
        """
    )

    def traced(**headers):
        client = boto.client("lambda")

        def add(request, **_):
            request.headers.update({key.replace("_", "-"): text for key, text in headers.items()})

        client.meta.events.register("before-send.lambda.Invoke", add)
        try:
            return json.load(client.invoke(FunctionName=name)["Payload"])
        finally:
            client.meta.events.unregister("before-send.lambda.Invoke", add)

    root = "1-5759e988-bd862e3fe1be46a994272793"
    trace = f"Root={root};Parent=53995c3f42cd8ad8;Sampled=1"
    seen = [traced(X_Amzn_Trace_Id=trace)]
    for _ in range(LOOPS - 1):
        seen.append(traced(X_Amzn_Trace_Id=seen[-1]))
    w3c = traced(traceparent=f"00-{root[2:].replace('-', '')}-53995c3f42cd8ad8-01")

    # A trace that is recorded has the function's own segment as its parent from here on.
    own = f"Root={root};Parent=[0-9a-f]{{16}};Sampled=1;Lineage=1:"
    assert re.match(own, seen[0])
    assert re.match(own, w3c)
    with pytest.raises(ClientError) as refused:
        traced(X_Amzn_Trace_Id=seen[-1])
    assert refused.value.response["Error"]["Code"] == "RecursiveInvocationException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
