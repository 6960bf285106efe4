"""GetObject, HeadObject, GetObjectAttributes, and objects for other parts of the server."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from emberbox.clock import utc
from emberbox.errors import CallerError, PlatformError
from emberbox.model.request import Operation, Params, Reply, RequestContext
from emberbox.model.s3_conditions import (
    Span,
    UnsatisfiableError,
    Verdict,
    judge_read,
    read_range,
)
from emberbox.services.s3.access import Access
from emberbox.services.s3.errors import (
    access_denied,
    failed_condition,
    invalid_argument,
    invalid_request,
    no_such_key,
    no_such_version,
)
from emberbox.services.s3.keeping import Keeper, small
from emberbox.services.s3.object_facts import expiration, refuse_unbuilt, shown, shown_checksums
from emberbox.storage.s3_objects import ObjectStore
from emberbox.storage.s3_records import Bucket, ObjectVersion

_TRIES: Final = 3
_PARTIAL: Final = 206
_NOT_MODIFIED: Final = 304
_PARTS_MAX: Final = 1_000
_OVERRIDES: Final = {
    "ResponseCacheControl": "CacheControl",
    "ResponseContentDisposition": "ContentDisposition",
    "ResponseContentEncoding": "ContentEncoding",
    "ResponseContentLanguage": "ContentLanguage",
    "ResponseContentType": "ContentType",
    "ResponseExpires": "Expires",
}
_KEPT_UNMODIFIED: Final = {
    "ETag": "ETag",
    "VersionId": "x-amz-version-id",
    "CacheControl": "Cache-Control",
}


class Reading:
    """See the module."""

    def __init__(self, access: Access, objects: ObjectStore, keeper: Keeper) -> None:
        self._access = access
        self._objects = objects
        self._keeper = keeper

    @property
    def operations(self) -> Mapping[str, Operation]:
        """By their names in the model."""
        return {
            "GetObject": self.get_object,
            "GetObjectAttributes": self.get_object_attributes,
            "HeadObject": self.head_object,
        }

    async def get_object(self, context: RequestContext, params: Params) -> Params | Reply:
        """The bytes of an object, or of a range or a part of it."""
        for _ in range(_TRIES):
            answer = await self.head_object(context, params)
            output = answer.output if isinstance(answer, Reply) else answer
            if isinstance(answer, Reply) and answer.status == _NOT_MODIFIED:
                return answer
            version: ObjectVersion = output.pop("_version")
            span: Span = output.pop("_span")
            try:
                output["Body"] = await self._body(version, span)
            except (LookupError, FileNotFoundError):
                continue  # replaced since its metadata was read
            return answer
        raise PlatformError("the object changes faster than it can be read")

    async def head_object(self, context: RequestContext, params: Params) -> Params | Reply:
        """The same without the bytes."""
        bucket = self._access.bucket(context, params)
        refuse_unbuilt(params)
        whole = context.operation == "GetObject"
        try:
            version = await self.version(bucket, params, whole=whole)
        except CallerError as error:
            raise await _told(error, context, bucket) from None
        judged = judge_read(params, version.etag, utc(int(version.modified)))
        output = shown(bucket, version) | expiration(bucket, version)
        if judged.verdict is Verdict.FAILED:
            raise failed_condition(judged.condition)
        if judged.verdict is Verdict.NOT_MODIFIED:
            headers = {h: output[m] for m, h in _KEPT_UNMODIFIED.items() if m in output}
            return Reply(status=_NOT_MODIFIED, headers=headers)
        span, is_partial = _span(params, version)
        output["ContentLength"] = span.end - span.start
        if params.get("ChecksumMode") == "ENABLED" and not (is_partial and version.facts.parts):
            output |= {} if is_partial else shown_checksums(version.facts)
        for asked, member in _OVERRIDES.items():
            if asked in params:
                output[member] = params[asked]
        if version.facts.parts and params.get("PartNumber"):
            output["PartsCount"] = len(version.facts.parts)
        if context.operation == "GetObject":
            output |= {"_version": version, "_span": span}
        if not is_partial:
            return output
        output["ContentRange"] = f"bytes {span.start}-{span.end - 1}/{version.size}"
        return Reply(output, status=_PARTIAL)

    async def get_object_attributes(self, context: RequestContext, params: Params) -> Params:
        """What is asked for of size, class, checksums and parts."""
        bucket = self._access.bucket(context, params)
        try:
            version = await self.version(bucket, params)
        except CallerError as error:
            raise await _told(error, context, bucket) from None
        asked = set(params.get("ObjectAttributes") or ())
        output: Params = {"LastModified": utc(int(version.modified))}
        if bucket.versioning:
            output["VersionId"] = version.version
        if "ETag" in asked:
            output["ETag"] = version.etag
        if "ObjectSize" in asked:
            output["ObjectSize"] = version.size
        if "StorageClass" in asked:
            output["StorageClass"] = version.storage_class
        if "Checksum" in asked and version.facts.checksums:
            output["Checksum"] = _bare(shown_checksums(version.facts))
        if "ObjectParts" in asked and version.facts.parts:
            output["ObjectParts"] = _parts_shown(version.facts.parts, params)
        return output

    async def version(
        self, bucket: Bucket, params: Params, *, whole: bool = False
    ) -> ObjectVersion:
        """The version that a request names; CallerError if it is none that can be read.

        `whole` as of `ObjectStore.find`.
        """
        key, asked = params["Key"], params.get("VersionId")
        found = await self._objects.find(bucket, key, asked, whole=whole)
        if found is None:
            raise no_such_key(key) if asked is None else no_such_version(key, asked)
        if not found.is_marker:
            return found
        headers = {"x-amz-delete-marker": "true", "x-amz-version-id": found.version}
        if asked is None:
            error = no_such_key(key)
            raise CallerError(
                error.code, error.message, status=404, fields=error.fields, headers=headers
            )
        raise CallerError(
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
            status=405,
            fields={"Method": "GET", "ResourceType": "DeleteMarker"},
            headers={**headers, "allow": "DELETE"},
        )

    async def _body(self, version: ObjectVersion, span: Span) -> bytes | AsyncIterator[bytes]:
        body = small(version)
        if body is not None:
            return body[span.start : span.end]
        stream = self._keeper.read(version.pieces, span.start, span.end, version.bodies)
        first = await anext(stream, b"")
        return _chained(first, stream)


async def _chained(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A stream whose first piece has been read: what is not there is known before the answer."""
    try:
        yield first
        async for piece in rest:
            yield piece
    finally:
        close = getattr(rest, "aclose", None)
        if close is not None:
            await close()


