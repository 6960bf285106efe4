"""One invocation and what came of it.

A function that fails is not an error of the platform: its failure is an `Outcome`.
"""

import json
from typing import NamedTuple, Protocol

from emberbox.records import dataclass


class Flow(Protocol):
    """Where a streamed response comes from: it can be made to wait."""

    def pause(self) -> None:
        """Read no more of it; the function's writes block once the buffers between are full."""
        ...

    def resume(self) -> None:
        """Go on reading; safe at any time."""
        ...


class ResponseSink(Protocol):
    """Takes a response piece by piece, as the function writes it.

    It hears of nothing if the function answers with a whole response, or fails before its first
    byte: then the outcome holds all. Whether a streamed response is complete is in the outcome too.
    """

    def begin(self, version: str, content_type: str, flow: Flow) -> None:
        """The function of this version begins to stream. Called once at most."""
        ...

    def write(self, chunk: bytes) -> None:
        """The next piece; when it cannot be passed on now, pause the flow."""
        ...


class Invocation(NamedTuple):
    """What is asked of an execution environment.

    `invoked_arn` is the ARN as the caller addressed the function; `client_context` the decoded
    JSON text; `tail` asks for the end of the log in the outcome. Without a `sink` a response that
    is streamed is collected. `tenant` is empty where the function has none.
    """

    request_id: str
    payload: bytes
    timeout_s: float
    invoked_arn: str
    trace: str
    client_context: str | None = None
    tail: bool = False
    sink: ResponseSink | None = None
    tenant: str = ""


class Outcome(NamedTuple):
    """What an invocation gave: the payload for the caller, and whether the function failed.

    `log_tail` holds at most the last 4 KB of this invocation's log, if it was asked for.
    `error_type` is AWS's or the function's name for a failure. Of a response that went to a sink
    the payload is empty, or the document of the error that broke it off.
    """

    payload: bytes
    failed: bool = False
    log_tail: bytes | None = None
    error_type: str = ""
    streamed: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a runtime could not do its work; `payload` is what the caller gets.

    `error_type` is AWS's name for it, for instance Runtime.ExitError.
    """

    error_type: str
    payload: bytes
    log_lines: tuple[str, ...] = ()
    report_status: str = "error"
    report_error_type: str | None = None


def timed_out(request_id: str, timeout_s: float, timestamp: str) -> Failure:
    """The invocation ran out of time."""
    text = f"Task timed out after {timeout_s:.2f} seconds"
    return Failure(
        "Sandbox.Timedout",
        _payload("Sandbox.Timedout", f"RequestId: {request_id} Error: {text}"),
        (f"{timestamp} {request_id} {text}",),
        report_status="timeout",
    )


def exited(
    request_id: str, status: int | None, signal_name: str | None, *, memory: bool
) -> Failure:
    """The runtime process ended while needed; `memory` if the kernel killed it for memory."""
    if signal_name is not None:
        reason = f"Runtime exited with error: signal: {signal_name}"
    elif status:
        reason = f"Runtime exited with error: exit status {status}"
    else:
        reason = "Runtime exited without providing a reason"
    text = f"RequestId: {request_id} Error: {reason}"
    return Failure(
        "Runtime.ExitError",
        _payload("Runtime.ExitError", text),
        (text, "Runtime.ExitError"),
        report_error_type="Runtime.OutOfMemory" if memory else "Runtime.ExitError",
    )


def entrypoint_missing(request_id: str, command: str) -> Failure:
    """There is no program to start."""
    text = f"RequestId: {request_id} Error: Couldn't find valid bootstrap(s): [{command}]"
    return Failure(
        "Runtime.InvalidEntrypoint",
        _payload("Runtime.InvalidEntrypoint", text),
        (text, "Runtime.InvalidEntrypoint"),
        report_error_type="Runtime.InvalidEntrypoint",
    )


def extension_failed(request_id: str, error_type: str, text: str) -> Failure:
    """An extension has ended or reported an error, which ends the invocation too."""
    message = f"RequestId: {request_id} Error: {text}"
    return Failure(
        error_type,
        _payload(error_type, message),
        (message, error_type),
        report_error_type=error_type,
    )


def truncated(request_id: str) -> Failure:
    """A streamed response ended in the middle, its runtime did not."""
    return _of_runtime("Runtime.TruncatedResponse", request_id, "Response was truncated")


def invalid_response_mode(request_id: str) -> Failure:
    """The runtime named a mode of response that there is not."""
    text = "Invalid function response mode"
    return _of_runtime("Runtime.InvalidResponseModeHeader", request_id, text)


def _of_runtime(error_type: str, request_id: str, text: str) -> Failure:
    payload = _payload(error_type, f"RequestId: {request_id} Error: {text}")
    return Failure(error_type, payload, report_error_type=error_type)


def response_too_large(limit_bytes: int) -> Failure:
    """The function returned more than a synchronous invocation may carry."""
    text = f"Response payload size exceeded maximum allowed payload size ({limit_bytes} bytes)."
    payload = json.dumps(
        {"errorMessage": text, "errorType": "Function.ResponseSizeTooLarge"}, separators=(",", ":")
    )
    return Failure(
        "Function.ResponseSizeTooLarge",
        payload.encode(),
        report_error_type="Function.ResponseSizeTooLarge",
    )


def _payload(error_type: str, message: str) -> bytes:
    body = {"errorType": error_type, "errorMessage": message}
    return json.dumps(body, separators=(",", ":")).encode()
