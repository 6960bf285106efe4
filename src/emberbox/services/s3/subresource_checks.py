"""What the documents of sub-resources have to be; CallerError for what S3 would not take."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from emberbox.errors import CallerError
from emberbox.model.request import Params
from emberbox.services.s3.acl import ENFORCED, opened
from emberbox.services.s3.errors import invalid_argument, invalid_request, malformed_xml, not_built
from emberbox.storage.s3_records import ENABLED, Bucket

_RULES_MAX: Final = 1_000
_CORS_RULES_MAX: Final = 100
_DAYS_MAX: Final = 1_000_000
"""More would lead out of the calendar."""
_LOCK_DAYS_MAX: Final = 36_500
_LOCK_YEARS_MAX: Final = 100
_REDIRECTS: Final = frozenset(str(code) for code in range(301, 400))
_METHODS: Final = frozenset({"GET", "PUT", "HEAD", "POST", "DELETE"})
_OWNERSHIPS: Final = frozenset({ENFORCED, "BucketOwnerPreferred", "ObjectWriter"})
_ALGORITHMS: Final = frozenset({"AES256", "aws:kms", "aws:kms:dsse"})
_STATUSES: Final = frozenset({"Enabled", "Disabled"})


def check_cors(_bucket: Bucket, document: Params) -> None:
    """Known methods, one star a pattern at most."""
    rules = document.get("CORSRules") or []
    if not 0 < len(rules) <= _CORS_RULES_MAX:
        raise malformed_xml()
    for rule in rules:
        for method in rule["AllowedMethods"]:
            if method not in _METHODS:
                raise invalid_request(
                    f"Found unsupported HTTP method in CORS config. Unsupported method is {method}"
                )
        for text in (*rule["AllowedOrigins"], *(rule.get("AllowedHeaders") or ())):
            if text.count("*") > 1:
                raise invalid_request(
                    f'AllowedOrigin "{text}" can not have more than one wildcard.'
                )


def check_lifecycle(_bucket: Bucket, document: Params) -> None:
    """Rules that do something, on something, under names of their own."""
    rules = document.get("Rules") or []
    if not 0 < len(rules) <= _RULES_MAX:
        raise malformed_xml()
    seen: set[str] = set()
    for number, rule in enumerate(rules):
        _check_rule(rule)
        name = rule.setdefault("ID", f"rule-{number + 1}")
        if len(name) > 255:
            raise invalid_argument("ID length should not exceed allowed limit of 255")
        if name in seen:
            raise invalid_argument("Rule ID must be unique. Found same ID for more than one rule")
        seen.add(name)


def _check_rule(rule: Params) -> None:
    if rule.get("Status") not in _STATUSES or ("Filter" in rule and "Prefix" in rule):
        raise malformed_xml()
    if "Filter" not in rule and "Prefix" not in rule:
        raise malformed_xml()
    if rule.get("Transitions") or rule.get("NoncurrentVersionTransitions"):
        raise not_built("transitions between storage classes")
    acts = ("Expiration", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload")
    if not any(rule.get(each) for each in acts):
        raise invalid_request("At least one action needs to be specified in a rule")
    expiration = rule.get("Expiration") or {}
    if len(expiration) > 1:
        raise malformed_xml()
    days = [
        expiration.get("Days", 1),
        (rule.get("NoncurrentVersionExpiration") or {}).get("NoncurrentDays", 1),
        (rule.get("AbortIncompleteMultipartUpload") or {}).get("DaysAfterInitiation", 1),
    ]
    for wrong in (min(days), max(days)):
        if not 1 <= wrong <= _DAYS_MAX:
            raise invalid_argument(
                "'Days' for Expiration action must be a positive integer", "Days", str(wrong)
            )
    date = expiration.get("Date")
    if isinstance(date, datetime) and (date.hour, date.minute, date.second) != (0, 0, 0):
        raise invalid_argument("'Date' must be at midnight GMT")


def check_website(_bucket: Bucket, document: Params) -> None:
    """An index document, or a redirection of everything."""
    redirect, index = document.get("RedirectAllRequestsTo"), document.get("IndexDocument")
    if redirect is not None:
        if index is not None or document.get("RoutingRules"):
            raise malformed_xml()
        return
    for rule in document.get("RoutingRules") or ():
        code = str((rule.get("Redirect") or {}).get("HttpRedirectCode") or 301)
        if code not in _REDIRECTS:
            raise invalid_request(
                f"The provided HTTP redirect code ({code}) is not valid. Valid codes are 3XX "
                "except 300."
            )
    suffix = (index or {}).get("Suffix") or ""
    if not suffix or "/" in suffix:
        raise invalid_argument("The IndexDocument Suffix is not well formed", "IndexDocument")


def check_encryption(_bucket: Bucket, document: Params) -> None:
    """One rule of a known algorithm."""
    rules = document.get("Rules") or []
    if len(rules) != 1:
        raise malformed_xml()
    default = rules[0].get("ApplyServerSideEncryptionByDefault") or {}
    if default.get("SSEAlgorithm") not in _ALGORITHMS:
        raise malformed_xml()


def check_lock(bucket: Bucket, document: Params) -> None:
    """A bucket that keeps versions, and one kind of period."""
    if bucket.versioning != ENABLED:
        text = "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"
        raise CallerError("InvalidBucketState", text, status=409)
    default: Mapping[str, Any] = (document.get("Rule") or {}).get("DefaultRetention") or {}
    if document.get("ObjectLockEnabled") != "Enabled" or len(default.keys() - {"Mode"}) > 1:
        raise malformed_xml()
    if default and (
        default.get("Mode") not in {"GOVERNANCE", "COMPLIANCE"}
        or (default.get("Days") or default.get("Years") or 0) < 1
    ):
        raise malformed_xml()
    if default.get("Days", 1) > _LOCK_DAYS_MAX or default.get("Years", 1) > _LOCK_YEARS_MAX:
        raise invalid_argument("Default retention period exceeds the maximum allowed")


def check_ownership(bucket: Bucket, document: Params) -> str:
    """The one ownership that is asked for."""
    rules = document.get("Rules") or []
    if len(rules) != 1 or rules[0].get("ObjectOwnership") not in _OWNERSHIPS:
        raise malformed_xml()
    wanted = str(rules[0]["ObjectOwnership"])
    if wanted == ENFORCED and opened(bucket.settings.get("Acl")):
        raise CallerError(
            "InvalidBucketAclWithObjectOwnership",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
            status=400,
        )
    return wanted
