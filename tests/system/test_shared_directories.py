"""File systems on a real server: environments share a directory, as its owner and no other."""

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from hands import Boto3Hands
from material import ROLE, make_zip

from tools.running import running

ARN = "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-0123456789abcdef0"
OWNER = 54_321
CODE = """
import os, subprocess, time

def lambda_handler(event, context):
    place = "/mnt/shared/" + event["file"]
    if event["do"] == "append":
        with open(place, "a") as file:
            file.write(event["text"])
        return open(place).read()
    if event["do"] == "meet":
        open(place + event["me"], "w").close()
        until = time.time() + 20
        while not os.path.exists(place + event["other"]) and time.time() < until:
            time.sleep(0.01)
        with open(place, "a") as file:
            file.write(event["me"])
        return os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
    if event["do"] == "suid":
        subprocess.run(["cp", "/usr/bin/id", place], check=True)
        os.chmod(place, 0o6755)
        mine = os.stat(place).st_uid == os.getuid()
        return [mine, int(subprocess.check_output([place, "-u"])) == os.getuid()]
    if event["do"] == "read":
        try:
            return open(place).read()
        except OSError as error:
            return type(error).__name__
    return sorted(os.listdir("/mnt"))
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A directory of a user who is not root."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount directories for functions")
    place = tmp_path_factory.mktemp("shared")
    os.chown(place, OWNER, OWNER)
    return place


@pytest.fixture(scope="module")
def sharing(tmp_path_factory, shared):
    """Hands for a server with that directory, and a function that has it."""
    top = tmp_path_factory.mktemp("file-systems")
    options = ("--log-format", "text", "--file-system", f"{ARN}={shared}")
    with running(top / "data", top / "log", *options) as server:
        hands = Boto3Hands(server.url)
        hands.call(
            "lambda",
            "CreateFunction",
            FunctionName="sharer",
            Runtime="python3.12",
            Handler="lambda_function.lambda_handler",
            Role=ROLE,
            Timeout=30,
            Code={"ZipFile": make_zip(lambda_function=CODE)},
            VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
            FileSystemConfigs=[{"Arn": ARN, "LocalMountPath": "/mnt/shared"}],
        )
        hands.wait("lambda", "FunctionActiveV2", FunctionName="sharer")
        yield hands
        hands.close()


def _ask(hands, event):
    return hands.invoke("sharer", json.dumps(event)).json()


def test_what_a_function_writes_is_the_owners_and_stays(sharing, shared):
    """On the host it is a file of the directory's owner; another environment goes on with it."""
    first = _ask(sharing, {"do": "append", "file": "log", "text": "one"})
    sharing.call(
        "lambda", "UpdateFunctionConfiguration", FunctionName="sharer", Description="again",
        Environment={"Variables": {"NEW": "environment"}},
    )  # fmt: skip
    sharing.wait("lambda", "FunctionUpdatedV2", FunctionName="sharer")
    second = _ask(sharing, {"do": "append", "file": "log", "text": "two"})

    found = (shared / "log").stat()
    assert (first, second) == ("one", "onetwo")
    assert (found.st_uid, found.st_gid) == (OWNER, OWNER)
    config = sharing.call("lambda", "GetFunctionConfiguration", FunctionName="sharer")
    assert config["FileSystemConfigs"] == [{"Arn": ARN, "LocalMountPath": "/mnt/shared"}]


def test_environments_at_the_same_time_change_each_others_files(sharing, shared):
    """They are different users, and yet the same one there."""
    events = [
        {"do": "meet", "file": "both", "me": me, "other": other}
        for me, other in (("a", "b"), ("b", "a"))
    ]
    with ThreadPoolExecutor(2) as pool:
        streams = list(pool.map(lambda event: _ask(sharing, event), events))

    assert len(set(streams)) == 2
    assert sorted((shared / "both").read_text()) == ["a", "b"]


def test_a_function_gains_nothing_by_its_file_system(sharing, shared):
    """No other's file, no power of a program's owner, nothing beside it."""
    secret = shared / "of-root"
    secret.write_text("secret")
    secret.chmod(0o600)
    (shared / "out").symlink_to("/etc/shadow")

    assert _ask(sharing, {"do": "read", "file": "of-root"}) == "PermissionError"
    outside = _ask(sharing, {"do": "read", "file": "out"})
    assert outside == "FileNotFoundError"
    assert _ask(sharing, {"do": "suid", "file": "id"}) == [True, True]
    assert (shared / "id").stat().st_uid == OWNER
    assert stat.S_IMODE((shared / "id").stat().st_mode) & stat.S_ISUID
    assert _ask(sharing, {"do": "list", "file": ""}) == ["shared"]
