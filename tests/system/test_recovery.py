"""A server that is killed leaves nothing alive, loses nothing acknowledged, and starts again."""

import json
import os
import signal
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest
from hands import Boto3Hands
from material import ROLE, Watched, make_zip

from bench import processes
from tools.running import start

SOURCE = """
    import os, time

    def lambda_handler(event, context):
        print("before", event.get("n"), flush=True)
        if event.get("child") and os.fork() == 0:
            os.setsid()
            time.sleep(600)
        time.sleep(event.get("sleep", 0))
        return event.get("n")
"""
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    }
)


@pytest.fixture
def place(tmp_path):
    """Starts servers on one data directory; the last one is stopped at the end."""
    started = []

    class Place:
        data = tmp_path / "data"

        def start(self):
            server = start(tmp_path / "data", tmp_path / "log")
            hands = Boto3Hands(server.url)
            started.append((server, hands))
            return server, hands

        def log(self):
            return (tmp_path / "log").read_text("utf-8", "replace")

    yield Place()
    for _, hands in started:
        hands.close()
    if started:
        assert started[-1][0].stop() == 0
    assert "Traceback" not in (tmp_path / "log").read_text("utf-8", "replace")


def create(hands, name="survivor"):
    """A function on the server."""
    hands.call(
        "lambda",
        "CreateFunction",
        FunctionName=name,
        Runtime="python3.12",
        Role=ROLE,
        Handler="lambda_function.lambda_handler",
        Code={"ZipFile": make_zip(lambda_function=SOURCE)},
        Timeout=60,
    )


def messages(hands, name="survivor"):
    """All that the function has logged."""
    found = hands.call("logs", "FilterLogEvents", logGroupName=f"/aws/lambda/{name}")
    return [event["message"].rstrip("\n") for event in found["events"]]


def crash(server):
    """Kill -9, and wait until every process it had has ended too."""
    offspring = processes.tree(server.pid) - {server.pid}
    watched = Watched(offspring)
    count = len(watched)
    server.kill()
    return count, watched.await_ends(60)


def test_idle_server(place):
    """Killed while its environments are frozen: all is there again, nothing of the dead is."""
    server, hands = place.start()
    hands.call("iam", "CreateRole", RoleName="kept", AssumeRolePolicyDocument=TRUST)
    create(hands)
    assert hands.invoke("survivor", b'{"n": 1}', LogType="Tail").json() == 1

    count, left = crash(server)
    assert count > 0
    assert left == []
    assert processes.loop_devices(place.data) == 0

    second, hands = place.start()
    roles = [role["RoleName"] for role in hands.call("iam", "ListRoles")["Roles"]]
    assert roles == ["kept"]
    assert hands.invoke("survivor", b'{"n": 2}', LogType="Tail").json() == 2
    said = messages(hands)
    assert [line for line in said if line.startswith("before")] == ["before 1", "before 2"]
    assert processes.control_groups(server.pid) == []
    assert processes.control_groups(second.pid) != []


def test_busy_server(place):
    """Killed in the middle of invocations, one with a daemon child: none survives."""
    server, hands = place.start()
    create(hands)
    url = urlsplit(server.url)
    payload = json.dumps({"n": 1, "sleep": 60, "child": True}).encode()
    callers = []
    for _ in range(3):
        caller = socket.create_connection((url.hostname, url.port))
        caller.sendall(
            b"POST /2015-03-31/functions/survivor/invocations HTTP/1.1\r\nHost: x\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(payload), payload)
        )
        callers.append(caller)
    wait_until(lambda: messages(hands).count("before 1") == 3)

    _, left = crash(server)
    for caller in callers:
        assert caller.recv(100) == b""
        caller.close()

    _, hands = place.start()
    assert left == []
    assert hands.invoke("survivor", b'{"n": 2}', LogType="Tail").json() == 2
    assert processes.control_groups(server.pid) == []
    assert messages(hands).count("before 1") == 3


def test_acknowledged_work_is_never_lost(place):
    """Killed while functions are being created: each that was answered for exists and runs."""
    server, hands = place.start()
    answered = []
    under_way = threading.Event()

    def create_many():
        for n in range(10_000):
            try:
                create(hands, f"f{n}")
            except Exception:  # noqa: BLE001 - the server dies under it, in any of many ways
                return
            answered.append(f"f{n}")
            if n == 20:
                under_way.set()

    thread = threading.Thread(target=create_many)
    thread.start()
    assert under_way.wait(60)
    os.kill(server.pid, signal.SIGKILL)
    thread.join(60)
    server.kill()

    _, hands = place.start()
    listed = set()
    pages = hands.client("lambda").get_paginator("list_functions").paginate()
    for page in pages:
        listed |= {f["FunctionName"] for f in page["Functions"]}
    assert set(answered) <= listed
    assert len(listed) <= len(answered) + 1
    for name in (answered[0], answered[-1], *sorted(listed - set(answered))):
        hands.wait("lambda", "FunctionActiveV2", FunctionName=name)
        assert hands.invoke(name, b'{"n": 5}').json() == 5


def test_second_server_on_the_same_data_is_refused(place, tmp_path):
    """Two servers would overwrite each other: the second says which process has the directory."""
    server, _ = place.start()

    with pytest.raises(RuntimeError) as refused:
        start(tmp_path / "data", tmp_path / "second-log")

    assert f"pid {server.pid}" in str(refused.value)
    assert "--data-dir" in str(refused.value)
    assert "Traceback" not in str(refused.value)


def test_stop_waits_for_running_invocations(place):
    """SIGTERM lets an invocation come to its end, and its caller gets the answer."""
    server, hands = place.start()
    create(hands)
    answers = []
    caller = threading.Thread(
        target=lambda: answers.append(hands.invoke("survivor", b'{"n": 3, "sleep": 1}'))
    )
    caller.start()
    wait_until(lambda: "before 3" in messages(hands))

    status = server.stop()
    caller.join(30)

    assert status == 0
    assert [answer.json() for answer in answers] == [3]
    assert processes.control_groups(server.pid) == []


def wait_until(condition):
    """Ask again and again, each time over the network, for a bounded time."""
    last, deadline = None, time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except Exception as error:  # noqa: BLE001 - what is waited for may not exist yet
            last = error
        else:
            last = None
    raise AssertionError(f"it did not come to pass: {last}")
