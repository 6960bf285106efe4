"""Every back end behaves alike: one table of behaviours over all levels of isolation.

What a level does not give (a memory limit that the kernel keeps, say) its table says, and then the
behaviour is not asked of it. Levels that this machine cannot make are skipped.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "runtimes"))

from hosts import KINDS, host_of_kind, zip_of
from languages import LANGUAGES, package
from material import await_rest

FUNCTION = (Path(__file__).parent / "behaviours.py").read_text("utf-8")
SLEEP = f"6{os.getpid()}"
"""Seconds that only children of these tests sleep."""

WORDS = 'package example; public class Words { public static String SAID = "of the layer"; }'
SUBJECT = """
package example;
public class Subject {
    public static String handle(String event) { return Words.SAID; }
}
"""


@pytest.fixture(scope="module", params=KINDS)
def host(request, ordinary_user):
    """A server on a host of this kind. Its directory is outside of /tmp: functions may see that."""
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp") as place,
        host_of_kind(request.param, visible(place), ordinary_user) as host,
    ):
        yield host


@pytest.fixture(scope="module")
def function(host):
    """A function with all the behaviours: run one of them."""
    names = {}

    def run(do, *, timeout=30, memory=512, **event):
        key = (timeout, memory)
        if key not in names:
            names[key] = host.function(
                FUNCTION,
                Timeout=timeout,
                MemorySize=memory,
                Environment={"Variables": {"OWN": "own"}},
            )
        return host.invoke(names[key], json.dumps({"do": do, **event}).encode(), LogType="Tail")

    run.names = names
    return run


def visible(place):
    """Where users of sandboxes come to their code without mounts, others must be let through."""
    Path(place).chmod(0o711)
    return Path(place)


def facts(host):
    with urllib.request.urlopen(f"{host.server.url}/_emberbox/sandboxes") as answer:
        return json.load(answer)


def test_the_level_is_said(host):
    """The page of facts and the banner name the level that was meant."""
    assert fnmatch(facts(host)["isolation"], host.level)


def test_an_event_comes_back(function):
    """A handler gets its event, and the caller the result."""
    answer = function("beat", value={"a": [1, None, "ä"]})

    assert (answer.error, answer.json()) == (None, {"a": [1, None, "ä"]})


def test_variables_and_the_directory(function):
    """Own variables, AWS's and the task root are there."""
    found = function("environment").json()

    assert found["OWN"] == "own"
    assert (found["AWS_REGION"], found["_HANDLER"]) == ("us-east-1", "lambda_function.handler")
    assert found["cwd_is_root"]


def test_output_is_in_the_log(function):
    """Both streams, between START and END."""
    log = function("say").log

    assert log.index("START") < log.index("said aloud") < log.index("END")
    assert "said to stderr" in log


def test_a_time_out_ends_the_whole_tree(host, function):
    """Children in sessions of their own and their orphans end too; the next invocation works."""
    answer = function("hang", timeout=3, sleep=SLEEP)
    after = function("beat", timeout=3, value=1)
    # Another environment may have answered while that one was reset.
    deadline = time.monotonic() + 60
    while sleepers() and time.monotonic() < deadline:
        pass

    assert answer.json()["errorType"] == "Sandbox.Timedout"
    assert after.json() == 1
    assert sleepers() == 0


