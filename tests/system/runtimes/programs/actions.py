"""The actions of the conformance suite, in Python."""

import os
import signal
import subprocess
import sys
import time

count = 0


def handler(event, context):
    global count
    count += 1
    return ACTIONS[event["do"]](event, context)


def describe(event, context):
    return {
        "id": context.aws_request_id,
        "name": context.function_name,
        "version": context.function_version,
        "memory": int(context.memory_limit_in_mb),
        "arn": context.invoked_function_arn,
        "group": context.log_group_name,
        "stream": context.log_stream_name,
        "remaining": context.get_remaining_time_in_millis(),
        "custom": context.client_context.custom if context.client_context else None,
    }


def fail(event, context):
    raise ValueError("on purpose")


def leave(event, context):
    sys.exit(event["status"])


def keep(event, context):
    with open("/tmp/kept", "w") as out:
        out.write("kept")
    time.sleep(30)


def branch(event, context):
    deaf = f"trap '' TERM; exec setsid sleep {event['seconds']}"
    subprocess.Popen(["sh", "-c", deaf])
    time.sleep(30)


def look(event, context):
    return {"kept": os.path.exists("/tmp/kept"), "count": count}


def allocate(event, context):
    held = []
    while True:
        held.append(bytearray(b"x") * (16 << 20))


def loop(event, context):
    result = {}
    result["self"] = result
    return result


def show(event, context):
    print("printed")


ACTIONS = {
    "return": lambda event, context: {"count": count, "event": event},
    "print": show,
    "context": describe,
    "fail": fail,
    "exit": leave,
    "die": lambda event, context: os.kill(os.getpid(), signal.SIGKILL),
    "keep": keep,
    "branch": branch,
    "look": look,
    "allocate": allocate,
    "loop": loop,
    "large": lambda event, context: "x" * event["size"],
    "variables": lambda event, context: {**os.environ, "cwd": os.getcwd()},
}
