"""What the Runtime API and its neighbours answer to calls that they do not accept."""

from http import HTTPStatus


class RefusedError(Exception):
    """The environment does not accept this call now."""

    def __init__(self, status: int, error_type: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error_type = error_type
        self.message = message

    def answer(self) -> bytes:
        """The whole answer of the API."""
        text = self.message.replace("\\", "/").replace('"', "'")
        body = f'{{"errorMessage":"{text}","errorType":"{self.error_type}"}}\n'
        head = (
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body.encode())}\r\n\r\n"
        )
        return (head + body).encode()


def illegal_transition(origin: str, to: str) -> RefusedError:
    """The runtime asks for what its state does not allow; the states have AWS's names."""
    text = f"State transition from {origin} to {to} failed for runtime"
    return RefusedError(403, "InvalidStateTransition", text)


def payload_too_large(limit_bytes: int) -> RefusedError:
    """A body is larger than it may be."""
    text = f"Exceeded maximum allowed payload size ({limit_bytes} bytes)."
    return RefusedError(413, "RequestEntityTooLarge", text)
