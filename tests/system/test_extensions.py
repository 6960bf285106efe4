"""External and internal extensions: processes of their own, gates, events, failures, the end."""

import io
import json
import os
import textwrap
import threading
import zipfile
from dataclasses import dataclass

import pytest
from hands import Boto3Hands
from material import ROLE, await_rest, make_zip
from test_bill import metric

from tools.running import running

LIBRARY = """
#!/usr/bin/python3
import json, os, signal, sys, threading, time, urllib.error, urllib.request

API = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"]
NAME = os.path.basename(sys.argv[0])

def call(method, path, body=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(API + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, dict(answer.headers), json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), json.loads(error.read())

def register(*events, name=NAME, **headers):
    status, headers, body = call("POST", "/2020-01-01/extension/register",
                                 {"events": list(events)}, Lambda_Extension_Name=name, **headers)
    assert status == 200, (status, body)
    return headers["Lambda-Extension-Identifier"], body

def next_event(identifier):
    status, _, event = call("GET", "/2020-01-01/extension/event/next",
                            Lambda_Extension_Identifier=identifier)
    assert status == 200, (status, event)
    return event

def tell(*words):
    print(NAME, *words, flush=True)
"""

HANDLER = """
    import os, time

    COUNT = [0]

    def lambda_handler(event, context):
        if event.get("exit"):
            os._exit(5)
        if event.get("sleep"):
            time.sleep(event["sleep"])
        COUNT[0] += 1
        return {"count": COUNT[0], "opt": sorted(os.listdir("/opt/extensions")),
                "tmp": sorted(os.listdir("/tmp"))}
"""

ECHO = """
identifier, body = register("INVOKE", "SHUTDOWN", Lambda_Extension_Accept_Feature="accountId")
tell("registered", json.dumps(body, sort_keys=True))
tell("private", [n for n in os.environ if n.startswith("_")], os.getuid() != 0, os.getcwd())
open("/tmp/made-by-extension", "w").close()
while True:
    event = next_event(identifier)
    tell("event", json.dumps(event, sort_keys=True))
    if event["eventType"] == "SHUTDOWN":
        sys.exit(0)
"""

SLOW = """
identifier, _ = register("INVOKE")
next_event(identifier)
while True:
    time.sleep(0.3)
    tell("after the answer")
    next_event(identifier)
"""


WAITS = """
identifier, _ = register()
while True:
    next_event(identifier)
"""


