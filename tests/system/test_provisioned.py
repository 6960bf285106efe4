"""Provisioned concurrency through real clients: environments that are initialised ahead of need."""

import json
import threading
import time

import pytest
from hands import ApiError, Boto3Hands
from material import ROLE, make_zip

from tools.running import start

SOURCE = """
    import os, time
    print("initialised as", os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"])

    def lambda_handler(event, context):
        time.sleep(event.get("sleep", 0))
        if event.get("exit"):
            os._exit(3)
        return os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]
"""
AHEAD, ON_DEMAND = "provisioned-concurrency", "on-demand"


def until(look, wanted):
    """Look again and again until it is as wanted; what was seen last."""
    deadline = time.monotonic() + 60
    while not wanted(seen := look()) and time.monotonic() < deadline:
        threading.Event().wait(0.05)
    return seen


def settled(hands, name, qualifier):
    """The configuration once it is not in progress any more."""
    return until(
        lambda: hands.call(
            "lambda", "GetProvisionedConcurrencyConfig", FunctionName=name, Qualifier=qualifier
        ),
        lambda config: config["Status"] != "IN_PROGRESS",
    )


def put(hands, name, qualifier, count):
    """Ask for environments."""
    return hands.call(
        "lambda", "PutProvisionedConcurrencyConfig", FunctionName=name, Qualifier=qualifier,
        ProvisionedConcurrentExecutions=count,
    )  # fmt: skip


@pytest.fixture
def published(boto, make_function):
    """A function with version 1."""
    name = make_function(SOURCE, Timeout=20)
    boto.call("lambda", "PublishVersion", FunctionName=name)
    return name


