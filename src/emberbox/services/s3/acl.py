"""Access control lists: canned ones, granted ones, and what they let anybody do.

Buckets are made with ACLs switched off, as AWS makes them since April 2023.
Source: S3 user guide, "Access control list (ACL) overview" and "Controlling ownership of objects".
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from emberbox.errors import CallerError
from emberbox.model.request import Params
from emberbox.services.s3.errors import access_denied, invalid_argument, malformed_xml
from emberbox.storage.s3_records import Bucket

ENFORCED: Final = "BucketOwnerEnforced"

_ALL: Final = "http://acs.amazonaws.com/groups/global/AllUsers"
_AUTHENTICATED: Final = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
_LOGS: Final = "http://acs.amazonaws.com/groups/s3/LogDelivery"

_CANNED: Final[Mapping[str, Sequence[tuple[str, str]]]] = {
    "private": (),
    "bucket-owner-full-control": (),
    "bucket-owner-read": (),
    "aws-exec-read": (),
    "public-read": ((_ALL, "READ"),),
    "public-read-write": ((_ALL, "READ"), (_ALL, "WRITE")),
    "authenticated-read": ((_AUTHENTICATED, "READ"),),
    "log-delivery-write": ((_LOGS, "WRITE"), (_LOGS, "READ_ACP")),
}
_GRANTS: Final = {
    "GrantFullControl": "FULL_CONTROL",
    "GrantRead": "READ",
    "GrantReadACP": "READ_ACP",
    "GrantWrite": "WRITE",
    "GrantWriteACP": "WRITE_ACP",
}
_HARMLESS: Final = frozenset({"private", "bucket-owner-full-control"})
_PERMISSIONS: Final = frozenset(_GRANTS.values())
_IDS: Final = {"id": "CanonicalUser", "uri": "Group", "emailaddress": "AmazonCustomerByEmail"}

Grants = list[dict[str, Any]]


def owner_id(account: str) -> str:
    """The canonical user id of an account: 64 hexadecimal digits."""
    return account.zfill(12).encode().hex().ljust(64, "0")


def owner(account: str) -> dict[str, str]:
    """An `Owner`."""
    return {"ID": owner_id(account)}


def ownership(bucket: Bucket) -> str:
    """The bucket's ObjectOwnership."""
    return str(bucket.settings.get("Ownership") or ENFORCED)


def canned(bucket: Bucket, params: Params) -> Grants | None:
    """The grants a request asks for in its headers; None if it asks for nothing particular."""
    asked = params.get("ACL")
    granted = any(params.get(member) for member in _GRANTS)
    if asked is None and not granted:
        return None
    if ownership(bucket) == ENFORCED:
        if granted or asked not in _HARMLESS:
            raise unsupported()
        return None
    return allowed_grants(bucket, params)


def allowed_grants(bucket: Bucket, params: Params) -> Grants:
    """The grants of a request; CallerError for public ones where the bucket blocks these."""
    grants = grants_of(bucket, params)
    block = bucket.settings.get("PublicAccessBlock") or {}
    if block.get("BlockPublicAcls") and is_public(grants):
        raise access_denied()
    return grants


def grants_of(bucket: Bucket, params: Params) -> Grants:
    """The grants of a request, from its headers or its AccessControlPolicy."""
    own = _grant("CanonicalUser", owner_id(bucket.account), "FULL_CONTROL")
    asked = params.get("ACL")
    if asked is not None:
        if asked not in _CANNED:
            raise invalid_argument("Argument must be one of the canned ACLs", "x-amz-acl", asked)
        return [own, *(_grant("Group", uri, right) for uri, right in _CANNED[asked])]
    given = params.get("AccessControlPolicy")
    if given is not None:
        return [_checked(each) for each in given.get("Grants") or ()]
    return [
        _grant(*_grantee(text), right)
        for member, right in _GRANTS.items()
        for text in str(params.get(member) or "").split(",")
        if text.strip()
    ]


def default_grants(bucket: Bucket) -> Grants:
    """What is granted where nothing was said."""
    return [_grant("CanonicalUser", owner_id(bucket.account), "FULL_CONTROL")]


def opened(grants: Sequence[Mapping[str, Any]] | None) -> set[str]:
    """The permissions that everybody has by these grants."""
    return {each["Permission"] for each in grants or () if each["Grantee"].get("URI") == _ALL}


def is_public(grants: Sequence[Mapping[str, Any]]) -> bool:
    """Whether they grant anything to everybody, or to everybody who has an account."""
    return any(each["Grantee"].get("URI") in {_ALL, _AUTHENTICATED} for each in grants)


def unsupported() -> CallerError:
    """ACLs are switched off."""
    text = "The bucket does not allow ACLs"
    return CallerError("AccessControlListNotSupported", text, status=400)


def _grant(kind: str, who: str, permission: str) -> dict[str, Any]:
    member = "URI" if kind == "Group" else "ID"
    return {"Grantee": {"Type": kind, member: who}, "Permission": permission}


def _grantee(text: str) -> tuple[str, str]:
    name, found, value = text.strip().partition("=")
    kind = _IDS.get(name.strip().lower())
    if kind is None or not found or kind == "AmazonCustomerByEmail":
        raise invalid_argument("Argument format not recognized")
    return kind, value.strip().strip('"')


def _checked(grant: Mapping[str, Any]) -> dict[str, Any]:
    grantee, permission = grant.get("Grantee") or {}, grant.get("Permission")
    if permission not in _PERMISSIONS or not (grantee.get("ID") or grantee.get("URI")):
        raise malformed_xml()
    kind = "Group" if grantee.get("URI") else "CanonicalUser"
    return _grant(kind, grantee.get("URI") or grantee["ID"], permission)
