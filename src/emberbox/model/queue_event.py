"""Messages of a queue as records of the event that a function gets, and as filters see them.

Source: Lambda guide, "Using Lambda with Amazon SQS" and "Filtering with Amazon SQS".
"""

import base64
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import orjson

from emberbox.model.event_pattern import AnyOf, EventPattern
from emberbox.model.message_attributes import md5_of, md5_of_attributes

_BODY: Final = "body"
_FRAME_BYTES: Final = len(b'{"Records":[]}')


class QueueMessage(NamedTuple):
    """A message as a poller has received it.

    `system` are its system attributes, `attributes` its own as the API has them; `group` is empty
    in standard queues.
    """

    message_id: str
    receipt: str
    body: str
    system: Mapping[str, str]
    attributes: Mapping[str, Mapping[str, Any]]
    group: str = ""


def record_of(message: QueueMessage, arn: str) -> bytes:
    """The record of a message, as JSON."""
    record: dict[str, Any] = {
        "messageId": message.message_id,
        "receiptHandle": message.receipt,
        "body": message.body,
        "attributes": dict(message.system),
        "messageAttributes": {name: _shown(value) for name, value in message.attributes.items()},
    }
    if message.attributes:
        record["md5OfMessageAttributes"] = md5_of_attributes(message.attributes)
    record |= {
        "md5OfBody": md5_of(message.body),
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": arn.split(":")[3],
    }
    return orjson.dumps(record)


def event_of(records: Iterable[bytes]) -> bytes:
    """The event of some records."""
    return b'{"Records":[' + b",".join(records) + b"]}"


def event_size(sizes: Iterable[int]) -> int:
    """The size of the event of records of these sizes."""
    listed = list(sizes)
    return _FRAME_BYTES + sum(listed) + max(0, len(listed) - 1)


def is_let_through(filters: AnyOf, body: str) -> bool:
    """Whether a message with this body gets through the filters of a mapping.

    A pattern that looks inside the body reads it as JSON; a body that is none does not match it.
    """
    if not len(filters):
        return True
    return any(_matches(pattern, body) for pattern in filters)


def _matches(pattern: EventPattern, body: str) -> bool:
    if not pattern.looks_inside(_BODY):
        return pattern.matches({_BODY: body})
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(content, dict) and pattern.matches({_BODY: content})


def _shown(value: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = (
        {"binaryValue": base64.b64encode(value["BinaryValue"]).decode()}
        if "BinaryValue" in value
        else {"stringValue": value["StringValue"]}
    )
    return shown | {
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": value["DataType"],
    }
