"""Objects for other parts of this server: code of functions, records of failed invocations,
exported logs.
"""

import uuid
from collections.abc import AsyncIterator, Sequence

from emberbox.clock import Clock, utc
from emberbox.model.async_deliveries import Delivery
from emberbox.model.request import RequestContext
from emberbox.services.s3.access import Access
from emberbox.services.s3.errors import not_built
from emberbox.services.s3.keeping import Keeper
from emberbox.services.s3.putting import Putting
from emberbox.services.s3.reading import Reading


class Blobs:
    """See the module."""

    def __init__(
        self, access: Access, reading: Reading, putting: Putting, keeper: Keeper, clock: Clock
    ) -> None:
        self._access = access
        self._reading = reading
        self._putting = putting
        self._keeper = keeper
        self._clock = clock

    async def read(
        self, context: RequestContext, bucket: str, key: str, version: str | None, max_bytes: int
    ) -> bytes:
        """An object's bytes, one more than `max_bytes` at most; CallerError in S3's words."""
        place = self._access.source(context, bucket, key, None)
        asked = {"Key": key} | ({"VersionId": version} if version else {})
        found = await self._reading.version(place, asked, whole=True)
        end = min(found.size, max_bytes + 1)
        read = self._keeper.read(found.pieces, 0, end, found.bodies)
        return b"".join([data async for data in read])

    async def version_of(
        self, context: RequestContext, bucket: str, key: str, version: str | None
    ) -> str:
        """The id of a version, of the newest for None; CallerError in S3's words."""
        place = self._access.source(context, bucket, key, None)
        asked = {"Key": key} | ({"VersionId": version} if version else {})
        return (await self._reading.version(place, asked)).version

    async def deliver(self, delivery: Delivery) -> None:
        """A bucket as the destination of what is told of a failed invocation."""
        if delivery.kind != "destination":
            raise not_built("buckets for dead letters")
        bucket = delivery.target.rpartition(":")[2]
        key = failure_key(delivery, self._clock)
        await self.put(delivery.region, bucket, key, delivery.body, "application/json")

    async def put(self, region: str, name: str, key: str, body: bytes, content_type: str) -> None:
        """An object, durable on return, by whoever owns the bucket; CallerError in S3's words."""
        bucket = self._access.named(name)
        context = RequestContext(
            account=bucket.account,
            region=region,
            request_id=str(uuid.uuid4()),
            service="s3",
            operation="PutObject",
            access_key="",
            endpoint="",
        )
        params = {
            "Bucket": bucket.name,
            "Key": key,
            "Body": Whole(body),
            "ContentType": content_type,
        }
        await self._putting.put_object(context, params)


def failure_key(delivery: Delivery, clock: Clock) -> str:
    """Where the record of a failed invocation goes."""
    moment = utc(clock.now())
    return (
        f"aws/lambda/async/{delivery.name}/{moment:%Y/%m/%d}/"
        f"{moment:%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
    )


class Whole:
    """A `BodyStream` of bytes that are here."""

    sha256 = ""
    announced: Sequence[str] = ()

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.length = len(data)
        self.trailers: dict[str, str] = {}

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """All of it at once."""
        yield self._data
