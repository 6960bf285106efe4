"""Logs of JSON format: the platform's events and the function's records are objects."""

import json

import pytest

SOURCE = """
    import logging

    log = logging.getLogger("of.mine")

    def lambda_handler(event, context):
        log.debug("too small")
        log.info("seen %s", event["n"], extra={"colour": "red"})
        print("a line of print")
        try:
            1 / 0
        except ZeroDivisionError:
            log.exception("caught")
        if event.get("fail"):
            raise ValueError("on purpose")
        return context.aws_request_id
"""


def lines_of(boto, group):
    """The messages of a log group."""
    return [
        each["message"]
        for each in boto.call("logs", "FilterLogEvents", logGroupName=group)["events"]
    ]


@pytest.fixture
def json_function(make_function, request):
    """A function with a JSON log in a group of its own."""

    def make(**logging):
        group = f"/mine/{request.node.name}"
        config = {"LogFormat": "JSON", "LogGroup": group, **logging}
        return make_function(SOURCE, LoggingConfig=config), group

    return make


def test_events_and_records_are_objects(boto, json_function):
    """With request, level, logger, extras and errors; what `print` writes stays as it is."""
    name, group = json_function(SystemLogLevel="DEBUG")
    request_id = json.loads(boto.invoke(name, b'{"n": 7}', LogType="Tail").payload)
    boto.invoke(name, b'{"n": 8, "fail": true}', LogType="Tail")

    lines = lines_of(boto, group)
    objects = [json.loads(line) for line in lines if line.startswith("{")]
    plain = {line.strip() for line in lines if not line.startswith("{")}
    events = [each["type"] for each in objects if "type" in each]
    records = [each for each in objects if each.get("requestId") == request_id]
    assert plain == {"a line of print"}
    assert events[:4] == [
        "platform.initStart",
        "platform.initRuntimeDone",
        "platform.initReport",
        "platform.start",
    ]
    assert events.count("platform.runtimeDone") == events.count("platform.report") == 2
    [info, error] = records
    assert (info["level"], info["message"], info["logger"]) == ("INFO", "seen 7", "of.mine")
    assert info["colour"] == "red"
    assert (error["level"], error["errorType"]) == ("ERROR", "ZeroDivisionError")
    assert error["errorMessage"] == "division by zero"
    assert any("1 / 0" in frame for frame in error["stackTrace"])
    [failure] = [each for each in objects if each.get("errorMessage") == "on purpose"]
    assert (failure["level"], failure["errorType"]) == ("ERROR", "ValueError")
    report = next(each["record"] for each in objects if each.get("type") == "platform.report")
    assert report["requestId"] == request_id
    assert report["metrics"]["billedDurationMs"] >= 1


def test_levels_hold_for_both_sides(boto, json_function):
    """At WARN and ERROR a good run leaves only the error it logs."""
    name, group = json_function(SystemLogLevel="WARN", ApplicationLogLevel="ERROR")
    boto.invoke(name, b'{"n": 1}', LogType="Tail")

    objects = [json.loads(line) for line in lines_of(boto, group) if line.startswith("{")]

    assert [each.get("message") for each in objects] == ["caught"]
