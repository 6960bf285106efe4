"""Versions of objects in their database. Each change is one transaction, with what it tells of it.

A put whose transaction is committed is whole and durable: its bytes were synced before.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from emberbox.errors import CallerError
from emberbox.records import dataclass
from emberbox.storage.blob_files import SMALL_BYTES
from emberbox.storage.database import Database, Transaction
from emberbox.storage.s3_blobs import BlobGoneError, leave, take
from emberbox.storage.s3_buckets import bucket_in
from emberbox.storage.s3_notices import Notices, note
from emberbox.storage.s3_records import (
    ENABLED,
    NULL_VERSION,
    Bucket,
    Facts,
    NewObject,
    ObjectVersion,
    pieces_text,
    version_of,
)
from emberbox.storage.s3_walking import Place, Walk, walk

_FAR: Final = 1 << 62
_VERSION_BYTES: Final = 24
_BODIES_MAX: Final = 32

Check = Callable[[ObjectVersion | None], None]
"""CallerError unless what is there now may be changed."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a delete did: the version that is gone, the marker that was made, or nothing."""

    removed: ObjectVersion | None = None
    marker: ObjectVersion | None = None


class ObjectStore:
    """See the module."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def find(
        self, bucket: Bucket, key: str, version: str | None, *, whole: bool = False
    ) -> ObjectVersion | None:
        """A version by its id, or the latest one, which may be a delete marker.

        `whole` is with the small blobs that it is made of, which go when it is replaced.
        """

        def work(tx: Transaction) -> ObjectVersion | None:
            there = found(tx, bucket.id, key, version)
            return there if there is None or not whole else _with_bodies(tx, there)

        return await self.database.read(work)

    async def body(self, blob: str) -> bytes | None:
        """A small blob's bytes; None if they are in a file. BlobGoneError if it is gone."""
        row = await self.database.read(lambda tx: tx.one("blob_body", id=blob))
        if row is None:
            raise BlobGoneError(blob)
        body: bytes | None = row["body"]
        return body

    async def has_blob(self, blob: str) -> bool:
        """Whether any object or part is made of it."""
        return await self.database.read(lambda tx: tx.one("blob_exists", id=blob)) is not None

    async def put(
        self, bucket: str, new: NewObject, now: float, check: Check, notices: Notices
    ) -> ObjectVersion:
        """Add a version; in a bucket that keeps none it replaces what is there.

        BucketMissingError; BlobGoneError if shared bytes are no more; what `check` raises.
        """

        def work(tx: Transaction) -> ObjectVersion:
            return add(tx, bucket_in(tx, bucket), new, now, check, notices)

        return await self.database.write(work)

    async def delete(
        self,
        bucket: str,
        targets: Sequence[tuple[str, str | None, Check]],
        now: float,
        removed: Notices,
        marked: Notices,
    ) -> list[Deleted | CallerError]:
        """Delete objects or versions, all in one commit; each by key, version and check.

        `removed` is told of versions that are gone, `marked` of markers that were made.
        """

        def work(tx: Transaction) -> list[Deleted | CallerError]:
            place = bucket_in(tx, bucket)
            done: list[Deleted | CallerError] = []
            for key, version, check in targets:
                try:
                    done.append(remove(tx, place, key, version, now, check, removed, marked))
                except CallerError as error:
                    done.append(error)
            return done

        return await self.database.write(work)

    async def alter(
        self,
        bucket: str,
        key: str,
        version: str | None,
        change: Callable[[ObjectVersion | None], Facts],
        notices: Notices,
    ) -> ObjectVersion:
        """Replace the facts of a version by what `change`, which must be pure, makes of them."""

        def work(tx: Transaction) -> ObjectVersion:
            place = bucket_in(tx, bucket)
            before = found(tx, place.id, key, version)
            facts = change(before)
            assert before is not None
            tx.run("object_facts", id=before.number, facts=facts.text())
            after = found(tx, place.id, key, before.version)
            assert after is not None
            note(tx, place, notices(place, after))
            return after

        return await self.database.write(work)

    async def list(
        self, bucket: Bucket, prefix: str, delimiter: str, start: str, limit: int
    ) -> Walk:
        """Latest versions from a key on."""

        def work(tx: Transaction) -> Walk:
            def fetch(at: Place, stop: str | bytes, most: int) -> list[Any]:
                return tx.all("objects_from", bucket=bucket.id, start=at.key, stop=stop, limit=most)

            return walk(
                fetch,
                lambda row: Place(row["key"] + "\0"),
                prefix=prefix,
                delimiter=delimiter,
                start=Place(start),
                limit=limit,
            )

        return await self.database.read(work)

    async def list_versions(
        self, bucket: Bucket, prefix: str, delimiter: str, start: Place, limit: int
    ) -> Walk:
        """All versions from a place on, the newest of each key first."""

        def work(tx: Transaction) -> Walk:
            def fetch(at: Place, stop: str | bytes, most: int) -> list[Any]:
                below = _FAR if at.number is None else at.number
                return tx.all(
                    "versions_from",
                    bucket=bucket.id,
                    start=at.key,
                    below=below,
                    stop=stop,
                    limit=most,
                )

            return walk(
                fetch,
                lambda row: Place(row["key"], row["id"]),
                prefix=prefix,
                delimiter=delimiter,
                start=start,
                limit=limit,
            )

        return await self.database.read(work)