def layer_zip(**extensions):
    """A layer with programs in /opt/extensions: name="source", in Python on the library above."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, source in extensions.items():
            mode = 0o644 if name.startswith("plain") else 0o755
            entry = zipfile.ZipInfo(f"extensions/{name}", (2024, 1, 1, 0, 0, 0))
            entry.external_attr = mode << 16
            archive.writestr(entry, LIBRARY.lstrip() + textwrap.dedent(source))
    return out.getvalue()


def publish(hands, name, extensions):
    """A layer with these extensions."""
    content = {"ZipFile": layer_zip(**extensions)}
    return hands.call("lambda", "PublishLayerVersion", LayerName=name, Content=content)


@dataclass
class Extended:
    """A function with extensions, and what its log says."""

    boto: Boto3Hands
    name: str

    def invoke(self, **event):
        return self.boto.invoke(self.name, json.dumps(event).encode(), LogType="Tail")

    def answer_at_once(self, **event):
        """Without a log tail, for which the report would have to be waited for."""
        return self.boto.invoke(self.name, json.dumps(event).encode())

    def log(self):
        """All lines of all streams so far."""
        answer = self.boto.call("logs", "FilterLogEvents", logGroupName=f"/aws/lambda/{self.name}")
        return [event["message"].rstrip("\n") for event in answer["events"]]


@pytest.fixture
def extended(boto, make_function):
    """Makes functions with extensions."""
    numbers = iter(range(100))

    def make(extensions, handler=HANDLER, **configuration):
        layer = publish(boto, f"ext-{os.getpid()}-{next(numbers)}", extensions)
        configuration = {"Timeout": 10, "MemorySize": 512, **configuration}
        name = make_function(handler, Layers=[layer["LayerVersionArn"]], **configuration)
        return Extended(boto, name)

    return make


def test_an_external_extension_lives_beside_the_runtime(extended):
    """It registers, hears of each invocation, prints into the log, and is named in it."""
    function = extended({"echo": ECHO})

    first, second = function.invoke(), function.invoke()

    assert first.error is None, first.payload
    assert (first.json()["count"], second.json()["count"]) == (1, 2)
    assert first.json()["tmp"] == ["made-by-extension"]
    lines = function.log()
    registered = json.loads(
        next(x for x in lines if x.startswith("echo registered")).removeprefix("echo registered ")
    )
    assert registered == {
        "accountId": "123456789012",
        "functionName": function.name,
        "functionVersion": "$LATEST",
        "handler": "lambda_function.lambda_handler",
    }
    assert "echo private [] True /" in lines
    assert "EXTENSION\tName: echo\tState: Ready\tEvents: [INVOKE, SHUTDOWN]" in lines
    events = [json.loads(x.removeprefix("echo event ")) for x in lines if "echo event" in x]
    assert [e["eventType"] for e in events] == ["INVOKE", "INVOKE"]
    assert all(e["requestId"] and e["deadlineMs"] and e["tracing"]["value"] for e in events)
    assert events[0]["invokedFunctionArn"].endswith(f":function:{function.name}")


def test_the_answer_comes_before_the_extension_is_done(extended):
    """The caller does not wait for it, the report and the bill do."""
    function = extended({"slow": SLOW})

    answers = [function.answer_at_once() for _ in range(2)]
    tail = function.invoke()

    assert [a.error for a in answers] == [None, None]
    reports = [x for x in function.log() if x.startswith("REPORT")]
    durations = [float(x.split("\t")[1].split()[1]) for x in reports]
    assert all(duration >= 300 for duration in durations[:2])
    assert "after the answer\nEND" in tail.log
    assert metric(function.boto, function.name, "PostRuntimeExtensionsDuration") >= 600


def test_internal_extensions_register_for_invoke_alone(extended, make_function, boto):
    """A thread of the function hears of invocations; SHUTDOWN is not for it."""
    handler = (
        LIBRARY
        + """
IDS = []
STATUS, _, REFUSED = call("POST", "/2020-01-01/extension/register", {"events": ["SHUTDOWN"]},
                          Lambda_Extension_Name="inside")
IDS.append(register("INVOKE", name="inside")[0])
HEARD = []

def listen():
    while True:
        HEARD.append(next_event(IDS[0])["eventType"])

threading.Thread(target=listen, daemon=True).start()

def lambda_handler(event, context):
    deadline = time.monotonic() + 5
    while not HEARD and time.monotonic() < deadline:
        time.sleep(0.01)
    late = call("POST", "/2020-01-01/extension/register", {"events": ["INVOKE"]},
                Lambda_Extension_Name="late")
    return {"refused": [STATUS, REFUSED["errorType"]], "heard": HEARD, "late": late[2]["errorType"]}
"""
    )
    name = make_function(handler, Timeout=10)

    answer = boto.invoke(name, b"{}").json()

    assert answer == {
        "refused": [403, "Extension.InvalidEventType"],
        "heard": ["INVOKE"],
        "late": "Extension.RegistrationClosed",
    }


CURIOUS = """
import uuid
seen = {}
def try_it(word, method, path, body=None, **headers):
    status, _, answer = call(method, "/2020-01-01/extension/" + path, body, **headers)
    seen[word] = [status, answer["errorType"]]
