"""Resource policies of functions: the statements of AddPermission, and whole documents.

Source: API reference of Lambda (AddPermission, PutResourcePolicy), the guide's pages on
resource-based policies.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from emberbox.errors import CallerError
from emberbox.model.configuration import invalid
from emberbox.model.names import function_arn
from emberbox.model.policy.documents import UnreadablePolicyError, compiled, from_text
from emberbox.model.policy.evaluation import Decision, Policies, Request, decide
from emberbox.model.policy.principals import root
from emberbox.model.policy_documents import MalformedPolicyError, check_resource_policy

POLICY_MAX_BYTES: Final = 20_480

_ACCOUNT: Final = re.compile(r"\d{12}\Z")
_IDENTITY: Final = re.compile(
    r"arn:aws[a-z-]*:(?:iam::\d{12}:(?:root|(?:user|role|group)/.+)"
    r"|sts::\d{12}:(?:assumed-role|federated-user)/.+)\Z"
)
_SERVICE: Final = re.compile(
    r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:amazonaws\.com(?:\.cn)?|amazon\.com)\Z"
)
_URL_ACTION: Final = "lambda:InvokeFunctionUrl"

_CONDITIONS: Final[tuple[tuple[str, str, str], ...]] = (
    ("SourceAccount", "StringEquals", "AWS:SourceAccount"),
    ("PrincipalOrgID", "StringEquals", "aws:PrincipalOrgID"),
    ("FunctionUrlAuthType", "StringEquals", "lambda:FunctionUrlAuthType"),
    ("EventSourceToken", "StringEquals", "lambda:EventSourceToken"),
    ("SourceArn", "ArnLike", "AWS:SourceArn"),
)
"""Member, operator and key of the condition it stands for."""


def statement(resource: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The statement that AddPermission makes of its parameters; CallerError if it cannot."""
    if params.get("FunctionUrlAuthType") and params["Action"] != _URL_ACTION:
        raise invalid(f"FunctionUrlAuthType is only supported for {_URL_ACTION} action")
    made = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": _principal(params["Principal"]),
        "Action": params["Action"],
        "Resource": resource,
    }
    conditions = _conditions(params)
    return {**made, "Condition": conditions} if conditions else made


def with_statement(document: Mapping[str, Any] | None, added: Mapping[str, Any]) -> dict[str, Any]:
    """A policy with one statement more; CallerError if its id is taken or there is no room."""
    before = document or {"Version": "2012-10-17", "Id": "default", "Statement": []}
    sid = added["Sid"]
    if any(each.get("Sid") == sid for each in _statements(before)):
        raise CallerError(
            "ResourceConflictException",
            f"The statement id ({sid}) provided already exists. Please provide a new statement id, "
            "or remove the existing statement.",
            status=409,
        )
    after = {**before, "Statement": [*_statements(before), added]}
    if len(text_of(after).encode()) > POLICY_MAX_BYTES:
        raise CallerError(
            "PolicyLengthExceededException",
            f"The final policy size ({len(text_of(after).encode())}) is bigger than the limit "
            f"({POLICY_MAX_BYTES}).",
            status=400,
        )
    return after


def without_statement(document: Mapping[str, Any], sid: str) -> dict[str, Any] | None:
    """A policy with one statement less; None if nothing is left, CallerError if it has no such."""
    statements = _statements(document)
    rest = [each for each in statements if each.get("Sid") != sid]
    if len(rest) == len(statements):
        raise CallerError(
            "ResourceNotFoundException",
            f"Statement {sid} is not found in resource policy.",
            status=404,
        )
    return {**document, "Statement": rest} if rest else None


def parsed(text: str, resource: str) -> dict[str, Any]:
    """The whole policy that PutResourcePolicy gives to a resource, or CallerError."""
    try:
        document = check_resource_policy(text)
        compiled("", document)
    except (MalformedPolicyError, UnreadablePolicyError) as error:
        raise invalid(f"The provided policy is invalid: {error}") from None
    for each in _statements(document):
        _check_about_lambda(each, resource)
    return document


def text_of(document: Mapping[str, Any]) -> str:
    """A policy as answers show it."""
    return json.dumps(document, separators=(",", ":"))


def decided_across(
    account: str,
    action: str,
    key: tuple[str, str, str],
    qualifier: str | None,
    document: Mapping[str, Any] | None,
) -> tuple[Request, Decision]:
    """Whether an account may do something with a function of another one, and what was asked.

    The function's policy alone decides, None for none: the caller counts as the root of its
    account, to which its own account allows everything.
    """
    policies = () if document is None else (from_text("resource policy", text_of(document)),)
    request = Request(root(account), action, function_arn(*key, qualifier), key[0])
    return request, decide(request, Policies(resource=policies))


def _statements(document: Mapping[str, Any]) -> list[Any]:
    found = document["Statement"]
    return found if isinstance(found, list) else [found]


def _conditions(params: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for member, operator, key in _CONDITIONS:
        if params.get(member) is not None:
            found.setdefault(operator, {})[key] = params[member]
    via_url = params.get("InvokedViaFunctionUrl")
    if via_url is not None:
        found["Bool"] = {"lambda:InvokedViaFunctionUrl": "true" if via_url else "false"}
    return found


def _principal(text: str) -> Any:
    if text == "*":
        return "*"
    if _ACCOUNT.match(text):
        return {"AWS": f"arn:aws:iam::{text}:root"}
    if _IDENTITY.match(text):
        return {"AWS": text}
    if _SERVICE.match(text):
        return {"Service": text}
    raise invalid("The provided principal was invalid. Please check the principal and try again.")


def _check_about_lambda(found: Mapping[str, Any], resource: str) -> None:
    actions = found.get("Action", found.get("NotAction"))
    for action in [actions] if isinstance(actions, str) else actions or []:
        if action != "*" and not action.lower().startswith("lambda:"):
            raise invalid(f"The provided policy is invalid: {action} is no action of Lambda.")
    resources = found.get("Resource", found.get("NotResource"))
    for named in [resources] if isinstance(resources, str) else resources or []:
        if named not in ("*", resource):
            raise invalid(
                f"The provided policy is invalid: its resource must be {resource}, not {named}."
            )
