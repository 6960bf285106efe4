"""chalice deploys, changes and deletes applications: pure functions, and handlers of events."""

import json
import time
from contextlib import suppress

import pytest
from hands import ApiError
from tools_of_others import chalice_in

# The first of them waits until the tool is installed.
pytestmark = pytest.mark.timeout(600)

APP = """
from chalice import Chalice

app = Chalice(app_name="pure")


@app.lambda_function()
def first(event, context):
    return {{"first": event}}


@app.lambda_function(name="second")
def other(event, context):
    return "{answer}"
"""
CONFIG = {
    "version": "2.0",
    "app_name": "pure",
    "stages": {"dev": {"lambda_memory_size": 256, "lambda_timeout": 20}},
}


@pytest.fixture
def chalice(aws_environment, tmp_path):
    """Runs chalice in an application's directory."""
    return chalice_in(tmp_path, aws_environment, CONFIG)


def test_deploy_redeploy_and_delete(chalice, boto, tmp_path):
    """The functions are there as configured, then with the new code, then gone with their role."""
    (tmp_path / "app.py").write_text(APP.format(answer="one"))

    deployed = chalice("deploy")
    shown = boto.call("lambda", "GetFunctionConfiguration", FunctionName="pure-dev-second")
    one = chalice("invoke", "-n", "second")
    first = boto.invoke("pure-dev-first", b'{"a": 1}').json()
    (tmp_path / "app.py").write_text(APP.format(answer="two"))
    chalice("deploy")
    two = chalice("invoke", "-n", "second")
    chalice("delete")
    left = {f["FunctionName"] for f in boto.call("lambda", "ListFunctions")["Functions"]}
    roles = {role["RoleName"] for role in boto.call("iam", "ListRoles")["Roles"]}

    assert "arn:aws:lambda:us-east-1:123456789012:function:pure-dev-first" in deployed
    assert (shown["MemorySize"], shown["Timeout"]) == (256, 20)
    assert (one.strip(), two.strip()) == ('"one"', '"two"')
    assert first == {"first": {"a": 1}}
    assert not {"pure-dev-first", "pure-dev-second"} & left
    assert "pure-dev" not in roles


EVENTS = """
from chalice import Chalice

app = Chalice(app_name="heard")


@app.on_sqs_message(queue="chalice-orders", batch_size=5)
def orders(event):
    for record in event:
        print("ORDER", record.body)


@app.on_sns_message(topic="chalice-news")
def news(event):
    print("NEWS", event.subject, event.message)
"""


def test_handlers_of_queues_and_topics_are_deployed_and_hear(chalice, boto, tmp_path):
    """The decorators make the mapping, the subscription and the permission; all go again."""
    config = CONFIG | {"app_name": "heard"}
    (tmp_path / ".chalice" / "config.json").write_text(json.dumps(config))
    (tmp_path / "app.py").write_text(EVENTS)
    queue = boto.call("sqs", "CreateQueue", QueueName="chalice-orders")["QueueUrl"]
    topic = boto.call("sns", "CreateTopic", Name="chalice-news")["TopicArn"]

    chalice("deploy")
    boto.call("sqs", "SendMessage", QueueUrl=queue, MessageBody="two of each")
    boto.call("sns", "Publish", TopicArn=topic, Subject="today", Message="sunny")

    assert logged(boto, "heard-dev-orders", "ORDER") == "ORDER two of each"
    assert logged(boto, "heard-dev-news", "NEWS") == "NEWS today sunny"
    chalice("delete")
    assert boto.call("sns", "ListSubscriptionsByTopic", TopicArn=topic)["Subscriptions"] == []
    arn = f"arn:aws:sqs:us-east-1:123456789012:{queue.rsplit('/', 1)[-1]}"
    left = boto.call("lambda", "ListEventSourceMappings", EventSourceArn=arn)
    assert left["EventSourceMappings"] == []
    boto.call("sqs", "DeleteQueue", QueueUrl=queue)
    boto.call("sns", "DeleteTopic", TopicArn=topic)


def logged(boto, name, word, patience_s=90):
    """The first line of a function's log with this word, within the time."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        with suppress(ApiError):
            events = boto.call(
                "logs",
                "FilterLogEvents",
                logGroupName=f"/aws/lambda/{name}",
                filterPattern=word,
            )["events"]
            if events:
                return events[0]["message"].rstrip()
        time.sleep(0.1)
    return None
