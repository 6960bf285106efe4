"""What a request may say as the ARN of a managed policy."""

import re

from emberbox.errors import CallerError
from emberbox.identity.managed_policies import ManagedPolicy, managed_policies
from emberbox.storage.grants import AWS_POLICIES
from emberbox.storage.identity_records import Reason, RefusedError

_ARN = re.compile(r"arn:aws[a-z-]*:iam::(?:\d{12}|aws):policy/[\x21-\x7e]+")


def check_attachable(arn: str) -> None:
    """CallerError unless it is an ARN, RefusedError for a policy of AWS that is not here."""
    _check(arn)
    if arn.startswith(AWS_POLICIES) and arn not in managed_policies():
        raise RefusedError(Reason.NOT_ATTACHABLE)


def policy_of_aws(arn: str) -> ManagedPolicy | None:
    """The policy of AWS that an ARN names; None for an account's own."""
    _check(arn)
    if not arn.startswith(AWS_POLICIES):
        return None
    policy = managed_policies().get(arn)
    if policy is None:
        raise RefusedError(Reason.NO_POLICY)
    return policy


def check_own(arn: str) -> None:
    """CallerError for a policy that the account cannot change because it is AWS's."""
    _check(arn)
    if arn.startswith(AWS_POLICIES):
        raise CallerError("AccessDenied", "Policy is outside your own account.", status=403)


def _check(arn: str) -> None:
    if _ARN.fullmatch(arn) is None:
        raise CallerError("InvalidInput", f"ARN {arn} is not valid.", status=400)
