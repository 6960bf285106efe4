"""EventBridge through real clients: rules wake functions, archives replay, servers are called."""

import base64
import json
import os
import queue
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

_WAIT_S = 80.0

TELL = """
    import boto3, json, os

    def lambda_handler(event, context):
        sqs = boto3.client("sqs")
        url = sqs.get_queue_url(QueueName=os.environ["TO"])["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(event))
        return {"told": event.get("detail-type", "")}
"""


def arn_of(kind, name):
    return f"arn:aws:{kind}:us-east-1:123456789012:{name}"


@pytest.fixture
def inbox(boto):
    """A queue of this test's own: (name, what reads one body from it as JSON)."""
    name = f"events-{os.getpid()}-{time.monotonic_ns()}"
    url = boto.call("sqs", "CreateQueue", QueueName=name)["QueueUrl"]

    def read():
        deadline = time.monotonic() + _WAIT_S
        while time.monotonic() < deadline:
            got = boto.call("sqs", "ReceiveMessage", QueueUrl=url, WaitTimeSeconds=5)
            for message in got.get("Messages", []):
                receipt = message["ReceiptHandle"]
                boto.call("sqs", "DeleteMessage", QueueUrl=url, ReceiptHandle=receipt)
                return json.loads(message["Body"])
        raise AssertionError("nothing came")

    yield name, read
    boto.call("sqs", "DeleteQueue", QueueUrl=url)


@pytest.fixture
def rule(boto):
    """A rule on a bus of this test's own: what puts it with its targets, and gives (bus, ARN)."""
    made = []

    def put(pattern, *targets):
        name = f"b{os.getpid()}-{time.monotonic_ns()}"
        boto.call("events", "CreateEventBus", Name=name)
        made.append(name)
        arn = boto.call(
            "events", "PutRule", Name="r", EventBusName=name, EventPattern=json.dumps(pattern)
        )["RuleArn"]
        boto.call("events", "PutTargets", Rule="r", EventBusName=name, Targets=list(targets))
        return name, arn

    yield put
    for name in made:
        where = {"EventBusName": name}
        found = boto.call("events", "ListTargetsByRule", Rule="r", **where)["Targets"]
        ids = [target["Id"] for target in found]
        boto.call("events", "RemoveTargets", Rule="r", Ids=ids, **where)
        boto.call("events", "DeleteRule", Name="r", **where)
        boto.call("events", "DeleteEventBus", Name=name)


def test_a_rule_on_a_custom_bus_wakes_a_function_with_a_transformed_event(
    hands, rule, inbox, make_function
):
    """An event of a user's is matched, transformed, and runs a function."""
    name, read = inbox
    function = make_function(TELL, Timeout=60, Environment={"Variables": {"TO": name}})
    transformer = {
        "InputPathsMap": {"id": "$.detail.instance-id", "state": "$.detail.state"},
        "InputTemplate": '{"say": "<id> is <state>", "state": <state>}',
    }
    target = {
        "Id": "f",
        "Arn": arn_of("lambda", f"function:{function}"),
        "InputTransformer": transformer,
    }
    pattern = {
        "source": ["my.ec2"],
        "detail-type": ["EC2 Instance State-change Notification"],
        "detail": {"state": [{"anything-but": "running"}]},
    }
    bus, _ = rule(pattern, target)
    entries = [
        {
            "EventBusName": bus,
            "Source": "my.ec2",
            "DetailType": "EC2 Instance State-change Notification",
            "Detail": json.dumps({"instance-id": "i-1", "state": state}),
        }
        for state in ("running", "stopped")
    ]
    told = hands.call("events", "PutEvents", Entries=entries)
    assert told["FailedEntryCount"] == 0
    assert read() == {"say": "i-1 is stopped", "state": "stopped"}


