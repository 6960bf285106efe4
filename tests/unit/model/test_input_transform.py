"""What targets get of events."""

import json

import pytest

from emberbox.model.input_transform import (
    TransformError,
    body_of,
    check_transformer,
    parse_path,
)

EVENT = {
    "version": "0",
    "id": "7bf73129",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "resources": ["arn:i"],
    "detail": {
        "instance-id": "i-0123",
        "state": "RUNNING",
        "n": 5,
        "ok": True,
        "none": None,
        "quote": 'say "hi"',
        "list": [{"k": "a"}, {"k": "b"}],
        "a.b": "dotted",
    },
}
AROUND = {
    "aws.events.rule-arn": "arn:rule",
    "aws.events.rule-name": "example",
    "aws.events.event.ingestion-time": "2026-01-01T00:00:00Z",
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", EVENT),
        ("$.source", "aws.ec2"),
        ("$.detail-type", EVENT["detail-type"]),
        ("$.detail.instance-id", "i-0123"),
        ("$.detail", EVENT["detail"]),
        ("$.resources[0]", "arn:i"),
        ("$.resources[7]", None),
        ("$.detail.list[1].k", "b"),
        ("$.detail.list[*].k", ["a", "b"]),
        ("$['detail']['a.b']", "dotted"),
        ("$.detail.missing", None),
        ("$.source.inner", None),
    ],
)
def test_input_path(path, expected):
    """A path picks a part; what is not there is null."""
    assert json.loads(body_of(EVENT, {"InputPath": path}, AROUND)) == expected


@pytest.mark.parametrize(
    ("paths", "template", "expected"),
    [
        (
            {"i": "$.detail.instance-id", "s": "$.detail.state"},
            '"<i> is <s>"',
            '"i-0123 is RUNNING"',
        ),
        ({"i": "$.detail.instance-id"}, '{"i": <i>}', '{"i": "i-0123"}'),
        ({"i": "$.detail.instance-id"}, '{"i": "<i>"}', '{"i": "i-0123"}'),
        ({"n": "$.detail.n"}, '{"n": <n>}', '{"n": 5}'),
        ({"n": "$.detail.n"}, '{"n": "no. <n>"}', '{"n": "no. 5"}'),
        ({"b": "$.detail.ok"}, '{"b": <b>}', '{"b": true}'),
        ({"b": "$.detail.none"}, '{"b": <b>}', '{"b": null}'),
        ({"l": "$.detail.list"}, '{"l": <l>}', '{"l": [{"k":"a"},{"k":"b"}]}'),
        ({"l": "$.detail.list"}, '{"l": "<l>"}', '{"l": "[{\\"k\\":\\"a\\"},{\\"k\\":\\"b\\"}]"}'),
        ({"q": "$.detail.quote"}, '{"q": <q>}', '{"q": "say \\"hi\\""}'),
        ({"q": "$.detail.quote"}, '{"q": "<q>!"}', '{"q": "say \\"hi\\"!"}'),
        ({"m": "$.detail.missing"}, '{"m": <m>}', '{"m": ""}'),
        ({"m": "$.detail.missing"}, '{"m": "<m>"}', '{"m": ""}'),
        ({}, '{"r": "<aws.events.rule-name>"}', '{"r": "example"}'),
        ({}, '{"r": <aws.events.rule-arn>}', '{"r": "arn:rule"}'),
        ({}, '"<aws.events.event.ingestion-time>"', '"2026-01-01T00:00:00Z"'),
        ({"i": "$.id"}, '"a \\" quote <i>"', '"a \\" quote 7bf73129"'),
    ],
)
def test_templates(paths, template, expected):
    """Values stand as JSON, or as text within quotes, which stays a JSON text."""
    target = {"InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}}
    body = body_of(EVENT, target, AROUND).decode()
    assert body == expected
    json.loads(body)


def test_whole_events_in_templates():
    """The event can be put in with its detail or without."""
    template = '{"all": <aws.events.event.json>, "rest": <aws.events.event>}'
    body = json.loads(body_of(EVENT, {"InputTransformer": {"InputTemplate": template}}, AROUND))
    assert body["all"] == EVENT
    assert body["rest"] == {k: v for k, v in EVENT.items() if k != "detail"}


def test_constants_and_whole_events():
    """A constant is sent as it stands; without settings the event is."""
    assert body_of(EVENT, {"Input": '{"a": 1}'}, AROUND) == b'{"a": 1}'
    assert json.loads(body_of(EVENT, {}, AROUND)) == EVENT


@pytest.mark.parametrize("path", ["", "detail", "$.", "$..x", "$[", "$.a[b]", "$.a b", "$[?(@.x)]"])
def test_what_is_no_path(path):
    """Paths that EventBridge does not know are refused."""
    with pytest.raises(TransformError):
        parse_path(path)


@pytest.mark.parametrize(
    ("paths", "template"),
    [
        ({}, ""),
        ({}, "x" * 8_193),
        ({}, "<unknown>"),
        ({"a": "no"}, "<a>"),
        ({"AWSa": "$.a"}, "x"),
        ({f"k{n}": "$.a" for n in range(101)}, "x"),
    ],
)
def test_what_is_no_transformer(paths, template):
    """Transformers that could not be used are refused."""
    with pytest.raises(TransformError):
        check_transformer(paths, template)


def test_a_template_does_not_multiply_an_event_without_end():
    """Many variables that stand for a large value are an error, before they fill the memory."""
    event = {**EVENT, "detail": {"large": "x" * 100_000}}
    transformer = {"InputPathsMap": {"v": "$.detail.large"}, "InputTemplate": "<v> " * 2_000}
    with pytest.raises(TransformError, match="larger"):
        body_of(event, {"InputTransformer": transformer}, AROUND)
