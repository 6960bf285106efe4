"""What waits for one subscriber of telemetry, within bounds.

A subscriber that does not take its events loses the newest; how many is told in their place.
"""

from collections import deque
from typing import NamedTuple

from emberbox.model.telemetry import Subscription

_BATCHES_MAX = 2
_SEPARATOR = 1


class Dropped(NamedTuple):
    """Events that were given up."""

    records: int
    size_bytes: int


class TelemetryBuffer:
    """A queue of events as JSON; at most two full batches of what was asked for are kept."""

    def __init__(self, subscription: Subscription) -> None:
        self._items_max = subscription.max_items
        self._bytes_max = subscription.max_bytes
        self._events: deque[bytes] = deque()
        self._size_bytes = 0
        self._dropped = Dropped(0, 0)

    def __len__(self) -> int:
        return len(self._events)

    @property
    def is_full(self) -> bool:
        """Whether a batch is complete and should go now."""
        return len(self._events) >= self._items_max or self._size_bytes >= self._bytes_max

    @property
    def has_room(self) -> bool:
        """Whether events are taken, not given up."""
        return (
            len(self._events) < _BATCHES_MAX * self._items_max
            and self._size_bytes < _BATCHES_MAX * self._bytes_max
        )

    def add(self, event: bytes) -> None:
        """Take an event, or count it as dropped."""
        size = len(event) + _SEPARATOR
        if self.has_room:
            self._events.append(event)
            self._size_bytes += size
        else:
            records, size_bytes = self._dropped
            self._dropped = Dropped(records + 1, size_bytes + size)

    def take_dropped(self) -> Dropped | None:
        """What has been given up since the last time, if anything."""
        dropped, self._dropped = self._dropped, Dropped(0, 0)
        return dropped if dropped.records else None

    def take(self) -> list[bytes]:
        """The next batch, oldest first: at least one event if there is any."""
        batch: list[bytes] = []
        size = 0
        while self._events and len(batch) < self._items_max:
            if batch and size + len(self._events[0]) + _SEPARATOR > self._bytes_max:
                break
            taken = self._events.popleft()
            size += len(taken) + _SEPARATOR
            batch.append(taken)
        self._size_bytes -= size
        return batch
