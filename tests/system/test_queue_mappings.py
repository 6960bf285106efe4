"""A function fed by a queue, through real clients, with real environments."""

import itertools
import json
import os
import time
from contextlib import suppress

import pytest
from hands import ApiError
from material import make_zip

_numbers = itertools.count(1)
_WAIT_S = 90.0
ARN = "arn:aws:sqs:us-east-1:123456789012:"
# So that INIT is over before messages come whose visibility ends.
NOTHING = b'{"Records": []}'

# Without an SDK, whose import takes longer on a busy machine than these functions may run.
FORWARD = """
    import http.client, os, urllib.parse

    HOST = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc

    def lambda_handler(event, context):
        for record in event["Records"]:
            if "poison" in record["body"]:
                raise ValueError("poison")
            form = {"Action": "SendMessage", "Version": "2012-11-05"}
            form = urllib.parse.urlencode(form | {"MessageBody": record["body"]})
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            sqs = http.client.HTTPConnection(HOST)
            sqs.request("POST", f"/123456789012/{os.environ['TO']}", form, kind)
            answer = sqs.getresponse()
            assert answer.status == 200, answer.read()
"""


@pytest.fixture
def make_queue(boto):
    """Queues of this test's own: their names. Gone afterwards."""
    urls = []

    def make(suffix="", **attributes):
        name = f"m{os.getpid()}-{next(_numbers)}{suffix}"
        found = boto.call("sqs", "CreateQueue", QueueName=name, Attributes=attributes)
        urls.append(found["QueueUrl"])
        return name

    make.url = lambda name: next(url for url in urls if url.endswith(f"/{name}"))
    yield make
    for url in urls:
        with suppress(ApiError):
            boto.call("sqs", "DeleteQueue", QueueUrl=url)


@pytest.fixture
def make_mapping(boto):
    """Mappings of this test's own: their UUIDs. Gone afterwards."""
    made = []

    def make(function, queue, **settings):
        asked = {"FunctionName": function, "EventSourceArn": ARN + queue} | settings
        made.append(boto.call("lambda", "CreateEventSourceMapping", **asked)["UUID"])
        assert state(boto, made[-1]) in ("Enabled", "Disabled")
        return made[-1]

    yield make
    for uuid in made:
        with suppress(ApiError):
            boto.call("lambda", "DeleteEventSourceMapping", UUID=uuid)


def state(boto, uuid):
    return boto.call("lambda", "GetEventSourceMapping", UUID=uuid)["State"]


def drain(boto, url, count, wait_s=_WAIT_S):
    """At least so many messages of a queue, deleted as they come, within the time."""
    found = []
    deadline = time.monotonic() + wait_s
    while len(found) < count and time.monotonic() < deadline:
        got = boto.call(
            "sqs",
            "ReceiveMessage",
            QueueUrl=url,
            WaitTimeSeconds=2,
            MaxNumberOfMessages=10,
            AttributeNames=["All"],
        ).get("Messages", [])
        found += got
        entries = [
            {"Id": str(n), "ReceiptHandle": each["ReceiptHandle"]} for n, each in enumerate(got)
        ]
        if entries:
            boto.call("sqs", "DeleteMessageBatch", QueueUrl=url, Entries=entries)
    return found


