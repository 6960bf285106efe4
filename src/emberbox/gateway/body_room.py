"""How much of requests that are not whole the connections of one environment may hold together.

A function can open hundreds of connections and send most of a large request over each: without a
bound for all of them one function could fill the memory of the server.
"""

from typing import Final

from emberbox.model.limits import REQUEST_MAX_BYTES

ROOM: Final = "emberbox.room"
"""Our extension of an ASGI scope: its `take` says whether so many bytes more may be held."""

_BESIDE_BYTES: Final = 8 << 20
DOOR_BYTES: Final = REQUEST_MAX_BYTES + _BESIDE_BYTES
"""The largest request there is, and small ones beside it."""


class BodyRoom:
    """Bytes that may be held; None for as many as come."""

    def __init__(self, size_bytes: int | None = None) -> None:
        self._left = size_bytes

    def take(self, size_bytes: int) -> bool:
        """Hold so many more; False, and nothing is held, if they are too many."""
        if self._left is None:
            return True
        if size_bytes > self._left:
            return False
        self._left -= size_bytes
        return True

    def give_back(self, size_bytes: int) -> None:
        """So many are held no more."""
        if self._left is not None:
            self._left += size_bytes
