"""Uploads in parts: begin, parts, copied parts, complete, abort.

Completing copies nothing: the object is made of the parts' blobs, one after the other.
"""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from emberbox.clock import Clock, utc
from emberbox.errors import CallerError, EmberboxError
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.model.s3_conditions import UnsatisfiableError, etag_matches, read_range
from emberbox.services.s3 import checksums
from emberbox.services.s3.access import Access
from emberbox.services.s3.acl import canned
from emberbox.services.s3.copying import Sources, settled
from emberbox.services.s3.errors import (
    invalid_argument,
    invalid_request,
    malformed_xml,
    no_such_bucket,
    no_such_upload,
)
from emberbox.services.s3.keeping import Keeper, cut
from emberbox.services.s3.object_facts import (
    check_key,
    headers_of,
    lock_of,
    metadata_of,
    refuse_unbuilt,
    shown_checksums,
    storage_class,
    tags_of,
    version_shown,
)
from emberbox.services.s3.putting import Arrivals, write_condition
from emberbox.services.s3.telling import Teller
from emberbox.storage.s3_buckets import BucketMissingError
from emberbox.storage.s3_records import (
    Bucket,
    Facts,
    MultipartUpload,
    NewObject,
    ObjectVersion,
    UploadedPart,
)
from emberbox.storage.s3_uploads import UploadMissingError, UploadStore

_PARTS_MAX: Final = 10_000
_PART_MIN_BYTES: Final = 5 << 20
_OBJECT_MAX_BYTES: Final = 50 << 40


