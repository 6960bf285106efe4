"""Errors of X-Ray."""

from emberbox.errors import CallerError


def invalid(text: str) -> CallerError:
    """InvalidRequestException."""
    return CallerError("InvalidRequestException", text, status=400)
