"""Buckets of another server, as those use them who need objects here."""

from emberbox.clock import Clock
from emberbox.model.async_deliveries import Delivery
from emberbox.model.request import RequestContext
from emberbox.services.elsewhere import Elsewhere
from emberbox.services.s3.blobs import failure_key
from emberbox.services.s3.errors import not_built


class BucketsElsewhere:
    """What `Blobs` does, at another server."""

    def __init__(self, service: Elsewhere, clock: Clock) -> None:
        self._service = service
        self._clock = clock

    async def read(
        self, context: RequestContext, bucket: str, key: str, version: str | None, max_bytes: int
    ) -> bytes:
        """An object's bytes, one more than `max_bytes` at most; CallerError in S3's words."""
        asked = {"Bucket": bucket, "Key": key} | ({"VersionId": version} if version else {})
        return await self._service.read(
            context.region, "get_object", "Body", max_bytes + 1, **asked
        )

    async def version_of(
        self, context: RequestContext, bucket: str, key: str, version: str | None
    ) -> str:
        """The id of a version, of the newest for None; CallerError in S3's words."""
        asked = {"Bucket": bucket, "Key": key} | ({"VersionId": version} if version else {})
        answer = await self._service.call(context.region, "head_object", **asked)
        return str(answer.get("VersionId") or "null")

    async def deliver(self, delivery: Delivery) -> None:
        """A bucket as the destination of what is told of a failed invocation."""
        if delivery.kind != "destination":
            raise not_built("buckets for dead letters")
        bucket = delivery.target.rpartition(":")[2]
        key = failure_key(delivery, self._clock)
        await self.put(delivery.region, bucket, key, delivery.body, "application/json")

    async def put(self, region: str, name: str, key: str, body: bytes, content_type: str) -> None:
        """Return once the other server has the object."""
        await self._service.call(
            region, "put_object", Bucket=name, Key=key, Body=body, ContentType=content_type
        )
