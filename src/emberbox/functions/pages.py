"""Markers of paged lists. A marker names the last thing shown, so it survives that thing's end."""

import base64
import json

from emberbox.errors import CallerError
from emberbox.model.configuration import invalid

PAGE_MAX = 50
"""What AWS shows at once, whatever more is asked for."""


def page_size(asked: int | None) -> int:
    """How many to show for a `MaxItems`."""
    return min(asked or PAGE_MAX, PAGE_MAX)


def marker_after(*key: str) -> str:
    """The marker for the page after the thing with this key."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def key_in(marker: str | None, parts: int) -> tuple[str, ...] | None:
    """The key a page begins after, of so many parts; None for the first page.

    CallerError for a marker that no such list has given.
    """
    if not marker:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(marker))
    except (ValueError, RecursionError):
        raise bad_marker() from None
    if not (isinstance(found, list) and len(found) == parts):
        raise bad_marker()
    if not all(isinstance(part, str) for part in found):
        raise bad_marker()
    return tuple(found)


def bad_marker() -> CallerError:
    """The error for what is no marker."""
    return invalid("The Marker is none that this operation has given.")
