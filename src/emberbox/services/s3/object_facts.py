"""What a request says of an object besides its bytes, and how an answer says it again."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from emberbox.clock import utc
from emberbox.errors import CallerError
from emberbox.model.request import Params
from emberbox.model.s3_keys import KEY_MAX_BYTES
from emberbox.model.s3_lifecycle import Facts as LifecycleFacts
from emberbox.model.s3_lifecycle import Rule, expiry, expiry_header
from emberbox.services.s3.checksums import members
from emberbox.services.s3.errors import invalid_argument, invalid_request, not_built
from emberbox.storage.s3_records import NULL_VERSION, Bucket, Facts, ObjectVersion

HEADERS: Final = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "WebsiteRedirectLocation",
    "ServerSideEncryption",
    "SSEKMSKeyId",
    "BucketKeyEnabled",
)
"""Members that come back as they were given."""

_CLASSES: Final = frozenset(
    {
        "STANDARD",
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "DEEP_ARCHIVE",
        "GLACIER_IR",
    }
)
LOCK_MODES: Final = frozenset({"GOVERNANCE", "COMPLIANCE"})
HOLDS: Final = frozenset({"ON", "OFF"})
_METADATA_MAX: Final = 2_048
_TAGS_MAX: Final = 10
_TAG_KEY_MAX: Final = 128
_TAG_VALUE_MAX: Final = 256
_TYPE: Final = "binary/octet-stream"
_CHUNKED: Final = "aws-chunked"
_ENCRYPTION: Final = "AES256"
_UNBUILT: Final = {
    "SSECustomerAlgorithm": "encryption with keys that customers provide",
    "WriteOffsetBytes": "appending to objects",
    "ObjectLockEventHold": "event holds",
}


def check_key(key: str) -> None:
    """CallerError for a key that is too long."""
    size = len(key.encode("utf-8", "surrogatepass"))
    if size > KEY_MAX_BYTES:
        fields = {"Size": str(size), "MaxSizeAllowed": str(KEY_MAX_BYTES)}
        raise CallerError("KeyTooLongError", "Your key is too long", status=400, fields=fields)


def refuse_unbuilt(params: Params) -> None:
    """CallerError for what is not built."""
    for member, words in _UNBUILT.items():
        if params.get(member) is not None:
            raise not_built(words)


def storage_class(params: Params) -> str:
    """The storage class that is asked for."""
    found = str(params.get("StorageClass") or "STANDARD")
    if found not in _CLASSES:
        text = "The storage class you specified is not valid"
        raise CallerError("InvalidStorageClass", text, status=400)
    return found


def headers_of(params: Params) -> dict[str, Any]:
    """The headers that an object is put with."""
    found = {name: params[name] for name in HEADERS if params.get(name) is not None}
    encodings = [each.strip() for each in str(found.pop("ContentEncoding", "")).split(",")]
    encoding = ",".join(each for each in encodings if each and each != _CHUNKED)
    if encoding:
        found["ContentEncoding"] = encoding
    if isinstance(found.get("Expires"), datetime):
        found["Expires"] = found["Expires"].isoformat()
    found.setdefault("ContentType", _TYPE)
    found.setdefault("ServerSideEncryption", _ENCRYPTION)
    return found


def metadata_of(params: Params) -> dict[str, str]:
    """User metadata; CallerError if there is too much."""
    metadata = dict(params.get("Metadata") or {})
    size = sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items())
    if size > _METADATA_MAX:
        raise CallerError(
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size",
            status=400,
            fields={"Size": str(size), "MaxSizeAllowed": str(_METADATA_MAX)},
        )
    return metadata


def tags_of(params: Params) -> dict[str, str]:
    """The tags in the header x-amz-tagging."""
    text = params.get("Tagging")
    if not text:
        return {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_TAGS_MAX * 5)
    except ValueError:
        raise invalid_argument("The header 'x-amz-tagging' shall be encoded as UTF-8") from None
    return checked_tags(pairs)


def checked_tags(pairs: list[tuple[str, str]], most: int = _TAGS_MAX) -> dict[str, str]:
    """Tags, each key once and within the limits."""
    tags = dict(pairs)
    if len(pairs) > most:
        text = f"Object tags cannot be greater than {most}"
        raise CallerError("BadRequest", text, status=400)
    if len(tags) < len(pairs):
        text = "Cannot provide multiple Tags with the same key"
        raise CallerError("InvalidTag", text, status=400)
    for name, value in tags.items():
        if not 0 < len(name) <= _TAG_KEY_MAX or name.startswith("aws:"):
            text = "The TagKey you have provided is invalid"
            raise CallerError("InvalidTag", text, status=400, fields={"TagKey": name[:256]})
        if len(value) > _TAG_VALUE_MAX:
            text = "The TagValue you have provided is invalid"
            raise CallerError("InvalidTag", text, status=400, fields={"TagKey": name})
    return tags


def lock_of(bucket: Bucket, params: Params, now: float) -> dict[str, Any]:
    """Retention and legal hold of an object that is put: as asked, or the bucket's default."""
    found: dict[str, Any] = {}
    mode, until = params.get("ObjectLockMode"), params.get("ObjectLockRetainUntilDate")
    hold = params.get("ObjectLockLegalHoldStatus")
    lock = bucket.settings.get("ObjectLock")
    if (mode or until or hold) and lock is None:
        raise invalid_request("Bucket is missing Object Lock Configuration")
    if bool(mode) != bool(until):
        raise invalid_argument(
            "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied"
        )
    if mode and mode not in LOCK_MODES:
        raise invalid_argument("Unknown wormMode directive.", "x-amz-object-lock-mode", mode)
    if hold and hold not in HOLDS:
        raise invalid_argument("Legal Hold must be either of 'ON' or 'OFF'")
    if until and until <= utc(now):
        raise invalid_argument("The retain until date must be in the future!")
    if mode and until:
        found["retention"] = {"Mode": mode, "RetainUntilDate": until.isoformat()}
    elif lock is not None:
        default = (lock.get("Rule") or {}).get("DefaultRetention")
        if default:
            days = default.get("Days") or 365 * default.get("Years", 0)
            date = utc(now + 86_400 * days).isoformat()
            found["retention"] = {"Mode": default["Mode"], "RetainUntilDate": date}
    if hold:
        found["legal_hold"] = hold
    return found


