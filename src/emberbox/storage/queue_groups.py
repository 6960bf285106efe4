"""When the next message of a group may be received; kept in a row per group that has messages."""

from emberbox.storage.database import Transaction
from emberbox.storage.queue_records import Queue


def regroup(tx: Transaction, queue: Queue, group_id: str) -> None:
    """Find out anew when a group is ready, after something has happened to its messages."""
    at_ms = _fifo(tx, queue, group_id) if queue.settings.is_fifo else _earliest(tx, queue, group_id)
    if at_ms is None:
        tx.run("group_remove", queue_id=queue.id, group_id=group_id)
    else:
        tx.run("group_set", queue_id=queue.id, group_id=group_id, ready_ms=at_ms)


def _fifo(tx: Transaction, queue: Queue, group_id: str) -> int | None:
    """The first in order is to be visible, and none of the group in flight."""
    first = tx.one("messages_first_of_group", queue_id=queue.id, group_id=group_id, limit=1)
    if first is None:
        return None
    held = tx.one("group_in_flight_until", queue_id=queue.id, group_id=group_id)
    until_ms = held["at_ms"] if held is not None else None
    return max(int(first["visible_ms"]), int(until_ms or 0))


def _earliest(tx: Transaction, queue: Queue, group_id: str) -> int | None:
    row = tx.one("group_next", queue_id=queue.id, group_id=group_id)
    return None if row is None or row["at_ms"] is None else int(row["at_ms"])


def next_ms(tx: Transaction, queue: Queue) -> int | None:
    """When the next message of a queue may be received, None if it has none."""
    times = [tx.one("groups_next", queue_id=queue.id)]
    if not queue.settings.is_fifo:
        times.append(tx.one("group_next", queue_id=queue.id, group_id=""))
    known = [row["at_ms"] for row in times if row is not None and row["at_ms"] is not None]
    return min(known, default=None)
