"""Which bucket a request is for, and whether the caller may use it.

Where policies are enforced the gateway has decided already. Elsewhere a bucket of another account
is there only for whom its policy lets in.
"""

from collections.abc import Mapping
from typing import Final

from emberbox.model.policy.principals import root
from emberbox.model.policy.resource import resource_policy_allows
from emberbox.model.request import Params, RequestContext
from emberbox.services.s3.errors import access_denied, no_such_bucket
from emberbox.storage.s3_buckets import BucketStore
from emberbox.storage.s3_records import Bucket

_ACTIONS: Final[Mapping[str, str]] = {
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "HeadObject": "GetObject",
    "CopyObject": "PutObject",
    "PostObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "DeleteObjects": "DeleteObject",
    "ListParts": "ListMultipartUploadParts",
    "ListMultipartUploads": "ListBucketMultipartUploads",
}
"""Operation -> action, where the names differ and other accounts may be let in."""


class Access:
    """Finds buckets for operations. `is_decided` where the gateway enforces policies."""

    def __init__(self, buckets: BucketStore, *, is_decided: bool) -> None:
        self._buckets = buckets
        self._is_decided = is_decided

    def bucket(self, context: RequestContext, params: Params) -> Bucket:
        """The bucket that a request names; CallerError if there is none, or not for the caller."""
        bucket = self.named(params["Bucket"])
        expected = params.get("ExpectedBucketOwner")
        if expected is not None and expected != bucket.account:
            raise access_denied()
        action = _ACTIONS.get(context.operation, context.operation)
        self._check(context, bucket, action, params.get("Key"))
        return bucket

    def source(self, context: RequestContext, name: str, key: str, owner: str | None) -> Bucket:
        """The bucket that a copy is made from."""
        bucket = self.named(name)
        if owner is not None and owner != bucket.account:
            raise access_denied()
        self._check(context, bucket, "GetObject", key)
        return bucket

    def named(self, name: str) -> Bucket:
        """A bucket by its name, whoever asks."""
        bucket = self._buckets.get(name)
        if bucket is None:
            raise no_such_bucket(name)
        return bucket

    def _check(self, context: RequestContext, bucket: Bucket, action: str, key: str | None) -> None:
        if self._is_decided or bucket.account == context.account:
            return
        text = bucket.settings.get("Policy")
        arn = f"{bucket.arn}/{key}" if key else bucket.arn
        if not resource_policy_allows(text, root(context.account), f"s3:{action}", arn):
            raise access_denied()
