"""Buckets in their database, and all of them at hand in memory."""

from collections.abc import Callable, Iterable
from json import dumps

from emberbox.storage.database import Database, Transaction
from emberbox.storage.mirror import Mirror
from emberbox.storage.s3_notices import Notice, note
from emberbox.storage.s3_records import Bucket, bucket_of


class BucketMissingError(LookupError):
    """There is no such bucket, or no more."""


class BucketTakenError(Exception):
    """There is a bucket of this name."""

    def __init__(self, bucket: Bucket) -> None:
        super().__init__(bucket.name)
        self.bucket = bucket


class BucketHoldsError(Exception):
    """A bucket that is not empty."""


class BucketStore:
    """See the module. `load` once before use."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.mirror: Mirror[str, Bucket] = Mirror(database)

    async def load(self) -> None:
        """Read everything."""
        rows = await self.database.read(lambda tx: tx.all("buckets"))
        self.mirror.fill((row["name"], bucket_of(row)) for row in rows)

    def get(self, name: str) -> Bucket | None:
        """A bucket by its name."""
        return self.mirror.get(name)

    def of_account(self, account: str) -> list[Bucket]:
        """The buckets of an account, by name."""
        mine = [bucket for bucket in self.mirror if bucket.account == account]
        return sorted(mine, key=lambda bucket: bucket.name)

    async def add(self, wanted: Bucket) -> Bucket:
        """A new bucket; BucketTakenError."""

        def work(tx: Transaction) -> Bucket:
            row = tx.one("bucket", name=wanted.name)
            if row is not None:
                raise BucketTakenError(bucket_of(row))
            tx.run(
                "bucket_add",
                name=wanted.name,
                account=wanted.account,
                region=wanted.region,
                created=wanted.created,
                versioning=wanted.versioning,
                settings=dumps(wanted.settings),
            )
            return bucket_in(tx, wanted.name)

        made = await self.mirror.write(wanted.name, work)
        assert made is not None
        return made

    async def alter(
        self, name: str, alter: Callable[[Bucket], Bucket], notices: Iterable[Notice] = ()
    ) -> Bucket:
        """Replace a bucket by what `alter`, which must be pure, makes of it; BucketMissingError.

        `notices` are recorded with the change.
        """

        def work(tx: Transaction) -> Bucket:
            after = alter(bucket_in(tx, name))
            tx.run(
                "bucket_alter",
                name=name,
                versioning=after.versioning,
                settings=dumps(after.settings),
            )
            note(tx, after, notices)
            return after

        made = await self.mirror.write(name, work)
        assert made is not None
        return made

    async def remove(self, name: str) -> None:
        """Remove an empty bucket; BucketHoldsError, BucketMissingError."""

        def work(tx: Transaction) -> None:
            bucket = bucket_in(tx, name)
            row = tx.one("bucket_holds", bucket=bucket.id)
            if row is not None and row["holds"]:
                raise BucketHoldsError
            tx.run("bucket_remove", id=bucket.id)

        await self.mirror.write(name, work)


def bucket_in(tx: Transaction, name: str) -> Bucket:
    """A bucket as a transaction sees it; BucketMissingError."""
    row = tx.one("bucket", name=name)
    if row is None:
        raise BucketMissingError(name)
    return bucket_of(row)
