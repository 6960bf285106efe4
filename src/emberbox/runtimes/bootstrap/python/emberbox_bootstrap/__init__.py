"""Emberbox's Python runtime: what turns invocations of the Runtime API into calls of a handler.

Runs inside the sandbox: standard library only, Python 3.9 or later. It is loaded once in the
zygote and forked, or started as a program; it reads its environment only in `main`.
Follows AWS's custom-runtime guide and the behaviour of AWS's own Python client.
"""

import os
import sys

from emberbox_bootstrap.client import RuntimeClient
from emberbox_bootstrap.context import make_context
from emberbox_bootstrap.failures import describe, report_init, unmarshal_failure
from emberbox_bootstrap.handler import load, parse_event, serialise
from emberbox_bootstrap.logs import install_logging, log_failure, set_request


def main():
    """Load the handler, then serve invocations until the process is ended."""
    set_up_streams()
    environment = os.environ
    client = RuntimeClient(environment["AWS_LAMBDA_RUNTIME_API"])
    log = install_logging(environment.pop("_LAMBDA_TELEMETRY_LOG_FD", None))
    task_root = environment.get("LAMBDA_TASK_ROOT", "/var/task")
    if task_root not in sys.path:
        sys.path.insert(0, task_root)
    try:
        handler = load(environment.get("_HANDLER", ""))
    except Exception as error:
        failure = report_init(error)
        log_failure(log, failure)
        flush()
        client.init_error(failure)
        sys.exit(1)
    serve(client, handler, log)


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


def serve(client, handler, log):
    """The invocation loop."""
    environment = os.environ
    request = client.next()
    while True:
        request_id = request.headers.get("lambda-runtime-aws-request-id", "")
        trace = request.headers.get("lambda-runtime-trace-id")
        set_request(request_id)
        if trace:
            environment["_X_AMZN_TRACE_ID"] = trace
        else:
            environment.pop("_X_AMZN_TRACE_ID", None)
        request = run_one(client, handler, log, request, request_id)


def run_one(client, handler, log, request, request_id):
    """One invocation: call, answer, and wait for the next."""
    try:
        event = parse_event(request.body)
    except ValueError as error:
        failure = unmarshal_failure(error, request_id)
        log_failure(log, failure)
        flush()
        return client.error_then_next(request_id, failure)
    try:
        content_type, body = serialise(handler(event, make_context(request.headers)))
    except Exception as error:
        failure = describe(error, request_id)
        log_failure(log, failure)
        flush()
        return client.error_then_next(request_id, failure)
    flush()
    return client.response_then_next(request_id, content_type, body)


def flush():
    """What was printed belongs to this invocation: let it out before the answer."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
