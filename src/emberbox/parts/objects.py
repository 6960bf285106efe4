"""Buckets and objects, and what other parts have of them."""

from contextlib import AsyncExitStack

from emberbox.errors import CallerError
from emberbox.functions.code import NoSuchBlobError
from emberbox.gateway.guard import Guard
from emberbox.gateway.pages import Public
from emberbox.gateway.website_page import website_page
from emberbox.invoke.deliveries import Deliver
from emberbox.model.async_deliveries import Delivery
from emberbox.model.request import RequestContext
from emberbox.parts.asynchronous import Asynchronous
from emberbox.parts.bucket_targets import Emit, enter_targets
from emberbox.parts.ground import Ground
from emberbox.parts.messaging import Messaging
from emberbox.records import dataclass
from emberbox.services.elsewhere import Elsewhere
from emberbox.services.s3.blobs import Blobs
from emberbox.services.s3.elsewhere import BucketsElsewhere
from emberbox.services.s3.service import S3Service
from emberbox.settings import AuthMode
from emberbox.sources.rights import Rights
from emberbox.storage.catalog import FunctionCatalog

Store = Blobs | BucketsElsewhere
"""Objects for other parts of this server: here, or where `--s3-endpoint` says."""


class CodeObjects:
    """Code packages of functions and layers in buckets."""

    def __init__(self, blobs: Store) -> None:
        self._blobs = blobs

    async def read(
        self, context: RequestContext, bucket: str, key: str, version: str | None, max_bytes: int
    ) -> bytes:
        """An object's bytes, one more than `max_bytes` at most; NoSuchBlobError."""
        try:
            return await self._blobs.read(context, bucket, key, version, max_bytes)
        except CallerError as error:
            raise NoSuchBlobError(error.code, error.message) from None

    async def version_of(
        self, context: RequestContext, bucket: str, key: str, version: str | None
    ) -> str:
        """The id of a version, of the newest for None; NoSuchBlobError."""
        try:
            return await self._blobs.version_of(context, bucket, key, version)
        except CallerError as error:
            raise NoSuchBlobError(error.code, error.message) from None


@dataclass(frozen=True, slots=True)
class Objects:
    """What others need of it."""

    s3: S3Service
    blobs: Store
    code: CodeObjects
    mode: AuthMode

    @property
    def are_here(self) -> bool:
        """Whether the objects of other parts are in our own buckets."""
        return self.blobs is self.s3.blobs

    def website_page(self, guard: Guard | None, region: str) -> Public:
        """The page of all websites in buckets."""
        return website_page(self.s3.website.answer, guard, region)

    def open(
        self,
        asynchronous: Asynchronous,
        messaging: Messaging,
        catalog: FunctionCatalog,
        emit: Emit,
        guard: Guard | None,
        stack: AsyncExitStack,
    ) -> None:
        """Begin to tell targets; become one of invocations; say whose the buckets are."""
        enter_targets(self.s3.targets, asynchronous.entry, catalog, messaging, emit, self.mode)
        asynchronous.targets["s3"] = _permitted(self.blobs, messaging.rights)
        self.s3.open(stack)
        if guard is not None:
            guard.owners["s3"] = self.s3.policies.owner


async def open_objects(ground: Ground) -> Objects:
    """Open buckets; they close when the stack unwinds."""
    mode = ground.settings.auth
    s3 = await S3Service.start(
        ground.data, ground.clock, ground.stack, is_decided=mode is AuthMode.ENFORCED
    )
    endpoint = dict(ground.settings.endpoints).get("s3")
    blobs: Store = s3.blobs
    if endpoint is not None:
        blobs = BucketsElsewhere(Elsewhere("s3", endpoint), ground.clock)
    return Objects(s3, blobs, CodeObjects(blobs), mode)


def _permitted(blobs: Store, rights: Rights) -> Deliver:
    """Records of failed invocations, refused if the function's role may not write them."""

    async def checked(delivery: Delivery) -> None:
        place = f"{delivery.target}/aws/lambda/async/{delivery.name}/"
        if not await rights(delivery.role, "s3:PutObject", place):
            text = f"{delivery.role} may not do s3:PutObject"
            raise CallerError("AccessDeniedException", text, status=403)
        await blobs.deliver(delivery)

    return checked