def at_once(boto, function, count):
    """How the environments of invocations at the same time were initialised."""
    found = []

    def call():
        found.append(boto.invoke(function, b'{"sleep": 2}').json())

    callers = [threading.Thread(target=call) for _ in range(count)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    return sorted(found)


def test_environments_are_there_before_anybody_asks(hands, published):
    """From IN_PROGRESS to READY; the first report shows Init Duration, which is not billed."""
    answer = put(hands, published, "1", 2)
    config = settled(hands, published, "1")
    listed = hands.call("lambda", "ListProvisionedConcurrencyConfigs", FunctionName=published)

    first = hands.invoke(published, Qualifier="1", LogType="Tail")

    assert (answer["Status"], answer["AllocatedProvisionedConcurrentExecutions"]) == (
        "IN_PROGRESS", 0,
    )  # fmt: skip
    assert config["Status"] == "READY"
    for number in ("Requested", "Allocated", "Available"):
        assert config[f"{number}ProvisionedConcurrentExecutions"] == 2
    [only] = listed["ProvisionedConcurrencyConfigs"]
    assert only["FunctionArn"].endswith(f":function:{published}:1")
    assert only["Status"] == "READY"
    assert first.json() == AHEAD
    report = dict(
        field.split(": ") for field in first.log.split("REPORT ")[1].split("\t") if ": " in field
    )
    assert "Init Duration" in report
    assert float(report["Billed Duration"][:-3]) < float(report["Duration"][:-3]) + 1


def test_what_exceeds_them_spills_over(boto, published):
    """To environments that are made on demand."""
    put(boto, published, "1", 2)
    settled(boto, published, "1")

    assert at_once(boto, f"{published}:1", 3) == [ON_DEMAND, AHEAD, AHEAD]
    assert boto.invoke(published).json() == ON_DEMAND


def test_one_that_dies_is_replaced(boto, published):
    """So that there are as many as before."""
    put(boto, published, "1", 1)
    settled(boto, published, "1")

    assert boto.invoke(f"{published}:1", b'{"exit": 1}').error == "Unhandled"
    again = until(
        lambda: boto.call(
            "lambda", "GetProvisionedConcurrencyConfig", FunctionName=published, Qualifier="1"
        ),
        lambda config: config["AllocatedProvisionedConcurrentExecutions"] == 1,
    )

    assert again["Status"] == "READY"
    assert boto.invoke(f"{published}:1").json() == AHEAD


def test_an_alias_takes_its_environments_along(boto, published):
    """To the version that it points at now; the old one's are given up."""
    boto.call("lambda", "CreateAlias", FunctionName=published, Name="live", FunctionVersion="1")
    put(boto, published, "live", 1)
    settled(boto, published, "live")
    boto.call(
        "lambda", "UpdateFunctionConfiguration", FunctionName=published, Description="changed"
    )
    boto.wait("lambda", "FunctionUpdatedV2", FunctionName=published)
    boto.call("lambda", "PublishVersion", FunctionName=published)

    boto.call("lambda", "UpdateAlias", FunctionName=published, Name="live", FunctionVersion="2")
    config = settled(boto, published, "live")
    moved = boto.invoke(published, Qualifier="live")
    left = until(lambda: boto.invoke(f"{published}:1").json(), lambda kind: kind == ON_DEMAND)

    assert config["Status"] == "READY"
    assert (moved.version, moved.json()) == ("2", AHEAD)
    assert left == ON_DEMAND


def test_without_the_configuration_there_are_none(boto, published):
    """They end, and nothing is found any more."""
    put(boto, published, "1", 1)
    settled(boto, published, "1")

    boto.call("lambda", "DeleteProvisionedConcurrencyConfig", FunctionName=published, Qualifier="1")
    left = until(lambda: boto.invoke(f"{published}:1").json(), lambda kind: kind == ON_DEMAND)

    assert left == ON_DEMAND
    with pytest.raises(ApiError) as refused:
        settled(boto, published, "1")
    assert refused.value.code == "ProvisionedConcurrencyConfigNotFoundException"


def test_a_failing_initialisation_is_told(boto, make_function):
    """By status and reason."""
    name = make_function("import nowhere")
    boto.call("lambda", "PublishVersion", FunctionName=name)

    put(boto, name, "1", 1)
    config = settled(boto, name, "1")

    assert (config["Status"], config["StatusReason"]) == ("FAILED", "FUNCTION_ERROR_INIT_FAILURE")
    assert config["AllocatedProvisionedConcurrentExecutions"] == 0


def test_what_aws_refuses_is_refused(hands, published):
    """$LATEST, a version and its alias at the same time, and too many."""
    hands.call("lambda", "CreateAlias", FunctionName=published, Name="live", FunctionVersion="1")
    put(hands, published, "1", 1)

    for qualifier, count, code in (
        ("$LATEST", 1, "InvalidParameterValueException"),
        ("live", 1, "ResourceConflictException"),
        ("1", 901, "InvalidParameterValueException"),
        ("7", 1, "ResourceNotFoundException"),
    ):
        with pytest.raises(ApiError) as refused:
            put(hands, published, qualifier, count)
        assert refused.value.code == code


def test_they_are_there_again_after_a_restart(tmp_path):
    """Whatever became of the server before."""
    server = start(tmp_path / "data", tmp_path / "log")
    hands = Boto3Hands(server.url)
    hands.call(
        "lambda", "CreateFunction", FunctionName="f", Runtime="python3.12", Role=ROLE,
        Handler="lambda_function.lambda_handler", Publish=True,
        Code={"ZipFile": make_zip(lambda_function=SOURCE)},
    )  # fmt: skip
    hands.wait("lambda", "PublishedVersionActive", FunctionName="f", Qualifier="1")
    put(hands, "f", "1", 1)
    hands.close()
    server.kill()

    server = start(tmp_path / "data", tmp_path / "log")
    hands = Boto3Hands(server.url)
    config = settled(hands, "f", "1")
    kind = hands.invoke("f:1", json.dumps({}).encode()).json()
    hands.close()
    server.stop()

    assert (config["Status"], kind) == ("READY", AHEAD)
