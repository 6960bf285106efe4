"""Every runtime does the same with the same actions, and says it in AWS's words for its language.

A table of actions by languages: `languages.py` holds the columns, each test here is a row.
"""

import base64
import json
import os
import re
import subprocess

import pytest
from languages import LANGUAGES
from material import await_rest

WRAPPER = '#!/bin/sh\nexport FROM_WRAPPER="$#"\nexec "$@"\n'
BROKEN = ("missing", "import", "syntax", "top")


@pytest.fixture
def do(boto, column):
    """Invoke a function with an action; rows that a language cannot have are left out."""

    def invoke(name, action, *, tail=False, **event):
        if action in column.absent:
            pytest.skip(f"{column.name} has no {action}")
        payload = json.dumps({"do": action, **event}).encode()
        return boto.invoke(name, payload, **({"LogType": "Tail"} if tail else {}))

    return invoke


def test_events_arrive_and_results_return(do, actions):
    """Values of all kinds pass unchanged in both directions; the process is reused."""
    event = {"text": 'é☃😀\n"\\', "list": [1, -2.5, True, None, {}], "deep": {"a": {"b": []}}}

    # A function of its own: others have a second environment by now, of which either may answer.
    name = actions("reused")
    first = do(name, "return", tail=True, **event).json()
    second = do(name, "return", **event).json()

    assert first["event"] == {"do": "return", **event}
    assert second["count"] == first["count"] + 1


def test_events_may_be_large(do, actions):
    """A megabyte in and out."""
    assert do(actions(), "return", text="x" * 1_000_000).json()["event"]["text"] == "x" * 1_000_000


def test_results_have_a_limit(do, actions):
    """More than AWS allows is refused in AWS's words, and the process lives on."""
    refused = do(actions(), "large", size=6_400_000)

    assert refused.json()["errorType"] == "Function.ResponseSizeTooLarge"
    assert do(actions(), "large", size=10).json() == "x" * 10


def test_what_is_printed_is_logged(do, actions):
    """Output stands between START and END."""
    log = do(actions(), "print", tail=True).log

    assert re.search(r"START RequestId: .*printed\nEND RequestId: ", log, re.DOTALL)


def test_the_context_tells_of_the_invocation(boto, column, actions):
    """Name, version, memory, ARN, log group and stream, time left, and the client's context."""
    if "context" in column.absent:
        pytest.skip(f"{column.name} has no context")
    client = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()

    answer = boto.invoke(actions(), b'{"do": "context"}', ClientContext=client)

    told = answer.json()
    assert told.pop("id") == answer.request_id
    assert 0 < told.pop("remaining") <= 20_000
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", told.pop("stream"))
    assert told == {
        "name": actions(),
        "version": "$LATEST",
        "memory": 512,
        "arn": f"arn:aws:lambda:us-east-1:123456789012:function:{actions()}",
        "group": f"/aws/lambda/{actions()}",
        "custom": {"k": "v"},
    }


def test_a_failure_is_told_and_survived(do, column, actions):
    """The caller gets type, message and trace, the log too; the same process serves on."""
    name = actions("failing")
    before = do(name, "return", tail=True).json()["count"]
    failed = do(name, "fail", tail=True)
    after = do(name, "return").json()["count"]

    told = failed.json()
    assert failed.error == "Unhandled"
    assert (told["errorType"], told["errorMessage"]) == (column.failure, "on purpose")
    assert "/var/runtime" not in json.dumps(told)
    if column.trace:
        assert any("actions" in line.lower() for line in told[column.trace])
    assert "on purpose" in failed.log
    assert after == before + 2


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (0, "Runtime exited without providing a reason"),
        (3, "Runtime exited with error: exit status 3"),
    ],
)
def test_an_exit_is_noticed(do, actions, status, told):
    """A process that ends itself fails the invocation, and the next one is served."""
    failed = do(actions(), "exit", status=status, tail=True)

    assert failed.json()["errorType"] == "Runtime.ExitError"
    assert failed.json()["errorMessage"].endswith(f" Error: {told}")
    assert "\nRuntime.ExitError\n" in failed.log
    assert do(actions(), "return").error is None


def test_a_signal_is_noticed(do, actions):
    """A process that is killed fails the invocation, and the next one is served."""
    failed = do(actions(), "die")

    assert failed.json()["errorMessage"].endswith("Runtime exited with error: signal: killed")
    assert do(actions(), "return").error is None


