"""Where the bytes of code packages come from: the request itself, or an object in S3."""

from typing import Protocol

from emberbox.model.configuration import invalid
from emberbox.model.function import CodeObject
from emberbox.model.limits import ZIPPED_MAX_BYTES
from emberbox.model.request import Params, RequestContext


class NoSuchBlobError(LookupError):
    """The object cannot be had: S3's code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Blobs(Protocol):
    """Objects by bucket and key, as S3 keeps them."""

    async def read(
        self, context: RequestContext, bucket: str, key: str, version: str | None, max_bytes: int
    ) -> bytes:
        """An object's bytes, one more than `max_bytes` at most; NoSuchBlobError."""
        ...

    async def version_of(
        self, context: RequestContext, bucket: str, key: str, version: str | None
    ) -> str:
        """The id of that version of an object, of the newest for None; NoSuchBlobError.

        `null` is the id of what was stored without versioning.
        """
        ...


class NoBuckets:
    """Objects where there are no buckets at all."""

    async def read(
        self,
        _context: RequestContext,
        _bucket: str,
        _key: str,
        _version: str | None,
        _max_bytes: int,
    ) -> bytes:
        """There is nothing to read."""
        raise _no_bucket()

    async def version_of(
        self, _context: RequestContext, _bucket: str, _key: str, _version: str | None
    ) -> str:
        """Nor has it versions."""
        raise _no_bucket()


class CodeSource:
    """Reads what `Code`, `Content` or a code update name."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    async def read(self, context: RequestContext, code: Params) -> tuple[bytes, CodeObject | None]:
        """The zip file, and the object that it stays in if that is asked for.

        CallerError in AWS's words if none is given, or not exactly one.
        """
        zipped = code.get("ZipFile")
        bucket, key = code.get("S3Bucket"), code.get("S3Key")
        if zipped is not None:
            if bucket or key:
                raise invalid(
                    "Please do not provide other FunctionCode parameters when providing a ZipFile."
                )
            if not isinstance(zipped, bytes):
                raise invalid("Could not unzip uploaded file.")
            if _is_referenced(code):
                raise invalid(
                    "S3ObjectStorageMode REFERENCE needs an object: give S3Bucket and S3Key."
                )
            return zipped, None
        if not bucket or not key:
            raise invalid("Please provide a source for function code.")
        version = code.get("S3ObjectVersion")
        try:
            held = None
            if _is_referenced(code):
                held = await self._held(context, bucket, key, version)
                version = held.version
            return await self._blobs.read(context, bucket, key, version, ZIPPED_MAX_BYTES), held
        except NoSuchBlobError as error:
            raise invalid(
                f"Error occurred while GetObject. S3 Error Code: {error.code}. S3 Error Message: "
                f"{error.message}"
            ) from None

    async def _held(
        self, context: RequestContext, bucket: str, key: str, version: str | None
    ) -> CodeObject:
        found = await self._blobs.version_of(context, bucket, key, version)
        if found == "null":
            raise invalid(
                f"S3ObjectStorageMode REFERENCE needs versioning of the bucket {bucket}: the "
                f"object {key} has no version id."
            )
        return CodeObject(bucket, key, found)


def _is_referenced(code: Params) -> bool:
    return code.get("S3ObjectStorageMode") == "REFERENCE"


def _no_bucket() -> NoSuchBlobError:
    return NoSuchBlobError("NoSuchBucket", "The specified bucket does not exist")
