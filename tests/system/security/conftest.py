"""The attacks are made on servers of several kinds, each promise where it is made."""

import json
import re
import sys
import tempfile
from pathlib import Path

import pytest
from hands import Boto3Hands
from material import make_zip

sys.path.insert(0, str(Path(__file__).parent.parent / "host"))

from hostile import SOURCE
from hosts import an_ordinary_user, host_of_kind

VICTIM = """
    import os, time
    SECRET = "victim-secret-in-code-7261"
    os.environ["VICTIM"] = "victim-secret-in-environment-5518"
    def handler(event, context):
        with open(os.environ.get("TMPDIR", "/tmp") + "/victim", "w") as out:
            out.write("victim-secret-in-tmp-9034")
        time.sleep(event.get("sleep", 0))
        return {"alive": True}
"""
ISOLATION = Path(__file__).parents[3] / "docs" / "explanation" / "isolation.md"
# The word of the documentation for each kind of host, and the words that include it.
KINDS = {
    "root": {"limited", "namespaces", "namespaces, confined", "all"},
    "user": {"namespaces", "namespaces, confined", "all"},
    "root without namespaces": {"namespaces, confined", "all"},
    "process": {"all"},
}


def promised():
    """Test -> where its promise holds, as the documentation says."""
    text = ISOLATION.read_text("utf-8")
    return dict(re.findall(r"`(test_\w+)` \| ([\w, ]+?) \|$", text, re.MULTILINE))


def pytest_collection_modifyitems(config, items):
    """Leave out what is not promised at a level."""
    words = promised()
    left, kept = [], []
    for item in items:
        kind = getattr(item, "callspec", None) and item.callspec.params.get("server")
        # What is no promise is tried once.
        holds = words.get(item.originalname, "limited") if kind else "all"
        (kept if kind is None or holds in KINDS[kind] else left).append(item)
    config.hook.pytest_deselected(items=left)
    items[:] = kept


@pytest.fixture(scope="session", params=KINDS)
def server(request):
    """A server on a host of each kind."""
    with (
        an_ordinary_user() as user,
        tempfile.TemporaryDirectory(dir="/var/tmp") as place,
    ):
        Path(place).chmod(0o711)
        with host_of_kind(request.param, Path(place), user) as host:
            host.server.kind = request.param
            yield host.server


@pytest.fixture(scope="session")
def boto(server):
    """boto3 hands for it."""
    made = Boto3Hands(server.url)
    yield made
    made.close()


@pytest.fixture
def attack(boto, make_function):
    """Run one operation of the hostile function: its result."""
    made = {}

    def run(operation, *, memory=512, timeout=30, fails=False, who="", **event):
        key = (memory, timeout, who)
        if key not in made:
            made[key] = make_function(
                SOURCE,
                Handler="lambda_function.handler",
                MemorySize=memory,
                Timeout=timeout,
                Code={"ZipFile": make_zip(lambda_function=SOURCE)},
            )
        answer = boto.invoke(
            made[key], json.dumps({"op": operation, **event}).encode(), LogType="Tail"
        )
        if fails:
            assert answer.error == "Unhandled", answer.payload
            return answer.json()
        assert answer.error is None, answer.payload
        return answer.json()["result"]

    run.names = made
    return run


@pytest.fixture
def victim(make_function):
    """A function with secrets in its code, environment and /tmp, which has just run."""
    return make_function(
        VICTIM,
        Handler="lambda_function.handler",
        Timeout=60,
        Environment={"Variables": {"SECRET_VARIABLE": "victim-secret-in-configuration-1187"}},
    )


@pytest.fixture
def alive(boto, victim):
    """Check that the victim still answers rightly."""

    def check():
        answer = boto.invoke(victim, b"{}")
        assert (answer.error, answer.json()) == (None, {"alive": True})

    check()
    yield check
    check()
