"""The service `s3`, put together from its groups of operations."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from emberbox.clock import Clock
from emberbox.model.request import Operation
from emberbox.services.s3.access import Access
from emberbox.services.s3.blobs import Blobs
from emberbox.services.s3.buckets import Buckets
from emberbox.services.s3.copying import Copying, Sources
from emberbox.services.s3.deleting import Deleting
from emberbox.services.s3.delivering import Delivering
from emberbox.services.s3.keeping import Keeper
from emberbox.services.s3.lifecycle import Lifecycle
from emberbox.services.s3.listing import Listing
from emberbox.services.s3.multipart import Multipart
from emberbox.services.s3.notifications import Notifications
from emberbox.services.s3.object_settings import ObjectSettings
from emberbox.services.s3.policies import BucketPolicies
from emberbox.services.s3.putting import Arrivals, Putting
from emberbox.services.s3.reading import Reading
from emberbox.services.s3.subresources import Subresources
from emberbox.services.s3.targets import Targets
from emberbox.services.s3.telling import Teller
from emberbox.services.s3.website import Website
from emberbox.storage.blob_files import BlobFiles
from emberbox.storage.database import Database
from emberbox.storage.s3_buckets import BucketStore
from emberbox.storage.s3_objects import ObjectStore
from emberbox.storage.s3_uploads import UploadStore


class S3Service:
    """Amazon S3. `is_decided` where the gateway enforces the policies of callers and buckets."""

    name = "s3"

    def __init__(
        self, database: Database, files: BlobFiles, clock: Clock, *, is_decided: bool
    ) -> None:
        self.buckets = BucketStore(database)
        objects = ObjectStore(database)
        uploads = UploadStore(database)
        access = Access(self.buckets, is_decided=is_decided)
        self.keeper = keeper = Keeper(files, objects, database)
        arrivals, teller = Arrivals(keeper), Teller(clock)
        self.targets: Targets = {}
        self._delivering = Delivering(database, self.buckets, self.targets, clock)
        self.lifecycle = Lifecycle(self.buckets, objects, uploads, teller, clock)
        self.website = Website(self.buckets, objects, keeper)
        reading = Reading(access, objects, keeper)
        putting = Putting(access, objects, keeper, arrivals, teller, clock)
        self.blobs = Blobs(access, reading, putting, keeper, clock)
        self.policies = BucketPolicies(self.buckets, objects)
        sources = Sources(access, reading, keeper)
        self.operations: Mapping[str, Operation] = {
            **Buckets(access, self.buckets, clock).operations,
            **Subresources(access, self.buckets).operations,
            **putting.operations,
            **reading.operations,
            **Deleting(access, objects, teller, clock).operations,
            **Copying(access, objects, keeper, sources, teller, clock).operations,
            **Multipart(access, uploads, keeper, arrivals, sources, teller, clock).operations,
            **Listing(access, objects, uploads).operations,
            **Notifications(access, self.buckets, self.targets, clock).operations,
            **ObjectSettings(access, objects, reading, teller, clock).operations,
        }

    @classmethod
    async def start(
        cls, data: Path, clock: Clock, stack: AsyncExitStack, *, is_decided: bool = False
    ) -> Self:
        """The service over a data directory; it closes when the stack unwinds."""
        database = await Database.open(data / "s3.db", "s3")
        stack.push_async_callback(database.close)
        service = cls(database, BlobFiles(data / "objects"), clock, is_decided=is_decided)
        await service.buckets.load()
        await service.keeper.open()
        stack.push_async_callback(service.keeper.close)
        return service

    def open(self, stack: AsyncExitStack) -> None:
        """Begin to tell targets, which have been entered, and to do what lifecycles say."""
        self._delivering.open()
        stack.push_async_callback(self._delivering.close)
        self.lifecycle.open()
        stack.push_async_callback(self.lifecycle.close)

    async def rested(self) -> None:
        """Until there is nothing to tell; for tests."""
        await self._delivering.rested()

    def cors_rules(self, bucket: str) -> Sequence[Mapping[str, Any]] | None:
        """The CORS rules of a bucket; None if there is no such bucket."""
        found = self.buckets.get(bucket)
        return None if found is None else (found.settings.get("Cors") or {}).get("CORSRules") or ()
