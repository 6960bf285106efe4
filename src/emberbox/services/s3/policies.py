"""The policies of buckets and objects, for who decides about requests that touch them.

A bucket's own policy, what its ACLs come to, and what its public access block takes away again.
"""

import json
from collections.abc import Sequence
from typing import Any

from emberbox.model.policy.documents import Policy, compiled, from_text
from emberbox.services.s3.acl import ENFORCED, ownership
from emberbox.services.s3.public import acl_policy, is_public_policy
from emberbox.storage.s3_buckets import BucketStore
from emberbox.storage.s3_objects import ObjectStore
from emberbox.storage.s3_records import Bucket


class BucketPolicies:
    """See the module."""

    def __init__(self, buckets: BucketStore, objects: ObjectStore) -> None:
        self._buckets = buckets
        self._objects = objects

    async def of(self, arn: str) -> Sequence[Policy]:
        """The policies for a bucket or an object; none if there is no such bucket."""
        name, _, key = _split(arn)
        bucket = self._buckets.get(name)
        if bucket is None:
            return ()
        found = []
        text = bucket.settings.get("Policy")
        if text is not None:
            found.append(from_text(bucket.arn, text))
            block = bucket.settings.get("PublicAccessBlock") or {}
            if block.get("RestrictPublicBuckets") and is_public_policy(json.loads(text)):
                found.append(compiled("RestrictPublicBuckets", _restriction(bucket)))
        if ownership(bucket) != ENFORCED:
            acl = await self._acl(bucket, key)
            if acl is not None:
                found.append(compiled("access control list", acl))
        return found

    def owner(self, arn: str) -> str:
        """The account of the bucket in an ARN; empty if there is none."""
        bucket = self._buckets.get(_split(arn)[0])
        return "" if bucket is None else bucket.account

    async def _acl(self, bucket: Bucket, key: str) -> dict[str, Any] | None:
        version = await self._objects.find(bucket, key, None) if key else None
        return acl_policy(bucket, key, None if version is None else version.facts.acl)


def _split(arn: str) -> tuple[str, str, str]:
    """Bucket, slash and key of an ARN; keys may have colons."""
    return arn.split(":", 5)[-1].partition("/")


def _restriction(bucket: Bucket) -> dict[str, Any]:
    """Nobody but the owner's account and services of AWS, whatever the policy says."""
    return {
        "Statement": {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [bucket.arn, f"{bucket.arn}/*"],
            "Condition": {
                "StringNotEquals": {"aws:PrincipalAccount": bucket.account},
                "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
            },
        }
    }
