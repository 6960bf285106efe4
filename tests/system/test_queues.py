"""Queues through real clients, old and new, and from inside a function."""

import json
import os
import time
import urllib.parse
import urllib.request

import pytest
from hands import ApiError


@pytest.fixture
def queue(boto, request):
    """A queue of this test's own: its URL. Gone afterwards."""
    name = f"q{os.getpid()}-{abs(hash(request.node.nodeid)) % 10**9}"
    url = boto.call("sqs", "CreateQueue", QueueName=name)["QueueUrl"]
    yield url
    boto.call("sqs", "DeleteQueue", QueueUrl=url)


def test_a_message_goes_through_a_queue(hands, queue):
    """Send, receive and delete; the clients verify the checksums."""
    attributes = {"city": {"DataType": "String", "StringValue": "Zürich"}}
    hands.call(
        "sqs", "SendMessage", QueueUrl=queue, MessageBody="hello", MessageAttributes=attributes
    )
    got = hands.call(
        "sqs", "ReceiveMessage", QueueUrl=queue, WaitTimeSeconds=5, MessageAttributeNames=["All"]
    )
    (message,) = got["Messages"]
    assert message["Body"] == "hello"
    assert message["MessageAttributes"]["city"]["StringValue"] == "Zürich"
    handle = {"ReceiptHandle": message["ReceiptHandle"]}
    hands.call("sqs", "ChangeMessageVisibility", QueueUrl=queue, VisibilityTimeout=60, **handle)
    hands.call("sqs", "DeleteMessage", QueueUrl=queue, **handle)


def test_a_queue_that_is_not_there_has_the_code_that_clients_know(boto, server):
    """The code of the former query protocol comes in a header, and SDKs show it."""
    with pytest.raises(ApiError) as caught:
        boto.call("sqs", "GetQueueUrl", QueueName="no-such-queue")
    assert caught.value.code == "AWS.SimpleQueueService.NonExistentQueue"


def test_old_clients_send_forms_to_the_queues_own_url(server, queue):
    """The query protocol, as clients of before 2023 speak it: the URL alone names the queue."""

    def ask(**fields):
        form = urllib.parse.urlencode({"Version": "2012-11-05", **fields}).encode()
        with urllib.request.urlopen(queue, data=form, timeout=60) as answer:
            return answer.read().decode()

    sent = ask(Action="SendMessage", MessageBody="old")
    assert "<MD5OfMessageBody>149603e6c03516362a8da23f624db945</MD5OfMessageBody>" in sent
    assert "<Body>old</Body>" in ask(Action="ReceiveMessage", WaitTimeSeconds="2")


def test_a_function_sends_to_a_queue_by_the_url_it_asks_for(boto, queue, make_function):
    """Inside a sandbox, GetQueueUrl gives a URL that works there, and any URL finds its queue."""
    name = make_function(
        """
        import boto3

        def lambda_handler(event, context):
            sqs = boto3.client("sqs")
            url = sqs.get_queue_url(QueueName=event["name"])["QueueUrl"]
            sqs.send_message(QueueUrl=url, MessageBody="by name")
            sqs.send_message(QueueUrl=event["url"], MessageBody="by url")
        """,
        Timeout=30,
        MemorySize=1769,
    )
    event = {"name": queue.rsplit("/", 1)[-1], "url": queue}
    done = boto.invoke(name, json.dumps(event).encode())
    assert done.error is None, done.payload
    bodies = []
    deadline = time.monotonic() + 60
    while len(bodies) < 2 and time.monotonic() < deadline:
        got = boto.call("sqs", "ReceiveMessage", QueueUrl=queue, WaitTimeSeconds=5)
        bodies += [message["Body"] for message in got.get("Messages", [])]
    assert sorted(bodies) == ["by name", "by url"]
