"""A real server for all system tests, and hands to use it with."""

import itertools
import os
import shutil

import pytest
from hands import Boto3Hands, CliHands
from material import ROLE, make_zip

from tools.running import client_environment, running

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items):
    """All of these need Linux namespaces."""
    for item in items:
        if "tests/system" in str(item.path):
            item.add_marker(pytest.mark.sandbox)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A server that all tests share; at the end it must stop in good order, its log quiet."""
    place = tmp_path_factory.mktemp("server")
    with running(
        place / "data", place / "log", "--log-format", "text", "--sns-local-web"
    ) as server:
        yield server
    said = (place / "log").read_text("utf-8", "replace")
    assert "Traceback" not in said, said
    assert " ERROR " not in said, said


@pytest.fixture(scope="session")
def aws_environment(server, tmp_path_factory):
    """Environment of AWS clients: this server's address, nothing of the machine's settings."""
    return client_environment(server.url, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def boto(server):
    """boto3 hands."""
    made = Boto3Hands(server.url)
    yield made
    made.close()


@pytest.fixture
def cli(aws_environment, tmp_path):
    """Hands that run the aws command line in this test's own directory."""
    assert shutil.which("aws", path=aws_environment["PATH"]), "awscli is not installed"
    return CliHands(aws_environment, tmp_path)


@pytest.fixture(params=["cli", "boto3"])
def hands(request):
    """The aws command line, then boto3: the test runs with each."""
    return request.getfixturevalue("cli" if request.param == "cli" else "boto")


@pytest.fixture
def make_function(boto):
    """A function from source: its name. Gone after the test."""
    made = []

    def make(source, **configuration):
        name = f"f{os.getpid()}-{next(_numbers)}"
        parameters = {
            "FunctionName": name,
            "Runtime": "python3.12",
            "Role": ROLE,
            "Handler": "lambda_function.lambda_handler",
            "Code": {"ZipFile": make_zip(lambda_function=source)},
            **configuration,
        }
        boto.call("lambda", "CreateFunction", **parameters)
        made.append(name)
        boto.wait("lambda", "FunctionActiveV2", FunctionName=name)
        return name

    yield make
    existing = {f["FunctionName"] for f in boto.call("lambda", "ListFunctions")["Functions"]}
    for name in made:
        if name in existing:
            boto.call("lambda", "DeleteFunction", FunctionName=name)
