"""What is to be told of a change, for whoever records it with the change.

The targets are those of the bucket's configuration at the moment of the change.
"""

from collections.abc import Iterable

from emberbox.clock import Clock
from emberbox.model.request import RequestContext
from emberbox.model.s3_events import Circumstances, event_record, targets_of
from emberbox.storage.s3_notices import Notice, Notices
from emberbox.storage.s3_records import Bucket, ObjectVersion


class Teller:
    """See the module."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def notices(self, context: RequestContext, event: str) -> Notices:
        """What is told of an event, such as `ObjectCreated:Put`, that a request has caused."""
        principal = context.principal
        around = Circumstances(
            event,
            self._clock.now(),
            context.region,
            context.request_id,
            context.account if principal is None else principal.arn.rpartition(":")[2],
            context.client or "127.0.0.1",
            context.account,
            context.operation,
        )
        return lambda bucket, version: self._told(around, bucket, version, context.trace)

    def of_lifecycle(self, event: str) -> Notices:
        """The same of what the server does by itself."""
        now = self._clock.now()

        def told(bucket: Bucket, version: ObjectVersion) -> Iterable[Notice]:
            around = Circumstances(
                event,
                now,
                bucket.region,
                "",
                "AmazonS3",
                "",
                bucket.account,
                "Lifecycle Expiration",
            )
            return self._told(around, bucket, version)

        return told

    def _told(
        self, around: Circumstances, bucket: Bucket, version: ObjectVersion, trace: str = ""
    ) -> Iterable[Notice]:
        configuration = bucket.settings.get("Notification")
        if not configuration:
            return
        for target, identity in targets_of(configuration, around.event, version.key):
            body = event_record(
                around,
                identity,
                bucket=bucket.name,
                owner=bucket.account,
                key=version.key,
                number=version.number,
                size=version.size,
                etag=version.etag,
                version=version.version if bucket.versioning else None,
                is_bus=target == "eventbridge",
            )
            yield Notice(target, body, trace)
