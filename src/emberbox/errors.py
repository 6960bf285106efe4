"""The one error tree: every error knows whose fault it is.

A failing function is not an error of ours: it is a value (see `emberbox.model.invocation`).
"""

from collections.abc import Mapping
from types import MappingProxyType

_NOTHING: Mapping[str, str] = MappingProxyType({})


class EmberboxError(Exception):
    """Root of all errors raised by Emberbox."""


class CallerError(EmberboxError):
    """The request cannot be served as it is; the client gets AWS's code, status and message.

    `code` is the AWS error name. `status` None means the status that the service's model gives to
    that error (400 when the model does not know it). `fields` are further members of the error body
    (for instance `Type` or `Reason`); `headers` go into the HTTP answer (as `Retry-After` does).
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        fields: Mapping[str, str] = _NOTHING,
        headers: Mapping[str, str] = _NOTHING,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.fields = fields
        self.headers = headers

    def __repr__(self) -> str:
        return f"CallerError({self.code!r}, {self.message!r}, status={self.status})"


class PlatformError(EmberboxError):
    """Emberbox or its host failed: AWS's 500 with this text, which the server log gets too."""
