"""Functions that nobody uses become Inactive, if the server is told so, and come back."""

import time

import pytest
from hands import ApiError, Boto3Hands
from material import ROLE, make_zip

from tools.running import start

SOURCE = "def lambda_handler(event, context):\n    return event\n"
CODE = {"ZipFile": make_zip(lambda_function=SOURCE)}


@pytest.fixture
def own(tmp_path):
    """boto3 at a server whose functions are Inactive after three seconds."""
    server = start(tmp_path / "data", tmp_path / "log", "--inactive-after", "3")
    hands = Boto3Hands(server.url)
    hands.call(
        "lambda", "CreateFunction", FunctionName="seldom", Runtime="python3.12", Role=ROLE,
        Handler="lambda_function.lambda_handler", Code=CODE,
    )  # fmt: skip
    yield hands
    hands.close()
    server.stop()


def shown(hands, wanted):
    """The configuration once its state is as wanted."""
    deadline = time.monotonic() + 60
    while True:
        answer = hands.call("lambda", "GetFunctionConfiguration", FunctionName="seldom")
        if answer["State"] == wanted or time.monotonic() > deadline:
            return answer


@pytest.mark.parametrize("kind", ["RequestResponse", "Event"])
def test_a_function_is_inactive_when_idle_and_wakes_when_invoked(own, kind):
    """The invocation that wakes it fails; boto3's waiter sees it Active, and then it runs."""
    assert own.invoke("seldom", b"1").payload == b"1"
    idle = shown(own, "Inactive")
    assert (idle["State"], idle["StateReasonCode"]) == ("Inactive", "Idle")

    with pytest.raises(ApiError) as caught:
        own.invoke("seldom", b"2", InvocationType=kind)
    assert caught.value.code == "CodeArtifactUserPendingException"
    own.wait("lambda", "FunctionActiveV2", FunctionName="seldom")
    assert own.invoke("seldom", b"3").payload == b"3"
