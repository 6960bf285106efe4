"""Telemetry and Logs API: extensions hear of what happens, by HTTP and TCP, and harm nobody."""

import json

import pytest
from material import await_rest
from test_extensions import extended  # noqa: F401 - a fixture

SINK = """
import http.server, socketserver

SEEN = []
STOP = {"posts": 0}

class Sink(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        SEEN.extend(json.loads(body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *args):
        pass

server = http.server.ThreadingHTTPServer(("", 4242), Sink)
threading.Thread(target=server.serve_forever, daemon=True).start()
identifier, _ = register("INVOKE", "SHUTDOWN")
status, _, answer = call("PUT", API_PATH, {
    "schemaVersion": SCHEMA, "types": ["platform", "function", "extension"],
    "buffering": {"timeoutMs": 25, "maxItems": 1000, "maxBytes": 262144},
    "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:4242/sink"},
}, Lambda_Extension_Identifier=identifier)
assert status == 200, (status, answer)
"""

KEEPS = """
while True:
    event = next_event(identifier)
    if event["eventType"] == "INVOKE":
        deadline = time.monotonic() + 15
        wanted = DONE
        while time.monotonic() < deadline and not any(e["type"] == wanted and e["record"].get(
                "requestId") == event["requestId"] for e in SEEN if isinstance(e["record"], dict)):
            time.sleep(0.01)
        with open("/tmp/seen", "w") as out:
            json.dump(SEEN, out)
"""

TELLS = """
while next_event(identifier)["eventType"] == "INVOKE":
    pass
deadline = time.monotonic() + 1.5
while time.monotonic() < deadline and not any(e["type"] == DONE for e in SEEN):
    time.sleep(0.01)
for event in SEEN:
    if event["type"].startswith("platform.r"):
        tell("heard", json.dumps(event))
sys.exit(0)
"""

HANDLER = """
    import json, os

    print("while loading")

    def lambda_handler(event, context):
        print("in the handler")
        if event.get("raise"):
            raise ValueError("own")
        try:
            with open("/tmp/seen") as seen:
                return json.load(seen)
        except FileNotFoundError:
            return []
"""


def listener(path, schema, done, then=KEEPS):
    """An extension that hears what one of the APIs tells, and what it does with it."""
    head = f"API_PATH, SCHEMA, DONE = {path!r}, {schema!r}, {done!r}\n"
    return head + SINK + then


@pytest.fixture
def told(extended):  # noqa: F811 - the fixture
    """What a subscriber of the Telemetry API has heard of a first invocation that failed."""
    source = listener("/2022-07-01/telemetry", "2022-12-13", "platform.runtimeDone")
    function = extended({"listener": source}, handler=HANDLER, Timeout=20)
    failed = function.invoke(**{"raise": 1})
    assert failed.error == "Unhandled"
    assert failed.json()["errorType"] == "ValueError"
    function.invoke()
    return function, function.invoke().json()


def test_a_subscriber_hears_of_everything_in_order(told):
    """From INIT, before it subscribed, to the report of an invocation; records as AWS has them."""
    function, events = told
    kinds = [event["type"] for event in events]
    by_kind = {event["type"]: event["record"] for event in reversed(events)}

    assert kinds[0] == "platform.initStart"
    assert by_kind["platform.initStart"]["functionName"] == function.name
    assert by_kind["platform.initStart"]["instanceMaxMemory"] == 512
    assert by_kind["platform.telemetrySubscription"] == {
        "name": "listener",
        "state": "Subscribed",
        "types": ["extension", "function", "platform"],
    }
    assert by_kind["platform.initRuntimeDone"]["status"] == "success"
    assert by_kind["platform.initReport"]["metrics"]["durationMs"] > 0
    assert by_kind["platform.extension"]["state"] == "Ready"
    lines = [event["record"] for event in events if event["type"] == "function"]
    assert lines[:2] == ["while loading", "in the handler"]
    done = by_kind["platform.runtimeDone"]
    assert (done["status"], done["errorType"]) == ("error", "ValueError")
    parts = {span["name"]: span["durationMs"] for span in done["spans"]}
    assert list(parts) == ["responseLatency", "responseDuration", "runtimeOverhead"]
    assert sum(parts.values()) == pytest.approx(done["metrics"]["durationMs"], abs=0.01)
    assert done["metrics"]["producedBytes"] > len('{"errorType": "ValueError"}')
    report = by_kind["platform.report"]
    assert report["status"] == "error"
    (rest,) = report["spans"]
    assert rest["name"] == "extensionOverhead"
    whole = done["metrics"]["durationMs"] + rest["durationMs"]
    assert report["metrics"]["durationMs"] == pytest.approx(whole, abs=0.01)
    assert report["metrics"]["billedDurationMs"] >= report["metrics"]["durationMs"]
    assert "initDurationMs" in report["metrics"]
    assert kinds.index("platform.start") < kinds.index("platform.runtimeDone")
    assert kinds.index("platform.runtimeDone") < kinds.index("platform.report")
    assert "platform.end" not in kinds


