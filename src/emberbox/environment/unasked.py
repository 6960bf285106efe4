"""The Runtime API of a process that is never asked anything: every answer is refused."""

from typing import NoReturn

from emberbox.environment.runtime_api import RefusedError
from emberbox.model.invocation import Flow


class Unasked:
    """The part of `RuntimeHost` that is about invocations."""

    def expects_answer(self, request_id: str) -> NoReturn:
        """Nothing was asked."""
        raise RefusedError(400, "InvalidRequestID", "Invalid request ID")

    def runtime_responds(self, request_id: str, body: bytes, *, too_large: bool) -> None:
        """Nothing was asked."""
        self.expects_answer(request_id)

    def runtime_fails(self, request_id: str, error_type: str, body: bytes) -> None:
        """Nothing was asked."""
        self.expects_answer(request_id)

    def runtime_streams(self, request_id: str, content_type: str, flow: Flow) -> NoReturn:
        """Nothing was asked."""
        self.expects_answer(request_id)

    def runtime_ends_stream(self, request_id: str, error_type: str, error: bytes) -> None:
        """Nothing was asked."""
        self.expects_answer(request_id)

    def runtime_breaks_stream(self) -> None:
        """There is none."""

    def runtime_names_no_mode(self, request_id: str) -> None:
        """Nothing was asked."""
        self.expects_answer(request_id)
