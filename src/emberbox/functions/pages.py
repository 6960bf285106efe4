"""Markers of paged lists. A marker names the last thing shown, so it survives that thing's end."""

import base64
import json
from collections.abc import Callable, Iterable
from typing import TypeVar

from emberbox.errors import CallerError
from emberbox.model.configuration import invalid
from emberbox.model.request import Params

T = TypeVar("T")

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


def page_of(
    member: str,
    things: Iterable[T],
    params: Params,
    mark: Callable[[T], str],
    show: Callable[[T], object],
    most: int = PAGE_MAX,
) -> Params:
    """The page of a list that `Marker` and `MaxItems` ask for, under the name of its member.

    The things come in the order of their marks, which tell them apart.
    """
    after = (key_in(params.get("Marker"), 1) or ("",))[0]
    size = min(params.get("MaxItems") or most, most)
    rest = [thing for thing in things if mark(thing) > after]
    page: Params = {member: [show(thing) for thing in rest[:size]]}
    if len(rest) > size:
        page["NextMarker"] = marker_after(mark(rest[size - 1]))
    return page


def bad_marker() -> CallerError:
    """The error for what is no marker."""
    return invalid("The Marker is none that this operation has given.")
