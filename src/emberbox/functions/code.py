"""Where the bytes of code packages come from: the request itself, or an object in S3."""

from typing import Protocol

from emberbox.model.configuration import invalid
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
        raise NoSuchBlobError("NoSuchBucket", "The specified bucket does not exist")


class CodeSource:
    """Reads what `Code`, `Content` or a code update name."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    async def read(self, context: RequestContext, code: Params) -> bytes:
        """The zip file; CallerError in AWS's words if none is given, or not exactly one."""
        zipped = code.get("ZipFile")
        bucket, key = code.get("S3Bucket"), code.get("S3Key")
        if zipped is not None:
            if bucket or key:
                raise invalid(
                    "Please do not provide other FunctionCode parameters when providing a ZipFile."
                )
            if not isinstance(zipped, bytes):
                raise invalid("Could not unzip uploaded file.")
            return zipped
        if not bucket or not key:
            raise invalid("Please provide a source for function code.")
        try:
            return await self._blobs.read(
                context, bucket, key, code.get("S3ObjectVersion"), ZIPPED_MAX_BYTES
            )
        except NoSuchBlobError as error:
            raise invalid(
                f"Error occurred while GetObject. S3 Error Code: {error.code}. S3 Error Message: "
                f"{error.message}"
            ) from None
