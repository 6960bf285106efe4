"""SnapStart through real clients: versions begin from the memory of an initialised process."""

import io
import json
import sys
import textwrap
import zipfile
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import pytest
import snapshot_restore_py
from hands import ApiError
from material import make_zip
from test_runtime_client import package

from bench import processes

ON = {"ApplyOn": "PublishedVersions"}
RUNTIME = f"python{sys.version_info[0]}.{sys.version_info[1]}"
STATEFUL = """
    import os, random, secrets, signal, ssl, tempfile, time, uuid
    import boto3

    heard = []
    signal.signal(signal.SIGUSR1, lambda *_: heard.append("signal"))
    os.umask(0o027)
    os.chdir("/tmp")
    os.makedirs("/tmp/deep/er")
    with open("/tmp/deep/er/file", "w") as out:
        out.write("kept in tmp")
    opened = open("/tmp/deep/er/file")
    opened.seek(5)
    os.environ["MINE"] = "kept"
    table = {n: str(n) for n in range(10_000)}
    ssl.RAND_bytes(8)
    random.seed(7)
    sts = boto3.client("sts")
    born = (os.getpid(), os.environ["AWS_LAMBDA_LOG_STREAM_NAME"])

    def lambda_handler(event, context):
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(event.get("sleep", 0))
        return {
            "pids": [born[0], os.getpid()],
            "streams": [born[1], os.environ["AWS_LAMBDA_LOG_STREAM_NAME"], context.log_stream_name],
            "random": [random.random(), ssl.RAND_bytes(8).hex(), secrets.token_hex(8),
                       str(uuid.uuid4()), tempfile.mktemp()],
            "kept": [table[9_999], opened.read(), os.getcwd(), os.environ["MINE"]],
            "umask": os.umask(0o027),
            "heard": heard,
            "keys": [n for n in os.environ if n.startswith(("AWS_ACC", "AWS_SEC", "AWS_SES"))],
            "who": sts.get_caller_identity()["Arn"] if event.get("who") else "",
            "type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"],
            "descriptors": sorted(map(int, os.listdir("/proc/self/fd"))),
        }
"""
HOOKS = """
    import os
    from snapshot_restore_py import register_after_restore, register_before_snapshot

    order = []

    @register_before_snapshot
    def first():
        order.append("before 1")

    register_before_snapshot(order.append, "before 2")
    register_after_restore(order.append, "after 1")

    @register_after_restore
    def second():
        order.append("after 2")

    def lambda_handler(event, context):
        import snapshot_restore_py
        return {"order": order, "from": snapshot_restore_py.__file__}
"""
FAILING = """
    import time
    from snapshot_restore_py import register_after_restore, register_before_snapshot

    def fail():
        raise ValueError("on purpose")

    def lambda_handler(event, context):
        return 1

"""

# What is large and read by all, as libraries for numbers are.
SHARING = """
    import json, os, time, zlib
    import boto3
    TABLE = os.urandom(1 << 20) * 32

    def lambda_handler(event, context):
        time.sleep(4)
        return {"sum": zlib.adler32(TABLE), "stream": os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]}
"""


@pytest.fixture
def publish(boto, make_function):
    """Publishes version 1 of a function from source: its name, and the version once settled."""

    def make(source, **configuration):
        name = make_function(source, SnapStart=ON, **{"MemorySize": 512, **configuration})
        boto.call("lambda", "PublishVersion", FunctionName=name)
        for _ in range(100):
            version = boto.call("lambda", "GetFunctionConfiguration", FunctionName=f"{name}:1")
            if version["State"] != "Pending":
                break
        return name, version

    return make


def report(answer):
    """The fields of the REPORT line."""
    line = next(x for x in answer.log.splitlines() if x.startswith("REPORT"))
    return dict(field.split(": ", 1) for field in line.split("\t") if ": " in field)


