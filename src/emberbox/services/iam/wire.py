"""IAM's shapes out of ours: roles, policies, tags, documents, pages."""

import secrets
import string
from base64 import b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from emberbox.clock import utc
from emberbox.errors import CallerError
from emberbox.model.request import Params
from emberbox.storage.identity_records import Group, PolicyVersion, Role, User

PAGE = 100

T = TypeVar("T")
_ID_LETTERS = string.ascii_uppercase + "234567"


def unique_id(kind: str) -> str:
    """A new id of a kind (four letters), as AWS makes them."""
    return kind + "".join(secrets.choice(_ID_LETTERS) for _ in range(17))


def encoded(document: str) -> str:
    """A policy document as IAM shows it: percent-encoded by RFC 3986."""
    return quote(document, safe="")


def tags_of(params: Params) -> dict[str, str]:
    """The tags of a request, whose keys differ in more than case."""
    tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags", ())}
    if len({key.lower() for key in tags}) < len(params.get("Tags", ())):
        raise CallerError(
            "InvalidInput",
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            status=400,
        )
    return tags


def tag_list(tags: Mapping[str, str]) -> list[Params]:
    """Tags as IAM lists them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def role_in_brief(role: Role) -> Params:
    """What every answer shows of a role."""
    return {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": utc(role.created),
        "AssumeRolePolicyDocument": encoded(role.trust),
    }


def role_in_list(role: Role) -> Params:
    """What a list shows of a role."""
    shown = role_in_brief(role) | {"MaxSessionDuration": role.max_session_s}
    return shown | ({"Description": role.description} if role.description else {})


def role_in_full(role: Role) -> Params:
    """What GetRole shows of a role."""
    shown = role_in_list(role) | boundary_of(role) | {"RoleLastUsed": {}}
    return shown | ({"Tags": tag_list(role.tags)} if role.tags else {})


def user_in_brief(user: User) -> Params:
    """What a list shows of a user."""
    return {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.id,
        "Arn": user.arn,
        "CreateDate": utc(user.created),
    }


def user_in_full(user: User) -> Params:
    """What GetUser shows of a user."""
    shown = user_in_brief(user) | boundary_of(user)
    return shown | ({"Tags": tag_list(user.tags)} if user.tags else {})


def group_in_brief(group: Group) -> Params:
    """What every answer shows of a group."""
    return {
        "Path": group.path,
        "GroupName": group.name,
        "GroupId": group.id,
        "Arn": group.arn,
        "CreateDate": utc(group.created),
    }


def attached(arn: str) -> Params:
    """An attached managed policy."""
    return {"PolicyName": arn.rsplit("/", 1)[-1], "PolicyArn": arn}


def boundary_of(entity: Role | User) -> Params:
    """The member that shows a permissions boundary, if there is one."""
    if entity.boundary is None:
        return {}
    return {
        "PermissionsBoundary": {
            "PermissionsBoundaryType": "Policy",
            "PermissionsBoundaryArn": entity.boundary,
        }
    }


def version_in_brief(version: PolicyVersion) -> Params:
    """What every answer shows of a policy version."""
    return {
        "VersionId": f"v{version.version}",
        "IsDefaultVersion": version.is_default,
        "CreateDate": utc(version.created),
    }


def page_size(params: Params) -> int:
    """How many items the request wants at most."""
    return int(params.get("MaxItems", PAGE))


def after(params: Params) -> str:
    """The key behind which the page begins; empty for the first page."""
    try:
        marker = params.get("Marker", "").encode("ascii")
        return b64decode(marker, altchars=b"-_", validate=True).decode()
    except (Base64Error, ValueError):
        raise CallerError("ValidationError", "Invalid Marker.", status=400) from None


def ending(items: Sequence[T], size: int, key: Callable[[T], str]) -> Params:
    """IsTruncated, and the Marker if there are more items than the page holds."""
    if len(items) <= size:
        return {"IsTruncated": False}
    marker = urlsafe_b64encode(key(items[size - 1]).encode()).decode()
    return {"IsTruncated": True, "Marker": marker}


def paged(
    params: Params,
    member: str,
    items: Sequence[T],
    key: Callable[[T], str],
    show: Callable[[T], Any],
) -> Params:
    """One page of a bounded collection, in the order of its keys."""
    start, size = after(params), page_size(params)
    rest = sorted((item for item in items if key(item) > start), key=key)
    return {member: [show(item) for item in rest[:size]]} | ending(rest, size, key)


def paged_tags(params: Params, tags: Mapping[str, str]) -> Params:
    """One page of tags by key."""
    return paged(params, "Tags", tag_list(tags), lambda tag: str(tag["Key"]), lambda tag: tag)
