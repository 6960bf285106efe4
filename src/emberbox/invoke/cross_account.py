"""Who of another account may invoke a function: the function's resource policy decides."""

from typing import Protocol

from emberbox.errors import CallerError
from emberbox.model.attachment import Attachment, Kind
from emberbox.model.names import LATEST
from emberbox.model.policy.wording import denial
from emberbox.model.resource_policy import decided_across

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
    document = None if policy is None else policy.value
    request, decision = decided_across(account, _INVOKE, key, qualifier, document)
    if not decision.is_allowed:
        raise CallerError("AccessDeniedException", denial(request, decision), status=403)
