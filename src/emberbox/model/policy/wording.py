"""A denial as AWS words it: who, what, on what, and why.

Source: IAM user guide, "Troubleshoot access denied error messages".
"""

from emberbox.model.policy.evaluation import Decision, Layer, Request, Verdict


def denial(request: Request, decision: Decision) -> str:
    """The message of an AccessDenied error."""
    text = (
        f"User: {request.principal.arn} is not authorized to perform: {request.action} "
        f"on resource: {request.resource}"
    )
    return f"{text} {because(request.action, decision)}"


def because(action: str, decision: Decision) -> str:
    """Why a request is refused."""
    kind = decision.layer.value
    if decision.verdict is Verdict.EXPLICIT_DENY:
        article = "an" if decision.layer is Layer.IDENTITY else "a"
        return f"with an explicit deny in {article} {kind}"
    return f"because no {kind} allows the {action} action"


def cited(decision: Decision) -> str:
    """Which statement of which policy decided, for the log; empty where none did."""
    statement = decision.statement
    if statement is None:
        return ""
    place = f"statement {statement.number}"
    sid = f" ({statement.sid})" if statement.sid else ""
    return f"{place}{sid} of {statement.policy}"
