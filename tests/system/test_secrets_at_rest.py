"""Secrets in the configuration of functions are in no file of the data directory."""

import json
from contextlib import closing, suppress

from hands import Boto3Hands
from material import ROLE, make_zip

from tools.running import running

MARKER = "sesame-of-the-sealed-function"
SOURCE = """
    import os

    def lambda_handler(event, context):
        return len(os.environ["SESAME"])
"""


def test_environment_variables_are_in_no_file(tmp_path):
    """Not while the function is warm, not when the server has stopped, and they still arrive."""
    data = tmp_path / "data"
    code = make_zip(lambda_function=SOURCE)

    def holders():
        found = []
        for each in data.rglob("*"):
            with suppress(FileNotFoundError):  # a running server takes files away
                if each.is_file() and MARKER.encode() in each.read_bytes():
                    found.append(str(each))
        return found

    with (
        running(data, tmp_path / "log") as server,
        closing(Boto3Hands(server.url)) as hands,
    ):
        hands.client("lambda").create_function(
            FunctionName="sealed",
            Runtime="python3.12",
            Role=ROLE,
            Handler="lambda_function.lambda_handler",
            Code={"ZipFile": code},
            Environment={"Variables": {"SESAME": MARKER}},
        )
        hands.client("lambda").publish_version(FunctionName="sealed")
        answer = hands.client("lambda").invoke(FunctionName="sealed")
        while_running = holders()

    assert json.load(answer["Payload"]) == len(MARKER)
    assert while_running == []
    assert holders() == []
    assert MARKER not in (tmp_path / "log").read_text("utf-8", "replace")