def counts(boto, url):
    shown = boto.call("sqs", "GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])
    return [
        int(shown["Attributes"][f"ApproximateNumberOfMessages{which}"])
        for which in ("", "NotVisible", "Delayed")
    ]


def test_a_message_goes_from_queue_to_function_to_queue(
    boto, make_queue, make_function, make_mapping
):
    """The function gets the record as AWS sends it, and the message is gone after success."""
    source, sink = make_queue(), make_queue()
    name = make_function(
        """
        import boto3, json, os

        def lambda_handler(event, context):
            sqs = boto3.client("sqs")
            url = sqs.get_queue_url(QueueName=os.environ["TO"])["QueueUrl"]
            sqs.send_message(QueueUrl=url, MessageBody=json.dumps(event))
        """,
        Environment={"Variables": {"TO": sink}},
        Timeout=20,
        MemorySize=1769,
    )
    make_mapping(name, source)
    attributes = {"k": {"DataType": "String", "StringValue": "v"}}
    sent = boto.call(
        "sqs",
        "SendMessage",
        QueueUrl=make_queue.url(source),
        MessageBody="hello",
        MessageAttributes=attributes,
    )
    (message,) = drain(boto, make_queue.url(sink), 1)
    (record,) = json.loads(message["Body"])["Records"]
    assert record["messageId"] == sent["MessageId"]
    assert record["body"] == "hello"
    assert record["md5OfBody"] == sent["MD5OfMessageBody"]
    assert record["md5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert record["messageAttributes"]["k"]["stringValue"] == "v"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["eventSourceARN"] == ARN + source
    deadline = time.monotonic() + _WAIT_S
    while counts(boto, make_queue.url(source)) != [0, 0, 0]:
        assert time.monotonic() < deadline


def test_a_mapping_is_refused_if_its_queue_does_not_fit(boto, make_queue, make_function):
    """A queue that is not there, and one whose visibility ends before the function does."""
    name = make_function("def lambda_handler(event, context): pass", Timeout=31)
    for queue, words in (("no-such-queue", "NonExistentQueue"), (make_queue(), "less than")):
        with pytest.raises(ApiError, match=words) as caught:
            boto.call(
                "lambda",
                "CreateEventSourceMapping",
                FunctionName=name,
                EventSourceArn=ARN + queue,
            )
        assert caught.value.code == "InvalidParameterValueException"


def test_only_reported_failures_come_back(boto, make_queue, make_function, make_mapping):
    """ReportBatchItemFailures: the other messages of the batch are deleted."""
    dead = make_queue()
    redrive = json.dumps({"deadLetterTargetArn": ARN + dead, "maxReceiveCount": 1})
    source = make_queue(RedrivePolicy=redrive, VisibilityTimeout="3")
    name = make_function(
        """
        def lambda_handler(event, context):
            bad = [r["messageId"] for r in event["Records"] if r["body"].startswith("bad")]
            return {"batchItemFailures": [{"itemIdentifier": each} for each in bad]}
        """,
        Timeout=3,
    )
    boto.invoke(name, NOTHING)
    make_mapping(name, source, FunctionResponseTypes=["ReportBatchItemFailures"])
    bodies = ["bad1", "good1", "bad2", "good2"]
    entries = [{"Id": body, "MessageBody": body} for body in bodies]
    boto.call("sqs", "SendMessageBatch", QueueUrl=make_queue.url(source), Entries=entries)
    found = drain(boto, make_queue.url(dead), 2)
    assert sorted(m["Body"] for m in found) == ["bad1", "bad2"]
    assert counts(boto, make_queue.url(source)) == [0, 0, 0]


def test_a_poison_message_becomes_a_dead_letter_and_is_redriven(
    boto, make_queue, make_function, make_mapping
):
    """After the function is mended, the letter goes back and through."""
    dead, sink = make_queue(), make_queue()
    redrive = json.dumps({"deadLetterTargetArn": ARN + dead, "maxReceiveCount": 2})
    source = make_queue(RedrivePolicy=redrive, VisibilityTimeout="3")
    name = make_function(
        FORWARD, Environment={"Variables": {"TO": sink}}, Timeout=3, MemorySize=1769
    )
    boto.invoke(name, NOTHING)
    make_mapping(name, source, BatchSize=1)
    url = make_queue.url(source)
    boto.call("sqs", "SendMessage", QueueUrl=url, MessageBody="poison")
    boto.call("sqs", "SendMessage", QueueUrl=url, MessageBody="fine")
    assert drain(boto, make_queue.url(sink), 1)[0]["Body"] == "fine"
    deadline = time.monotonic() + _WAIT_S
    while counts(boto, url) != [0, 0, 0] or counts(boto, make_queue.url(dead))[0] == 0:
        assert time.monotonic() < deadline
    mended = FORWARD.replace('"poison" in', '"never" in')
    code = make_zip(lambda_function=mended)
    boto.call("lambda", "UpdateFunctionCode", FunctionName=name, ZipFile=code)
    boto.wait("lambda", "FunctionUpdatedV2", FunctionName=name)
    boto.call("sqs", "StartMessageMoveTask", SourceArn=ARN + dead)
    came = []
    while "poison" not in came:  # before it "fine" may have come again
        came += [m["Body"] for m in drain(boto, make_queue.url(sink), 1)]
        assert came


def test_filtered_messages_never_reach_the_function(boto, make_queue, make_function, make_mapping):
    """They are deleted; the others arrive, in batches gathered in the window."""
    source, sink = make_queue(), make_queue()
    name = make_function(
        FORWARD, Environment={"Variables": {"TO": sink}}, Timeout=20, MemorySize=1769
    )
    criteria = {"Filters": [{"Pattern": json.dumps({"body": {"size": [{"numeric": [">", 5]}]}})}]}
    make_mapping(
        name, source, FilterCriteria=criteria, BatchSize=100, MaximumBatchingWindowInSeconds=1
    )
    entries = [{"Id": str(n), "MessageBody": json.dumps({"size": n})} for n in range(10)]
    boto.call("sqs", "SendMessageBatch", QueueUrl=make_queue.url(source), Entries=entries)
    boto.call("sqs", "SendMessage", QueueUrl=make_queue.url(source), MessageBody="no JSON")
    found = drain(boto, make_queue.url(sink), 4)
    assert sorted(json.loads(m["Body"])["size"] for m in found) == [6, 7, 8, 9]
    deadline = time.monotonic() + _WAIT_S
    while counts(boto, make_queue.url(source)) != [0, 0, 0]:
        assert time.monotonic() < deadline


def test_a_mapping_is_paused_resumed_and_deleted(boto, make_queue, make_function, make_mapping):
    """Disabled, nothing is read; enabled again, what waits is."""
    source, sink = make_queue(), make_queue()
    name = make_function(
        FORWARD, Environment={"Variables": {"TO": sink}}, Timeout=20, MemorySize=1769
    )
    uuid = make_mapping(name, source, Enabled=False)
    assert state(boto, uuid) == "Disabled"
    boto.call("sqs", "SendMessage", QueueUrl=make_queue.url(source), MessageBody="waits")
    assert counts(boto, make_queue.url(source)) == [1, 0, 0]
    boto.call("lambda", "UpdateEventSourceMapping", UUID=uuid, Enabled=True)
    assert [m["Body"] for m in drain(boto, make_queue.url(sink), 1)] == ["waits"]
    shown = boto.call("lambda", "GetEventSourceMapping", UUID=uuid)
    assert (shown["State"], shown["StateTransitionReason"]) == ("Enabled", "USER_INITIATED")
    deleted = boto.call("lambda", "DeleteEventSourceMapping", UUID=uuid)
    assert deleted["State"] == "Deleting"
    with pytest.raises(ApiError, match="does not exist"):
        boto.call("lambda", "GetEventSourceMapping", UUID=uuid)


def test_a_mapping_outlives_its_queue_and_its_function(
    boto, make_queue, make_function, make_mapping
):
    """It says what is missing, and goes on when that is there again; nothing is lost."""
    source, sink = make_queue(), make_queue()
    settings = {
        "Environment": {"Variables": {"TO": sink}},
        "Timeout": 20,
        "MemorySize": 1769,
    }
    name = make_function(FORWARD, **settings)
    uuid = make_mapping(name, source)
    boto.call("sqs", "DeleteQueue", QueueUrl=make_queue.url(source))
    deadline = time.monotonic() + _WAIT_S
    while "queue does not exist" not in _result(boto, uuid):
        assert time.monotonic() < deadline
    boto.call("sqs", "CreateQueue", QueueName=source)
    boto.call("sqs", "SendMessage", QueueUrl=make_queue.url(source), MessageBody="again")
    assert [m["Body"] for m in drain(boto, make_queue.url(sink), 1)] == ["again"]


def _result(boto, uuid):
    shown = boto.call("lambda", "GetEventSourceMapping", UUID=uuid)
    return shown.get("LastProcessingResult", "")
