"""What a resource's own policy says of a request: for callers of other accounts and services."""

from collections.abc import Mapping, Sequence

from emberbox.model.policy.documents import from_text
from emberbox.model.policy.evaluation import Policies, Request, matching
from emberbox.model.policy.principals import Principal


def resource_policy_allows(
    policy: str | None,
    principal: Principal,
    action: str,
    arn: str,
    context: Mapping[str, Sequence[str]] | None = None,
) -> bool:
    """Whether some statement allows, and none denies, an action to a principal.

    `policy` is the stored text, None if there is none; `context` has condition keys in lower case.
    """
    if policy is None:
        return False
    request = Request(principal, action, arn, arn.split(":")[4], dict(context or {}))
    policies = Policies(resource=[from_text(arn, policy)])
    effects = {statement.allows for _, statement in matching(request, policies)}
    return effects == {True}
