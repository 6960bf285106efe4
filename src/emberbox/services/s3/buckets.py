"""Buckets themselves: CreateBucket, DeleteBucket, HeadBucket, ListBuckets, GetBucketLocation."""

from collections.abc import Mapping
from typing import Any, Final

from emberbox.clock import Clock, utc
from emberbox.errors import CallerError
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.model.s3_keys import is_bucket_name
from emberbox.services.s3.access import Access
from emberbox.services.s3.acl import ENFORCED, grants_of, is_public, owner
from emberbox.services.s3.errors import no_such_bucket, not_built
from emberbox.services.s3.object_facts import checked_tags
from emberbox.storage.s3_buckets import (
    BucketHoldsError,
    BucketMissingError,
    BucketStore,
    BucketTakenError,
)
from emberbox.storage.s3_records import ENABLED, Bucket

_OLDEST: Final = "us-east-1"
_PAGE_MAX: Final = 10_000
_TAGS_MAX: Final = 50
_BLOCKED: Final = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
"""Public access is blocked in buckets that are new, as on AWS since April 2023."""


class Buckets:
    """See the module."""

    def __init__(self, access: Access, store: BucketStore, clock: Clock) -> None:
        self._access = access
        self._store = store
        self._clock = clock

    @property
    def operations(self) -> Mapping[str, Operation]:
        """By their names in the model."""
        return {
            "CreateBucket": self.create_bucket,
            "DeleteBucket": self.delete_bucket,
            "GetBucketLocation": self.get_bucket_location,
            "HeadBucket": self.head_bucket,
            "ListBuckets": self.list_buckets,
        }

    async def create_bucket(self, context: RequestContext, params: Params) -> Params:
        """A new bucket; in the oldest region one's own may be made again."""
        name, asked = params["Bucket"], params.get("CreateBucketConfiguration") or {}
        if not is_bucket_name(name):
            text = "The specified bucket is not valid."
            raise CallerError(
                "InvalidBucketName", text, status=400, fields={"BucketName": name[:255]}
            )
        if asked.get("Location") or asked.get("Bucket") or params.get("BucketNamespace"):
            raise not_built("directory buckets and account namespaces")
        region = _region(context, asked.get("LocationConstraint"))
        try:
            made = await self._store.add(
                Bucket(
                    0,
                    name,
                    context.account,
                    region,
                    self._clock.now(),
                    ENABLED if params.get("ObjectLockEnabledForBucket") else "",
                    _settings(context, name, params),
                )
            )
        except BucketTakenError as error:
            _refuse_taken(context, error.bucket)
            made = error.bucket
        return {"Location": f"/{made.name}", "BucketArn": made.arn}

    async def delete_bucket(self, context: RequestContext, params: Params) -> Params:
        """Remove an empty bucket."""
        bucket = self._access.bucket(context, params)
        try:
            await self._store.remove(bucket.name)
        except BucketHoldsError:
            text = "The bucket you tried to delete is not empty"
            if bucket.versioning:
                text += ". You must delete all versions in the bucket."
            fields = {"BucketName": bucket.name}
            raise CallerError("BucketNotEmpty", text, status=409, fields=fields) from None
        except BucketMissingError:
            raise no_such_bucket(bucket.name) from None
        return {}

    async def head_bucket(self, context: RequestContext, params: Params) -> Params:
        """Whether there is a bucket, and where."""
        bucket = self._access.bucket(context, params)
        return {"BucketRegion": bucket.region, "BucketArn": bucket.arn}

    async def get_bucket_location(self, context: RequestContext, params: Params) -> Params:
        """The region; nothing for the oldest one."""
        bucket = self._access.bucket(context, params)
        return {} if bucket.region == _OLDEST else {"LocationConstraint": bucket.region}

    async def list_buckets(self, context: RequestContext, params: Params) -> Params:
        """The buckets of the caller's account, by name."""
        prefix, region = params.get("Prefix") or "", params.get("BucketRegion")
        start = params.get("ContinuationToken") or ""
        most = min(params.get("MaxBuckets") or _PAGE_MAX, _PAGE_MAX)
        found = [
            each
            for each in self._store.of_account(context.account)
            if each.name.startswith(prefix) and each.name > start and region in {None, each.region}
        ]
        output: Params = {
            "Buckets": [
                {
                    "Name": each.name,
                    "CreationDate": utc(int(each.created)),
                    "BucketRegion": each.region,
                    "BucketArn": each.arn,
                }
                for each in found[:most]
            ],
            "Owner": owner(context.account),
        }
        if len(found) > most:
            output["ContinuationToken"] = found[most - 1].name
        if prefix:
            output["Prefix"] = prefix
        return output


def _region(context: RequestContext, constraint: str | None) -> str:
    """Where a bucket is to be; CallerError unless the endpoint that was asked is there."""
    if constraint is None:
        if context.region == _OLDEST:
            return _OLDEST
        raise _bad_location(
            "The unspecified location constraint is incompatible for the region specific endpoint "
            "this request was sent to."
        )
    region = "eu-west-1" if constraint == "EU" else constraint
    if region == _OLDEST:
        text = "The specified location-constraint is not valid"
        raise CallerError("InvalidLocationConstraint", text, status=400)
    if context.region not in {region, _OLDEST}:
        raise _bad_location(
            f"The {region} location constraint is incompatible for the region specific endpoint "
            "this request was sent to."
        )
    return region


def _bad_location(text: str) -> CallerError:
    return CallerError("IllegalLocationConstraintException", text, status=400)


def _settings(context: RequestContext, name: str, params: Params) -> dict[str, Any]:
    settings: dict[str, Any] = {"PublicAccessBlock": dict(_BLOCKED)}
    if params.get("ObjectLockEnabledForBucket"):
        settings["ObjectLock"] = {"ObjectLockEnabled": "Enabled"}
    ownership = params.get("ObjectOwnership")
    settings["Ownership"] = ownership or ENFORCED
    acl = params.get("ACL")
    if settings["Ownership"] == ENFORCED:
        if acl not in {None, "private"}:
            raise CallerError(
                "InvalidBucketAclWithObjectOwnership",
                "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
                status=400,
            )
    elif acl is not None:
        grants = grants_of(Bucket(0, name, context.account, "", 0.0), params)
        if is_public(grants):
            raise CallerError(
                "InvalidBucketAclWithBlockPublicAccessError",
                "Bucket cannot have public ACLs set with BlockPublicAccess enabled",
                status=400,
            )
        settings["Acl"] = grants
    tags = (params.get("CreateBucketConfiguration") or {}).get("Tags") or []
    if tags:
        pairs = [(tag["Key"], tag["Value"]) for tag in tags]
        settings["Tags"] = checked_tags(pairs, _TAGS_MAX)
    return settings


def _refuse_taken(context: RequestContext, bucket: Bucket) -> None:
    """CallerError for a name that is taken, but to its owner in the oldest region."""
    if bucket.account != context.account:
        raise CallerError(
            "BucketAlreadyExists",
            "The requested bucket name is not available. The bucket namespace is shared by all "
            "users of the system. Please select a different name and try again.",
            status=409,
            fields={"BucketName": bucket.name},
        )
    if context.region != _OLDEST or bucket.region != _OLDEST:
        raise CallerError(
            "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.",
            status=409,
            fields={"BucketName": bucket.name},
        )
