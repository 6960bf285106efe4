"""A response that arrives piece by piece, on its way to whoever asked for it."""

from emberbox.model.invocation import Flow, Invocation, ResponseSink
from emberbox.model.limits import RESPONSE_PAYLOAD_MAX_BYTES, STREAMED_RESPONSE_MAX_BYTES


class _Collected:
    """For a caller who wants the response whole."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def begin(self, version: str, content_type: str, flow: Flow) -> None:
        """Nothing to tell anybody yet."""

    def write(self, chunk: bytes) -> None:
        """Keep it; `ResponseStream` watches the limit."""
        self.parts.append(chunk)


class ResponseStream:
    """Counts, limits, and passes on to the invocation's sink; collects where there is none.

    A sink gets 200 MB at most (AWS: "Response streaming for Lambda functions"), who wants the
    response whole as much as any response may have. `is_streamed` says which of them it is.
    """

    def __init__(self, invocation: Invocation, version: str, content_type: str, flow: Flow) -> None:
        self._collected = _Collected()
        self._sink: ResponseSink = invocation.sink or self._collected
        self.is_streamed = invocation.sink is not None
        self.limit_bytes = (
            STREAMED_RESPONSE_MAX_BYTES if self.is_streamed else RESPONSE_PAYLOAD_MAX_BYTES
        )
        self.size_bytes = 0
        self.is_ended = False
        self._flow = flow
        self._sink.begin(version, content_type, flow)

    @property
    def is_too_large(self) -> bool:
        """Whether more has come than may be passed on."""
        return self.size_bytes > self.limit_bytes

    def write(self, chunk: bytes) -> None:
        """The next piece. What is over the limit, or comes after the end, is dropped."""
        self.size_bytes += len(chunk)
        if not self.is_ended and not self.is_too_large:
            self._sink.write(chunk)

    def end(self) -> bytes:
        """No more is passed on. The whole response if it was collected, else nothing."""
        self.is_ended = True
        self._flow.resume()
        return b"".join(self._collected.parts)
