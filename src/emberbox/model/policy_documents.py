"""Whether a text is an IAM policy: the structure IAM insists on, with its words for each fault.

Identity policies (attached to a role, or stored as a managed policy) and trust policies (who may
assume a role) have different rules. What a policy allows is decided in `emberbox.model.policy`.
Source: IAM user guide, "Grammar of the IAM JSON policy language".
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from emberbox.model.policy.documents import UnreadablePolicyError, compiled

VERSIONS = ("2008-10-17", "2012-10-17")

_SYNTAX = "Syntax errors in policy."
_TOP = frozenset({"Version", "Id", "Statement"})
_STATEMENT = frozenset(
    {
        "Sid",
        "Effect",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Principal",
        "NotPrincipal",
        "Condition",
    }
)
_OPERATOR = re.compile(
    r"(?:ForAllValues:|ForAnyValue:)?"
    r"(?:String(?:Not)?(?:Equals(?:IgnoreCase)?|Like)"
    r"|(?:Numeric|Date)(?:Not)?Equals|(?:Numeric|Date)(?:Less|Greater)Than(?:Equals)?"
    r"|Bool|BinaryEquals|(?:Not)?IpAddress|Arn(?:Not)?(?:Equals|Like))(?:IfExists)?"
    r"|Null",
    re.IGNORECASE,
)
_SID = re.compile(r"[0-9A-Za-z]*")
_VENDOR = re.compile(r"[a-zA-Z0-9.-]+")
_PARTITIONS = frozenset({"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "*"})
_AWS_PRINCIPAL = re.compile(
    r"\*|\d{12}|A(?:ROA|IDA)[A-Z0-9]{12,}"
    r"|arn:aws[a-z-]*:(?:iam|sts)::\d{12}:(?:root|(?:user|role|assumed-role|federated-user)/.+)"
)
_SERVICE_PRINCIPAL = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?")
_COGNITO = "cognito-identity.amazonaws.com"


class MalformedPolicyError(ValueError):
    """The text is no policy of its kind; the message is IAM's."""


def check_identity_policy(text: str) -> dict[str, Any]:
    """The parsed identity policy, or MalformedPolicyError."""
    try:
        policy = _parsed(text)
    except ValueError:
        raise MalformedPolicyError(_SYNTAX) from None
    statements = _statements(policy)
    if not policy.keys() <= _TOP or not isinstance(policy.get("Id", ""), str):
        raise MalformedPolicyError(_SYNTAX)
    if "Version" in policy and policy["Version"] not in VERSIONS:
        raise MalformedPolicyError(_SYNTAX)
    for statement in statements:
        _check_syntax(statement)
    if policy.get("Version") != "2012-10-17":
        raise MalformedPolicyError("Policy document must be version 2012-10-17 or greater.")
    _check_sids(statements, "Statement IDs (SID) in a single policy must be unique.")
    for statement in statements:
        _check_identity_statement(statement)
    _check_sense(policy)
    return policy


def check_trust_policy(text: str) -> dict[str, Any]:
    """The parsed trust policy, or MalformedPolicyError."""
    try:
        policy = _parsed(text)
    except ValueError:
        raise MalformedPolicyError("This policy contains invalid Json") from None
    if policy.get("Version", "2008-10-17") not in VERSIONS:
        raise MalformedPolicyError("The policy must contain a valid version string")
    if not policy.get("Statement"):
        raise MalformedPolicyError("Could not parse the policy: Statement is empty!")
    statements = _statements(policy)
    for statement in statements:
        _check_trust_statement(statement)
    _check_sids(statements, "The Statement Ids in the policy are not unique")
    _check_sense(policy)
    return policy


def check_resource_policy(text: str) -> dict[str, Any]:
    """The parsed policy of a resource, or MalformedPolicyError."""
    try:
        policy = _parsed(text)
    except ValueError:
        raise MalformedPolicyError(_SYNTAX) from None
    statements = _statements(policy)
    if not policy.keys() <= _TOP or policy.get("Version", VERSIONS[0]) not in VERSIONS:
        raise MalformedPolicyError(_SYNTAX)
    for statement in statements:
        _check_syntax(statement)
        _check_resource_statement(statement)
    _check_sids(statements, "Statement IDs (SID) in a single policy must be unique.")
    _check_sense(policy)
    return policy


def size_without_blanks(text: str) -> int:
    """The characters of a policy as IAM counts them: white space is free."""
    return sum(map(len, text.split()))


def _parsed(text: str) -> dict[str, Any]:
    try:
        policy = json.loads(text, object_pairs_hook=_without_duplicates)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if isinstance(policy, dict):
        return policy
    raise ValueError("not an object")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")
    return made


def _statements(policy: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = policy.get("Statement")
    listed: list[Any] = found if isinstance(found, list) else [found]
    if not listed or not all(isinstance(each, dict) for each in listed):
        raise MalformedPolicyError(_SYNTAX)
    return listed


def _check_syntax(statement: Mapping[str, Any]) -> None:
    texts = ("Action", "NotAction", "Resource", "NotResource")
    if (
        not statement.keys() <= _STATEMENT
        or statement.get("Effect") not in ("Allow", "Deny")
        or not isinstance(statement.get("Sid", ""), str)
        or not all(_is_texts(statement[name]) for name in texts if name in statement)
        or ("Action" in statement and "NotAction" in statement)
        or ("Resource" in statement and "NotResource" in statement)
        or not _is_condition(statement.get("Condition", {}))
    ):
        raise MalformedPolicyError(_SYNTAX)


def _is_texts(value: object) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(each, str) for each in value)
    )


