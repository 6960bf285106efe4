"""Messages in their database: sent, deleted, made visible, counted and swept.

Receiving is in `emberbox.storage.queue_receiving`. Each function here is one piece of work in a
transaction; `MessageStore` commits them. Times are milliseconds since the epoch.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from emberbox.model.queue_settings import VISIBILITY_MAX_S
from emberbox.storage.database import Database, Transaction
from emberbox.storage.queue_groups import regroup
from emberbox.storage.queue_receiving import Batch, Wish, receive
from emberbox.storage.queue_records import (
    MissingQueueError,
    NewMessage,
    Queue,
    Receipt,
    Sent,
)

DEDUPLICATION_MS = 300_000
_SWEEP_ROWS = 500
_POISON_RECEIVES = 3
_NO_LIMIT = 1 << 62


class ExpiredReceiptError(Exception):
    """The message of a FIFO queue has become visible again."""


class NotInFlightError(Exception):
    """The message is there, and visible."""


class GoneError(Exception):
    """The message is not there any more, or has been received again since."""


class TooLongError(Exception):
    """A message would be in flight for more than twelve hours."""


class Counts(NamedTuple):
    """How many messages a queue has, by what they wait for."""

    visible: int
    in_flight: int
    delayed: int


class MessageStore:
    """The messages of all queues. Every answer has been committed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def send(self, queue: Queue, messages: Sequence[NewMessage], now_ms: int) -> list[Sent]:
        """Store messages in their order, all or none; MissingQueueError if the queue has gone."""
        return await self._database.write(partial(_send, queue, messages, now_ms))

    async def send_and_receive(
        self, queue: Queue, messages: Sequence[NewMessage], wish: Wish, now_ms: int
    ) -> tuple[list[Sent], Batch]:
        """Store messages, and hand out some that are visible then, for one that waits for them."""

        def work(tx: Transaction) -> tuple[list[Sent], Batch]:
            return _send(queue, messages, now_ms, tx), receive(queue, wish, now_ms, tx)

        return await self._database.write(work)

    async def receive(self, queue: Queue, wish: Wish, now_ms: int) -> Batch:
        """Hand out messages that are visible."""
        return await self._database.write(partial(receive, queue, wish, now_ms))

    async def delete(
        self, queue: Queue, receipts: Sequence[Receipt], now_ms: int
    ) -> list[Exception | None]:
        """Remove messages that were received; for each, None or why it was not removed.

        That a message is not there any more is no failure.
        """
        return await self._database.write(
            lambda tx: [_trying(partial(_delete, tx, queue, each, now_ms)) for each in receipts]
        )

    async def change_visibility(
        self, queue: Queue, changes: Sequence[tuple[Receipt, int]], now_ms: int
    ) -> list[Exception | None]:
        """Set when messages in flight are visible again, in ms from now."""
        return await self._database.write(
            lambda tx: [
                _trying(partial(_see, tx, queue, receipt, now_ms, ms)) for receipt, ms in changes
            ]
        )

    async def counts(self, queue: Queue, now_ms: int) -> Counts:
        """How many messages there are."""
        row = await self._database.read(
            lambda tx: tx.one("messages_count", queue_id=queue.id, now_ms=now_ms)
        )
        if row is None:
            return Counts(0, 0, 0)
        return Counts(row["visible"], row["in_flight"], row["waiting"] - row["in_flight"])

    async def oldest_ms(self, queue: Queue, now_ms: int) -> int | None:
        """When the oldest message was sent, None if there is none.

        In a standard queue those that have been received three times are left out.
        """
        row = await self._database.read(
            lambda tx: tx.one(
                "messages_oldest",
                queue_id=queue.id,
                since_ms=now_ms - queue.settings.retention_s * 1_000,
                receives=_NO_LIMIT if queue.settings.is_fifo else _POISON_RECEIVES,
            )
        )
        return None if row is None else int(row["sent_ms"])

    async def groups_in_flight(self, queue: Queue, now_ms: int) -> int:
        """How many message groups of a FIFO queue have messages in flight."""
        row = await self._database.read(
            lambda tx: tx.one("groups_in_flight", queue_id=queue.id, now_ms=now_ms)
        )
        return 0 if row is None else int(row["groups"])

    async def in_flight(self, queue: Queue, now_ms: int) -> int:
        """How many messages are in flight."""
        row = await self._database.read(
            lambda tx: tx.one("messages_in_flight", queue_id=queue.id, now_ms=now_ms)
        )
        return 0 if row is None else int(row["messages"])

    async def sweep_remains(self, queues: Callable[[], Iterable[Queue]]) -> int:
        """Remove some of what deleted and purged queues have left; 0 if there was nothing."""
        known = {queue.id: queue for queue in queues()}
        return await self._database.write(lambda tx: _sweep_remains(tx, known))

    async def sweep(self, queues: Callable[[], Iterable[Queue]], now_ms: int) -> int:
        """Remove some of what is purged, forgotten or too old; the number of rows, 0 if none.

        Each step is bounded, so that other work gets its turn.
        """
        removed = await self.sweep_remains(queues)
        removed += await self._database.write(partial(_forget, now_ms=now_ms))
        for queue in await self._database.read(
            lambda tx: [each for each in queues() if _expired(tx, each, now_ms, 1)]
        ):
            removed += await self._database.write(partial(_expire, queue=queue, now_ms=now_ms))
        return removed


