"""Extensions are as confined as the function, and their APIs take a flood without harm."""

import json
from pathlib import Path

from test_extensions import LIBRARY, WAITS, extended  # noqa: F401 - a fixture

HANDLER = """
    import os

    def lambda_handler(event, context):
        return {"uid": os.getuid(), "confined": confined()}

    def confined():
        wanted = ("CapEff", "CapBnd", "NoNewPrivs", "Seccomp")
        with open("/proc/self/status") as status:
            lines = dict(line.split(":", 1) for line in status)
        return [lines[name].strip() for name in wanted]
"""

CONFINED = (
    """
wanted = ("CapEff", "CapBnd", "NoNewPrivs", "Seccomp")
with open("/proc/self/status") as status:
    lines = dict(line.split(":", 1) for line in status)
descriptors = sorted(int(n) for n in os.listdir("/proc/self/fd"))
try:
    open("/opt/extensions/new", "w")
    written = "written"
except OSError:
    written = "refused"
rights = [lines[name].strip() for name in wanted]
tell("is", json.dumps([os.getuid(), rights, descriptors[:4], written, len(descriptors)]))
"""
    + WAITS
)


def test_an_extension_has_no_more_rights_than_the_function(extended):  # noqa: F811 - the fixture
    """User, capabilities, filter: the same; no descriptor of the server; /opt cannot be written."""
    function = extended({"confined": CONFINED}, handler=HANDLER)

    answer = function.invoke().json()

    told = next(x for x in function.log() if x.startswith("confined is"))
    uid, confined, first, written, count = json.loads(told.removeprefix("confined is "))
    assert (uid, confined) == (answer["uid"], answer["confined"])
    assert uid != 0
    assert first[:3] == [0, 1, 2]
    assert count <= 5  # the standard three, what was 3 before, and the listing itself
    assert written == "refused"


FLOOD = (
    LIBRARY
    + """
import http.client, socket

def lambda_handler(event, context):
    host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
    seen = set()
    for n in range(500):
        status, _, answer = call("POST", "/2020-01-01/extension/register", {"events": []},
                                 Lambda_Extension_Name="x%d" % n)
        seen.add((status, answer["errorType"]))
        status, _, answer = call("GET", "/2020-01-01/extension/event/next",
                                 Lambda_Extension_Identifier="%032x" % n)
        seen.add((status, answer["errorType"]))
    big = socket.create_connection((host, int(port)))
    big.sendall(b"PUT /2022-07-01/telemetry HTTP/1.1\\r\\nContent-Length: 900000000\\r\\n\\r\\n")
    sent = 0
    try:
        while sent < 50_000_000:
            sent += big.send(b"x" * 65536)
    except OSError:
        pass
    return sorted(map(list, seen))
"""
)


def test_a_flood_of_calls_is_refused_one_by_one(make_function, boto, server):
    """After INIT nobody registers, no identifier can be guessed, no body is kept."""
    before = _resident_mb(server.pid)
    name = make_function(FLOOD, Timeout=60, MemorySize=1769)

    done = boto.invoke(name, b"{}")

    assert done.json() == [
        [403, "Extension.RegistrationClosed"],
        [403, "Extension.UnknownExtensionIdentifier"],
    ]
    assert _resident_mb(server.pid) - before < 30


DEAF = """
import socket
server = socket.create_server(("", 4244))
identifier, _ = register("INVOKE")
status, _, answer = call("PUT", "/2022-07-01/telemetry", {
    "schemaVersion": "2022-12-13", "types": ["function"],
    "destination": {"protocol": "HTTP", "URI": "http://sandbox:4244/"},
    "buffering": {"timeoutMs": 25, "maxBytes": 262144},
}, Lambda_Extension_Identifier=identifier)
assert status == 200, answer
while True:
    next_event(identifier)
"""


def test_a_deaf_subscriber_costs_two_batches(extended, server):  # noqa: F811 - the fixture
    """Telemetry that nobody reads is given up: the server does not grow by what was printed."""
    flood = """
    def lambda_handler(event, context):
        for n in range(4000):
            print("x" * 4000)
        return "done"
    """
    function = extended({"deaf": DEAF}, handler=flood, Timeout=60, MemorySize=1769)
    function.answer_at_once()
    before = _resident_mb(server.pid)

    answers = [function.answer_at_once() for _ in range(4)]

    assert [answer.json() for answer in answers] == ["done"] * 4
    assert _resident_mb(server.pid) - before < 60


def _resident_mb(pid):
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * 4096 / (1 << 20)