def test_archive_and_replay(boto, rule, inbox):
    """Archived events go through the rules of their bus once more, marked as a replay."""
    name, read = inbox
    bus, _ = rule({"source": ["shop"]}, {"Id": "q", "Arn": arn_of("sqs", name)})
    bus_arn = arn_of("events", f"event-bus/{bus}")
    archive = boto.call("events", "CreateArchive", ArchiveName=bus, EventSourceArn=bus_arn)
    entry = {"EventBusName": bus, "Source": "shop", "DetailType": "d", "Detail": '{"n": 1}'}
    boto.call("events", "PutEvents", Entries=[entry])
    first = read()
    now = datetime.now(UTC)
    boto.call(
        "events",
        "StartReplay",
        ReplayName=bus,
        EventSourceArn=archive["ArchiveArn"],
        EventStartTime=now - timedelta(hours=1),
        EventEndTime=now + timedelta(hours=1),
        Destination={"Arn": bus_arn},
    )
    assert read() == first | {"replay-name": bus}
    found = boto.call("events", "DescribeArchive", ArchiveName=bus)
    assert found["EventCount"] == 1, "a replayed event is not archived again"
    boto.call("events", "DeleteArchive", ArchiveName=bus)


class _Server(BaseHTTPRequestHandler):
    """Gives tokens, takes events, and refuses the first."""

    seen: "queue.Queue[tuple[str, dict[str, str], bytes]]" = queue.Queue()
    refusals = 1

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"] or 0))
        if self.path == "/token":
            return self._answer(200, b'{"access_token": "t0k3n", "expires_in": 60}')
        if _Server.refusals:
            _Server.refusals -= 1
            return self._answer(503, b"")
        _Server.seen.put((self.path, dict(self.headers), body))
        return self._answer(200, b"")

    def _answer(self, status, body):
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


def test_an_api_destination_is_called_with_its_connection(boto, rule):
    """A token is fetched, parameters are put in, and a server that is busy is asked again."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    secret = base64.b64encode(os.urandom(12)).decode()
    connection = boto.call(
        "events",
        "CreateConnection",
        Name="rules-connection",
        AuthorizationType="OAUTH_CLIENT_CREDENTIALS",
        AuthParameters={
            "OAuthParameters": {
                "ClientParameters": {"ClientID": "me", "ClientSecret": secret},
                "AuthorizationEndpoint": f"{url}/token",
                "HttpMethod": "POST",
            },
            "InvocationHttpParameters": {"QueryStringParameters": [{"Key": "k", "Value": "v w"}]},
        },
    )
    destination = boto.call(
        "events",
        "CreateApiDestination",
        Name="rules-destination",
        ConnectionArn=connection["ConnectionArn"],
        InvocationEndpoint=f"{url}/orders/*",
        HttpMethod="POST",
    )
    rule_target = {
        "Id": "a",
        "Arn": destination["ApiDestinationArn"],
        "RoleArn": "arn:aws:iam::123456789012:role/call",
        "InputPath": "$.detail",
        "HttpParameters": {"PathParameterValues": ["7"], "HeaderParameters": {"x-who": "me"}},
    }
    bus, _ = rule({"source": ["web"]}, rule_target)
    entry = {"EventBusName": bus, "Source": "web", "DetailType": "d", "Detail": '{"n": 1}'}
    boto.call("events", "PutEvents", Entries=[entry])
    path, headers, body = _Server.seen.get(timeout=_WAIT_S)
    assert path == "/orders/7?k=v+w"
    headers = {name.lower(): value for name, value in headers.items()}
    assert (headers["authorization"], headers["x-who"]) == ("Bearer t0k3n", "me")
    assert json.loads(body) == {"n": 1}
    boto.call("events", "DeleteApiDestination", Name="rules-destination")
    boto.call("events", "DeleteConnection", Name="rules-connection")
    server.shutdown()
    server.server_close()


def test_a_bus_as_destination_of_asynchronous_invocations(boto, rule, inbox, make_function):
    """What became of an event is told to a bus, whose rules send it on."""
    name, read = inbox
    bus, _ = rule({"source": ["lambda"]}, {"Id": "q", "Arn": arn_of("sqs", name)})
    function = make_function("def lambda_handler(event, context): return event['n'] + 1\n")
    boto.call(
        "lambda",
        "PutFunctionEventInvokeConfig",
        FunctionName=function,
        DestinationConfig={
            "OnSuccess": {"Destination": arn_of("events", f"event-bus/{bus}")},
        },
    )
    boto.call(
        "lambda", "Invoke", FunctionName=function, InvocationType="Event", Payload=b'{"n": 1}'
    )
    told = read()
    assert told["detail-type"] == "Lambda Function Invocation Result - Success"
    assert told["detail"]["responsePayload"] == 2