async def _told(error: CallerError, context: RequestContext, bucket: Bucket) -> CallerError:
    """That a key is missing is told to who may list the bucket alone."""
    missing = error.code in {"NoSuchKey", "NoSuchVersion"}
    if not missing or await context.may("s3:ListBucket", bucket.arn):
        return error
    return access_denied()


def _span(params: Params, version: ObjectVersion) -> tuple[Span, bool]:
    """The bytes that are asked for, and whether that is a part of them."""
    number = params.get("PartNumber")
    if number is not None:
        if params.get("Range"):
            raise invalid_request("Cannot specify both Range header and partNumber query parameter")
        return _part_span(number, version), version.size > 0
    try:
        span = read_range(params.get("Range"), version.size)
    except UnsatisfiableError:
        raise CallerError(
            "InvalidRange",
            "The requested range is not satisfiable",
            status=416,
            fields={
                "RangeRequested": str(params.get("Range")),
                "ActualObjectSize": str(version.size),
            },
            headers={"content-range": f"bytes */{version.size}"},
        ) from None
    return (Span(0, version.size), False) if span is None else (span, True)


def _part_span(number: int, version: ObjectVersion) -> Span:
    parts = version.facts.parts or [(1, version.size, {})]
    if not 1 <= number <= 10_000:
        raise invalid_argument("Part number must be an integer between 1 and 10000, inclusive")
    if number > len(parts):
        raise CallerError(
            "InvalidPartNumber", "The requested partnumber is not satisfiable", status=416
        )
    start = sum(size for _, size, _ in parts[: number - 1])
    return Span(start, start + parts[number - 1][1])


def _bare(checksums: Params) -> Params:
    """Composite checksums without the count of their parts."""
    return {name: str(value).partition("-")[0] for name, value in checksums.items()}


def _parts_shown(parts: Sequence[tuple[int, int, Mapping[str, str]]], params: Params) -> Params:
    marker = int(params.get("PartNumberMarker") or 0)
    most = min(int(params.get("MaxParts") or _PARTS_MAX), _PARTS_MAX)
    behind = [each for each in parts if each[0] > marker]
    page = behind[:most]
    output: dict[str, Any] = {
        "TotalPartsCount": len(parts),
        "PartNumberMarker": marker,
        "MaxParts": most,
        "IsTruncated": len(behind) > most,
        "NextPartNumberMarker": page[-1][0] if page else 0,
    }
    if any(sums for _, _, sums in parts):
        output["Parts"] = [
            {
                "PartNumber": number,
                "Size": size,
                **{f"Checksum{name}": value for name, value in sums.items()},
            }
            for number, size, sums in page
        ]
    return output