def test_processes_are_bounded(host, function):
    """A function cannot have more than about a thousand, and after a crash all have ended."""
    if host.level == "process":
        pytest.skip("nothing bounds processes at this level")

    made = function("fork_many", timeout=60, memory=3008).json()
    function("leave", timeout=60, memory=3008)
    await_rest(host.server.url, function.names[60, 3008])

    assert made < 1_100
    assert function("fork_many", most=made // 2, timeout=60, memory=3008).json() == made // 2
    # Where sandboxes share a user, its processes would be missing to others.
    function("leave", timeout=60, memory=3008)


@pytest.mark.parametrize(
    ("do", "words"), [("leave", "exit status 3"), ("crash", "segmentation fault")]
)
def test_an_end_is_told(function, do, words):
    """Exit statuses and signals are AWS's error; the next invocation gets a new process."""
    answer = function(do)

    assert answer.json()["errorType"] == "Runtime.ExitError"
    assert words in answer.json()["errorMessage"]
    assert function("beat", value=2).json() == 2


def test_too_much_memory_is_an_error(function):
    """By the kernel or by the watcher: the process is killed, and the report says why."""
    answer = function("swell", memory=256, timeout=60)

    assert answer.json()["errorType"] == "Runtime.ExitError", answer.payload
    assert "Error Type: Runtime.OutOfMemory" in answer.log
    assert function("beat", memory=256, timeout=60, value=3).json() == 3


def test_files_are_kept_and_processes_are_not(function):
    """Files stay while the environment does; after a crash the process is another.

    The next invocation may come before the environment is reset, and then gets a new one.
    """
    first, _ = function("keep", value="one", timeout=31).json()
    again, was = function("keep", value="two", timeout=31).json()
    function("leave", timeout=31)
    fresh, still = function("keep", value="three", timeout=31).json()

    assert (again, was) == (first, "one")
    assert fresh != first
    assert still in {"two", None}


def test_environments_run_beside_each_other(function):
    """Concurrent invocations have environments of their own."""
    seen = set()
    # On a busy machine the first may be free again before the others are made.
    for seconds in (1, 3, 9):
        with ThreadPoolExecutor(3) as callers:
            ran = [callers.submit(function, "count", sleep=seconds) for _ in range(3)]
        seen = {each.result().json() for each in ran}
        if len(seen) == 3:
            break

    assert len(seen) == 3


def test_between_invocations_nothing_runs(function):
    """Frozen, or stopped: a thread gets no time until the next invocation."""
    function("ticks", begin=1, timeout=32)
    function("beat", timeout=32)
    first = function("ticks", timeout=32).json()
    shown = [function("ticks", timeout=32).json() for _ in range(3)]
    # A second of rest would be a hundred ticks; a few are made around the invocations.
    pause = threading.Event()
    pause.wait(1)
    last = function("ticks", timeout=32).json()

    assert last - shown[-1] < 60
    assert shown[-1] >= first


def test_the_endpoint_is_reached(function):
    """Our AWS endpoint is where AWS_ENDPOINT_URL says."""
    assert function("call").json() == "ok"


@pytest.mark.parametrize("column", LANGUAGES, ids=lambda column: column.name)
def test_every_language_does_the_same(host, column):
    """Answers, output, failures, exits and signals, one after the other, by each back end."""
    if column.lacks():
        pytest.skip(column.lacks())
    name = host.packed(package(column.files()), column.runtime, column.handler)

    def do(action, **event):
        payload = json.dumps({"do": action, **event}).encode()
        return host.invoke(name, payload, LogType="Tail")

    first = do("return", text="é☃", number=-2.5)
    assert first.error is None, first.log
    assert first.json()["event"] == {"do": "return", "text": "é☃", "number": -2.5}
    assert "printed\nEND RequestId: " in do("print").log
    assert do("variables").json()["cwd"] == do("variables").json()["LAMBDA_TASK_ROOT"]
    failed = do("fail").json()
    assert (failed["errorType"], failed["errorMessage"]) == (column.failure, "on purpose")
    assert do("exit", status=3).json()["errorMessage"].endswith("exit status 3")
    assert do("return").json()["count"] == 1
    assert do("die").json()["errorMessage"].endswith("signal: killed")
    assert do("large", size=100_000).json() == "x" * 100_000


def test_layers_are_found(host):
    """A Python module, a Node.js module and a program of a layer, wherever /opt is there."""
    layer = host.layer(
        {
            "python/shared.py": "NAME = 'python'",
            "nodejs/node_modules/shared/index.js": "module.exports = 'node';",
        }
    )
    python = host.function(
        "import shared\n\ndef handler(event, context):\n    return shared.NAME\n", Layers=[layer]
    )
    assert host.invoke(python).json() == "python"
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    source = "exports.handler = async () => require('shared');"
    node = host.zipped("nodejs20.x", "index.handler", {"index.js": source}, Layers=[layer])
    assert host.invoke(node).json() == "node"


def test_java_runs(host):
    """With a class of the package and a jar of a layer."""
    if shutil.which("javac") is None:
        pytest.skip("javac is not installed")
    jar = zip_of({"example/Words.class": compiled("Words", WORDS)})
    layer = host.layer({"java/lib/words.jar": jar})
    name = host.zipped(
        "java21",
        "example.Subject::handle",
        {"example/Subject.class": compiled("Subject", SUBJECT, Words=WORDS)},
        Layers=[layer],
    )

    answer = host.invoke(name, b'"x"', LogType="Tail")

    assert (answer.error, answer.json()) == (None, "of the layer"), answer.log


@cache
def compiled(name, source, **beside):
    """The class file of a Java class of the package example."""
    with tempfile.TemporaryDirectory() as place:
        files = {name: source, **beside}
        for each, text in files.items():
            (Path(place) / f"{each}.java").write_text(text, "utf-8")
        subprocess.run(
            ["javac", "--release", "8", "-nowarn", "-d", place, f"{place}/{name}.java"]
            + [f"{place}/{each}.java" for each in beside],
            check=True,
            capture_output=True,
        )
        return (Path(place) / "example" / f"{name}.class").read_bytes()


def sleepers():
    """How many of the sleeping children are about."""
    found = subprocess.run(
        ["pgrep", "-cf", f"^sleep {SLEEP}$"], capture_output=True, text=True, check=False
    )
    return int(found.stdout or 0)
