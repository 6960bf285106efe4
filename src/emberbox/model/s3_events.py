"""Events of buckets: which targets hear of one, and the record they get.

Source: S3 user guide, "Event message structure" and "EventBridge event message structure".
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote_plus

from emberbox.records import dataclass

BUS: Final = "eventbridge"
"""The target that stands for the default bus of the bucket's account."""

KINDS: Final = {
    "LambdaFunctionConfigurations": "LambdaFunctionArn",
    "QueueConfigurations": "QueueArn",
    "TopicConfigurations": "TopicArn",
}
"""Member of NotificationConfiguration -> the member of its entries that names the target."""

_DETAIL_TYPES: Final = {
    "ObjectCreated": "Object Created",
    "ObjectRemoved": "Object Deleted",
    "LifecycleExpiration": "Object Deleted",
    "ObjectTagging:Put": "Object Tags Added",
    "ObjectTagging:Delete": "Object Tags Deleted",
    "ObjectAcl": "Object ACL Updated",
}
_REASONS: Final = {"UploadPart": "PutObject", "DeleteObjects": "DeleteObject"}


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How an event came about. `event` is its name without `s3:`, `now` seconds since the epoch."""

    event: str
    now: float
    region: str
    request_id: str
    principal: str
    client: str
    requester: str
    operation: str


def targets_of(configuration: Mapping[str, Any], event: str, key: str) -> Iterator[tuple[str, str]]:
    """Who hears of an event: the target's ARN, or `BUS`, and the configuration's id."""
    for kind, member in KINDS.items():
        for each in configuration.get(kind) or ():
            if any(covers(pattern, event) for pattern in each["Events"]) and fits(each, key):
                yield each[member], each["Id"]
    if configuration.get("EventBridgeConfiguration") is not None and _detail_type(event):
        yield BUS, ""


def covers(pattern: str, event: str) -> bool:
    """Whether an event type of a configuration, perhaps with a star, is about an event."""
    name = pattern.removeprefix("s3:")
    return name == event or (name.endswith(":*") and event.startswith(name[:-1]))


def fits(configuration: Mapping[str, Any], key: str) -> bool:
    """Whether a key has the prefix and suffix of a configuration's filter."""
    prefix, suffix = affixes(configuration)
    return key.startswith(prefix) and key.endswith(suffix)


def affixes(configuration: Mapping[str, Any]) -> tuple[str, str]:
    """Prefix and suffix of a configuration's filter; empty for none."""
    rules = ((configuration.get("Filter") or {}).get("Key") or {}).get("FilterRules") or ()
    found = {str(rule.get("Name", "")).lower(): rule.get("Value") or "" for rule in rules}
    return found.get("prefix", ""), found.get("suffix", "")


def overlap(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether two configurations would both hear of some event on some key."""
    if not any(
        covers(a, _bare(b)) or covers(b, _bare(a))
        for a in first["Events"]
        for b in second["Events"]
    ):
        return False
    (prefix, suffix), (other_prefix, other_suffix) = affixes(first), affixes(second)
    return _nested(prefix, other_prefix) and _nested(suffix[::-1], other_suffix[::-1])


def event_record(
    around: Circumstances,
    configuration: str,
    *,
    bucket: str,
    owner: str,
    key: str,
    number: int,
    size: int,
    etag: str,
    version: str | None,
    is_bus: bool,
) -> str:
    """The JSON text a target gets. `number` orders the events of one key."""
    sequencer = f"{number:018X}"
    if is_bus:
        return json.dumps(
            _bus_entry(around, bucket, _object_for_bus(around, key, size, etag, version, sequencer))
        )
    shown: dict[str, Any] = {"key": quote_plus(key, safe="/*-._")}
    if not _is_removal(around.event):
        shown |= {"size": size, "eTag": etag}
    if version is not None:
        shown["versionId"] = version
    shown["sequencer"] = sequencer
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": around.region,
        "eventTime": _stamp(around.now),
        "eventName": around.event,
        "userIdentity": {"principalId": around.principal},
        "requestParameters": {"sourceIPAddress": around.client},
        "responseElements": {
            "x-amz-request-id": around.request_id,
            "x-amz-id-2": f"{around.request_id.replace('-', '')}=",
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration,
            "bucket": {
                "name": bucket,
                "ownerIdentity": {"principalId": owner},
                "arn": f"arn:aws:s3:::{bucket}",
            },
            "object": shown,
        },
    }
    return json.dumps({"Records": [record]})


def setup_event(bucket: str, request_id: str, now: float) -> str:
    """What queues and topics get when they become targets."""
    return json.dumps(
        {
            "Service": "Amazon S3",
            "Event": "s3:TestEvent",
            "Time": _stamp(now),
            "Bucket": bucket,
            "RequestId": request_id,
            "HostId": f"{request_id.replace('-', '')}=",
        }
    )


def _object_for_bus(
    around: Circumstances, key: str, size: int, etag: str, version: str | None, sequencer: str
) -> dict[str, Any]:
    shown: dict[str, Any] = {"key": key}
    if not _is_removal(around.event):
        shown |= {"size": size, "etag": etag}
    if version is not None:
        shown["version-id"] = version
    return shown | {"sequencer": sequencer}


def _bus_entry(around: Circumstances, bucket: str, shown: Mapping[str, Any]) -> dict[str, Any]:
    detail: dict[str, Any] = {
        "version": "0",
        "bucket": {"name": bucket},
        "object": dict(shown),
        "request-id": around.request_id,
        "requester": around.requester,
        "source-ip-address": around.client,
    }
    detail_type = _detail_type(around.event)
    if detail_type in {"Object Created", "Object Deleted"}:
        detail["reason"] = _REASONS.get(around.operation, around.operation)
    if detail_type == "Object Deleted":
        is_marker = around.event.endswith("MarkerCreated")
        detail["deletion-type"] = "Delete Marker Created" if is_marker else "Permanently Deleted"
    return {
        "Source": "aws.s3",
        "DetailType": detail_type,
        "Detail": json.dumps(detail),
        "Resources": [f"arn:aws:s3:::{bucket}"],
        "Time": _stamp(around.now),
    }


def _detail_type(event: str) -> str:
    return _DETAIL_TYPES.get(event) or _DETAIL_TYPES.get(event.partition(":")[0], "")


def _is_removal(event: str) -> bool:
    return event.startswith(("ObjectRemoved", "LifecycleExpiration"))


def _bare(pattern: str) -> str:
    return pattern.removeprefix("s3:")


def _nested(first: str, second: str) -> bool:
    return first.startswith(second) or second.startswith(first)


def _stamp(now: float) -> str:
    moment = datetime.fromtimestamp(now, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
