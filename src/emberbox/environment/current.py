"""The one invocation that an environment is serving, and how far it has come."""

from collections.abc import Callable
from typing import NamedTuple

from emberbox.environment.response_stream import ResponseStream
from emberbox.model.invocation import Invocation, Outcome


class Result(NamedTuple):
    """What a runtime has answered."""

    payload: bytes
    failed: bool = False
    error_type: str = ""


class CurrentInvocation:
    """From `invoke` until its REPORT.

    `is_delivered` says that the runtime has the event; `result` is what it has answered, after
    which no other answer is taken. Instants of the monotonic clock, 0 until they have come:
    `began`; `response_began` and `answered`, the beginning and the end of the response; `done`,
    when the runtime has asked for the next event, or has failed. The last two are kept only where
    extensions or events of the platform need them.
    """

    __slots__ = (
        "_done",
        "answered",
        "began",
        "done",
        "invocation",
        "is_delivered",
        "response_began",
        "result",
        "stream",
    )

    def __init__(self, invocation: Invocation, done: Callable[[Outcome], None]) -> None:
        self.invocation = invocation
        self.is_delivered = False
        self.began = self.response_began = self.answered = self.done = 0.0
        self.result: Result | None = None
        self.stream: ResponseStream | None = None
        self._done: Callable[[Outcome], None] | None = done

    def time_left(self, now: float) -> float:
        """Seconds until its time-out."""
        return self.began + self.invocation.timeout_s - now

    def head(self, deadline_ms: int) -> bytes:
        """Head of the answer that brings it to the runtime (AWS: "Lambda runtime API", next)."""
        invocation = self.invocation
        context = (
            f"Lambda-Runtime-Client-Context: {invocation.client_context}\r\n"
            if invocation.client_context
            else ""
        )
        if invocation.tenant:
            context += f"Lambda-Runtime-Aws-Tenant-Id: {invocation.tenant}\r\n"
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            f"Lambda-Runtime-Aws-Request-Id: {invocation.request_id}\r\n"
            f"Lambda-Runtime-Deadline-Ms: {deadline_ms}\r\n"
            f"Lambda-Runtime-Invoked-Function-Arn: {invocation.invoked_arn}\r\n"
            f"Lambda-Runtime-Trace-Id: {invocation.trace}\r\n{context}"
            f"Content-Length: {len(invocation.payload)}\r\n\r\n"
        )
        return head.encode("utf-8")

    def answer(self, result: Result, log_tail: bytes | None) -> None:
        """Give the outcome to whoever waits for it; later calls do nothing."""
        done, self._done = self._done, None
        if done is None:
            return
        stream = self.stream
        if stream is not None and not stream.is_ended:
            stream.end()
        streamed = stream is not None and stream.is_streamed
        payload, failed, error_type = result
        done(Outcome(payload, failed, log_tail, error_type, streamed))
