"""Tokens of the next page: a name, made unreadable enough that nobody builds on it."""

from base64 import b64decode, urlsafe_b64encode


def to_token(text: str) -> str:
    """A text as a page token."""
    return urlsafe_b64encode(text.encode()).decode()


def from_token(token: str) -> str | None:
    """The text of a page token; None if it is none of ours."""
    try:
        return b64decode(token.encode("ascii"), altchars=b"-_", validate=True).decode()
    except ValueError:
        return None