class Multipart:
    """See the module."""

    def __init__(
        self,
        access: Access,
        uploads: UploadStore,
        keeper: Keeper,
        arrivals: Arrivals,
        sources: Sources,
        teller: Teller,
        clock: Clock,
    ) -> None:
        self._access = access
        self._uploads = uploads
        self._keeper = keeper
        self._arrivals = arrivals
        self._sources = sources
        self._teller = teller
        self._clock = clock

    @property
    def operations(self) -> Mapping[str, Operation]:
        """By their names in the model."""
        return {
            "AbortMultipartUpload": self.abort_multipart_upload,
            "CompleteMultipartUpload": self.complete_multipart_upload,
            "CreateMultipartUpload": self.create_multipart_upload,
            "UploadPart": self.upload_part,
            "UploadPartCopy": self.upload_part_copy,
        }

    async def create_multipart_upload(self, context: RequestContext, params: Params) -> Params:
        """Begin an upload."""
        bucket = self._access.bucket(context, params)
        key = params["Key"]
        check_key(key)
        refuse_unbuilt(params)
        named = params.get("ChecksumAlgorithm")
        if named is not None and named not in checksums.LENGTHS:
            raise invalid_request("Checksum algorithm provided is unsupported.")
        algorithm = named or checksums.DEFAULT
        kind = checksums.type_of(algorithm, params.get("ChecksumType"))
        now = self._clock.now()
        facts: dict[str, Any] = {
            "headers": headers_of(params),
            "metadata": metadata_of(params),
            "tags": tags_of(params),
            "acl": canned(bucket, params),
            "lock": lock_of(bucket, params, now),
            "class": storage_class(params),
            "algorithm": algorithm,
            "named": named is not None,
            "type": kind,
            "initiator": context.account,
        }
        upload = MultipartUpload(secrets.token_urlsafe(48), bucket.id, key, now, facts)
        try:
            await self._uploads.begin(bucket.name, upload)
        except BucketMissingError:
            raise no_such_bucket(bucket.name) from None
        output: Params = {
            "Bucket": bucket.name,
            "Key": key,
            "UploadId": upload.id,
            "ServerSideEncryption": facts["headers"]["ServerSideEncryption"],
        }
        if named is not None:
            output |= {"ChecksumAlgorithm": algorithm, "ChecksumType": kind}
        return output

    async def upload_part(self, context: RequestContext, params: Params) -> Params:
        """Store a part; one of the same number is replaced."""
        bucket = self._access.bucket(context, params)
        upload = await self._upload(bucket, params)
        refuse_unbuilt(params)
        algorithm = upload.facts["algorithm"]
        named = checksums.wanted(params, params.get("Body"))
        if named and upload.facts["named"] and named != algorithm:
            raise invalid_request(
                f"Checksum Type mismatch occurred, expected checksum Type: {algorithm.lower()}, "
                f"actual checksum Type: {named.lower()}"
            )
        arrived = await self._arrivals.take(params, algorithm)
        received = arrived.received
        part = UploadedPart(
            params["PartNumber"],
            received.etag,
            received.size,
            self._clock.now(),
            {algorithm: arrived.checksum},
            received.pieces,
        )
        try:
            await self._uploads.put_part(bucket, upload, part, received.bodies)
        except UploadMissingError:
            await self._keeper.drop(received)
            raise no_such_upload(upload.id) from None
        except EmberboxError:
            await self._keeper.drop(received)
            raise
        await self._keeper.settle(received)
        shown = named or (algorithm if upload.facts["named"] else "")
        value = received.digests.get(shown)
        return {
            "ETag": f'"{part.etag}"',
            "ServerSideEncryption": upload.facts["headers"]["ServerSideEncryption"],
            **({} if value is None else {f"Checksum{shown}": checksums.text_of(value)}),
        }

    async def upload_part_copy(self, context: RequestContext, params: Params) -> Params:
        """A part of the bytes of an object, or of a range of them."""
        return await settled(lambda: self._copy_part(context, params))

    async def _copy_part(self, context: RequestContext, params: Params) -> Params:
        bucket = self._access.bucket(context, params)
        upload = await self._upload(bucket, params)
        source = await self._sources.find(context, params)
        version = source.version
        text = params.get("CopySourceRange")
        try:
            span = read_range(text, version.size)
        except UnsatisfiableError:
            span = None
        if text and (span is None or not text.endswith(str(span.end - 1))):
            raise invalid_argument(
                "The x-amz-copy-source-range value must be of the form bytes=first-last where "
                "first and last are the zero-based offsets of the first and last bytes to copy",
                "x-amz-copy-source-range",
                text,
            )
        start, end = span or (0, version.size)
        pieces = tuple(cut(version.pieces, start, end))
        algorithm = upload.facts["algorithm"]
        with self._keeper.using(version.pieces):
            found = await self._sources.digests(version, pieces, [algorithm])
            part = UploadedPart(
                params["PartNumber"],
                found["MD5"].hex(),
                end - start,
                self._clock.now(),
                {algorithm: checksums.text_of(found[algorithm])},
                pieces,
            )
            try:
                await self._uploads.put_part(bucket, upload, part, {})
            except UploadMissingError:
                raise no_such_upload(upload.id) from None
        sums = part.checksums if upload.facts["named"] else {}
        output: Params = {
            "CopyPartResult": {
                "ETag": f'"{part.etag}"',
                "LastModified": utc(int(part.modified)),
                **checksums.members(sums),
            }
        }
        if source.bucket.versioning:
            output["CopySourceVersionId"] = version.version
        return output

    async def complete_multipart_upload(self, context: RequestContext, params: Params) -> Params:
        """Make the object of the parts that are named; to say so again is no error."""
        bucket = self._access.bucket(context, params)
        named = (params.get("MultipartUpload") or {}).get("Parts") or []
        if not 0 < len(named) <= _PARTS_MAX:
            raise malformed_xml()
        try:
            upload = await self._upload(bucket, params)
        except CallerError:
            # A client that has not heard the answer asks again, also after the server was killed.
            again = await self._uploads.completed(bucket, params["Key"], _etag_of(named))
            if again is None:
                raise
            return self._completed(context, bucket, again)

        def assemble(parts: Mapping[int, UploadedPart]) -> NewObject:
            return _assembled(upload, _chosen(named, parts, upload), params)

        try:
            made = await self._uploads.complete(
                bucket,
                upload,
                assemble,
                self._clock.now(),
                write_condition(params),
                self._teller.notices(context, "ObjectCreated:CompleteMultipartUpload"),
            )
        except UploadMissingError:
            raise no_such_upload(upload.id) from None
        except BucketMissingError:
            raise no_such_bucket(bucket.name) from None
        return self._completed(context, bucket, made)

    def _completed(self, context: RequestContext, bucket: Bucket, made: ObjectVersion) -> Params:
        return {
            "Location": f"{context.endpoint}/{bucket.name}/{made.key}",
            "Bucket": bucket.name,
            "Key": made.key,
            "ETag": f'"{made.etag}"',
            "ServerSideEncryption": made.facts.headers["ServerSideEncryption"],
            **version_shown(bucket, made),
            **shown_checksums(made.facts),
        }

    async def abort_multipart_upload(self, context: RequestContext, params: Params) -> Params:
        """Forget an upload and its parts."""
        bucket = self._access.bucket(context, params)
        try:
            await self._uploads.abort(bucket, params["Key"], params["UploadId"])
        except UploadMissingError:
            raise no_such_upload(params["UploadId"]) from None
        return {}

    async def _upload(self, bucket: Bucket, params: Params) -> MultipartUpload:
        number = params.get("PartNumber")
        if number is not None and not 1 <= number <= _PARTS_MAX:
            raise invalid_argument(
                "Part number must be an integer between 1 and 10000, inclusive",
                "partNumber",
                str(number),
            )
        try:
            return await self._uploads.find(bucket, params["Key"], params["UploadId"])
        except UploadMissingError:
            raise no_such_upload(params["UploadId"]) from None


