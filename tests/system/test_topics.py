"""Topics through real clients: to functions, queues and web servers."""

import base64
import itertools
import json
import os
import queue
import threading
import time
import urllib.request
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from hands import ApiError

_numbers = itertools.count(1)
_WAIT_S = 90.0
ARN = "arn:aws:sqs:us-east-1:123456789012:"
LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:"

TELL = """
    import boto3, json, os

    def lambda_handler(event, context):
        sqs = boto3.client("sqs")
        url = sqs.get_queue_url(QueueName=os.environ["TO"])["QueueUrl"]
        for record in event["Records"]:
            told = {"who": os.environ["WHO"], "message": record["Sns"]["Message"]}
            sqs.send_message(QueueUrl=url, MessageBody=json.dumps(told))
"""


@pytest.fixture
def make_queue(boto):
    """Queues of this test's own: (name, URL). Gone afterwards."""
    urls = []

    def make():
        name = f"t{os.getpid()}-{next(_numbers)}"
        urls.append(boto.call("sqs", "CreateQueue", QueueName=name)["QueueUrl"])
        return name, urls[-1]

    yield make
    for url in urls:
        boto.call("sqs", "DeleteQueue", QueueUrl=url)


@pytest.fixture
def topic(hands):
    """A topic of this test's own: its ARN."""
    made = hands.call("sns", "CreateTopic", Name=f"t{os.getpid()}-{next(_numbers)}")["TopicArn"]
    yield made
    hands.call("sns", "DeleteTopic", TopicArn=made)


def bodies(boto, url, count):
    """So many bodies from a queue, within the time."""
    found = []
    deadline = time.monotonic() + _WAIT_S
    while len(found) < count and time.monotonic() < deadline:
        got = boto.call("sqs", "ReceiveMessage", QueueUrl=url, WaitTimeSeconds=2)
        found += [message["Body"] for message in got.get("Messages", [])]
    return found


def test_a_topic_fans_out_to_two_functions_and_a_queue_by_their_filters(
    hands, boto, topic, make_queue, make_function
):
    """Each gets what its filter lets through, and nothing else."""
    sink, url = make_queue()
    direct, direct_url = make_queue()
    for who, policy in (("red", {"colour": ["red"]}), ("any", {"colour": [{"exists": True}]})):
        name = make_function(
            TELL, Environment={"Variables": {"TO": sink, "WHO": who}}, Timeout=20, MemorySize=1769
        )
        boto.call(
            "sns",
            "Subscribe",
            TopicArn=topic,
            Protocol="lambda",
            Endpoint=LAMBDA + name,
            Attributes={"FilterPolicy": json.dumps(policy)},
        )
    boto.call(
        "sns",
        "Subscribe",
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=ARN + direct,
        Attributes={
            "FilterPolicyScope": "MessageBody",
            "FilterPolicy": json.dumps({"size": [{"numeric": [">", 5]}]}),
            "RawMessageDelivery": "true",
        },
    )
    for colour, size in (("red", 1), ("blue", 9)):
        attributes = {"colour": {"DataType": "String", "StringValue": colour}}
        hands.call(
            "sns",
            "Publish",
            TopicArn=topic,
            Message=json.dumps({"size": size}),
            MessageAttributes=attributes,
        )
    assert bodies(boto, direct_url, 1) == ['{"size": 9}']
    told = [json.loads(body) for body in bodies(boto, url, 3)]
    assert sorted((each["who"], json.loads(each["message"])["size"]) for each in told) == [
        ("any", 1),
        ("any", 9),
        ("red", 1),
    ]


@pytest.fixture
def web():
    """A web server of this test's own: (URL, queue of (headers, body))."""
    got = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            got.put((dict(self.headers), body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", got
    server.shutdown()
    thread.join()
    server.server_close()


def verify(message):
    """Check the signature by the certificate that the message names, as a stranger would."""
    with urllib.request.urlopen(message["SigningCertURL"], timeout=60) as answer:
        key = x509.load_pem_x509_certificate(answer.read()).public_key()
    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn"]
    lines = [f"{name}\n{message[name]}\n" for name in [*names, "Type"] if name in message]
    signature = base64.b64decode(message["Signature"])
    key.verify(signature, "".join(lines).encode(), padding.PKCS1v15(), hashes.SHA1())


def test_a_web_server_confirms_and_then_gets_what_is_published(boto, web):
    """It visits SubscribeURL; every message verifies; by UnsubscribeURL it ends."""
    url, got = web
    topic = boto.call("sns", "CreateTopic", Name=f"t{os.getpid()}-{next(_numbers)}")["TopicArn"]
    asked = boto.call("sns", "Subscribe", TopicArn=topic, Protocol="http", Endpoint=url)
    assert asked["SubscriptionArn"] == "pending confirmation"
    headers, body = got.get(timeout=_WAIT_S)
    confirmation = json.loads(body)
    verify(confirmation)
    assert headers["x-amz-sns-message-type".title()] == "SubscriptionConfirmation"
    with urllib.request.urlopen(confirmation["SubscribeURL"], timeout=60) as answer:
        assert b"<SubscriptionArn>arn:aws:sns" in answer.read()
    boto.call("sns", "Publish", TopicArn=topic, Message="hi", Subject="s")
    _, body = got.get(timeout=_WAIT_S)
    notification = json.loads(body)
    verify(notification)
    assert (notification["Message"], notification["Subject"]) == ("hi", "s")
    with urllib.request.urlopen(notification["UnsubscribeURL"], timeout=60) as answer:
        answer.read()
    assert boto.call("sns", "ListSubscriptionsByTopic", TopicArn=topic)["Subscriptions"] == []
    with suppress(ApiError):
        boto.call("sns", "DeleteTopic", TopicArn=topic)


def test_what_becomes_of_an_event_is_told_to_a_queue_and_to_a_topic(
    boto, make_queue, make_function
):
    """Destinations of asynchronous invocations: success to a queue, failure to a topic."""
    good, good_url = make_queue()
    bad, bad_url = make_queue()
    topic = boto.call("sns", "CreateTopic", Name=f"t{os.getpid()}-{next(_numbers)}")["TopicArn"]
    boto.call(
        "sns",
        "Subscribe",
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=ARN + bad,
        Attributes={"RawMessageDelivery": "true"},
    )
    name = make_function(
        """
        def lambda_handler(event, context):
            if event["fail"]:
                raise ValueError("on purpose")
            return "done"
        """
    )
    boto.call(
        "lambda",
        "PutFunctionEventInvokeConfig",
        FunctionName=name,
        MaximumRetryAttempts=0,
        DestinationConfig={
            "OnSuccess": {"Destination": ARN + good},
            "OnFailure": {"Destination": topic},
        },
    )
    for fail in (False, True):
        payload = json.dumps({"fail": fail}).encode()
        assert boto.invoke(name, payload, InvocationType="Event").status == 202
    (success,) = bodies(boto, good_url, 1)
    assert json.loads(success)["responsePayload"] == "done"
    (failure,) = bodies(boto, bad_url, 1)
    record = json.loads(failure)
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestPayload"] == {"fail": True}
    boto.call("sns", "DeleteTopic", TopicArn=topic)