def lines(boto, name):
    """Stream -> what the platform wrote there, in order."""
    group = f"/aws/lambda/{name}"
    found = {}
    for stream in boto.call("logs", "DescribeLogStreams", logGroupName=group)["logStreams"]:
        events = boto.call(
            "logs", "GetLogEvents", logGroupName=group, logStreamName=stream["logStreamName"],
            startFromHead=True,
        )["events"]  # fmt: skip
        found[stream["logStreamName"]] = [event["message"].rstrip("\n") for event in events]
    return found


def test_a_version_begins_from_its_snapshot(hands, make_function):
    """It is Pending, then Active and On; its environments are restored, not those of $LATEST."""
    name = make_function("def lambda_handler(event, context): return 1", SnapStart=ON)
    at_once = hands.call("lambda", "PublishVersion", FunctionName=name)
    hands.wait("lambda", "PublishedVersionActive", FunctionName=name, Qualifier="1")
    version = hands.call("lambda", "GetFunctionConfiguration", FunctionName=name, Qualifier="1")
    latest = hands.call("lambda", "GetFunctionConfiguration", FunctionName=name)

    restored = report(hands.invoke(name, Qualifier="1", LogType="Tail"))
    warm = report(hands.invoke(name, Qualifier="1", LogType="Tail"))
    initialised = report(hands.invoke(name, LogType="Tail"))

    assert at_once["State"] == "Pending"
    assert version["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}
    assert latest["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}
    assert restored["Restore Duration"].endswith(" ms")
    assert restored["Billed Restore Duration"].endswith(" ms")
    assert "Init Duration" not in restored
    assert not {"Restore Duration", "Billed Restore Duration"} & set(warm)
    assert "Init Duration" in initialised
    assert "Restore Duration" not in initialised


def test_the_log_tells_of_both_phases(boto, publish):
    """INIT stands in the stream of the publication, RESTORE in that of the environment."""
    name, _ = publish("print('initialising')\ndef lambda_handler(event, context): print('served')")
    boto.invoke(f"{name}:1")

    found = sorted(lines(boto, name).values(), key=lambda written: written[0])

    assert [[line.split(" ")[0].split("\t")[0] for line in written] for written in found] == [
        ["INIT_START", "initialising", "INIT_REPORT"],
        ["RESTORE_START", "RESTORE_REPORT", "START", "served", "END", "REPORT"],
    ]
    assert found[1][0].startswith(
        "RESTORE_START Runtime Version: python:3.12\tRuntime Version ARN:"
    )
    assert found[1][1].startswith("RESTORE_REPORT Restore Duration: ")


def test_state_is_kept_and_what_must_differ_differs(boto, publish):
    """Memory, /tmp, open files, directory, mask and signal handlers are what they were.

    Randomness, process, log stream and credentials are each environment's own.
    """
    name, version = publish(STATEFUL, Timeout=30)
    answers = {}

    def call(_):
        answer = boto.invoke(f"{name}:1", b'{"sleep": 1}').json()
        if len(answer["heard"]) == 1:
            answers[answer["streams"][1]] = answer

    # A caller who comes late on a busy machine may get an environment for the second time.
    with ThreadPoolExecutor(6) as pool:
        for _ in range(10):
            list(pool.map(call, range(6)))
            if len(answers) >= 3:
                break
    who = boto.invoke(f"{name}:1", b'{"who": true}').json()

    assert version["SnapStart"]["OptimizationStatus"] == "On", version
    assert len(answers) >= 3
    for answer in answers.values():
        assert answer["kept"] == ["9999", "in tmp", "/tmp", "kept"]
        assert (answer["umask"], answer["heard"], answer["keys"]) == (0o027, ["signal"], [])
        assert answer["pids"][0] != answer["pids"][1]
        born, variable, context = answer["streams"]
        assert born != variable == context
        assert answer["type"] == "snap-start"
    for drawn in zip(*(answer["random"] for answer in answers.values()), strict=True):
        assert len(set(drawn)) == len(answers)
    assert who["who"].startswith("arn:aws:sts::123456789012:assumed-role/MyLambdaExecutionRole/")
    assert max(who["descriptors"]) < 16


@pytest.mark.parametrize("packed", [True, False])
def test_hooks_run_in_their_order(boto, publish, packed):
    """Of the package from PyPI in the function's code, and of the one that the runtime has."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("lambda_function.py", textwrap.dedent(HOOKS))
        if packed:
            place = Path(snapshot_restore_py.__file__)
            archive.write(place, "snapshot_restore_py/__init__.py")
    name, _ = publish(HOOKS, Code={"ZipFile": out.getvalue()})

    answer = boto.invoke(f"{name}:1").json()

    assert answer["order"] == ["before 2", "before 1", "after 1", "after 2"]
    assert answer["from"].startswith("/var/task/" if packed else "/var/runtime/")


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import nowhere", "Runtime.ImportModuleError"),
        (FAILING + "    register_before_snapshot(fail)", "Runtime.BeforeSnapshotError"),
        ("import os\nos._exit(3)", "Runtime.ExitError"),
    ],
)
def test_a_version_that_cannot_initialise_is_failed(boto, publish, source, error):
    """It says so, and cannot be invoked."""
    name, version = publish(source)

    assert (version["State"], version["StateReasonCode"]) == (
        "Failed", "FunctionError.RuntimeInitError",
    )  # fmt: skip
    assert version["StateReason"].endswith(error)
    with pytest.raises(ApiError, match="Failed"):
        boto.invoke(f"{name}:1")


def test_a_hook_that_fails_after_restore_fails_the_call(boto, publish):
    """With an error of the service, and the reason in the log."""
    name, _ = publish(FAILING + "    register_after_restore(fail)")

    with pytest.raises(ApiError) as refused:
        boto.invoke(f"{name}:1")
    written = list(chain.from_iterable(lines(boto, name).values()))

    assert refused.value.code == "SnapStartException"
    assert any("ValueError: on purpose" in line for line in written)
    assert any(line.startswith("RESTORE_REPORT") and "Status: error" in line for line in written)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (
            "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True, "
            "name='worker').start()",
            "it has 2 threads (worker)",
        ),
        ("import os\nheld = os.pipe()", "it has pipe:"),
        ("import socket\nheld = socket.create_server(('127.0.0.1', 8080))", "it listens on a"),
        ("import subprocess\nheld = subprocess.Popen(['sleep', '60'])", "it has 1 child process"),
        ("import mmap\nheld = mmap.mmap(-1, 4096)", "it shares memory"),
        ("import signal\nsignal.setitimer(signal.ITIMER_REAL, 60)", "it has an alarm set"),
    ],
)
def test_what_cannot_be_carried_is_said(boto, publish, source, reason):
    """In the version and in the log; its environments run INIT and serve."""
    name, version = publish(source + "\ndef lambda_handler(event, context): return 7")

    answer = boto.invoke(f"{name}:1", LogType="Tail")

    assert (version["State"], version["SnapStart"]["OptimizationStatus"]) == ("Active", "Off")
    assert version["StateReason"].startswith(f"SnapStart: environments run INIT because {reason}")
    assert answer.json() == 7
    assert "Init Duration" in report(answer)
    written = list(chain.from_iterable(lines(boto, name).values()))
    assert any(line.startswith("EMBERBOX SnapStart:") and reason in line for line in written), (
        written
    )


def test_connections_are_found_ended(boto, publish):
    """Whoever has a client that has connected while initialising connects again."""
    name, version = publish(
        """
        import boto3
        sts = boto3.client("sts")
        before = sts.get_caller_identity()["Arn"]

        def lambda_handler(event, context):
            return [before, sts.get_caller_identity()["Arn"]]
        """,
        Timeout=30,
    )

    answer = boto.invoke(f"{name}:1")

    assert version["SnapStart"]["OptimizationStatus"] == "On", version
    assert len(set(answer.json())) == 1


def test_a_crash_is_followed_by_another_restoration(boto, publish):
    """And so is a time-out."""
    name, _ = publish(
        """
        import os, time
        count = 0

        def lambda_handler(event, context):
            global count
            count += 1
            if event.get("exit"):
                os._exit(3)
            time.sleep(event.get("sleep", 0))
            return count
        """,
        Timeout=1,
    )

    assert boto.invoke(f"{name}:1").json() == 1
    assert boto.invoke(f"{name}:1").json() == 2
    assert boto.invoke(f"{name}:1", b'{"exit": 1}').error == "Unhandled"
    again = boto.invoke(f"{name}:1", LogType="Tail")
    assert boto.invoke(f"{name}:1", b'{"sleep": 5}').error == "Unhandled"
    at_last = boto.invoke(f"{name}:1", LogType="Tail")

    for answer in (again, at_last):
        assert answer.json() == 1
        assert "Restore Duration" in report(answer)


def test_awss_own_client_runs_its_hooks_around_init(boto, make_function):
    """It is a program of its own: there is no snapshot of it, and the version says so."""
    variables = {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"}}
    name = make_function(
        "", Handler="f.handler", Runtime=RUNTIME, Environment=variables, SnapStart=ON, Timeout=30,
        Code={"ZipFile": package()},
    )  # fmt: skip
    boto.call("lambda", "PublishVersion", FunctionName=name)
    boto.wait("lambda", "PublishedVersionActive", FunctionName=name, Qualifier="1")
    version = boto.call("lambda", "GetFunctionConfiguration", FunctionName=f"{name}:1")

    answer = boto.invoke(f"{name}:1", json.dumps({"n": 1}).encode())

    assert version["SnapStart"]["OptimizationStatus"] == "Off"
    assert answer.json()["client"] is True


def test_a_large_tmp_is_refused(hands, make_function):
    """As on AWS it does not go together with SnapStart."""
    name = make_function("", SnapStart=ON)

    with pytest.raises(ApiError) as refused:
        hands.call(
            "lambda", "UpdateFunctionConfiguration", FunctionName=name,
            EphemeralStorage={"Size": 1024},
        )  # fmt: skip

    assert refused.value.code == "InvalidParameterValueException"


def test_environments_of_a_version_share_what_was_imported(server, boto, publish):
    """Of a hundred calls at once: each has all of it, and takes less than a fifth for itself."""
    name, _ = publish(SHARING, Timeout=60)
    with ThreadPoolExecutor(100) as callers:
        answers = list(callers.map(lambda _: boto.invoke(f"{name}:1").json(), range(100)))

    taken = [memory for pid in processes.tree(server.pid) if (memory := of_an_image(pid))]

    environments = len({answer["stream"] for answer in answers})
    # On a machine that is slow, the last are served by the first.
    assert environments > 20
    assert {answer["sum"] for answer in answers} == {answers[0]["sum"]}
    assert len(taken) >= environments
    resident, proportional = (
        sorted(column)[len(column) // 2] for column in zip(*taken, strict=True)
    )
    assert resident > 40_000
    assert proportional < resident / 5


def of_an_image(pid):
    """(resident, proportional) kB of a process that came from the image of a template."""
    place = Path("/proc", str(pid))
    try:
        if "memfd:emberbox-template" not in (place / "maps").read_text("ascii", "replace"):
            return None
        lines = (place / "smaps_rollup").read_text("ascii").splitlines()
    except OSError:
        return None
    found = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
    return found["Rss"], found["Pss"]


def test_each_version_has_its_own_snapshot(boto, publish):
    """What is published anew is initialised anew."""
    name, _ = publish("def lambda_handler(event, context): return 'one'")
    boto.call(
        "lambda", "UpdateFunctionCode", FunctionName=name, Publish=True,
        ZipFile=make_zip(lambda_function="def lambda_handler(event, context): return 'two'"),
    )  # fmt: skip
    boto.wait("lambda", "PublishedVersionActive", FunctionName=name, Qualifier="2")

    assert [boto.invoke(f"{name}:{n}").json() for n in (1, 2)] == ["one", "two"]
