"""Stops functions that invoke themselves over and over, through queues, topics or each other.

Source: "Use Lambda recursive loop detection to prevent infinite loops" of AWS's guide.
"""

from emberbox.errors import CallerError
from emberbox.invoke.cross_account import Attachments
from emberbox.model.attachment import Kind
from emberbox.model.names import LATEST
from emberbox.model.trace import LOOPS_MAX

RECURSIVE = "RecursiveInvocationException"


def check_loop(attachments: Attachments, function: tuple[str, str, str], loops: int) -> None:
    """CallerError if a chain has come back to a function too often, unless it is allowed to."""
    if loops < LOOPS_MAX:
        return
    config = attachments.attachment(function, Kind.RECURSION, LATEST)
    if config is not None and config.value.get("RecursiveLoop") == "Allow":
        return
    raise CallerError(
        RECURSIVE,
        "Lambda has detected your function being invoked in a recursive loop with other Amazon Web "
        "Services resources and stopped your function's invocation.",
        status=400,
        fields={"Type": "User"},
    )
