"""Errors of EventBridge Scheduler, and pages of its lists."""

from emberbox.errors import CallerError
from emberbox.model.page_tokens import from_token


def invalid(message: str) -> CallerError:
    """The error for what a request must not say."""
    return _error("ValidationException", message, 400)


def conflict(message: str) -> CallerError:
    """The error for what is there already."""
    return _error("ConflictException", message, 409)


def not_found(message: str) -> CallerError:
    """The error for what is not there."""
    return _error("ResourceNotFoundException", message, 404)


def _error(code: str, message: str, status: int) -> CallerError:
    return CallerError(code, message, status=status, fields={"Message": message})


def after(token: str | None) -> tuple[str, str]:
    """The group and name that a page token stands for."""
    if not token:
        return "", ""
    group, slash, name = (from_token(token) or "").partition("/")
    if not slash:
        raise invalid("Invalid NextToken.")
    return group, name