def test_time_is_limited(do, column, actions, server):
    """The process is killed at the time limit; /tmp stays, memory does not."""
    name = actions("limited", Timeout=column.limit_s)
    do(name, "return")

    failed = do(name, "keep", tail=True)

    assert failed.json()["errorType"] == "Sandbox.Timedout"
    assert failed.json()["errorMessage"].endswith(
        f"Task timed out after {column.limit_s}.00 seconds"
    )
    assert "Status: timeout" in failed.log
    # While it is reset another environment would serve the next invocation.
    await_rest(server.url, name)
    assert do(name, "look").json() == {"kept": True, "count": 1}


def test_all_that_was_started_ends_at_the_time_limit(do, column, actions, server):
    """A child in a session of its own that heeds no SIGTERM ends with the process that made it."""
    seconds = 70_000_000 + os.getpid() * 10 + LANGUAGES.index(column)
    name = actions("hasty", Timeout=column.limit_s)

    failed = do(name, "branch", seconds=seconds)
    await_rest(server.url, name)

    assert failed.json()["errorType"] == "Sandbox.Timedout"
    ended = ["pgrep", "-cf", f"^sleep {seconds}$"]
    assert subprocess.run(ended, capture_output=True, check=False).stdout.strip() == b"0"
    assert do(name, "return").error is None


def test_memory_is_limited(do, column, actions):
    """Whoever takes too much is stopped, by the kernel or by its own runtime."""
    name = actions("small", MemorySize=column.small_mb)

    failed = do(name, "allocate", tail=True)

    if column.exhausted == "killed":
        assert failed.json()["errorMessage"].endswith("signal: killed")
        assert "Error Type: Runtime.OutOfMemory" in failed.log
    else:
        assert failed.json()["errorType"] == column.exhausted
    assert do(name, "return").error is None


def test_a_result_that_is_no_json_is_a_failure(do, column, actions):
    """The error names the trouble, and the process lives on."""
    failed = do(actions(), "loop")

    error_type, message = column.unserialisable
    assert failed.json()["errorType"] == error_type
    assert re.fullmatch(message, failed.json()["errorMessage"])
    assert do(actions(), "return").error is None


@pytest.mark.parametrize("kind", BROKEN)
def test_code_that_does_not_load_is_a_failure(boto, column, functions, kind):
    """The error says what is wrong with the code; INIT is tried once more in the invocation."""
    broken = column.broken.get(kind)
    if broken is None:
        pytest.skip(f"{column.name} cannot be broken so")
    files = broken.files() if callable(broken.files) else broken.files
    name = functions((column.name, kind), column.runtime, broken.handler, files)

    failed = boto.invoke(name, b"{}", LogType="Tail")

    assert failed.error == "Unhandled"
    assert failed.json()["errorType"] == broken.error_type
    assert re.fullmatch(broken.message, failed.json()["errorMessage"])
    assert f"Error Type: {broken.error_type}" in failed.log


def test_variables_are_awss(do, actions):
    """What AWS sets is set, what the function sets is set, and ours are not to be seen."""
    name = actions("variables", Environment={"Variables": {"OWN": "é=1", "TZ": "UTC-3"}})

    told = do(name, "variables").json()

    assert told["cwd"] == "/var/task"
    assert (told["OWN"], told["TZ"]) == ("é=1", "UTC-3")
    assert told["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert told["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "512"
    assert told["LAMBDA_TASK_ROOT"] == "/var/task"
    assert told["AWS_REGION"] == told["AWS_DEFAULT_REGION"] == "us-east-1"
    assert told["_X_AMZN_TRACE_ID"].startswith("Root=1-")
    assert not [n for n in told if "EMBERBOX" in n.upper() or n == "_LAMBDA_TELEMETRY_LOG_FD"]


def test_a_wrapper_starts_the_runtime(do, column, functions):
    """AWS_LAMBDA_EXEC_WRAPPER is given the runtime's command, and what it exports is there."""
    name = functions(
        (column.name, "wrapped"),
        column.runtime,
        column.handler,
        {**column.files(), "wrapper": WRAPPER},
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"}},
    )

    assert int(do(name, "variables", tail=True).json()["FROM_WRAPPER"]) >= 1
    assert do(name, "return").json()["count"] == 2
