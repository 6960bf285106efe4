"""What a subscription filter sends to a function: an event of compressed log events.

Source: CloudWatch Logs user guide, "Log group-level subscription filters"; Lambda developer guide,
"Process Amazon CloudWatch Logs events with Lambda".
"""

import gzip
from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any, Final

import orjson

EVENT_MAX_BYTES: Final = 1_000_000
"""What a function is sent at once, base64 included, unless a single event is larger."""

_RAW_MAX_BYTES: Final = 8_388_608
_LEVEL: Final = 1

Event = tuple[str, int, str]
"""Id, milliseconds since the epoch, message."""


def lambda_events(
    owner: str, group: str, stream: str, filter_name: str, events: Sequence[Event]
) -> Iterator[bytes]:
    """Events of one stream as the payloads of as few invocations as their size allows."""
    waiting = [events] if events else []
    while waiting:
        part = waiting.pop()
        payload = None
        if len(part) == 1 or sum(len(event[2]) for event in part) <= _RAW_MAX_BYTES:
            payload = _payload(owner, group, stream, filter_name, part)
        if payload is not None and (len(payload) <= EVENT_MAX_BYTES or len(part) == 1):
            yield payload
        else:
            half = len(part) // 2
            waiting += [part[half:], part[:half]]


def _payload(
    owner: str, group: str, stream: str, filter_name: str, events: Sequence[Event]
) -> bytes:
    message: dict[str, Any] = {
        "messageType": "DATA_MESSAGE",
        "owner": owner,
        "logGroup": group,
        "logStream": stream,
        "subscriptionFilters": [filter_name],
        "logEvents": [
            {"id": id_, "timestamp": when, "message": text} for id_, when, text in events
        ],
    }
    packed = gzip.compress(orjson.dumps(message), _LEVEL, mtime=0)
    return b'{"awslogs":{"data":"' + b64encode(packed) + b'"}}'
