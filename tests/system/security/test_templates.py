"""Hostile templates and their environments: nothing is gained, and only the own function harmed."""

import json
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

ON = {"ApplyOn": "PublishedVersions"}
LOOKING = """
    import os, time

    def seen():
        names = sorted(os.listdir("/proc/self/ns"))
        status = open("/proc/self/status").read().splitlines()
        facts = dict(line.split(":", 1) for line in status)
        return {
            "namespaces": [os.readlink("/proc/self/ns/" + name) for name in names],
            "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
            "uid": os.getuid(),
            "tmp": sorted(os.listdir("/tmp")),
            "facts": {k: facts[k].strip() for k in ("CapEff", "CapPrm", "NoNewPrivs", "Seccomp")},
            "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd")),
            "unix": open("/proc/net/unix").read().count("@"),
        }

    template = seen()

    def handler(event, context):
        open("/tmp/" + event["name"], "w").close()
        time.sleep(4)  # so that none is free again before the others are there
        return {"template": template, "own": seen(), "pid": os.getpid()}
"""
HOSTILE = """
    import ctypes, http.client, os, socket, subprocess, sys, threading, time

    def say(text):
        door = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
        door.request("GET", "/2018-06-01/runtime/restore/next", headers={"Emberbox-Snapshot": text})
        return door

    def is_template():
        try:
            os.fstat(1000)
        except OSError:
            return False
        return True

    def lie():
        say("saving").getresponse().read()
        say("saved")
        time.sleep(60)

    def lie_with(data):
        say("saving").getresponse().read()
        os.pwrite(1000, data, 0)
        say("saved")
        time.sleep(60)

    def hold():
        say("saving").getresponse().read()
        os.ftruncate(1000, 1 << 20)
        libc = ctypes.CDLL(None)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap(None, 1 << 20, 3, 1, 1000, 0)
        say("saved")
        time.sleep(60)

    def babble():
        for text in ("saved", "unfit: early", "x" * 5000, "saving", "saving"):
            try:
                say(text).getresponse().read()
            except Exception as error:
                print("refused", error)
        say("unfit: " + "y" * 5000)
        time.sleep(60)

    def leave():
        if os.fork() == 0:
            os.setsid()
            subprocess.Popen(["sleep", "73519.25"])
            os._exit(0)
        os.wait()

    def close():
        os.closerange(4, 1024)

    if is_template():
        %s

    def handler(event, context):
        return "served"
"""


@pytest.fixture
def publish(boto, make_function):
    """Publishes version 1: its name, and the version once it has settled."""

    def make(source):
        name = make_function(
            source, Handler="lambda_function.handler", SnapStart=ON, MemorySize=256, Timeout=20
        )
        boto.call("lambda", "PublishVersion", FunctionName=name)
        version, deadline = {"State": "Pending"}, time.monotonic() + 90
        while version["State"] == "Pending" and time.monotonic() < deadline:
            version = boto.call("lambda", "GetFunctionConfiguration", FunctionName=f"{name}:1")
        return name, version

    return make


@pytest.fixture
def neighbour(boto, publish):
    """Another function's version with a snapshot of its own, which must go on serving."""
    name, _ = publish("def handler(event, context): return 'neighbour'")
    yield
    assert boto.invoke(f"{name}:1").json() == "neighbour"


def test_environments_of_a_version_have_nothing_in_common(boto, publish):
    """Neither with each other nor with the template; and none has anything to lose."""
    name, version = publish(LOOKING)
    found = []

    def call(number):
        payload = json.dumps({"name": f"of-{number}"}).encode()
        found.append(boto.invoke(f"{name}:1", payload).json())

    callers = [threading.Thread(target=call, args=(n,)) for n in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()

    assert version["SnapStart"]["OptimizationStatus"] == "On", version
    everybody = [each["own"] for each in found]
    for one in everybody:
        assert one["facts"] == {
            "CapEff": "0000000000000000", "CapPrm": "0000000000000000",
            "NoNewPrivs": "1", "Seccomp": "2",
        }  # fmt: skip
        assert max(one["descriptors"]) < 16
        assert len(one["tmp"]) == 1
    assert all(set(each["own"]["processes"]) == {1, each["pid"]} for each in found)
    for kind in ("ipc", "mnt", "net", "pid", "uts"):
        owners = [
            next(name for name in one["namespaces"] if name.startswith(f"{kind}:"))
            for one in [*everybody, found[0]["template"]]
        ]
        assert len(set(owners)) == 4, (kind, owners)


@pytest.mark.parametrize(
    "attack",
    [
        "lie()",
        "lie_with(os.urandom(1 << 20))",
        "lie_with(b'EMBSNAP1' + bytes(1 << 16))",
        "lie_with(b'EMBSNAP1' + b'\\\\xff' * 40 + b'{}')",
        "hold()",
        "babble()",
    ],
)
def test_a_lying_template_harms_only_its_function(boto, publish, neighbour, attack):
    """Its version is Active and serves, though as it does without a snapshot."""
    name, version = publish(HOSTILE % attack)

    assert version["State"] == "Active", version
    assert len(version.get("StateReason", "")) < 400
    assert [boto.invoke(f"{name}:1").json() for _ in range(3)] == ["served"] * 3


def test_a_template_that_closes_everything_fails(publish, neighbour):
    """Its version cannot initialise."""
    _, version = publish(HOSTILE % "close()")

    assert version["State"] == "Failed"


def test_nothing_of_a_template_lives_on(publish, neighbour):
    """A process that it has left behind ends with it."""
    _, version = publish(HOSTILE % "leave()")

    assert version["State"] == "Active"
    deadline = time.monotonic() + 60
    while any(b"73519.25" in command for command in commands()):
        assert time.monotonic() < deadline


def commands():
    """The command lines of all processes; some end while they are read."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield path.read_bytes()
