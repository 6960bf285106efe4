"""What S3 calls public, and what ACLs that let in everybody come to as policies.

Source: S3 user guide, "Blocking public access to your Amazon S3 storage", "The meaning of public".
"""

from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Any, Final

from emberbox.services.s3.acl import ENFORCED, opened, ownership
from emberbox.storage.s3_records import Bucket

_FIXED_KEYS: Final = frozenset(
    {
        "aws:sourceip",
        "aws:sourcearn",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:sourceowner",
        "aws:sourceaccount",
        "aws:userid",
        "aws:principalorgid",
        "aws:principalaccount",
        "aws:principalarn",
        "s3:dataaccesspointarn",
    }
)
_EQUALS: Final = frozenset(
    {
        "stringequals",
        "stringequalsignorecase",
        "stringlike",
        "arnequals",
        "arnlike",
        "ipaddress",
    }
)
"""Operators that hold for what they name, and not where the key is absent."""
_PREFIX_LENGTHS: Final = {4: 8, 6: 32}
"""Ranges of addresses that are wider count as everybody."""


def is_public_policy(document: Mapping[str, Any]) -> bool:
    """Whether a statement lets in everybody, without a condition that narrows that down."""
    statements = document.get("Statement")
    listed = statements if isinstance(statements, list) else [statements]
    return any(_is_public(each) for each in listed if isinstance(each, dict))


def _is_public(statement: Mapping[str, Any]) -> bool:
    if statement.get("Effect") != "Allow":
        return False
    if "NotPrincipal" in statement:
        return True
    principal = statement.get("Principal")
    named = principal.get("AWS") if isinstance(principal, Mapping) else principal
    if "*" not in (named if isinstance(named, list) else [named]):
        return False
    conditions = statement.get("Condition") or {}
    return not any(
        _narrows(str(operator).lower(), str(key).lower(), values)
        for operator, each in conditions.items()
        for key, values in each.items()
    )


def _narrows(operator: str, key: str, values: Any) -> bool:
    """Whether a condition holds for fixed values of a key only."""
    if key not in _FIXED_KEYS or operator.rpartition(":")[2] not in _EQUALS:
        return False
    if operator.startswith("forallvalues:"):
        return False  # holds where the key is absent
    texts = [str(each) for each in (values if isinstance(values, list) else [values])]
    if key == "aws:sourceip":
        return all(_is_narrow(each) for each in texts)
    return all(_is_fixed(each) for each in texts)


def _is_fixed(value: str) -> bool:
    """Whether a value has no wildcard; of an ARN it is the account that counts."""
    parts = value.split(":", 5)
    if len(parts) > 5 and parts[4]:
        return "*" not in parts[4] and "?" not in parts[4]
    return "*" not in value and "?" not in value


def _is_narrow(value: str) -> bool:
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        return False
    return network.prefixlen >= _PREFIX_LENGTHS[network.version]


def acl_policy(
    bucket: Bucket, key: str, grants: Sequence[Mapping[str, Any]] | None
) -> dict[str, Any] | None:
    """The policy that an object's and its bucket's ACLs come to for everybody; None for nothing."""
    block = bucket.settings.get("PublicAccessBlock") or {}
    if ownership(bucket) == ENFORCED or block.get("IgnorePublicAcls"):
        return None
    actions: list[str] = []
    rights = opened(bucket.settings.get("Acl"))
    if "READ" in rights or "FULL_CONTROL" in rights:
        actions += ["s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"]
    if "WRITE" in rights or "FULL_CONTROL" in rights:
        actions += ["s3:PutObject", "s3:DeleteObject"]
    mine = opened(grants)
    if key and ("READ" in mine or "FULL_CONTROL" in mine):
        actions.append("s3:GetObject")  # these are the latest version's grants
    if not actions:
        return None
    return {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": actions,
                "Resource": [bucket.arn, f"{bucket.arn}/*"],
            }
        ]
    }
