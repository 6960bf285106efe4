"""A function that can do what the table of levels asks of it: `{"do": name, ...}`."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

START = os.urandom(8).hex()
TICKS = []


def beat(event):
    return event.get("value")


def environment(_event):
    names = ("OWN", "AWS_LAMBDA_FUNCTION_NAME", "AWS_REGION", "_HANDLER")
    found = {name: os.environ.get(name) for name in names}
    return {**found, "cwd_is_root": os.getcwd() == os.environ["LAMBDA_TASK_ROOT"]}


def say(_event):
    print("said aloud")
    sys.stderr.write("said to stderr\n")


def hang(event):
    """Children in sessions of their own, and orphans that heed no SIGTERM."""
    sleep = "sleep %s" % event["sleep"]
    for _ in range(3):
        subprocess.Popen(sleep.split(), start_new_session=True)
    subprocess.Popen("(trap '' TERM; setsid %s & setsid %s) &" % (sleep, sleep), shell=True)
    time.sleep(600)


def leave(_event):
    os._exit(3)


def crash(_event):
    os.kill(os.getpid(), signal.SIGSEGV)


def swell(_event):
    held = []
    while True:
        held.append(bytearray(b"x" * (8 << 20)))
        time.sleep(0.002)


def keep(event):
    place = os.path.join(tempfile.gettempdir(), "kept")
    was = None
    if os.path.exists(place):
        with open(place) as kept:
            was = kept.read()
    with open(place, "w") as out:
        out.write(event["value"])
    return [START, was]


def count(event):
    time.sleep(event.get("sleep", 0))
    return START


def ticks(event):
    if "begin" in event:
        threading.Thread(target=_tick, daemon=True).start()
    return len(TICKS)


def _tick():
    while True:
        TICKS.append(time.monotonic())
        time.sleep(0.01)


def call(_event):
    place = os.environ["AWS_ENDPOINT_URL"] + "/_emberbox/health"
    with urllib.request.urlopen(place, timeout=10) as answer:
        return json.load(answer)["status"]


def fork_many(event):
    """How many children can be made; they only sleep."""
    made = 0
    while made < event.get("most", 1500):
        try:
            if os.fork() == 0:
                os.setsid()
                time.sleep(600)
                os._exit(0)
        except OSError:
            return made
        made += 1
    return made


def handler(event, _context):
    return globals()[event["do"]](event)
