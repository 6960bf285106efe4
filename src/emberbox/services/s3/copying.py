"""CopyObject, and where copies come from.

The bytes are not copied: both objects share them, and they are removed with the last of the two.
They are read only where a checksum has to be computed that the source has not.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from emberbox.clock import Clock, utc
from emberbox.errors import PlatformError
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.model.s3_conditions import Verdict, judge_read
from emberbox.model.s3_keys import copy_source
from emberbox.services.s3 import checksums
from emberbox.services.s3.access import Access
from emberbox.services.s3.acl import canned
from emberbox.services.s3.errors import (
    failed_condition,
    invalid_argument,
    invalid_request,
    no_such_bucket,
)
from emberbox.services.s3.keeping import Keeper
from emberbox.services.s3.object_facts import (
    check_key,
    headers_of,
    lock_of,
    metadata_of,
    refuse_unbuilt,
    storage_class,
    tags_of,
    version_shown,
)
from emberbox.services.s3.putting import write_condition
from emberbox.services.s3.reading import Reading
from emberbox.services.s3.telling import Teller
from emberbox.storage.s3_blobs import BlobGoneError
from emberbox.storage.s3_buckets import BucketMissingError
from emberbox.storage.s3_objects import ObjectStore
from emberbox.storage.s3_records import Bucket, Facts, NewObject, ObjectVersion, Piece

_COPY_MAX = 5 << 30
_TRIES = 20
_CONDITIONS = ("IfMatch", "IfNoneMatch", "IfModifiedSince", "IfUnmodifiedSince")


class Source(NamedTuple):
    """What is copied."""

    bucket: Bucket
    version: ObjectVersion


class Sources:
    """Finds what CopySource names, and computes checksums of it."""

    def __init__(self, access: Access, reading: Reading, keeper: Keeper) -> None:
        self._access = access
        self._reading = reading
        self._keeper = keeper

    async def find(self, context: RequestContext, params: Params) -> Source:
        """The source; CallerError if there is none, or its conditions do not hold."""
        name, key, version_id = parse_source(params["CopySource"])
        bucket = self._access.source(context, name, key, params.get("ExpectedSourceBucketOwner"))
        asked = {"Key": key} | ({"VersionId": version_id} if version_id else {})
        version = await self._reading.version(bucket, asked, whole=True)
        conditions = {
            each: params[f"CopySource{each}"]
            for each in _CONDITIONS
            if params.get(f"CopySource{each}") is not None
        }
        judged = judge_read(conditions, version.etag, utc(int(version.modified)))
        if judged.verdict is not Verdict.PASS:
            raise failed_condition(f"x-amz-copy-source-{judged.condition}")
        return Source(bucket, version)

    async def digests(
        self, version: ObjectVersion, pieces: Sequence[Piece], algorithms: Sequence[str]
    ) -> dict[str, bytes]:
        """Checksums of pieces of a source, MD5 among them."""
        size = sum(piece.size for piece in pieces)
        return await self._keeper.digests(pieces, size, algorithms, version.bodies)


class Copying:
    """See the module."""

    def __init__(
        self,
        access: Access,
        objects: ObjectStore,
        keeper: Keeper,
        sources: Sources,
        teller: Teller,
        clock: Clock,
    ) -> None:
        self._access = access
        self._objects = objects
        self._keeper = keeper
        self._sources = sources
        self._teller = teller
        self._clock = clock

    @property
    def operations(self) -> Mapping[str, Operation]:
        """By their names in the model."""
        return {"CopyObject": self.copy_object}

    async def copy_object(self, context: RequestContext, params: Params) -> Params:
        """A new object of the bytes of another one."""
        return await settled(lambda: self._copy(context, params))

    async def _copy(self, context: RequestContext, params: Params) -> Params:
        bucket = self._access.bucket(context, params)
        check_key(params["Key"])
        refuse_unbuilt(params)
        source = await self._sources.find(context, params)
        version = source.version
        if version.size > _COPY_MAX:
            raise invalid_request(
                "The specified copy source is larger than the maximum allowable size for a copy "
                f"source: {_COPY_MAX}"
            )
        self._check_is_change(bucket, source, params)
        with self._keeper.using(version.pieces):
            etag, sums = await self._sums(version, params.get("ChecksumAlgorithm"))
            new = NewObject(
                params["Key"],
                version.size,
                etag,
                self._facts(bucket, version, params, sums),
                version.pieces,
                {},
                storage_class(params),
            )
            try:
                made = await self._objects.put(
                    bucket.name,
                    new,
                    self._clock.now(),
                    write_condition(params),
                    self._teller.notices(context, "ObjectCreated:Copy"),
                )
            except BucketMissingError:
                raise no_such_bucket(bucket.name) from None
        output: Params = {
            "CopyObjectResult": {
                "ETag": f'"{made.etag}"',
                "LastModified": utc(int(made.modified)),
                **checksums.members(made.facts.checksums, made.facts.checksum_type),
            },
            "ServerSideEncryption": made.facts.headers["ServerSideEncryption"],
            **version_shown(bucket, made),
        }
        if source.bucket.versioning:
            output["CopySourceVersionId"] = version.version
        return output

    async def _sums(self, version: ObjectVersion, asked: str | None) -> tuple[str, dict[str, str]]:
        """The entity tag and the checksum of the copy, which is no upload in parts."""
        have = dict(version.facts.checksums)
        algorithm = asked or next(iter(have), checksums.DEFAULT)
        if algorithm not in checksums.LENGTHS:
            raise invalid_request("Checksum algorithm provided is unsupported.")
        is_whole = "-" not in version.etag
        if is_whole and algorithm in have and version.facts.checksum_type == checksums.FULL:
            return version.etag, {algorithm: have[algorithm]}
        found = await self._sources.digests(version, version.pieces, [algorithm])
        return found["MD5"].hex(), {algorithm: checksums.text_of(found[algorithm])}

    def _facts(
        self, bucket: Bucket, version: ObjectVersion, params: Params, sums: Mapping[str, str]
    ) -> Facts:
        is_replaced = params.get("MetadataDirective") == "REPLACE"
        has_new_tags = params.get("TaggingDirective") == "REPLACE"
        headers = headers_of(params)
        if not is_replaced:
            kept = {
                n: v for n, v in version.facts.headers.items() if n != "WebsiteRedirectLocation"
            }
            fresh = ("ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled")
            asked = {n: headers[n] for n in (*fresh, "WebsiteRedirectLocation") if n in params}
            headers = kept | asked
        facts: dict[str, Any] = lock_of(bucket, params, self._clock.now())
        return Facts(
            headers=headers,
            metadata=metadata_of(params) if is_replaced else version.facts.metadata,
            tags=tags_of(params) if has_new_tags else version.facts.tags,
            checksums=sums,
            checksum_type=checksums.FULL,
            acl=canned(bucket, params),
            **facts,
        )

    def _check_is_change(self, bucket: Bucket, source: Source, params: Params) -> None:
        """CallerError for a copy of an object onto itself that changes nothing."""
        version = source.version
        is_same = version.bucket == bucket.id and version.key == params["Key"] and version.is_latest
        changes = (
            params.get("MetadataDirective") == "REPLACE"
            or params.get("TaggingDirective") == "REPLACE"
            or any(
                params.get(each) is not None
                for each in ("StorageClass", "ServerSideEncryption", "WebsiteRedirectLocation")
            )
        )
        if is_same and not changes and not bucket.versioning:
            raise invalid_request(
                "This copy request is illegal because it is trying to copy an object to itself "
                "without changing the object's metadata, storage class, website redirect location "
                "or encryption attributes."
            )


async def settled(copy: Callable[[], Awaitable[Params]]) -> Params:
    """What a copy answers; made again of what is there now if its source goes before it is made."""
    for _ in range(_TRIES):
        with suppress(BlobGoneError, FileNotFoundError):
            return await copy()
    raise PlatformError("the source changes faster than it can be copied")


def parse_source(text: str) -> tuple[str, str, str | None]:
    """Bucket, key and version of a CopySource; CallerError if it is none."""
    bucket, key, version = copy_source(text)
    if not bucket or not key:
        raise invalid_argument(
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            "x-amz-copy-source",
            text[:256],
        )
    return bucket, key, version