def shown(bucket: Bucket, version: ObjectVersion) -> Params:
    """The members that answers to GetObject and HeadObject have of a version."""
    facts = version.facts
    found: Params = {
        "AcceptRanges": "bytes",
        "LastModified": utc(int(version.modified)),
        "ETag": f'"{version.etag}"',
        "Metadata": dict(facts.metadata),
        **shown_headers(facts.headers),
    }
    if version.storage_class != "STANDARD":
        found["StorageClass"] = version.storage_class
    if bucket.versioning or version.version != NULL_VERSION:
        found["VersionId"] = version.version
    if facts.tags:
        found["TagCount"] = len(facts.tags)
    if facts.retention:
        found["ObjectLockMode"] = facts.retention["Mode"]
        date = datetime.fromisoformat(facts.retention["RetainUntilDate"])
        found["ObjectLockRetainUntilDate"] = date
    if facts.legal_hold:
        found["ObjectLockLegalHoldStatus"] = facts.legal_hold
    return found


def shown_headers(headers: Mapping[str, Any]) -> Params:
    """Headers as they were given."""
    found = dict(headers)
    if "Expires" in found:
        text = found["Expires"]
        found["Expires"] = datetime.fromisoformat(text) if "T" in text else text
    return found


def shown_checksums(facts: Facts) -> Params:
    """The members of an answer for the checksums of an object."""
    return members(facts.checksums, facts.checksum_type)


def version_shown(bucket: Bucket, version: ObjectVersion) -> Params:
    """The version's id, in answers about a bucket that keeps versions."""
    return {"VersionId": version.version} if bucket.versioning else {}


def rules_of(bucket: Bucket) -> Sequence[Rule]:
    """The rules of a bucket's lifecycle that are switched on."""
    document: dict[str, Any] = bucket.settings.get("Lifecycle") or {}
    return [rule for rule in document.get("Rules") or () if rule["Status"] == "Enabled"]


def expiration(bucket: Bucket, version: ObjectVersion) -> Params:
    """When an object expires and by which rule, for answers about its latest version."""
    rules = rules_of(bucket)
    if not rules or not version.is_latest:
        return {}
    due = expiry(
        rules,
        LifecycleFacts(
            version.key,
            version.size,
            version.facts.tags,
            version.modified,
            is_latest=True,
            is_marker=False,
            is_alone=False,
        ),
    )
    return {} if due is None else {"Expiration": expiry_header(due)}
