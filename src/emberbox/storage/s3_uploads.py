"""Uploads in parts, in their database."""

from collections.abc import Callable, Mapping, Sequence
from json import dumps
from typing import Any

from emberbox.storage.database import Database, Transaction
from emberbox.storage.s3_blobs import leave, take
from emberbox.storage.s3_buckets import bucket_in
from emberbox.storage.s3_notices import Notices
from emberbox.storage.s3_objects import Check, add, found
from emberbox.storage.s3_records import (
    Bucket,
    MultipartUpload,
    NewObject,
    ObjectVersion,
    Piece,
    UploadedPart,
    part_of,
    pieces_text,
    upload_of,
)
from emberbox.storage.s3_walking import Place, Walk, walk

_PARTS_MAX = 10_000


class UploadMissingError(LookupError):
    """There is no such upload, or no more."""


class UploadStore:
    """See the module."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, bucket: str, upload: MultipartUpload) -> None:
        """A new upload; BucketMissingError."""

        def work(tx: Transaction) -> None:
            tx.run(
                "upload_add",
                id=upload.id,
                bucket=bucket_in(tx, bucket).id,
                key=upload.key,
                begun=upload.begun,
                facts=dumps(upload.facts),
            )

        await self._database.write(work)

    async def find(self, bucket: Bucket, key: str, upload: str) -> MultipartUpload:
        """An upload; UploadMissingError."""
        return await self._database.read(lambda tx: _upload(tx, bucket, key, upload))

    async def put_part(
        self,
        bucket: Bucket,
        upload: MultipartUpload,
        part: UploadedPart,
        bodies: Mapping[str, bytes | None],
    ) -> None:
        """Add a part, or replace it; UploadMissingError."""

        def work(tx: Transaction) -> None:
            _upload(tx, bucket, upload.key, upload.id)
            before = tx.one("part", upload=upload.id, number=part.number)
            take(tx, part.pieces, bodies)
            if before is not None:
                leave(tx, part_of(before).pieces)
            tx.run(
                "part_put",
                upload=upload.id,
                number=part.number,
                etag=part.etag,
                size=part.size,
                modified=part.modified,
                checksums=dumps(part.checksums),
                pieces=pieces_text(part.pieces),
            )

        await self._database.write(work)

    async def parts(
        self, bucket: Bucket, key: str, upload: str, above: int, limit: int
    ) -> list[UploadedPart]:
        """Parts by their number; UploadMissingError."""

        def work(tx: Transaction) -> list[UploadedPart]:
            _upload(tx, bucket, key, upload)
            return [
                part_of(row) for row in tx.all("parts", upload=upload, above=above, limit=limit)
            ]

        return await self._database.read(work)

    async def complete(
        self,
        bucket: Bucket,
        upload: MultipartUpload,
        assemble: Callable[[Mapping[int, UploadedPart]], NewObject],
        now: float,
        check: Check,
        notices: Notices,
    ) -> ObjectVersion:
        """Make an object of the parts that `assemble`, which must be pure, takes; drop the others.

        UploadMissingError; what `assemble` and `check` raise.
        """

        def work(tx: Transaction) -> ObjectVersion:
            _upload(tx, bucket, upload.key, upload.id)
            parts = _parts(tx, upload.id)
            new = assemble({part.number: part for part in parts})
            made = add(tx, bucket_in(tx, bucket.name), new, now, check, notices)
            _drop(tx, upload.id, parts)
            return made

        return await self._database.write(work)

    async def completed(self, bucket: Bucket, key: str, etag: str) -> ObjectVersion | None:
        """The object of a key, if its entity tag is that of parts that were put together."""
        made = await self._database.read(lambda tx: found(tx, bucket.id, key, None))
        return made if made is not None and made.etag == etag else None

    async def abort(self, bucket: Bucket, key: str, upload: str) -> None:
        """Forget an upload and its parts; UploadMissingError."""

        def work(tx: Transaction) -> None:
            _upload(tx, bucket, key, upload)
            _drop(tx, upload, _parts(tx, upload))

        await self._database.write(work)

    async def list(
        self, bucket: Bucket, prefix: str, delimiter: str, start: Place, limit: int
    ) -> Walk:
        """Uploads from a place on."""

        def work(tx: Transaction) -> Walk:
            def fetch(at: Place, stop: str | bytes, most: int) -> list[Any]:
                above = "" if at.number is None else at.number
                return tx.all(
                    "uploads_from",
                    bucket=bucket.id,
                    start=at.key,
                    above=above,
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

        return await self._database.read(work)


def _upload(tx: Transaction, bucket: Bucket, key: str, upload: str) -> MultipartUpload:
    row = tx.one("upload", id=upload, bucket=bucket.id, key=key)
    if row is None:
        raise UploadMissingError(upload)
    return upload_of(row)


def _parts(tx: Transaction, upload: str) -> Sequence[UploadedPart]:
    rows = tx.all("parts", upload=upload, above=0, limit=_PARTS_MAX)
    return [part_of(row) for row in rows]


def _drop(tx: Transaction, upload: str, parts: Sequence[UploadedPart]) -> None:
    pieces: list[Piece] = [piece for part in parts for piece in part.pieces]
    leave(tx, pieces)
    tx.run("upload_remove", id=upload)