def test_a_subscriber_hears_that_memory_ran_out(extended, server):  # noqa: F811 - the fixture
    """The report names the error type that AWS has for it, before the extension is ended."""
    handler = """
        def lambda_handler(event, context):
            return len([bytearray(b"x") * (16 << 20) for _ in range(event.get("pieces", 0))])
    """
    source = listener("/2022-07-01/telemetry", "2022-12-13", "platform.report", then=TELLS)
    function = extended({"listener": source}, handler=handler, Timeout=20, MemorySize=256)

    for _ in range(5):
        failed = function.answer_at_once(pieces=100)
        await_rest(server.url, function.name)
        lines = [x for x in function.log() if x.startswith("listener heard ")]
        told = [json.loads(line.removeprefix("listener heard ")) for line in lines]
        heard = [each for each in told if each["record"]["requestId"] == failed.request_id]
        # An extension has two seconds at its end, in which a busy machine may not come to it.
        if len(heard) > 1:
            break

    assert failed.json()["errorType"] == "Runtime.ExitError"
    done, report = heard
    assert (done["type"], report["type"]) == ("platform.runtimeDone", "platform.report")
    assert (done["record"]["status"], done["record"]["spans"]) == ("error", [])
    assert (report["record"]["status"], report["record"]["requestId"]) == (
        "error",
        failed.request_id,
    )
    assert report["record"]["errorType"] == "Runtime.OutOfMemory"


def test_the_subscription_is_in_the_log(told):
    """As a line of the platform."""
    function, _ = told

    assert (
        "TELEMETRY\tName: listener\tState: Subscribed\tTypes: [Extension, Function, Platform]"
        in function.log()
    )


def test_the_older_api_has_its_own_events(extended):  # noqa: F811 - the fixture
    """platform.end and platform.logsSubscription, and nothing that came later."""
    source = listener("/2020-08-15/logs", "2021-03-18", "platform.runtimeDone")
    function = extended({"listener": source}, handler=HANDLER, Timeout=20)
    function.invoke()
    function.invoke()

    kinds = {event["type"] for event in function.invoke().json()}

    assert {"platform.start", "platform.end", "platform.report", "function"} <= kinds
    assert "platform.logsSubscription" in kinds
    assert not any(kind.startswith("platform.init") for kind in kinds)


LINES = """
import socket
SEEN, TWO = [], threading.Event()
server = socket.create_server(("", 4243))

def read(channel):
    with channel.makefile("r") as lines:
        for line in lines:
            SEEN.append(json.loads(line))
            with open("/tmp/seen.new", "w") as out:
                json.dump(SEEN, out)
            os.rename("/tmp/seen.new", "/tmp/seen")
            if len(SEEN) >= 2:
                TWO.set()

def accept():
    while True:
        threading.Thread(target=read, args=[server.accept()[0]], daemon=True).start()

threading.Thread(target=accept, daemon=True).start()
identifier, _ = register("INVOKE")
status, _, answer = call("PUT", "/2022-07-01/telemetry", {
    "schemaVersion": "2022-07-01", "types": ["function"], "buffering": {"timeoutMs": 25},
    "destination": {"protocol": "TCP", "port": 4243},
}, Lambda_Extension_Identifier=identifier)
assert status == 200, (status, answer)
while True:
    next_event(identifier)
    TWO.wait(10)
"""


def test_lines_by_tcp(extended):  # noqa: F811 - the fixture
    """A TCP destination gets a JSON object a line, of the types it asked for."""
    function = extended({"lines": LINES}, handler=HANDLER, Timeout=20)
    function.invoke()

    events = function.invoke().json()

    assert {event["type"] for event in events} == {"function"}
    assert [event["record"] for event in events][:2] == ["while loading", "in the handler"]


