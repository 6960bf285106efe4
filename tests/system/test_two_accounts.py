"""Two accounts on one server that enforces policies: one lets the other in, as far as it says."""

import json

from secured import ACCOUNT, TRUST, Secured, allow, secured

OTHER = "999988887777"
ARN = f"arn:aws:lambda:us-east-1:{OTHER}:function:shared"
HELLO = "def lambda_handler(event, context):\n    return context.invoked_function_arn\n"


def test_a_function_is_invoked_from_another_account_with_both_sides_consent(tmp_path):
    """The caller's policy and the function's must allow it; either alone is not enough."""
    with secured(tmp_path) as server:
        ours = Secured(server, tmp_path)
        eager = ours.user("eager", allow("lambda:InvokeFunction", ARN))
        idle = ours.user("idle", allow("lambda:ListFunctions"))
    with secured(tmp_path, "enforced", "--account", OTHER) as server:
        theirs = Secured(server, tmp_path)
        theirs.function("shared", theirs.role("worker", TRUST, allow("logs:*")), HELLO)
        eager.url = idle.url = server.url
        wanted = {"FunctionName": ARN, "Payload": b"{}"}
        before = eager.denied("lambda", "invoke", **wanted)
        theirs.as_root.may(
            "lambda",
            "add_permission",
            FunctionName="shared",
            StatementId="neighbour",
            Action="lambda:InvokeFunction",
            Principal=ACCOUNT,
        )
        answer = eager.may("lambda", "invoke", **wanted)
        not_allowed_at_home = idle.denied("lambda", "invoke", **wanted)
        nothing_else = eager.denied("lambda", "get_function", FunctionName=ARN)

    assert before[0] == "AccessDeniedException"
    assert json.load(answer["Payload"]) == ARN
    assert not_allowed_at_home[0] == "AccessDeniedException"
    assert nothing_else[0] == "AccessDeniedException"