try_it("no name", "POST", "register", {"events": []})
try_it("bad event", "POST", "register", {"events": ["DANCE"]}, Lambda_Extension_Name=NAME)
try_it("no id", "GET", "event/next")
try_it("bad id", "GET", "event/next", Lambda_Extension_Identifier="zz")
try_it("unknown id", "GET", "event/next", Lambda_Extension_Identifier=str(uuid.uuid4()))
try_it("nowhere", "GET", "event/last")
identifier, _ = register("INVOKE")
try_it("twice", "POST", "register", {"events": []}, Lambda_Extension_Name=NAME)
try_it("no type", "POST", "init/error", {}, Lambda_Extension_Identifier=identifier)
tell("seen", json.dumps(seen))
while True:
    next_event(identifier)
"""


def test_wrong_calls_are_refused_in_awss_words(extended):
    """Each with 403 and the type that AWS gives."""
    function = extended({"curious": CURIOUS})

    assert function.invoke().error is None

    seen = next(x for x in function.log() if x.startswith("curious seen"))
    assert json.loads(seen.removeprefix("curious seen ")) == {
        "no name": [403, "Extension.InvalidExtensionName"],
        "bad event": [403, "Extension.InvalidEventType"],
        "no id": [403, "Extension.MissingExtensionIdentifier"],
        "bad id": [403, "Extension.InvalidExtensionIdentifier"],
        "unknown id": [403, "Extension.UnknownExtensionIdentifier"],
        "nowhere": [404, "NotFound"],
        "twice": [403, "Extension.InvalidExtensionState"],
        "no type": [403, "Extension.MissingHeader"],
    }


@pytest.mark.parametrize(
    ("source", "error_type", "line"),
    [
        ("sys.exit(3)", "Extension.Crash", "State: Exited"),
        (
            "i, _ = register('INVOKE')\n"
            "call('POST', '/2020-01-01/extension/init/error', {}, Lambda_Extension_Identifier=i,"
            " Lambda_Extension_Function_Error_Type='Own.Reason')\ntime.sleep(30)",
            "Extension.InitError",
            "State: InitError",
        ),
        (
            "i, _ = register('INVOKE')\nnext_event(i)\n"
            "call('POST', '/2020-01-01/extension/exit/error', {}, Lambda_Extension_Identifier=i,"
            " Lambda_Extension_Function_Error_Type='Own.Reason')\nsys.exit(1)",
            "Extension.ExitError",
            "State: ExitError",
        ),
        ("i, _ = register('INVOKE')\nnext_event(i)\nsys.exit(4)", "Extension.Crash", "Exited"),
    ],
)
def test_an_extension_that_fails_fails_the_invocation(extended, source, error_type, line):
    """The caller, the REPORT line and the EXTENSION line name it."""
    function = extended({"bad": source}, handler="import time\n" + textwrap.dedent(HANDLER))

    answer = function.invoke(sleep=8)

    assert answer.error == "Unhandled"
    assert answer.json()["errorType"] == error_type
    assert f"Status: error\tError Type: {error_type}" in answer.log
    assert any(x.startswith("EXTENSION\tName: bad") and line in x for x in function.log())


def test_a_program_that_cannot_start_is_named(extended):
    """Without the right to be executed: LaunchError."""
    function = extended({"plain": "pass"})

    answer = function.invoke()

    assert answer.json()["errorType"] == "Extension.LaunchError"
    assert "PermissionDenied" in answer.json()["errorMessage"]


def test_more_than_ten_are_refused(extended):
    """Ten run; with eleven the environment does not initialise."""
    ten = extended({f"e{n}": WAITS for n in range(10)}, Timeout=30)
    eleven = extended({f"e{n}": WAITS for n in range(11)})

    assert len(ten.invoke().json()["opt"]) == 10
    refused = eleven.invoke().json()
    assert refused["errorType"] == "Extension.LaunchError"
    assert "TooManyExtensions" in refused["errorMessage"]


@pytest.mark.parametrize(
    ("event", "reason"), [({"sleep": 30}, "timeout"), ({"exit": 1}, "failure")]
)
def test_extensions_are_told_of_a_reset(extended, server, event, reason):
    """After a time-out or a crash they get SHUTDOWN with the reason, and begin anew."""
    # Long enough for what begins anew, which is in the time of the next invocation.
    function = extended({"echo": ECHO}, Timeout=5)
    function.invoke()

    failed = function.invoke(**event)
    await_rest(server.url, function.name)
    after = function.invoke()

    assert failed.error == "Unhandled"
    assert after.json() == {"count": 1, "opt": ["echo"], "tmp": ["made-by-extension"]}
    lines = function.log()
    events = [json.loads(x.removeprefix("echo event ")) for x in lines if "echo event" in x]
    assert [e.get("shutdownReason") for e in events] == [None, None, reason, None]
    assert sum(x.startswith("echo registered") for x in lines) >= 2


ENDING = """
    import os, signal, sys

    def leave(number, frame):
        print("runtime told", number, flush=True)
        sys.exit(0)

    signal.signal(signal.SIGTERM, leave)

    def lambda_handler(event, context):
        return os.getpid()
