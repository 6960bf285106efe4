"""What S3 calls public, and what ACLs that let in everybody come to as policies.

Source: S3 user guide, "Blocking public access to your Amazon S3 storage", "The meaning of public".
"""

from collections.abc import Mapping, Sequence
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
    keys = {str(key).lower() for each in conditions.values() for key in each}
    return not keys & _FIXED_KEYS


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
        actions += ["s3:GetObject", "s3:GetObjectVersion"]
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
