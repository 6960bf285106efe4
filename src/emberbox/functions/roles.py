"""Execution roles: may Lambda assume the role that a function is given?"""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Protocol

from emberbox.errors import CallerError
from emberbox.model.configuration import invalid
from emberbox.model.request import RequestContext

_SERVICE = "lambda.amazonaws.com"
_ACTION = "sts:assumerole"


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
    if arn.split(":")[4] != context.account:
        raise CallerError(
            "AccessDeniedException", "Cross-account pass role is not allowed.", status=403
        )
    role = await roles.role(context.account, arn)
    if role is None or not trusts_lambda(role.assume_role_policy):
        raise invalid("The role defined for the function cannot be assumed by Lambda.")


def trusts_lambda(policy: Mapping[str, Any]) -> bool:
    """Whether a trust policy lets Lambda assume the role: some statement allows, none denies it."""
    effects = {
        statement.get("Effect")
        for statement in _listed(policy.get("Statement"))
        if isinstance(statement, Mapping) and _is_about_lambda(statement)
    }
    return effects == {"Allow"}


def _is_about_lambda(statement: Mapping[str, Any]) -> bool:
    principal = statement.get("Principal")
    services = principal.get("Service") if isinstance(principal, Mapping) else principal
    return any(service in (_SERVICE, "*") for service in _listed(services)) and any(
        fnmatchcase(_ACTION, str(action).lower()) for action in _listed(statement.get("Action"))
    )


def _listed(value: Any) -> Iterator[Any]:
    """The elements of what may be a list, or a single one, or nothing."""
    if isinstance(value, list):
        yield from value
    elif value is not None:
        yield value
