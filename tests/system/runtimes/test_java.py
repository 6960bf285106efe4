"""Java functions: every shape of a handler, classes in jars, and what AWS says of failures."""

import json
from io import BytesIO
from zipfile import ZipFile

import pytest
from builds import java_client, or_skip
from languages import JAVA, java

pytestmark = pytest.mark.skipif(bool(JAVA.lacks()), reason=JAVA.lacks())
SHAPES = java("Shapes.java")
ITEM = {"name": "a", "count": 1, "active": True}
CASES = [
    ("text", "a", "a!"),
    ("whole", 41, 42),
    ("real", 3, 1.5),
    ("length", [1, 2, 3], 6),
    ("onlyContext", {}, "$LATEST"),
    ("nothing", {"any": "thing"}, None),
    ("fixed", True, False),
    ("items", {"x": ITEM}, {"x": {**ITEM, "count": 2}}),
    ("array", [7, 8], [2]),
    ("color", "RED", "GREEN"),
    (
        "order",
        {"items": [ITEM, {**ITEM, "unknown": 1}], "Tags": ["b"]},
        {"total": 2, "items": [ITEM, ITEM], "tags": []},
    ),
    (
        "odd",
        {
            "color": "NONE",
            "truth": 1,
            "one": "x",
            "single": [2],
            "empty": "",
            "moment": "1970-01-01T00:00:01Z",
            "cut": 1.9,
            "URLName": "u",
        },
        {"truth": True, "one": ["x"], "single": "2", "moment": 1000, "cut": 1, "URLName": "u"},
    ),
    ("bytes", "text", "TEXT"),
]

EVENTS = java("Events.java", jars=java_client)
EVENT_CASES = [
    (
        "queue",
        {"Records": [{"messageId": "m", "body": "b", "eventSourceARN": "a"}]},
        {"batchItemFailures": [{"itemIdentifier": "mb"}]},
    ),
    (
        "bucket",
        {"Records": [{"eventTime": "1970-01-01T00:00:01.500Z", "s3": {"bucket": {"name": "b"}}}]},
        "b 1500",
    ),
    (
        "stream",
        {"Records": [{"kinesis": {"data": "AQI=", "approximateArrivalTimestamp": 1.25}}]},
        "2 1250",
    ),
    (
        "schedule",
        {"detail-type": "Scheduled Event", "time": "2024-05-01T00:00:00Z"},
        "Scheduled Event 2024",
    ),
]


@pytest.fixture
def shape(functions):
    """A function with one of the handlers."""

    def make(handler, runtime="java17", files=None):
        return functions(("shape", handler, runtime), runtime, handler, files or SHAPES())

    return make


@pytest.mark.parametrize(("method", "event", "result"), CASES, ids=[case[0] for case in CASES])
def test_methods_take_and_give_what_they_declare(boto, shape, method, event, result):
    """Primitives, texts, lists, maps, arrays, enumerations, beans, streams, and a context."""
    name = shape(f"example.Shapes::{method}")

    assert boto.invoke(name, json.dumps(event).encode()).json() == result


@pytest.mark.parametrize(
    ("method", "event", "result"), EVENT_CASES, ids=[case[0] for case in EVENT_CASES]
)
def test_awss_classes_of_events_are_read(boto, shape, method, event, result):
    """The library aws-lambda-java-events, as functions pack it."""
    name = shape(f"example.Events::{method}", files=or_skip(EVENTS))

    assert boto.invoke(name, json.dumps(event).encode()).json() == result


def test_interfaces_need_no_method_in_the_name(boto, shape):
    """RequestHandler, whose types a superclass may say, and RequestStreamHandler."""
    assert boto.invoke(shape("example.Shapes$OfItem"), json.dumps(ITEM).encode()).json() == "a"
    assert boto.invoke(shape("example.Shapes$Stream"), b'"a"').payload == b'"A"'


def test_an_event_of_another_type_is_a_failure_with_its_cause(boto, shape):
    """AWS's words for it, and what was wrong beneath."""
    told = boto.invoke(shape("example.Shapes::whole"), b'{"no": "number"}').json()

    assert told["errorType"] == "java.lang.RuntimeException"
    assert told["errorMessage"] == "An error occurred during JSON parsing"
    assert told["cause"]["errorMessage"] == "Cannot make java.lang.Integer from an object"


def test_the_logger_writes_whole_events(boto, shape):
    """What is logged at once is one event, without a line feed of ours between its lines."""
    name = shape("example.Shapes::logged")
    boto.invoke(name, b"{}", LogType="Tail")

    found = boto.call("logs", "FilterLogEvents", logGroupName=f"/aws/lambda/{name}")

    assert "first line\nsecond line\n" in [event["message"] for event in found["events"]]


def test_jars_in_lib_are_on_the_class_path(boto, shape):
    """As Maven and Gradle lay out a package: the handler's own classes may be in one."""
    out = BytesIO()
    with ZipFile(out, "w") as jar:
        for name, content in SHAPES().items():
            jar.writestr(name, content)

    name = shape("example.Shapes::text", "java21", {"lib/function.jar": out.getvalue()})

    assert boto.invoke(name, b'"a"').json() == "a!"
