"""Notification configurations: who hears of what happens in a bucket.

Source: API reference of S3, PutBucketNotificationConfiguration; S3 user guide, "Amazon S3 Event
Notifications".
"""

import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any, Final

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.model.s3_events import BUS, KINDS, overlap, setup_event
from emberbox.services.s3.access import Access
from emberbox.services.s3.errors import invalid_argument, no_such_bucket, not_built
from emberbox.services.s3.targets import Targets
from emberbox.storage.s3_buckets import BucketMissingError, BucketStore
from emberbox.storage.s3_notices import Notice
from emberbox.storage.s3_records import Bucket

_CONFIGURATIONS_MAX: Final = 100
_SETTING: Final = "Notification"
_ARN: Final = re.compile(r"arn:aws[a-z-]*:(lambda|sqs|sns):([a-z0-9-]+):(\d{12}):(\S+)")
_SERVICES: Final = {
    "LambdaFunctionConfigurations": "lambda",
    "QueueConfigurations": "sqs",
    "TopicConfigurations": "sns",
}
_TOLD_OF_SETUP: Final = frozenset({"sqs", "sns"})

EVENTS: Final = frozenset(
    {
        "s3:ObjectCreated:*",
        "s3:ObjectCreated:Put",
        "s3:ObjectCreated:Post",
        "s3:ObjectCreated:Copy",
        "s3:ObjectCreated:CompleteMultipartUpload",
        "s3:ObjectRemoved:*",
        "s3:ObjectRemoved:Delete",
        "s3:ObjectRemoved:DeleteMarkerCreated",
        "s3:LifecycleExpiration:*",
        "s3:LifecycleExpiration:Delete",
        "s3:LifecycleExpiration:DeleteMarkerCreated",
        "s3:ObjectTagging:*",
        "s3:ObjectTagging:Put",
        "s3:ObjectTagging:Delete",
        "s3:ObjectAcl:Put",
    }
)
"""Event types that happen here."""

NEVER: Final = frozenset(
    {
        "s3:ReducedRedundancyLostObject",
        "s3:ObjectRestore:*",
        "s3:ObjectRestore:Post",
        "s3:ObjectRestore:Completed",
        "s3:ObjectRestore:Delete",
        "s3:Replication:*",
        "s3:Replication:OperationFailedReplication",
        "s3:Replication:OperationNotTracked",
        "s3:Replication:OperationMissedThreshold",
        "s3:Replication:OperationReplicatedAfterThreshold",
        "s3:LifecycleTransition",
        "s3:IntelligentTiering",
    }
)
"""Event types that may be asked for and never happen: no object is lost, archived or replicated."""


class Notifications:
    """See the module."""

    def __init__(self, access: Access, store: BucketStore, targets: Targets, clock: Clock) -> None:
        self._access = access
        self._store = store
        self._targets = targets
        self._clock = clock

    @property
    def operations(self) -> Mapping[str, Operation]:
        """By their names in the model."""
        return {
            "GetBucketNotificationConfiguration": self.get_configuration,
            "PutBucketNotificationConfiguration": self.put_configuration,
        }

    async def get_configuration(self, context: RequestContext, params: Params) -> Params:
        """The configuration as it was put, with the ids that were given to it."""
        bucket = self._access.bucket(context, params)
        return dict(bucket.settings.get(_SETTING) or {})

    async def put_configuration(self, context: RequestContext, params: Params) -> Params:
        """Replace all of it, once every target has been looked at."""
        bucket = self._access.bucket(context, params)
        configuration = checked(params["NotificationConfiguration"], bucket)
        if BUS not in self._targets and "EventBridgeConfiguration" in configuration:
            raise not_built("notifications to EventBridge")
        targets = [
            (service, each[KINDS[kind]])
            for kind, service in _SERVICES.items()
            for each in configuration.get(kind) or ()
        ]
        if not params.get("SkipDestinationValidation"):
            for service, arn in targets:
                await self._validate(service, arn, bucket)
        event = setup_event(bucket.name, context.request_id, self._clock.now())
        known = {arn for _, arn in _configured(bucket)}
        notices = [
            Notice(arn, event, context.trace)
            for service, arn in dict.fromkeys(targets)
            if service in _TOLD_OF_SETUP and arn not in known
        ]

        def alter(found: Bucket) -> Bucket:
            settings = {n: v for n, v in found.settings.items() if n != _SETTING}
            kept = {_SETTING: configuration} if configuration else {}
            return replace(found, settings={**settings, **kept})

        try:
            await self._store.alter(bucket.name, alter, notices)
        except BucketMissingError:
            raise no_such_bucket(bucket.name) from None
        return {}

    async def _validate(self, service: str, arn: str, bucket: Bucket) -> None:
        target = self._targets.get(service)
        if target is None:
            raise not_built(f"notifications to {service}")
        problem = await target.problem(arn, bucket)
        if problem:
            raise invalid_argument(
                "Unable to validate the following destination configurations", arn, problem
            )


