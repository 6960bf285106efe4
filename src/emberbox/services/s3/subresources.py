"""Sub-resources of buckets: what is configured, AWS's defaults, and AWS's errors where nothing is.

One table says of each how it is kept and read; those that need more than to be kept have a check.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from emberbox.errors import CallerError
from emberbox.model.policy.documents import UnreadablePolicyError, compiled
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.records import dataclass
from emberbox.services.s3.access import Access
from emberbox.services.s3.acl import ENFORCED, allowed_grants, default_grants, owner, ownership
from emberbox.services.s3.errors import (
    access_denied,
    malformed_xml,
    no_such_bucket,
    not_built,
)
from emberbox.services.s3.object_facts import checked_tags
from emberbox.services.s3.public import is_public_policy
from emberbox.services.s3.subresource_checks import (
    check_cors,
    check_encryption,
    check_lifecycle,
    check_lock,
    check_ownership,
    check_website,
)
from emberbox.storage.s3_buckets import BucketMissingError, BucketStore
from emberbox.storage.s3_records import ENABLED, SUSPENDED, Bucket

_TAGS_MAX: Final = 50
_POLICY_MAX_BYTES: Final = 20_480


@dataclass(frozen=True, slots=True)
class Kept:
    """A sub-resource that is kept as it is put.

    `member` is the member of the request; None in `payload` means that the answer's members are the
    document's own. `missing` is code and text where there is none, None for the answer `default`.
    """

    setting: str
    member: str
    put: str = ""
    get: str = ""
    delete: str = ""
    missing: tuple[str, str] | None = None
    default: Mapping[str, Any] | None = None
    payload: str | None = None
    check: Callable[[Bucket, Params], None] | None = None


_KEPT: Final = (
    Kept(
        "Cors",
        "CORSConfiguration",
        "PutBucketCors",
        "GetBucketCors",
        "DeleteBucketCors",
        ("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
        check=check_cors,
    ),
    Kept(
        "Lifecycle",
        "LifecycleConfiguration",
        "PutBucketLifecycleConfiguration",
        "GetBucketLifecycleConfiguration",
        "DeleteBucketLifecycle",
        ("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
        check=check_lifecycle,
    ),
    Kept(
        "Website",
        "WebsiteConfiguration",
        "PutBucketWebsite",
        "GetBucketWebsite",
        "DeleteBucketWebsite",
        (
            "NoSuchWebsiteConfiguration",
            "The specified bucket does not have a website configuration",
        ),
        check=check_website,
    ),
    Kept(
        "Encryption",
        "ServerSideEncryptionConfiguration",
        "PutBucketEncryption",
        "GetBucketEncryption",
        "DeleteBucketEncryption",
        default={
            "Rules": [
                {
                    "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
                    "BucketKeyEnabled": False,
                }
            ]
        },
        payload="ServerSideEncryptionConfiguration",
        check=check_encryption,
    ),
    Kept(
        "PublicAccessBlock",
        "PublicAccessBlockConfiguration",
        "PutPublicAccessBlock",
        "GetPublicAccessBlock",
        "DeletePublicAccessBlock",
        (
            "NoSuchPublicAccessBlockConfiguration",
            "The public access block configuration was not found",
        ),
        payload="PublicAccessBlockConfiguration",
    ),
    Kept(
        "ObjectLock",
        "ObjectLockConfiguration",
        "PutObjectLockConfiguration",
        "GetObjectLockConfiguration",
        missing=(
            "ObjectLockConfigurationNotFoundError",
            "Object Lock configuration does not exist for this bucket",
        ),
        payload="ObjectLockConfiguration",
        check=check_lock,
    ),
    Kept(
        "Replication",
        "",
        get="GetBucketReplication",
        missing=(
            "ReplicationConfigurationNotFoundError",
            "The replication configuration was not found",
        ),
    ),
    Kept("Logging", "", get="GetBucketLogging", default={}),
    Kept("Accelerate", "", get="GetBucketAccelerateConfiguration", default={}),
    Kept("RequestPayment", "", get="GetBucketRequestPayment", default={"Payer": "BucketOwner"}),
    Kept("Abac", "", get="GetBucketAbac", default={"AbacStatus": {"Status": "Disabled"}}),
    *(
        Kept(
            name,
            "",
            get=f"GetBucket{name}Configuration",
            missing=("NoSuchConfiguration", "The specified configuration does not exist."),
        )
        for name in ("Analytics", "Metrics", "Inventory", "IntelligentTiering")
    ),
    *(
        Kept(name, "", get=f"ListBucket{name}Configurations", default={"IsTruncated": False})
        for name in ("Analytics", "Metrics", "Inventory", "IntelligentTiering")
    ),
)


class Subresources:
    """See the module."""

    def __init__(self, access: Access, store: BucketStore) -> None:
        self._access = access
        self._store = store

    @property
    def operations(self) -> Mapping[str, Operation]:
        """By their names in the model."""
        found: dict[str, Operation] = {
            "DeleteBucketOwnershipControls": self.delete_bucket_ownership_controls,
            "DeleteBucketPolicy": self.delete_bucket_policy,
            "DeleteBucketTagging": self.delete_bucket_tagging,
            "GetBucketAcl": self.get_bucket_acl,
            "GetBucketOwnershipControls": self.get_bucket_ownership_controls,
            "GetBucketPolicy": self.get_bucket_policy,
            "GetBucketPolicyStatus": self.get_bucket_policy_status,
            "GetBucketTagging": self.get_bucket_tagging,
            "GetBucketVersioning": self.get_bucket_versioning,
            "PutBucketAcl": self.put_bucket_acl,
            "PutBucketOwnershipControls": self.put_bucket_ownership_controls,
            "PutBucketPolicy": self.put_bucket_policy,
            "PutBucketTagging": self.put_bucket_tagging,
            "PutBucketVersioning": self.put_bucket_versioning,
            "PutBucketRequestPayment": partial(self._only, "Payer", "BucketOwner"),
            "PutBucketAccelerateConfiguration": partial(self._only, "Status", "Suspended"),
            "PutBucketLogging": partial(self._only, "LoggingEnabled", None),
        }
        for kept in _KEPT:
            found[kept.get] = partial(self._get, kept)
            if kept.put:
                found[kept.put] = partial(self._put, kept)
            if kept.delete:
                found[kept.delete] = partial(self._delete, kept)
        return found

    async def _put(self, kept: Kept, context: RequestContext, params: Params) -> Params:
        document = params.get(kept.member)
        if document is None:
            raise malformed_xml()
        bucket = self._access.bucket(context, params)
        if kept.check is not None:
            kept.check(bucket, document)
        await self._set(bucket, **{kept.setting: plain(document)})
        return {}

    async def _get(self, kept: Kept, context: RequestContext, params: Params) -> Params:
        bucket = self._access.bucket(context, params)
        document = bucket.settings.get(kept.setting)
        if document is None and kept.missing is not None:
            code, text = kept.missing
            fields = {"BucketName": bucket.name}
            raise CallerError(code, text, status=404, fields=fields)
        shown: Params = dict(kept.default or {}) if document is None else dict(document)
        return shown if kept.payload is None else {kept.payload: shown}

    async def _delete(self, kept: Kept, context: RequestContext, params: Params) -> Params:
        await self._set(self._access.bucket(context, params), **{kept.setting: None})
        return {}

    async def _only(
        self, member: str, value: str | None, context: RequestContext, params: Params
    ) -> Params:
        """The one setting of a feature that is not built which asks for nothing."""
        self._access.bucket(context, params)
        given = next((each for each in params.values() if isinstance(each, dict)), {})
        if given.get(member) != value:
            raise not_built(f"{context.operation} with {member} {given.get(member)}")
        return {}

    async def get_bucket_versioning(self, context: RequestContext, params: Params) -> Params:
        """Nothing if versions were never kept."""
        bucket = self._access.bucket(context, params)
        return {"Status": bucket.versioning} if bucket.versioning else {}

    async def put_bucket_versioning(self, context: RequestContext, params: Params) -> Params:
        """Keep versions, or stop to."""
        bucket = self._access.bucket(context, params)
        asked = params["VersioningConfiguration"]
        status = asked.get("Status")
        if asked.get("MFADelete") == "Enabled":
            raise not_built("MFA delete")
        if status not in {ENABLED, SUSPENDED}:
            text = "The Versioning element must be specified"
            raise CallerError("IllegalVersioningConfigurationException", text, status=400)
        if status == SUSPENDED and bucket.settings.get("ObjectLock") is not None:
            text = (
                "An Object Lock configuration is present on this bucket, so the versioning state "
                "cannot be changed."
            )
            raise CallerError("InvalidBucketState", text, status=409)
        await self._alter(bucket, lambda found: replace(found, versioning=status))
        return {}

    async def get_bucket_tagging(self, context: RequestContext, params: Params) -> Params:
        """The tags of a bucket."""
        tags = self._access.bucket(context, params).settings.get("Tags")
        if not tags:
            raise CallerError("NoSuchTagSet", "The TagSet does not exist", status=404)
        return {"TagSet": [{"Key": name, "Value": value} for name, value in tags.items()]}

    async def put_bucket_tagging(self, context: RequestContext, params: Params) -> Params:
        """Replace them."""
        pairs = [(tag["Key"], tag["Value"]) for tag in params["Tagging"]["TagSet"]]
        tags = checked_tags(pairs, _TAGS_MAX)
        await self._set(self._access.bucket(context, params), Tags=tags)
        return {}

    async def delete_bucket_tagging(self, context: RequestContext, params: Params) -> Params:
        """Remove them."""
        await self._set(self._access.bucket(context, params), Tags=None)
        return {}

    async def get_bucket_policy(self, context: RequestContext, params: Params) -> Params:
        """The policy's text."""
        return {"Policy": _policy(self._access.bucket(context, params))}

    async def put_bucket_policy(self, context: RequestContext, params: Params) -> Params:
        """Replace the policy."""
        bucket = self._access.bucket(context, params)
        text = params["Policy"]
        document = _read_policy(bucket, text)
        block = bucket.settings.get("PublicAccessBlock") or {}
        if block.get("BlockPublicPolicy") and is_public_policy(document):
            raise access_denied(
                f"User: {_who(context)} is not authorized to perform: s3:PutBucketPolicy on "
                f'resource: "{bucket.arn}" because public policies are prevented by the '
                "BlockPublicPolicy setting in S3 Block Public Access."
            )
        await self._set(bucket, Policy=text)
        return {}

    async def delete_bucket_policy(self, context: RequestContext, params: Params) -> Params:
        """Remove the policy."""
        await self._set(self._access.bucket(context, params), Policy=None)
        return {}

    async def get_bucket_policy_status(self, context: RequestContext, params: Params) -> Params:
        """Whether the policy lets in everybody."""
        document = json.loads(_policy(self._access.bucket(context, params)))
        return {"PolicyStatus": {"IsPublic": is_public_policy(document)}}

    async def get_bucket_acl(self, context: RequestContext, params: Params) -> Params:
        """Who has been granted what."""
        bucket = self._access.bucket(context, params)
        grants = bucket.settings.get("Acl")
        if grants is None or ownership(bucket) == ENFORCED:
            grants = default_grants(bucket)
        return {"Owner": owner(bucket.account), "Grants": list(grants)}

    async def put_bucket_acl(self, context: RequestContext, params: Params) -> Params:
        """Replace what is granted, in a bucket that has ACLs."""
        bucket = self._access.bucket(context, params)
        if ownership(bucket) == ENFORCED:
            if params.get("ACL") == "private":
                return {}
            text = "The bucket does not allow ACLs"
            raise CallerError("AccessControlListNotSupported", text, status=400)
        await self._set(bucket, Acl=allowed_grants(bucket, params))
        return {}

    async def get_bucket_ownership_controls(
        self, context: RequestContext, params: Params
    ) -> Params:
        """Whose the objects are."""
        bucket = self._access.bucket(context, params)
        found = bucket.settings.get("Ownership")
        if found is None:
            text = "The bucket ownership controls were not found"
            fields = {"BucketName": bucket.name}
            raise CallerError("OwnershipControlsNotFoundError", text, status=404, fields=fields)
        return {"OwnershipControls": {"Rules": [{"ObjectOwnership": found}]}}

    async def put_bucket_ownership_controls(
        self, context: RequestContext, params: Params
    ) -> Params:
        """Say whose they are, which switches ACLs on or off."""
        bucket = self._access.bucket(context, params)
        await self._set(bucket, Ownership=check_ownership(bucket, params["OwnershipControls"]))
        return {}

    async def delete_bucket_ownership_controls(
        self, context: RequestContext, params: Params
    ) -> Params:
        """Say no more."""
        await self._set(self._access.bucket(context, params), Ownership=None)
        return {}

    async def _set(self, bucket: Bucket, **settings: Any) -> None:
        def alter(found: Bucket) -> Bucket:
            merged = {**found.settings, **settings}
            return replace(found, settings={n: v for n, v in merged.items() if v is not None})

        await self._alter(bucket, alter)

    async def _alter(self, bucket: Bucket, alter: Callable[[Bucket], Bucket]) -> None:
        try:
            await self._store.alter(bucket.name, alter)
        except BucketMissingError:
            raise no_such_bucket(bucket.name) from None


