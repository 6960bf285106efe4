"""The Runtime API of a process that is never asked anything: every answer is refused."""

from collections.abc import Mapping, Sequence
from typing import NoReturn

from emberbox.environment.refusals import RefusedError
from emberbox.environment.runtime_api import RuntimeConnection
from emberbox.isolation.sandbox import Exit
from emberbox.model.invocation import Flow


class Unasked:
    """The parts of `RuntimeHost` and `SandboxEvents` about invocations and extensions."""

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

    def extension_calls(
        self,
        connection: RuntimeConnection,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> None:
        """Extensions begin with each environment, not with the template."""
        raise RefusedError(
            403, "Extension.RegistrationClosed", "Extension registration closed already"
        )

    def on_extensions(
        self, started: Sequence[str], not_started: Mapping[str, str], output: int
    ) -> None:
        """None are started here."""

    def on_extension_exit(self, name: str, how: Exit) -> None:
        """None are started here."""
