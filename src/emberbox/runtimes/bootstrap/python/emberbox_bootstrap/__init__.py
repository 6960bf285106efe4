"""Emberbox's Python runtime: what turns invocations of the Runtime API into calls of a handler.

Runs inside the sandbox: standard library only, Python 3.9 or later. It is loaded and set up once
in the zygote (`set_up`) and forked, or started as a program; it reads its environment only in
`main`.
Follows AWS's custom-runtime guide and the behaviour of AWS's own Python client.
"""

import json
import os
import sys
import time
from functools import partial

from emberbox_bootstrap import foresight, rehearsal, snapstart
from emberbox_bootstrap.client import RuntimeClient
from emberbox_bootstrap.context import LambdaContext, learn_environment
from emberbox_bootstrap.failures import describe, report_init, unmarshal_failure
from emberbox_bootstrap.handler import load, parse_event, serialise
from emberbox_bootstrap.logs import SINK, configure, install_logging, log_failure, set_request
from emberbox_bootstrap.streaming import Stream, is_stream
from emberbox_bootstrap.wire_json import write_as

_STATE = {"is_set_up": False}


def set_up():
    """What is the same for all functions: standard streams and the root logger's handler."""
    set_up_streams()
    install_logging()
    _STATE["is_set_up"] = True


def main(image="", variables=None):
    """Load the handler, then serve invocations until the process is ended.

    With `image` the platform has given this process a file at snapstart's descriptor: to "save" an
    image of itself there, or to "resume" as the one that is there, with these variables.
    """
    if image == "resume":
        snapstart.take_up(variables)
    environment = os.environ
    beginning = snapstart.Beginning() if image == "save" else None
    task_root = environment.get("LAMBDA_TASK_ROOT", "/var/task")
    if not _STATE["is_set_up"]:
        set_up()
    elif brings_libraries(task_root, environment.get("_EMBERBOX_OPT", "/opt")):
        # A loader heeds LD_LIBRARY_PATH only if it starts with it, and the zygote's did not.
        os.execv(sys.executable, [sys.executable, sys.argv[0]])
    layers = environment.pop("_EMBERBOX_OPT", "/opt")
    connect = partial(
        RuntimeClient,
        environment["AWS_LAMBDA_RUNTIME_API"],
        environment.pop("_EMBERBOX_RUNTIME_SOCKET", None),
    )
    client = connect()
    SINK.use(environment.pop("_LAMBDA_TELEMETRY_LOG_FD", None))
    configure(environment.get("AWS_LAMBDA_LOG_FORMAT"), environment.get("AWS_LAMBDA_LOG_LEVEL"))
    write_as(environment.get("AWS_EXECUTION_ENV"))
    time.tzset()  # TZ is the function's, and the C library has read the zygote's
    learn_environment()
    find_modules(task_root, layers)
    try:
        handler = load(environment.get("_HANDLER", ""))
    except Exception as error:
        failure = report_init(error)
        log_failure(failure)
        flush()
        client.init_error(failure)
        sys.exit(1)
    if environment.get("AWS_LAMBDA_INITIALIZATION_TYPE") == snapstart.INITIALIZATION_TYPE:
        client = snapstart.pass_snapshot(client, connect, beginning, run_one)
    serve(client, handler)


def foresee(fork):
    """What of its memory a runtime will write to before its handler runs, for `copy_ahead`."""
    return foresight.learn(fork, _run_nothing)


copy_ahead = foresight.copy_ahead


def _run_nothing():
    """All that `main` does, with a function that is nothing."""
    launch = json.dumps({"environment": {"VARIABLE_%d" % n: "x" * n for n in range(48)}})
    os.environ.update(json.loads(launch)["environment"])
    os.listdir("/")
    time.tzset()
    learn_environment()
    find_modules("/var/runtime", "/opt")
    load("bootstrap.main")
    rehearsal.rehearse(run_one)


def find_modules(task_root, layers):
    """Look for modules in the package, then in layers, then where Python does."""
    version = "python%d.%d" % sys.version_info[:2]
    modules = layers + "/python"
    places = [task_root, "%s/lib/%s/site-packages" % (modules, version), modules]
    sys.path[:] = places + [place for place in sys.path if place not in places]


def brings_libraries(task_root, layers):
    """Whether package or layers hold shared libraries where LD_LIBRARY_PATH has the loader look."""
    for place in (task_root, task_root + "/lib", layers + "/lib"):
        try:
            names = os.listdir(place)
        except OSError:
            continue
        if any(name.startswith("lib") and ".so" in name for name in names):
            return True
    return False


def set_up_streams():
    """UTF-8, whole lines, never an encoding error."""
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        stream = open(
            descriptor,
            "w",
            buffering=1,
            encoding="utf-8",
            errors="backslashreplace",
            closefd=False,
        )
        setattr(sys, name, stream)
        setattr(sys, "__%s__" % name, stream)


def serve(client, handler):
    """The invocation loop."""
    environment = os.environ
    request = client.next()
    while True:
        request_id = request.headers.get("lambda-runtime-aws-request-id", "")
        trace = request.headers.get("lambda-runtime-trace-id")
        set_request(request_id, request.headers.get("lambda-runtime-aws-tenant-id"))
        if trace:
            environment["_X_AMZN_TRACE_ID"] = trace
        else:
            environment.pop("_X_AMZN_TRACE_ID", None)
        request = run_one(client, handler, request, request_id)


def run_one(client, handler, request, request_id):
    """One invocation: call, answer, and wait for the next."""
    try:
        event = parse_event(request.body)
    except (ValueError, RecursionError) as error:
        failure = unmarshal_failure(error, request_id)
        log_failure(failure)
        flush()
        return client.error_then_next(request_id, failure)
    try:
        result = handler(event, LambdaContext(request.headers))
        stream = Stream(result) if is_stream(result) else None
        if stream is None:
            content_type, body = serialise(result)
    except Exception as error:
        failure = describe(error, request_id)
        log_failure(failure)
        flush()
        return client.error_then_next(request_id, failure)
    if stream is not None:
        chunks = _flushed(stream.chunks(request_id, log_failure))
        return client.stream_then_next(request_id, stream.content_type, chunks)
    flush()
    return client.response_then_next(request_id, content_type, body)


def _flushed(chunks):
    """What was printed between two pieces leaves with the second."""
    for chunk in chunks:
        flush()
        yield chunk


def flush():
    """What was printed belongs to this invocation: let it out before the answer.

    A handler may have put anything in the place of the streams, None included.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