def plain(value: Any) -> Any:
    """A document as JSON holds it: moments as texts."""
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


def _policy(bucket: Bucket) -> str:
    text = bucket.settings.get("Policy")
    if text is None:
        fields = {"BucketName": bucket.name}
        text = "The bucket policy does not exist"
        raise CallerError("NoSuchBucketPolicy", text, status=404, fields=fields)
    return str(text)


def _read_policy(bucket: Bucket, text: str) -> Mapping[str, Any]:
    if len(text.encode()) > _POLICY_MAX_BYTES:
        raise _bad_policy("Policies must be smaller than 20480 bytes.")
    try:
        document = json.loads(text)
        if not isinstance(document, dict):
            raise _bad_policy("Policies must be valid JSON and the first byte must be '{'")
        statements = document.get("Statement")
        listed = statements if isinstance(statements, list) else [statements]
        for each in listed:
            _check_statement(bucket, each)
        compiled(bucket.arn, document)
    except (ValueError, RecursionError) as error:
        if isinstance(error, UnreadablePolicyError):
            raise _bad_policy(f"Invalid policy syntax: {error}") from None
        text = "Policies must be valid JSON and the first byte must be '{'"
        raise _bad_policy(text) from None
    return document


def _check_statement(bucket: Bucket, statement: Any) -> None:
    if not isinstance(statement, dict):
        raise _bad_policy("Missing required field Statement")
    if "Principal" not in statement and "NotPrincipal" not in statement:
        raise _bad_policy("Missing required field Principal")
    resources = statement.get("Resource", statement.get("NotResource"))
    if resources is None:
        raise _bad_policy("Missing required field Resource")
    for each in resources if isinstance(resources, list) else [resources]:
        if not str(each).startswith((f"{bucket.arn}/", "arn:aws:s3:::*")) and each not in {
            bucket.arn,
            f"{bucket.arn}*",
            "*",
        }:
            raise _bad_policy("Policy has invalid resource")


def _bad_policy(text: str) -> CallerError:
    return CallerError("MalformedPolicy", text, status=400)


def _who(context: RequestContext) -> str:
    principal = context.principal
    return f"arn:aws:iam::{context.account}:root" if principal is None else principal.arn