def _trying(work: Callable[[], None]) -> Exception | None:
    try:
        work()
    except (ExpiredReceiptError, NotInFlightError, GoneError, TooLongError) as error:
        return error
    return None


def _send(queue: Queue, messages: Sequence[NewMessage], now_ms: int, tx: Transaction) -> list[Sent]:
    if tx.one("queue", id=queue.id) is None:
        raise MissingQueueError(queue.key.name)
    return [_send_one(tx, queue, message, now_ms) for message in messages]


def _send_one(tx: Transaction, queue: Queue, message: NewMessage, now_ms: int) -> Sent:
    names = {
        "queue_id": queue.id,
        "scope": message.group_id if queue.settings.by_group else "",
        "deduplication_id": message.deduplication_id,
    }
    if message.deduplication_id is not None:
        known = tx.one("duplicate", **names, now_ms=now_ms)
        if known is not None:
            return Sent(known["message_id"], known["sequence"])
    sent = insert(tx, queue, message, now_ms)
    if message.deduplication_id is not None:
        tx.run(
            "duplicate_add",
            **names,
            message_id=sent.message_id,
            sequence=sent.id,
            until_ms=now_ms + DEDUPLICATION_MS,
        )
    return sent


def insert(tx: Transaction, queue: Queue, message: NewMessage, now_ms: int) -> Sent:
    """Add a message that is no duplicate."""
    visible_ms = now_ms + message.delay_ms
    row = tx.one(
        "message_add",
        queue_id=queue.id,
        group_id=message.group_id,
        visible_ms=visible_ms,
        sent_ms=now_ms,
        message_id=message.message_id,
    )
    assert row is not None
    tx.run(
        "message_contents_add",
        id=row["id"],
        body=message.body,
        attributes=message.attributes,
        system=message.system,
    )
    if message.group_id:
        query = "group_add" if queue.settings.is_fifo else "group_add_earliest"
        tx.run(query, queue_id=queue.id, group_id=message.group_id, ready_ms=visible_ms)
    return Sent(message.message_id, row["id"])


def _received(tx: Transaction, queue: Queue, receipt: Receipt) -> sqlite3.Row:
    """The row of the very receive that a receipt is of, or GoneError."""
    row = tx.one("message", id=receipt.id)
    if (
        row is None
        or row["queue_id"] != queue.id
        or row["message_id"] != receipt.message_id
        or row["receives"] != receipt.receives
    ):
        raise GoneError
    return row


def _delete(tx: Transaction, queue: Queue, receipt: Receipt, now_ms: int) -> None:
    try:
        row = _received(tx, queue, receipt)
    except GoneError:
        return
    if queue.settings.is_fifo and row["visible_ms"] <= now_ms:
        raise ExpiredReceiptError
    remove(tx, row)
    if row["group_id"]:
        regroup(tx, queue, row["group_id"])


def remove(tx: Transaction, row: sqlite3.Row) -> None:
    """Remove a message; its group is the caller's to look after."""
    tx.run("message_remove", id=row["id"])
    tx.run("message_contents_remove", id=row["id"])


def _see(tx: Transaction, queue: Queue, receipt: Receipt, now_ms: int, ms: int) -> None:
    row = _received(tx, queue, receipt)
    if row["visible_ms"] <= now_ms:
        raise NotInFlightError
    if now_ms + ms - row["received_ms"] > VISIBILITY_MAX_S * 1_000:
        raise TooLongError
    tx.run("message_see", id=receipt.id, visible_ms=now_ms + ms)
    if row["group_id"]:
        regroup(tx, queue, row["group_id"])


def _sweep_remains(tx: Transaction, queues: dict[int, Queue]) -> int:
    doomed = tx.one("remains")
    if doomed is None:
        return 0
    rows = tx.all(
        "messages_remaining",
        queue_id=doomed["queue_id"],
        sent_ms=doomed["sent_ms"],
        up_to=doomed["up_to"],
        limit=_SWEEP_ROWS,
    )
    _remove_all(tx, queues.get(doomed["queue_id"]), rows)
    if len(rows) < _SWEEP_ROWS:
        tx.run("remains_done", id=doomed["id"])
    return 1 + len(rows)


def _forget(tx: Transaction, now_ms: int) -> int:
    return sum(
        tx.run(f"{what}_forget", now_ms=now_ms, limit=_SWEEP_ROWS)
        for what in ("duplicates", "attempts")
    )


def _expired(tx: Transaction, queue: Queue, now_ms: int, limit: int) -> list[sqlite3.Row]:
    oldest_ms = now_ms - queue.settings.retention_s * 1_000
    return tx.all("messages_sent_before", queue_id=queue.id, sent_ms=oldest_ms, limit=limit)


def _expire(tx: Transaction, queue: Queue, now_ms: int) -> int:
    rows = _expired(tx, queue, now_ms, _SWEEP_ROWS)
    _remove_all(tx, queue, rows)
    return len(rows)


def _remove_all(tx: Transaction, queue: Queue | None, rows: Sequence[sqlite3.Row]) -> None:
    for row in rows:
        remove(tx, row)
    if queue is not None:
        for group in {row["group_id"] for row in rows} - {""}:
            regroup(tx, queue, group)
