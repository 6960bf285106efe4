"""How requests to CloudWatch Logs name groups and pages, and how ARNs are written."""

import re
from base64 import b64decode, urlsafe_b64encode
from binascii import Error as Base64Error

from emberbox.errors import CallerError
from emberbox.model.request import Params, RequestContext
from emberbox.storage.log_records import GroupKey, MissingGroupError

_GROUP_ARN = re.compile(
    r"arn:aws[a-z-]*:logs:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):log-group:"
    r"(?P<name>[\w#+=/,.@-]{1,512})(?::\*)?"
)


def invalid(message: str) -> CallerError:
    """The error that a parameter is wrong."""
    return CallerError("InvalidParameterException", message, status=400)


def group_key(context: RequestContext, name: str) -> GroupKey:
    """A group of the caller's account and region."""
    return GroupKey(context.account, context.region, name)


def group_by_arn(context: RequestContext, arn: str) -> GroupKey:
    """The group that an ARN names; MissingGroupError for one of another account or region."""
    found = _GROUP_ARN.fullmatch(arn)
    if found is None:
        raise invalid(f"The ARN {arn} is not that of a log group.")
    if (found["account"], found["region"]) != (context.account, context.region):
        raise MissingGroupError(arn)
    return group_key(context, found["name"])


def group_identified(context: RequestContext, identifier: str) -> GroupKey:
    """A group named by its name or its ARN."""
    if identifier.startswith("arn:"):
        return group_by_arn(context, identifier)
    return group_key(context, identifier)


def group_of(context: RequestContext, params: Params) -> GroupKey:
    """The group of a request that takes either its name or its identifier."""
    name, identifier = params.get("logGroupName"), params.get("logGroupIdentifier")
    if (name is None) == (identifier is None):
        raise invalid("Exactly one of logGroupName and logGroupIdentifier must be given.")
    return group_key(context, name) if name else group_identified(context, identifier or "")


def group_arn(key: GroupKey) -> str:
    """The ARN of a group, without the `:*` that some places add."""
    return f"arn:aws:logs:{key.region}:{key.account}:log-group:{key.name}"


def to_token(text: str) -> str:
    """A text as a page token."""
    return urlsafe_b64encode(text.encode()).decode()


def from_token(token: str) -> str:
    """The text of a page token."""
    try:
        return b64decode(token.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (Base64Error, ValueError):
        raise bad_token() from None


def place_of(params: Params) -> int:
    """Where a page of a list in memory begins: `nextToken` is a number, the first page's is 0."""
    text = from_token(params["nextToken"]) if "nextToken" in params else "0"
    if not text.isdecimal() or len(text) > 6:
        raise bad_token()
    return int(text)


def bad_token() -> CallerError:
    """The error that a page token is none of ours."""
    return invalid("The specified nextToken is invalid.")
