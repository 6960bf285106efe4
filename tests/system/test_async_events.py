"""Asynchronous invocation through stock clients."""

import json
import time

import pytest
from hands import ApiError

from tools.running import running

RECORDER = """
    import json, os, time

    def lambda_handler(event, context):
        print("ran", json.dumps(event), context.aws_request_id)
        if event.get("fail"):
            raise ValueError("on purpose")
        return {"seen": event}
"""


def logged(boto, name, word, count=1):
    """Log messages of a function that hold a word; waits until there are so many."""
    group = f"/aws/lambda/{name}"
    tail = boto.client("logs")
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            events = tail.filter_log_events(logGroupName=group, filterPattern=f'"{word}"')["events"]
        except tail.exceptions.ResourceNotFoundException:
            events = []
        if len(events) >= count:
            return [event["message"] for event in events]
        boto.call("lambda", "GetFunctionConfiguration", FunctionName=name)
    raise AssertionError(f"{word} did not come {count} times")


def test_an_event_is_answered_at_once_and_run(hands, boto, make_function):
    """202 without a payload; the function sees the event and the id of the request."""
    name = make_function(RECORDER)

    answer = hands.invoke(name, b'{"n": 1}', InvocationType="Event")

    assert (answer.status, answer.payload, answer.error) == (202, b"", None)
    [line] = logged(boto, name, "ran")
    assert '{"n": 1}' in line
    if answer.request_id:
        assert answer.request_id in line


def test_what_cannot_be_queued_is_refused(boto, make_function):
    """Too large, no JSON, no such function."""
    name = make_function(RECORDER)
    codes = []
    for function, payload in (
        (name, b'"' + b"x" * 1_048_576 + b'"'),
        (name, b"{"),
        ("nobody", b"{}"),
    ):
        with pytest.raises(ApiError) as caught:
            boto.invoke(function, payload, InvocationType="Event")
        codes.append(caught.value.code)

    assert codes == [
        "RequestTooLargeException",
        "InvalidRequestContentException",
        "ResourceNotFoundException",
    ]


def test_events_accepted_before_a_crash_are_run_after_it(tmp_path):
    """The server is killed while they wait; the next one on the same data runs them all."""
    from hands import Boto3Hands
    from material import ROLE, make_zip

    source = """
        import time

        def lambda_handler(event, context):
            print("ran", event["n"])
            time.sleep(event["s"])
    """
    total = 40
    with running(tmp_path / "data", tmp_path / "log", "--async-concurrency", "2") as server:
        boto = Boto3Hands(server.url)
        boto.call(
            "lambda",
            "CreateFunction",
            FunctionName="f",
            Runtime="python3.12",
            Role=ROLE,
            Handler="lambda_function.lambda_handler",
            Timeout=60,
            Code={"ZipFile": make_zip(lambda_function=source)},
        )
        for number in range(total):
            seconds = 30 if number < 2 else 0
            event = json.dumps({"n": number, "s": seconds}).encode()
            boto.invoke("f", event, InvocationType="Event")
        logged(boto, "f", "ran", 2)
        boto.call(
            "lambda",
            "UpdateFunctionCode",
            FunctionName="f",
            ZipFile=make_zip(lambda_function=source.replace("time.sleep", "print")),
        )
        boto.close()
        server.kill()
        server.process.returncode = 0

    with running(tmp_path / "data", tmp_path / "log") as server:
        boto = Boto3Hands(server.url)
        lines = logged(boto, "f", "ran", total + 2)
        boto.close()

    seen = {line.split()[1] for line in lines}
    assert seen == {str(number) for number in range(total)}


def test_events_are_counted(boto, make_function):
    """AsyncEventsReceived and AsyncEventAge of AWS/Lambda."""
    name = make_function(RECORDER)
    boto.invoke(name, b"{}", InvocationType="Event")
    logged(boto, name, "ran")

    listed = boto.call(
        "cloudwatch",
        "ListMetrics",
        Namespace="AWS/Lambda",
        Dimensions=[{"Name": "FunctionName", "Value": name}],
    )

    names = {metric["MetricName"] for metric in listed["Metrics"]}
    assert {"AsyncEventsReceived", "AsyncEventAge"} <= names
