"""Two accounts on one server that enforces policies: one lets the other in, as far as it says."""

import json

from secured import ACCOUNT, TRUST, Secured, allow, secured

OTHER = "999988887777"
ARN = f"arn:aws:lambda:us-east-1:{OTHER}:function:shared"
HELLO = "def lambda_handler(event, context):\n    return context.invoked_function_arn\n"


def test_a_function_is_invoked_from_another_account_with_both_sides_consent(tmp_path):
    """The caller's policy and the function's must allow it; either alone is not enough.

    The same goes for what else is done with a function.
    """
    with secured(tmp_path) as server:
        ours = Secured(server, tmp_path)
        eager = ours.user("eager", allow("lambda:InvokeFunction", ARN))
        idle = ours.user("idle", allow("lambda:ListFunctions"))
        reader = ours.user("reader", allow("lambda:Get*", ARN))
    with secured(tmp_path, "enforced", "--account", OTHER) as server:
        theirs = Secured(server, tmp_path)
        theirs.function("shared", theirs.role("worker", TRUST, allow("logs:*")), HELLO)
        eager.url = idle.url = reader.url = server.url
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
        not_yet = reader.denied("lambda", "get_function", FunctionName=ARN)
        theirs.as_root.may(
            "lambda",
            "add_permission",
            FunctionName="shared",
            StatementId="reader",
            Action="lambda:GetFunction",
            Principal=ACCOUNT,
        )
        read = reader.may("lambda", "get_function", FunctionName=ARN)
        not_that = reader.denied("lambda", "get_function_configuration", FunctionName=ARN)

    assert before[0] == "AccessDeniedException"
    assert json.load(answer["Payload"]) == ARN
    assert not_allowed_at_home[0] == "AccessDeniedException"
    assert nothing_else[0] == not_yet[0] == not_that[0] == "AccessDeniedException"
    assert read["Configuration"]["FunctionArn"] == ARN
