"""Records of the event that a function gets from a queue, and filters on bodies."""

import json

import pytest

from emberbox.model.event_pattern import AnyOf
from emberbox.model.message_attributes import md5_of_attributes
from emberbox.model.queue_event import (
    QueueMessage,
    event_of,
    event_size,
    is_let_through,
    record_of,
)

ARN = "arn:aws:sqs:eu-west-1:123456789012:q"


def test_a_record_has_the_form_of_the_service():
    """Names, places and encodings."""
    attributes = {
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00"},
        "word": {"DataType": "String", "StringValue": "x"},
    }
    message = QueueMessage("id", "handle", "hello", {"SenderId": "1"}, attributes)
    assert json.loads(record_of(message, ARN)) == {
        "messageId": "id",
        "receiptHandle": "handle",
        "body": "hello",
        "attributes": {"SenderId": "1"},
        "messageAttributes": {
            "raw": {
                "binaryValue": "AA==",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "Binary",
            },
            "word": {
                "stringValue": "x",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "String",
            },
        },
        "md5OfMessageAttributes": md5_of_attributes(attributes),
        "md5OfBody": "5d41402abc4b2a76b9719d911017c592",
        "eventSource": "aws:sqs",
        "eventSourceARN": ARN,
        "awsRegion": "eu-west-1",
    }


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_size_of_an_event_is_known_before_it_is_made(count):
    """So that it never passes the limit."""
    records = [b'{"a":1}'] * count
    assert event_size(map(len, records)) == len(event_of(records))


@pytest.mark.parametrize(
    ("pattern", "body", "expected"),
    [
        ('{"body": {"n": [{"numeric": [">", 5]}]}}', '{"n": 6}', True),
        ('{"body": {"n": [{"numeric": [">", 5]}]}}', '{"n": 5}', False),
        ('{"body": {"n": [6]}}', "no JSON", False),
        ('{"body": {"n": [6]}}', "[6]", False),
        ('{"body": ["plain", {"prefix": "x"}]}', "plain", True),
        ('{"body": ["plain", {"prefix": "x"}]}', "xyz", True),
        ('{"body": ["plain"]}', '{"n": 6}', False),
    ],
)
def test_filters_read_the_body_as_the_pattern_wants_it(pattern, body, expected):
    """As JSON if the pattern looks inside, as text if it has values."""
    assert is_let_through(AnyOf([pattern]), body) is expected


def test_without_filters_everything_gets_through():
    """Also what is no JSON."""
    assert is_let_through(AnyOf([]), "anything")