def checked(document: Params, bucket: Bucket) -> dict[str, Any]:
    """The configuration with an id for each part; CallerError for what S3 would not take."""
    configuration: dict[str, Any] = {}
    every: list[Params] = []
    for kind, member in KINDS.items():
        for each in document.get(kind) or ():
            _check_target(str(each.get(member) or ""), _SERVICES[kind], bucket)
            _check_events(each)
            made = {**each, "Id": each.get("Id") or str(uuid.uuid4())}
            every.append(made)
            configuration.setdefault(kind, []).append(made)
    if len(every) > _CONFIGURATIONS_MAX:
        raise invalid_argument("You can have at most 100 configurations on a bucket")
    if len({each["Id"] for each in every}) < len(every):
        raise invalid_argument("Same ID used for multiple configurations. IDs must be unique.")
    for one, other in combinations(every, 2):
        if overlap(one, other):
            raise invalid_argument(
                "Configurations overlap. Configurations on the same bucket cannot share a common "
                "event type."
            )
    if document.get("EventBridgeConfiguration") is not None:
        configuration["EventBridgeConfiguration"] = {}
    return configuration


def _check_target(arn: str, service: str, bucket: Bucket) -> None:
    found = _ARN.fullmatch(arn)
    if found is None or found[1] != service:
        raise CallerError(
            "InvalidArgument",
            "The ARN could not be parsed",
            status=400,
            fields={"ArgumentName": "arn", "ArgumentValue": arn[:256]},
        )
    if found[2] != bucket.region:
        raise invalid_argument(
            "The notification destination service region is not valid for the bucket location "
            "constraint"
        )
    if found[4].endswith(".fifo"):
        raise invalid_argument("FIFO queues and topics are not supported as destinations", arn)


def _check_events(configuration: Params) -> None:
    events = configuration.get("Events") or []
    for event in events:
        if event not in EVENTS and event not in NEVER:
            raise invalid_argument("The event is not supported for notifications", "Event", event)
    if not events:
        raise invalid_argument("At least one event must be specified")
    rules = ((configuration.get("Filter") or {}).get("Key") or {}).get("FilterRules") or []
    names = [str(rule.get("Name") or "").lower() for rule in rules]
    for name in names:
        if name not in {"prefix", "suffix"}:
            raise invalid_argument("filter rule name must be either prefix or suffix")
        if names.count(name) > 1:
            raise invalid_argument(f"Cannot specify more than one {name} rule in a filter.")
    if any(len(rule.get("Value") or "") > 1_024 for rule in rules):
        raise invalid_argument("Size of filter rule value cannot exceed 1024 bytes in UTF-8")


def _configured(bucket: Bucket) -> list[tuple[str, str]]:
    configuration = bucket.settings.get(_SETTING) or {}
    return [
        (service, each[KINDS[kind]])
        for kind, service in _SERVICES.items()
        for each in configuration.get(kind) or ()
    ]
