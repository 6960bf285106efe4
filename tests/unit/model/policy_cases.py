"""Shorthand for the tests of the policy package: principals, statements, policies, requests."""

from emberbox.model.policy.documents import compiled
from emberbox.model.policy.evaluation import Request
from emberbox.model.policy.principals import Kind, Principal

HERE, THERE = "111122223333", "444455556666"
BUCKET = "arn:aws:s3:::box/a.txt"
FUNCTION = f"arn:aws:lambda:us-east-1:{HERE}:function:hello"

USER = Principal(
    Kind.USER,
    HERE,
    f"arn:aws:iam::{HERE}:user/team/ann",
    f"arn:aws:iam::{HERE}:user/team/ann",
    "AIDAANNANNANNANNANNAN",
)
SESSION = Principal(
    Kind.ROLE,
    HERE,
    f"arn:aws:sts::{HERE}:assumed-role/worker/run",
    f"arn:aws:iam::{HERE}:role/jobs/worker",
    "AROAWORKERWORKERWORKE:run",
)
STRANGER = Principal(
    Kind.USER,
    THERE,
    f"arn:aws:iam::{THERE}:user/bob",
    f"arn:aws:iam::{THERE}:user/bob",
    "AIDABOBBOBBOBBOBBOBBO",
)


def allow(action="*", resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource} | more


def deny(action="*", resource="*", **more):
    return allow(action, resource, **more) | {"Effect": "Deny"}


def policy(*statements, name="p", version="2012-10-17"):
    return compiled(name, {"Version": version, "Statement": list(statements)})


def request(principal=USER, action="s3:GetObject", resource=BUCKET, account=HERE, **context):
    return Request(principal, action, resource, account, keyed(context))


def keyed(context):
    """Context keys written as names: `aws__SourceIp` for aws:SourceIp; a list for many values."""
    return {
        key.replace("__", ":").lower(): value if isinstance(value, list) else [value]
        for key, value in context.items()
    }
