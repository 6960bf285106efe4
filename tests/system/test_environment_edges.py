"""Environments at the edges of their lives: whoever ends, and whenever, each caller is answered.

That the server's log stays quiet too is checked when the server of these tests stops.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hands import Boto3Hands
from material import ROLE, Watched, await_environments, make_zip

from tools.running import running

HANDLERS = """
    import os, signal, sys, threading, time

    def lambda_handler(event, context):
        return globals()[event["op"]](event)

    def echo(event):
        return event

    def sleep(event):
        time.sleep(event["seconds"])

    def exit_after(event):
        threading.Timer(event["seconds"], os._exit, [9]).start()
        return "answered"

    def policy(event):
        return os.sched_getscheduler(0) == os.SCHED_BATCH

    def no_stream(event):
        sys.stdout = sys.stderr = None

    def closed_stream(event):
        sys.stdout.close()
        raise ValueError("told in spite of it")

    def stream_that_only_writes(event):
        class Teller:
            def write(self, text):
                pass
        sys.stdout = Teller()

    def large_failure(event):
        raise ValueError("x" * 7_000_000)

    def flood_from_a_child(event):
        if os.fork() == 0:
            for _ in range(400):
                os.write(1, b"\\n" * 65536)
            os._exit(0)
        time.sleep(0.05)
"""


def invoke(boto, name, operation, **event):
    """One operation of the function above, with the tail of its log."""
    return boto.invoke(name, json.dumps({"op": operation, **event}).encode(), LogType="Tail")


@pytest.fixture
def function(make_function):
    """A function with the handlers above."""
    return make_function(HANDLERS, MemorySize=1769)


@pytest.fixture
def lone(tmp_path):
    """A server of this test's own, whose processes may be killed."""
    with running(tmp_path / "data", tmp_path / "log") as server:
        hands = Boto3Hands(server.url)
        hands.call(
            "lambda",
            "CreateFunction",
            FunctionName="edge",
            Runtime="python3.12",
            Role=ROLE,
            Handler="lambda_function.lambda_handler",
            Code={"ZipFile": make_zip(lambda_function=HANDLERS)},
            Timeout=60,
        )
        hands.wait("lambda", "FunctionActiveV2", FunctionName="edge")
        yield server, hands
        hands.close()
    assert "Traceback" not in (tmp_path / "log").read_text("utf-8", "replace")


def children(pid):
    """Process ids of a process's children."""
    return {int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()}


def kill(pids):
    """Kill -9, and wait until they have ended."""
    watched = Watched(pids)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert watched.await_ends(60) == []


def test_blank_sandboxes_that_died_are_not_used(lone):
    """Sandboxes made ahead and then killed: the next invocations take others."""
    server, hands = lone
    invoke(hands, "edge", "echo")

    for _ in range(3):
        zygotes = children(server.pid)
        kill({init for zygote in zygotes for init in children(zygote)})
        answer = invoke(hands, "edge", "echo", n=1)

        assert (answer.error, answer.json()) == (None, {"op": "echo", "n": 1})


def test_a_killed_zygote_ends_its_invocations_and_is_replaced(lone):
    """Callers of the lost environments are told at once, and the next invocation works."""
    server, hands = lone
    answers = []
    callers = [
        threading.Thread(target=lambda: answers.append(invoke(hands, "edge", "sleep", seconds=50)))
        for _ in range(3)
    ]
    invoke(hands, "edge", "echo")
    for caller in callers:
        caller.start()
    await_environments(server.url, "edge", lambda states: states.get("BUSY") == 3)

    kill(children(server.pid))
    for caller in callers:
        caller.join()

    # Who were not told at once would have had the function's own answer.
    assert {json.loads(a.payload)["errorType"] for a in answers} == {"Runtime.ExitError"}
    assert all(a.log.count("REPORT RequestId") == 1 for a in answers)
    assert invoke(hands, "edge", "echo").error is None


@pytest.mark.parametrize("seconds", [0, 0.0005, 0.002, 0.02])
def test_a_runtime_that_exits_after_its_answer_spoils_nothing(boto, function, seconds):
    """The answer stands, and of the invocations that follow none is lost or told twice."""
    for _ in range(8):
        first = invoke(boto, function, "exit_after", seconds=seconds)
        second = invoke(boto, function, "echo")

        for answer in (first, second):
            assert answer.log.count("REPORT RequestId") == 1
            assert answer.log.count("END RequestId") == 1
            assert answer.error is None or answer.json()["errorType"] == "Runtime.ExitError"


@pytest.mark.parametrize("operation", ["no_stream", "stream_that_only_writes"])
def test_a_handler_may_replace_its_streams(boto, function, operation):
    """What stands in the place of standard output need not be a stream, or anything."""
    assert invoke(boto, function, operation).error is None
    assert invoke(boto, function, "echo").error is None


