"""Services of which nothing runs until a client calls them: imported and made at their first use.

The gateway looks at each soon after the start, so that a first call seldom waits for it.
"""

from collections.abc import Callable, Mapping
from threading import Lock

from emberbox.model.request import Operation, Service


class Deferred:
    """The service of that name, which `make` imports and makes; threads may look at it."""

    def __init__(self, name: str, make: Callable[[], Service]) -> None:
        self.name = name
        self._make = make
        self._lock = Lock()
        self._made: Service | None = None

    @property
    def operations(self) -> Mapping[str, Operation]:
        """Those of the service."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made.operations
