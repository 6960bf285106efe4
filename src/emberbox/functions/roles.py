"""Execution roles: may Lambda assume the role that a function is given?"""

from collections.abc import Mapping
from typing import Any, Protocol

from emberbox.errors import CallerError
from emberbox.model.configuration import invalid
from emberbox.model.names import arn_part
from emberbox.model.policy.documents import UnreadablePolicyError, compiled
from emberbox.model.policy.evaluation import Policies, Request, decide
from emberbox.model.policy.principals import service
from emberbox.model.request import RequestContext

_SERVICE = "lambda.amazonaws.com"
_ACTION = "sts:AssumeRole"


class Role(Protocol):
    """What is to be known of a role."""

    @property
    def assume_role_policy(self) -> Mapping[str, Any]:
        """Its trust policy."""
        ...


class RoleLookup(Protocol):
    """Where roles are found."""

    async def role(self, account: str, arn: str) -> Role | None:
        """The role of an account with this ARN, or None."""
        ...


async def check_role(roles: RoleLookup | None, context: RequestContext, arn: str | None) -> None:
    """CallerError unless a function of the caller's account can run as this role.

    None for the roles means that any role will do, also one that does not exist.
    """
    if roles is None or arn is None:
        return
    if arn_part(arn, 4) != context.account:
        raise CallerError(
            "AccessDeniedException", "Cross-account pass role is not allowed.", status=403
        )
    role = await roles.role(context.account, arn)
    if role is None or not trusts_lambda(role.assume_role_policy, arn, context.account):
        raise invalid("The role defined for the function cannot be assumed by Lambda.")


def trusts_lambda(policy: Mapping[str, Any], role_arn: str, account: str) -> bool:
    """Whether a trust policy lets Lambda assume the role for a function of the account."""
    try:
        trust = compiled(role_arn, policy)
    except UnreadablePolicyError:
        return False
    context = {"aws:sourceaccount": [account], "aws:principalisawsservice": ["true"]}
    request = Request(service(_SERVICE), _ACTION, role_arn, account, context)
    return decide(request, Policies(resource=[trust], trust=True)).is_allowed