def test_a_function_that_wakes_puts_nobody_off(boto, function):
    """The scheduler does not take the processor from the server for it."""
    assert boto.invoke(function, b'{"op": "policy"}').json() is True


def test_a_failure_is_told_without_standard_output(boto, function):
    """A closed standard output does not keep an exception from the caller and the log."""
    answer = invoke(boto, function, "closed_stream")

    assert answer.json()["errorType"] == "ValueError"
    assert "told in spite of it" in answer.log


def test_a_failure_that_is_too_large_is_said_to_be(boto, function):
    """An error beyond the limit becomes the platform's error, never an empty answer."""
    answer = invoke(boto, function, "large_failure")

    assert answer.error == "Unhandled"
    assert answer.json()["errorType"] == "Function.ResponseSizeTooLarge"


def test_a_flood_of_empty_lines_holds_nobody_up(boto, function, make_function):
    """Line feeds by the million from a process left behind: neither its caller nor others wait."""
    other = make_function(HANDLERS)
    invoke(boto, other, "echo")
    invoke(boto, function, "echo")
    longest = 0.0

    began = time.monotonic()
    invoke(boto, function, "flood_from_a_child")
    longest = max(longest, time.monotonic() - began)
    for _ in range(20):
        began = time.monotonic()
        invoke(boto, other, "echo")
        longest = max(longest, time.monotonic() - began)

    assert longest < 10


def test_output_of_the_initialisation_stands_before_start(boto, make_function):
    """What a module prints while it is loaded is never within the first invocation's lines."""
    source = """
        for n in range(2000):
            print("loading", n)
        def lambda_handler(event, context):
            print("handling")
    """
    for _ in range(5):
        name = make_function(source)
        boto.invoke(name, b"{}", LogType="Tail")
        found = boto.call("logs", "FilterLogEvents", logGroupName=f"/aws/lambda/{name}", limit=5000)
        text = [event["message"].split(" ")[0].strip() for event in found["events"]]

        kinds = [k for n, k in enumerate(text) if n == 0 or text[n - 1] != k]
        assert [re.sub(r"\W.*", "", k) for k in kinds] == [
            "INIT_START", "loading", "START", "handling", "END", "REPORT"
        ]  # fmt: skip


def test_functions_that_cannot_initialise_keep_nobody_waiting(boto, make_function, busy):
    """However busy the machine is: their places at the start are for the next ones."""
    broken = "raise ValueError\n\ndef lambda_handler(event, context):\n    return 1\n"
    for _ in range(5 * os.cpu_count()):
        assert boto.invoke(make_function(broken), b"{}").error == "Unhandled"

    whole = make_function("def lambda_handler(event, context):\n    return 1\n")

    assert boto.invoke(whole, b"{}").json() == 1


@pytest.fixture
def busy():
    """More to do than the processors can."""
    loop = [sys.executable, "-c", "import os; os.nice(19)\nwhile True: pass"]
    with ExitStack() as stack:
        for _ in range(3 * os.cpu_count()):
            process = stack.enter_context(subprocess.Popen(loop))
            stack.callback(process.kill)
        yield


def test_a_client_that_leaves_within_a_pipelined_request_leaves_nothing(lone):
    """Half a request behind a whole one, then silence for ever: the server still stops at once."""
    server, hands = lone
    invoke(hands, "edge", "echo")
    url = urlsplit(server.url)
    head = (
        b"POST /2015-03-31/functions/edge/invocations HTTP/1.1\r\nHost: x\r\n"
        b"Content-Length: %d\r\n\r\n"
    )
    body = b'{"op":"sleep","seconds":0.2}'
    with socket.create_connection((url.hostname, url.port), timeout=20) as connection:
        connection.sendall(head % len(body) + body + head % 100 + b"{")
        assert connection.recv(12) == b"HTTP/1.1 200"
    assert invoke(hands, "edge", "echo").error is None

    began = time.monotonic()
    server.stop()

    assert time.monotonic() - began < 15


def test_answers_that_are_not_read_are_not_made(boto, server, make_function):
    """A client that asks without reading is not served on and on out of the server's memory."""
    name = make_function('def lambda_handler(event, context):\n    return "x" * 6_000_000\n',
                         MemorySize=512)  # fmt: skip
    boto.invoke(name, b"{}")
    before = processes_memory(server.pid)
    url = urlsplit(server.url)
    request = (
        b"POST /2015-03-31/functions/%s/invocations HTTP/1.1\r\nHost: x\r\n"
        b"Content-Length: 2\r\n\r\n{}" % name.encode()
    )
    with socket.create_connection((url.hostname, url.port), timeout=20) as connection:
        connection.sendall(request * 60)
        for _ in range(60):
            boto.invoke(name, b"{}")
        grown = processes_memory(server.pid) - before

    assert grown < 120 << 20


def processes_memory(pid):
    """Resident bytes of a process."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) << 10