def _chosen(
    named: Sequence[Params], parts: Mapping[int, UploadedPart], upload: MultipartUpload
) -> list[UploadedPart]:
    """The parts that the client names; CallerError unless they are there and in order."""
    chosen: list[UploadedPart] = []
    for each in named:
        number = each.get("PartNumber") or 0
        part = parts.get(number)
        if chosen and number <= chosen[-1].number:
            text = (
                "The list of parts was not in ascending order. The parts list must be specified in "
                "order by part number."
            )
            raise CallerError("InvalidPartOrder", text, status=400)
        if part is None or not etag_matches(each.get("ETag") or "", part.etag):
            raise _invalid_part(upload, number)
        for name in checksums.LENGTHS:
            given = each.get(f"Checksum{name}")
            if given is not None and part.checksums.get(name, given) != given:
                raise _invalid_part(upload, number)
        chosen.append(part)
    for part in chosen[:-1]:
        if part.size < _PART_MIN_BYTES:
            raise CallerError(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
                status=400,
                fields={
                    "ProposedSize": str(part.size),
                    "MinSizeAllowed": str(_PART_MIN_BYTES),
                    "PartNumber": str(part.number),
                    "ETag": part.etag,
                },
            )
    return chosen


def _invalid_part(upload: MultipartUpload, number: int) -> CallerError:
    text = (
        "One or more of the specified parts could not be found. The part may not have been "
        "uploaded, or the specified entity tag may not match the part's entity tag."
    )
    fields = {"UploadId": upload.id, "PartNumber": str(number)}
    return CallerError("InvalidPart", text, status=400, fields=fields)


def _etag_of(named: Sequence[Params]) -> str:
    """The entity tag of the parts that a client names; empty if it names some by none."""
    try:
        return _etag([str(each.get("ETag") or "").strip().strip('"') for each in named])
    except ValueError:
        return ""


def _etag(parts: Sequence[str]) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for part in parts:
        digest.update(bytes.fromhex(part))
    return f"{digest.hexdigest()}-{len(parts)}"


def _assembled(upload: MultipartUpload, parts: Sequence[UploadedPart], params: Params) -> NewObject:
    size = sum(part.size for part in parts)
    announced = params.get("MpuObjectSize")
    if size > _OBJECT_MAX_BYTES or announced not in {None, size}:
        raise invalid_request(
            f"The provided 'x-amz-mp-object-size' header value {announced} does not match what was "
            f"computed: {size}"
        )
    facts, algorithm, kind = upload.facts, upload.facts["algorithm"], upload.facts["type"]
    listed = [
        (checksums.read_checksum(algorithm, part.checksums[algorithm]), part.size) for part in parts
    ]
    checksum = checksums.of_parts(algorithm, kind, listed)
    given = params.get(f"Checksum{algorithm}")
    if given is not None and given.partition("-")[0] != checksum.partition("-")[0]:
        text = f"The {algorithm} you specified did not match the calculated checksum."
        raise CallerError("BadDigest", text, status=400)
    shown: list[tuple[int, int, Mapping[str, str]]] = [
        (part.number, part.size, part.checksums if facts["named"] else {}) for part in parts
    ]
    lock: dict[str, Any] = facts["lock"]
    return NewObject(
        upload.key,
        size,
        _etag([part.etag for part in parts]),
        Facts(
            headers=facts["headers"],
            metadata=facts["metadata"],
            tags=facts["tags"],
            acl=facts["acl"],
            checksums={algorithm: checksum},
            checksum_type=kind,
            parts=shown,
            **lock,
        ),
        tuple(piece for part in parts for piece in part.pieces),
        {},
        facts["class"],
    )
