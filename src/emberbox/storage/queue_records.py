"""Queues and messages as values: their names, rows and receipts."""

import binascii
import sqlite3
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import field
from json import loads
from typing import Any, NamedTuple

from emberbox.model.queue_settings import QueueSettings, queue_arn, settings_of
from emberbox.records import dataclass

_SEQUENCE_BASE = 18_800_000_000_000_000_000


class MissingQueueError(LookupError):
    """There is no such queue."""


class BadReceiptError(ValueError):
    """The text is no receipt handle of this queue."""


class QueueKey(NamedTuple):
    """The full name of a queue."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        """The ARN of a queue of this name."""
        return queue_arn(*self)


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue as it stands; `settings` are its attributes as values."""

    id: int
    key: QueueKey
    created_s: int
    modified_s: int
    purged_ms: int
    attributes: Mapping[str, str]
    tags: Mapping[str, str]
    settings: QueueSettings = field(compare=False)


class NewMessage(NamedTuple):
    """A message to be sent. `attributes` and `system` are JSON texts.

    `deduplication_id` is None for standard queues.
    """

    message_id: str
    body: str
    attributes: str | None
    system: str
    group_id: str = ""
    deduplication_id: str | None = None
    delay_ms: int = 0


class Sent(NamedTuple):
    """What became of a message that was sent: the original's name if it was a duplicate."""

    message_id: str
    id: int


class Received(NamedTuple):
    """A message that was received, with everything that a receiver may ask for."""

    id: int
    message_id: str
    receipt: str
    body: str
    attributes: str | None
    system: Mapping[str, Any]
    group_id: str
    sent_ms: int
    first_received_ms: int
    receives: int
    came_from: str | None

    def of(self, queue: "Queue") -> "Receipt":
        """The receipt of this receive."""
        return Receipt(queue.id, self.id, self.receives, self.message_id)


class Receipt(NamedTuple):
    """What a receipt handle says: which receive of which message."""

    queue_id: int
    id: int
    receives: int
    message_id: str


def sequence_number(message_id: int) -> str:
    """The sequence number of a message in a FIFO queue: 20 digits, growing."""
    return str(_SEQUENCE_BASE + message_id)


def to_handle(receipt: Receipt) -> str:
    """A receipt as clients see it. It cannot be guessed: it holds the message's random id."""
    return b64encode(":".join(map(str, receipt)).encode()).decode()


def from_handle(handle: str, queue: Queue) -> Receipt:
    """The receipt in a handle; BadReceiptError if it is none of this queue's."""
    try:
        parts = b64decode(handle.encode("ascii"), validate=True).decode("ascii").split(":")
        receipt = Receipt(int(parts[0]), int(parts[1]), int(parts[2]), parts[3])
    except (ValueError, IndexError, binascii.Error):
        raise BadReceiptError(handle) from None
    if receipt.queue_id != queue.id or max(receipt[1:3]) >= 1 << 62:
        raise BadReceiptError(handle)
    return receipt


def queue_of(row: sqlite3.Row) -> Queue:
    """A queue from its row."""
    attributes = loads(row["attributes"])
    return Queue(
        id=row["id"],
        key=QueueKey(row["account"], row["region"], row["name"]),
        created_s=row["created_s"],
        modified_s=row["modified_s"],
        purged_ms=row["purged_ms"],
        attributes=attributes,
        tags=loads(row["tags"]),
        settings=settings_of(attributes),
    )


def received_of(row: sqlite3.Row, contents: sqlite3.Row) -> Received:
    """A message from its rows, as they are after the receive."""
    return Received(
        id=row["id"],
        message_id=row["message_id"],
        receipt=to_handle(Receipt(row["queue_id"], row["id"], row["receives"], row["message_id"])),
        body=contents["body"],
        attributes=contents["attributes"],
        system=loads(contents["system"]),
        group_id=row["group_id"],
        sent_ms=row["sent_ms"],
        first_received_ms=row["first_received_ms"],
        receives=row["receives"],
        came_from=row["came_from"],
    )