def _is_condition(value: object) -> bool:
    return isinstance(value, dict) and all(
        _OPERATOR.fullmatch(operator) is not None
        and isinstance(keys, dict)
        and all(_is_operand(each) for each in keys.values())
        for operator, keys in value.items()
    )


def _is_operand(value: object) -> bool:
    listed = value if isinstance(value, list) else [value]
    return all(isinstance(each, (str, bool, int, float)) for each in listed)


def _check_sense(policy: Mapping[str, Any]) -> None:
    """A condition may be of the right form and still compare a date with what is none."""
    try:
        compiled("", policy)
    except UnreadablePolicyError:
        raise MalformedPolicyError(_SYNTAX) from None


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (each for each in value if isinstance(each, str))


def _check_sids(statements: list[dict[str, Any]], not_unique: str) -> None:
    sids = [statement["Sid"] for statement in statements if statement.get("Sid")]
    if len(set(map(str, sids))) != len(sids):
        raise MalformedPolicyError(not_unique)


def _check_identity_statement(statement: Mapping[str, Any]) -> None:
    if "Principal" in statement or "NotPrincipal" in statement:
        raise MalformedPolicyError("Policy document should not specify a principal.")
    if _SID.fullmatch(statement.get("Sid", "")) is None:
        raise MalformedPolicyError(
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the "
            "regular expression [0-9A-Za-z]*"
        )
    actions = list(_strings(statement.get("Action", statement.get("NotAction"))))
    if not actions:
        raise MalformedPolicyError("Policy statement must contain actions.")
    resources = list(_strings(statement.get("Resource", statement.get("NotResource"))))
    if not resources:
        raise MalformedPolicyError("Policy statement must contain resources.")
    for resource in resources:
        _check_resource(resource)
    for action in actions:
        _check_action(action)


def _check_resource(resource: str) -> None:
    if resource == "*":
        return
    parts = resource.split(":", 5)
    if parts[0] != "arn" or len(parts) < 6:
        raise MalformedPolicyError(f'Resource {resource} must be in ARN format or "*".')
    if parts[1] not in _PARTITIONS and "${" not in parts[1]:
        raise MalformedPolicyError(
            f'Partition "{parts[1]}" is not valid for resource "{":".join(parts)}".'
        )


def _check_action(action: str) -> None:
    if action == "*":
        return
    vendor, colon, name = action.partition(":")
    if not colon or not name:
        raise MalformedPolicyError(
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
        )
    if _VENDOR.fullmatch(vendor) is None:
        raise MalformedPolicyError(f"Vendor {vendor} is not valid")


def _check_resource_statement(statement: Mapping[str, Any]) -> None:
    if ("Principal" in statement) is ("NotPrincipal" in statement):
        raise MalformedPolicyError("Policy statement must contain principals.")
    if not list(_strings(statement.get("Action", statement.get("NotAction")))):
        raise MalformedPolicyError("Policy statement must contain actions.")
    if not list(_strings(statement.get("Resource", statement.get("NotResource")))):
        raise MalformedPolicyError("Policy statement must contain resources.")
    if "Principal" in statement:
        _check_trust_principal(statement)


def _check_trust_statement(statement: Mapping[str, Any]) -> None:
    effect = statement.get("Effect")
    if effect is None:
        raise MalformedPolicyError("Missing required field Effect")
    if effect not in ("Allow", "Deny"):
        raise MalformedPolicyError(f"Invalid effect: {effect}")
    if not statement.keys() <= _STATEMENT or not _is_condition(statement.get("Condition", {})):
        raise MalformedPolicyError(_SYNTAX)
    if "NotPrincipal" in statement:
        raise MalformedPolicyError(
            "Allow with NotPrincipal is not allowed."
            if effect == "Allow"
            else "AssumeRole policy must not contain NotPrincipal field."
        )
    _check_trust_principal(statement)
    actions = list(_strings(statement.get("Action", statement.get("NotAction"))))
    if not actions:
        raise MalformedPolicyError("Missing required field Action")
    if not all(action.lower().startswith("sts:") for action in actions):
        raise MalformedPolicyError("AssumeRole policy may only specify STS AssumeRole actions.")
    if "Resource" in statement:
        raise MalformedPolicyError("Has prohibited field Resource")
    if "NotResource" in statement:
        raise MalformedPolicyError("AssumeRole policy must not contain resources.")


def _check_trust_principal(statement: Mapping[str, Any]) -> None:
    principal = statement.get("Principal")
    if principal is None:
        raise MalformedPolicyError("Missing required field Principal")
    if principal == "*":
        return
    if not isinstance(principal, dict):
        raise MalformedPolicyError("Principal must be a JSON object.")
    if not principal:
        raise MalformedPolicyError("Missing required field Principal cannot be empty!")
    for kind, names in principal.items():
        if not _is_texts(names) or kind not in ("AWS", "Service", "Federated"):
            raise MalformedPolicyError(f'Invalid principal in policy: "{kind}"')
        for name in _strings(names):
            if not _is_principal(kind, name):
                raise MalformedPolicyError(
                    f'Invalid principal in policy: "{kind.upper()}":"{name}"'
                )
    if _COGNITO in _strings(principal.get("Federated")) and not statement.get("Condition"):
        raise MalformedPolicyError("A condition block must be present for the Cognito provider")


def _is_principal(kind: str, name: str) -> bool:
    if kind == "AWS":
        return _AWS_PRINCIPAL.fullmatch(name) is not None
    if kind == "Service":
        return _SERVICE_PRINCIPAL.fullmatch(name) is not None
    return bool(name)