"""


def test_the_end_is_told_in_order(tmp_path):
    """When the server stops: the runtime gets SIGTERM, then the extension SHUTDOWN."""
    said = ""
    with running(tmp_path / "data", tmp_path / "log") as server:
        hands = Boto3Hands(server.url)
        name = _function_with_layer(hands, ENDING, echo=ECHO)
        assert hands.invoke(name, b"{}").error is None
    with running(tmp_path / "data", tmp_path / "log") as server:
        hands = Boto3Hands(server.url)
        answer = hands.call("logs", "FilterLogEvents", logGroupName=f"/aws/lambda/{name}")
        said = "".join(event["message"] for event in answer["events"])

    assert "runtime told 15\n" in said
    told = said.index("runtime told 15")
    assert '"shutdownReason": "spindown"' in said[told:]


LINGERS = """
identifier, _ = register("INVOKE", "SHUTDOWN")
event = next_event(identifier)
while not os.path.exists("/tmp/told"):
    time.sleep(0.01)
tell(json.dumps(next_event(identifier)))
"""


def test_who_is_still_at_work_after_the_answer_is_told_of_the_end(tmp_path):
    """When the server stops: an extension that has not asked for more yet gets SHUTDOWN too."""
    handler = ENDING.replace('print("', 'open("/tmp/told", "w").close(); print("')
    with running(tmp_path / "data", tmp_path / "log") as server:
        hands = Boto3Hands(server.url)
        name = _function_with_layer(hands, handler, lingering=LINGERS)
        assert hands.invoke(name, b"{}").error is None
    with running(tmp_path / "data", tmp_path / "log") as server:
        hands = Boto3Hands(server.url)
        answer = hands.call("logs", "FilterLogEvents", logGroupName=f"/aws/lambda/{name}")
        said = [event["message"] for event in answer["events"]]

    told = next(json.loads(x.partition(" ")[2]) for x in said if x.startswith("lingering {"))
    assert (told["eventType"], told["shutdownReason"]) == ("SHUTDOWN", "spindown")
    assert sum(x.startswith("REPORT ") for x in said) == 1


def test_who_does_not_end_is_ended(tmp_path):
    """An extension that ignores SHUTDOWN has two seconds; then all is gone."""
    ignores = "i, _ = register('INVOKE', 'SHUTDOWN')\nwhile True:\n    next_event(i)"
    with running(tmp_path / "data", tmp_path / "log") as server:
        hands = Boto3Hands(server.url)
        name = _function_with_layer(hands, HANDLER, stubborn=ignores)
        assert hands.invoke(name, b"{}").error is None
        stopping = threading.Timer(0, server.stop)
        stopping.start()
        stopping.join(20)
        assert not stopping.is_alive()


def _function_with_layer(hands, handler, **extensions):
    layer = publish(hands, "l", extensions)
    hands.call(
        "lambda",
        "CreateFunction",
        FunctionName="f",
        Runtime="python3.12",
        Role=ROLE,
        Handler="lambda_function.lambda_handler",
        Code={"ZipFile": make_zip(lambda_function=handler)},
        Layers=[layer["LayerVersionArn"]],
        Timeout=10,
    )
    hands.wait("lambda", "FunctionActiveV2", FunctionName="f")
    return "f"
