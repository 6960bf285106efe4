"""Messages of topics on their way to subscriptions: on disk from Publish until delivered."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from json import dumps, loads
from typing import NamedTuple

from emberbox.model.message_attributes import from_stored, to_stored
from emberbox.model.topic import Publication
from emberbox.storage.database import Database, Transaction

DEDUPLICATION_MS = 300_000
_SOME = 500


class Published(NamedTuple):
    """What became of a message: the original's name and place if it was a duplicate."""

    message_id: str
    sequence: int


class Due(NamedTuple):
    """A delivery that is to be tried."""

    id: int
    publication: int
    attempts: int
    due_ms: int
    message: Publication


class PublicationStore:
    """See the module. What it answers has been committed; times are ms since the epoch."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def publish(
        self, messages: Sequence[tuple[Publication, Sequence[str], str]], now_ms: int
    ) -> list[Published]:
        """Keep messages for the subscriptions named; the third part is the scope of duplicates."""

        def work(tx: Transaction) -> list[Published]:
            return [_publish(tx, *message, now_ms) for message in messages]

        return await self._database.write(work)

    async def due(
        self, subscription: str, now_ms: int, limit: int, *, in_order: bool
    ) -> tuple[list[Due], int | None]:
        """What is to be tried now, and when the next is if there is nothing.

        In order, a delivery waits for those before it.
        """

        def work(tx: Transaction) -> tuple[list[Due], int | None]:
            values = {"subscription": subscription, "limit": limit}
            if in_order:
                rows = tx.all("deliveries_first", **values)
                ready = next((n for n, r in enumerate(rows) if r["due_ms"] > now_ms), len(rows))
                if rows and not ready:
                    return [], rows[0]["due_ms"]
                return [_due_of(row) for row in rows[:ready]], None
            rows = tx.all("deliveries_due", **values, now_ms=now_ms)
            if rows:
                return [_due_of(row) for row in rows], None
            later = tx.one("deliveries_next", subscription=subscription)
            return [], None if later is None else later["at_ms"]

        return await self._database.read(work)

    async def again(self, due: Due, due_ms: int) -> None:
        """Try a delivery again then."""
        await self._database.write(
            lambda tx: tx.run("delivery_again", id=due.id, attempts=due.attempts + 1, due_ms=due_ms)
        )

    async def done(self, due: Due) -> None:
        """A delivery is over."""
        await self._database.write(lambda tx: _remove(tx, due.id))

    async def forget(self, subscription: str) -> None:
        """Drop all deliveries of a subscription that is no more."""

        def work(tx: Transaction) -> int:
            rows = tx.all("deliveries_some", subscription=subscription, limit=_SOME)
            for row in rows:
                _remove(tx, row["id"])
            return len(rows)

        while await self._database.write(work) == _SOME:
            pass

    async def waiting(self) -> list[str]:
        """The subscriptions that have deliveries."""
        rows = await self._database.read(lambda tx: tx.all("deliveries_waiting"))
        return [row["subscription"] for row in rows]


def _publish(
    tx: Transaction, message: Publication, subscriptions: Sequence[str], scope: str, now_ms: int
) -> Published:
    names = {
        "topic": message.topic_arn,
        "scope": scope,
        "deduplication_id": message.deduplication_id,
    }
    if message.deduplication_id is not None:
        tx.run("publication_duplicates_forget", now_ms=now_ms)
        known = tx.one("publication_duplicate", **names, now_ms=now_ms)
        if known is not None:
            return Published(known["message_id"], known["sequence"])
    number = tx.one("publication_next")
    sequence = 1 if number is None else int(number["id"])
    content = to_content(replace(message, sequence=sequence))
    row = tx.one("publication_add", content=content, deliveries=len(subscriptions))
    assert row is not None
    for subscription in subscriptions:
        tx.run("delivery_add", publication=row["id"], subscription=subscription, due_ms=now_ms)
    if not subscriptions:
        tx.run("publication_remove", id=row["id"])
    if message.deduplication_id is not None:
        tx.run(
            "publication_duplicate_add",
            **names,
            message_id=message.message_id,
            sequence=row["id"],
            until_ms=now_ms + DEDUPLICATION_MS,
        )
    return Published(message.message_id, row["id"])


def _remove(tx: Transaction, id_: int) -> None:
    gone = tx.one("delivery_remove", id=id_)
    if gone is None:
        return
    left = tx.one("publication_less", id=gone["publication"])
    if left is not None and left["deliveries"] <= 0:
        tx.run("publication_remove", id=gone["publication"])


def _due_of(row: sqlite3.Row) -> Due:
    due_ms = row["due_ms"] if "due_ms" in row.keys() else 0  # noqa: SIM118 - a Row has no `in`
    message = from_content(row["content"])
    return Due(row["id"], row["publication"], row["attempts"], due_ms, message)


def to_content(message: Publication) -> str:
    """A message as JSON text."""
    return dumps(
        {
            "message_id": message.message_id,
            "topic_arn": message.topic_arn,
            "message": message.message,
            "subject": message.subject,
            "attributes": to_stored(message.attributes),
            "texts": dict(message.texts),
            "group_id": message.group_id,
            "deduplication_id": message.deduplication_id,
            "published_s": message.published_s,
            "type": message.type,
            "token": message.token,
            "sequence": message.sequence,
            "trace": message.trace,
        }
    )


def from_content(text: str) -> Publication:
    """A message from its JSON text."""
    content = loads(text)
    return Publication(**(content | {"attributes": from_stored(content["attributes"])}))
