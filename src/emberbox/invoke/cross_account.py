"""Who of another account may invoke a function: the function's resource policy decides.

The caller counts as the root of its account, to which its own account allows everything.
"""

from typing import Protocol

from emberbox.errors import CallerError
from emberbox.model.attachment import Attachment, Kind
from emberbox.model.names import LATEST, function_arn
from emberbox.model.policy.documents import from_text
from emberbox.model.policy.evaluation import Policies, Request, decide
from emberbox.model.policy.principals import root
from emberbox.model.policy.wording import denial
from emberbox.model.resource_policy import text_of

_INVOKE = "lambda:InvokeFunction"


class Attachments(Protocol):
    """What hangs on functions now."""

    def attachment(
        self, key: tuple[str, str, str], kind: Kind, qualifier: str
    ) -> Attachment | None:
        """What hangs on a version or an alias, or None."""
        ...


def check_invoke(
    attachments: Attachments, account: str, key: tuple[str, str, str], qualifier: str | None
) -> None:
    """CallerError unless an account may invoke a function of another one by this qualifier.

    A function that does not exist has no policy, so that nobody learns whether it does.
    """
    policy = attachments.attachment(key, Kind.POLICY, qualifier or LATEST)
    policies = () if policy is None else (from_text("resource policy", text_of(policy.value)),)
    request = Request(root(account), _INVOKE, function_arn(*key, qualifier), key[0])
    decision = decide(request, Policies(resource=policies))
    if not decision.is_allowed:
        raise CallerError("AccessDeniedException", denial(request, decision), status=403)
