"""How long what runs in an environment has at its end: as on AWS, by who has registered."""

import re

import pytest
from hands import Boto3Hands
from material import ROLE, make_zip
from test_extensions import LIBRARY, publish

from tools.running import running

TOLD = """
def live_on(*_):
    began = time.monotonic()
    while True:
        print(WHO, "lives %.2f" % (time.monotonic() - began), flush=True)
        time.sleep(0.02)
"""

RUNTIME = (
    LIBRARY
    + TOLD
    + """
WHO = "runtime"
signal.signal(signal.SIGTERM, live_on)

def lambda_handler(event, context):
    return None
"""
)

INTERNAL = """
ID = register("INVOKE", name="inside")[0]

def listen():
    # Else the main thread, which runs handlers of signals, might not hear of one.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    while True:
        next_event(ID)

threading.Thread(target=listen, daemon=True).start()
"""

EXTERNAL = (
    TOLD
    + """
WHO = "extension"
ID, _ = register("INVOKE", "SHUTDOWN")
next_event(ID)
event = next_event(ID)
tell("has %.2f" % (event["deadlineMs"] / 1000 - time.time()))
live_on()
"""
)


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What three functions printed while their server stopped, by their names."""
    place = tmp_path_factory.mktemp("ends")
    with running(place / "data", place / "log") as server:
        hands = Boto3Hands(server.url)
        layer = publish(hands, "stubborn", {"stubborn": EXTERNAL})["LayerVersionArn"]
        for name, source, layers in (
            ("alone", RUNTIME, []),
            ("internal", RUNTIME + INTERNAL, []),
            ("external", RUNTIME, [layer]),
        ):
            hands.call(
                "lambda",
                "CreateFunction",
                FunctionName=name,
                Runtime="python3.12",
                Role=ROLE,
                Handler="lambda_function.lambda_handler",
                Code={"ZipFile": make_zip(lambda_function=source)},
                Layers=layers,
                Timeout=20,
            )
            # With its log the answer waits until the extension is done.
            assert hands.invoke(name, b"{}", LogType="Tail").error is None
    with running(place / "data", place / "log") as server:
        hands = Boto3Hands(server.url)
        yield {name: _log(hands, name) for name in ("alone", "internal", "external")}


def _log(hands, name):
    found = hands.call("logs", "FilterLogEvents", logGroupName=f"/aws/lambda/{name}")
    return "".join(event["message"] for event in found["events"])


def lived(text, who):
    """Seconds from when it was told to its last sign of life."""
    return max((float(s) for s in re.findall(rf"{who} lives ([\d.]+)", text)), default=0.0)


def test_without_extensions_all_ends_at_once(said):
    """Nobody is told: 0 ms."""
    assert "lives" not in said["alone"]


def test_with_an_internal_extension_the_runtime_has_half_a_second(said):
    """SIGTERM, 500 ms, SIGKILL."""
    assert 0.2 < lived(said["internal"], "runtime") < 1.5


def test_with_an_external_one_all_have_two_seconds(said):
    """300 ms of them are the runtime's; the extension's event says until when."""
    text = said["external"]
    has = float(re.search(r"stubborn has ([\d.]+)", text)[1])

    # What is told to a busy machine is heard later, and its end too.
    assert 0.1 < lived(text, "runtime") < lived(text, "extension")
    assert 0.8 < has < 1.75
    assert 0.8 < lived(text, "extension") < 4