def found(tx: Transaction, bucket: int, key: str, version: str | None) -> ObjectVersion | None:
    """A version as a transaction sees it."""
    if version is None:
        row = tx.one("object_latest", bucket=bucket, key=key)
    else:
        row = tx.one("object_version", bucket=bucket, key=key, version=version)
    return None if row is None else version_of(row, bucket)


def _with_bodies(tx: Transaction, version: ObjectVersion) -> ObjectVersion:
    small = [piece.blob for piece in version.pieces if piece.size <= SMALL_BYTES]
    rows = {name: tx.one("blob_body", id=name) for name in small[:_BODIES_MAX]}
    bodies = {name: row["body"] for name, row in rows.items() if row and row["body"] is not None}
    return replace(version, bodies=bodies)


def add(
    tx: Transaction, bucket: Bucket, new: NewObject, now: float, check: Check, notices: Notices
) -> ObjectVersion:
    """Add a version; see `ObjectStore.put`."""
    check(found(tx, bucket.id, new.key, None))
    take(tx, new.pieces, new.bodies)
    made = _insert(
        tx,
        bucket,
        new.key,
        now,
        size=new.size,
        etag=new.etag,
        storage_class=new.storage_class,
        facts=new.facts.text(),
        pieces=pieces_text(new.pieces),
        is_marker=0,
    )
    note(tx, bucket, notices(bucket, made))
    return made


def remove(
    tx: Transaction,
    bucket: Bucket,
    key: str,
    version: str | None,
    now: float,
    check: Check,
    removed: Notices,
    marked: Notices,
) -> Deleted:
    """Delete an object or one of its versions."""
    before = found(tx, bucket.id, key, version)
    check(before)
    if version is None and bucket.versioning:
        made = _insert(
            tx,
            bucket,
            key,
            now,
            size=0,
            etag="",
            storage_class="STANDARD",
            facts="{}",
            pieces="[]",
            is_marker=1,
        )
        note(tx, bucket, marked(bucket, made))
        return Deleted(marker=made)
    if before is None:
        return Deleted()
    _take_away(tx, before)
    if before.is_latest:
        tx.run("object_newest_is_latest", bucket=bucket.id, key=key)
    note(tx, bucket, removed(bucket, before))
    return Deleted(removed=before)


def _insert(tx: Transaction, bucket: Bucket, key: str, now: float, **row: Any) -> ObjectVersion:
    """The newest version of a key, in place of the one without an id if it has none itself."""
    version = (
        secrets.token_urlsafe(_VERSION_BYTES) if bucket.versioning == ENABLED else NULL_VERSION
    )
    if version == NULL_VERSION:
        replaced = found(tx, bucket.id, key, NULL_VERSION)
        if replaced is not None:
            _take_away(tx, replaced)
    tx.run("object_not_latest", bucket=bucket.id, key=key)
    tx.run("object_add", bucket=bucket.id, key=key, version=version, modified=now, **row)
    made = found(tx, bucket.id, key, version)
    assert made is not None
    return made


def _take_away(tx: Transaction, version: ObjectVersion) -> None:
    tx.run("object_remove", id=version.number)
    leave(tx, version.pieces)