REFUSED = """
seen = []
def put(identifier, **body):
    status, _, answer = call("PUT", "/2022-07-01/telemetry", body,
                             Lambda_Extension_Identifier=identifier)
    seen.append([status, answer if isinstance(answer, str) else answer["errorType"]])
good = {"schemaVersion": "2022-12-13", "types": ["platform"],
        "destination": {"protocol": "HTTP", "URI": "http://sandbox:4444/"}}
identifier, _ = register("INVOKE")
put("00000000-0000-4000-8000-000000000000", **good)
put(identifier, **{**good, "types": ["rumours"]})
put(identifier, **{**good, "schemaVersion": "1999-01-01"})
put(identifier, **{**good, "buffering": {"maxItems": 1}})
put(identifier, **{**good, "destination": {"protocol": "HTTP", "URI": "http://169.254.169.254:80/"}})
put(identifier, **{**good, "destination": {"protocol": "TCP", "port": 9001}})
put(identifier, **good)
next_event(identifier)
put(identifier, **good)
tell("seen", json.dumps(seen))
while True:
    next_event(identifier)
"""


def test_what_cannot_be_subscribed_is_refused(extended):  # noqa: F811 - the fixture
    """Foreign identifiers, nonsense, other hosts than the sandbox, and anything after INIT."""
    function = extended({"refused": REFUSED}, handler=HANDLER)

    function.invoke()

    seen = next(x for x in function.log() if x.startswith("refused seen"))
    assert json.loads(seen.removeprefix("refused seen ")) == [
        [403, "Extension.UnknownExtensionIdentifier"],
        *[[400, "ValidationError"]] * 5,
        [200, "OK"],
        [403, "Telemetry.ServiceClosed"],
    ]


DEAF = """
import socket
server = socket.create_server(("", 4244))
identifier, _ = register("INVOKE")
call("PUT", "/2022-07-01/telemetry", {
    "schemaVersion": "2022-12-13", "types": ["function"],
    "destination": {"protocol": "HTTP", "URI": "http://sandbox:4244/"},
    "buffering": {"timeoutMs": 25, "maxBytes": 262144},
}, Lambda_Extension_Identifier=identifier)
while True:
    next_event(identifier)
"""


def test_who_does_not_listen_holds_nobody_up(server, extended):  # noqa: F811 - the fixture
    """A subscriber that never reads costs two batches; the function and its log go on."""
    flood = """
    def lambda_handler(event, context):
        for n in range(2000):
            print("x" * 1000)
        return "done"
    """
    function = extended({"deaf": DEAF}, handler=flood, Timeout=20, MemorySize=1769)

    answers = [function.answer_at_once() for _ in range(5)]

    assert [answer.json() for answer in answers] == ["done"] * 5


LATE = """
import http.server, socketserver

SEEN, GO_ON = [], threading.Event()

class Sink(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        GO_ON.wait(30)
        SEEN.extend(json.loads(body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *args):
        pass

server = http.server.ThreadingHTTPServer(("", 4242), Sink)
threading.Thread(target=server.serve_forever, daemon=True).start()
identifier, _ = register("INVOKE")
call("PUT", "/2022-07-01/telemetry", {
    "schemaVersion": "2022-12-13", "types": ["platform", "function"],
    "buffering": {"timeoutMs": 25, "maxItems": 1000, "maxBytes": 262144},
    "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:4242/sink"},
}, Lambda_Extension_Identifier=identifier)
next_event(identifier)
next_event(identifier)
GO_ON.set()
deadline = time.monotonic() + 15
while time.monotonic() < deadline and "platform.logsDropped" not in [e["type"] for e in SEEN]:
    time.sleep(0.01)
lost = [e["record"] for e in SEEN if e["type"] == "platform.logsDropped"]
lines = sum(e["type"] == "function" for e in SEEN)
tell("found", json.dumps({"lost": lost, "lines": lines}))
while True:
    next_event(identifier)
"""


def test_what_was_dropped_is_told(extended):  # noqa: F811 - the fixture
    """A subscriber that fell behind hears how much it has missed as soon as it listens again."""
    flood = """
    def lambda_handler(event, context):
        for n in range(event.get("lines", 0)):
            print("x" * 1000)
    """
    function = extended({"late": LATE}, handler=flood, Timeout=30, MemorySize=1769)

    function.answer_at_once(lines=3000)
    log = function.invoke().log + "".join(function.log())

    found, _ = json.JSONDecoder().raw_decode(log.partition("late found ")[2])
    (lost,) = found["lost"]
    assert lost["reason"].startswith("Consumer seems to have fallen behind")
    assert 0 < lost["droppedRecords"] <= 3_000 + 10
    assert lost["droppedBytes"] > 1_000 * (lost["droppedRecords"] - 10)
    # Two batches were kept, and one was on its way.
    assert 250 <= found["lines"] <= 3_000 - lost["droppedRecords"] + 10
