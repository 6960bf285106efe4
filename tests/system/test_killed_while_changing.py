"""A server that is killed in the middle of changes has made each of them whole or not at all."""

import random
import threading
import urllib.request

import pytest
from botocore.exceptions import BotoCoreError
from hands import ApiError, Boto3Hands
from material import ROLE, make_zip

from tools.running import start

SOURCE = """
    import os

    def lambda_handler(event, context):
        return [{number}, os.environ["NUMBER"], context.function_version]
"""
ROUNDS = 3


def code(number):
    """A package that says which one it is."""
    return make_zip(lambda_function=SOURCE.format(number=number))


class Changing(threading.Thread):
    """Goes on changing one function of a server until that is gone.

    `before` is what the last answered change has left, `during` what the one under way would.
    """

    def __init__(self, url, name, answered):
        super().__init__()
        self.answered = answered
        self.name = name
        self.hands = Boto3Hands(url)
        self.before = self.during = self.version = None

    def run(self):
        number = 0
        try:
            while True:
                self.change(number)
                number += 1
        except (ApiError, BotoCoreError):
            self.hands.close()

    def change(self, number):
        """Another state: code, environment, a version and the alias that points at it."""
        for operation, parameters in (
            ("DeleteFunction", {"FunctionName": self.name}),
            (
                "CreateFunction",
                {
                    "FunctionName": self.name,
                    "Runtime": "python3.12",
                    "Role": ROLE,
                    "Handler": "lambda_function.lambda_handler",
                    "Code": {"ZipFile": code(number)},
                    "Environment": {"Variables": {"NUMBER": str(number)}},
                    "Publish": True,
                },
            ),
            (
                "CreateAlias",
                {"FunctionName": self.name, "Name": "live", "FunctionVersion": None},
            ),
        ):
            if operation == "DeleteFunction" and self.before is None:
                continue
            if "FunctionVersion" in parameters:
                parameters["FunctionVersion"] = self.version
            self.during = (operation, number)
            answer = self.hands.call("lambda", operation, **parameters)
            if operation == "CreateFunction":
                self.version = answer["Version"]
            self.before = (operation, number)
            self.answered.release()


def possible(changing):
    """The states that may be found: of what was answered, and of what was under way."""
    states = {changing.before, changing.during}
    return {None if s is None or s[0] == "DeleteFunction" else s for s in states}


def found(hands, name):
    """What there is, checked for being whole: (last change, number)."""
    if name not in {f["FunctionName"] for f in hands.call("lambda", "ListFunctions")["Functions"]}:
        return None
    whole = hands.call("lambda", "GetFunction", FunctionName=name)
    number = int(whole["Configuration"]["Environment"]["Variables"]["NUMBER"])
    with urllib.request.urlopen(whole["Code"]["Location"]) as response:
        assert response.read() == code(number)
    hands.wait("lambda", "FunctionActiveV2", FunctionName=name)
    versions = hands.call("lambda", "ListVersionsByFunction", FunctionName=name)["Versions"]
    assert len(versions) == 2
    assert {each["CodeSha256"] for each in versions} == {whole["Configuration"]["CodeSha256"]}
    version = versions[1]["Version"]
    aliases = hands.call("lambda", "ListAliases", FunctionName=name)["Aliases"]
    assert [each["FunctionVersion"] for each in aliases] in ([], [version])
    qualifier = ":live" if aliases else f":{version}"
    assert hands.invoke(name + qualifier).json() == [number, str(number), version]
    return ("CreateAlias" if aliases else "CreateFunction", number)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_changes_are_whole_or_not_at_all(tmp_path, seed):
    """What was answered is there; what was not is old or new, and runs."""
    chance = random.Random(seed)
    server = start(tmp_path / "data", tmp_path / "log")
    answered = threading.Semaphore(0)
    threads = [Changing(server.url, f"f{n}", answered) for n in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(chance.randrange(8, 80)):
        answered.acquire()
    server.kill()
    for thread in threads:
        thread.join()

    second = start(tmp_path / "data", tmp_path / "log")
    hands = Boto3Hands(second.url)
    try:
        for thread in threads:
            state = found(hands, thread.name)
            assert state in possible(thread)
    finally:
        hands.close()
        assert second.stop() == 0
    assert "Traceback" not in (tmp_path / "log").read_text("utf-8", "replace")
