"""The queue of asynchronous invocation on disk: events, and deliveries to their targets.

What `add` has returned for is synced to disk. An event leaves the queue in the same commit that
enters what is to be told of it, so neither is lost and neither is there without the other.
"""

import asyncio
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from json import dumps, loads
from typing import Any, NamedTuple

from emberbox.model.async_deliveries import Delivery
from emberbox.model.async_invocation import Again, QueuedEvent
from emberbox.storage.database import Database, Transaction
from emberbox.storage.gathering import Gathering

Lane = tuple[str, str, str]


class Stored(NamedTuple):
    """An event and the number it is stored under."""

    number: int
    event: QueuedEvent


class Room(NamedTuple):
    """How much may be loaded: events, and bytes of their payloads (one event always fits)."""

    events: int
    payload_bytes: int

    def fitting(self, sizes: Sequence[tuple[int, int]]) -> list[int]:
        """The numbers that fit, of (number, size) in their order."""
        taken: list[int] = []
        total = 0
        for number, size in sizes[: self.events]:
            total += size
            if taken and total > self.payload_bytes:
                break
            taken.append(number)
        return taken


class Page(NamedTuple):
    """Events that were loaded; whether more are due; when the first that is not due yet will be."""

    events: list[Stored]
    is_cut: bool
    later: float | None


class StoredDelivery(NamedTuple):
    """A delivery, its number, and how often it has been tried."""

    number: int
    delivery: Delivery
    attempts: int


class EventQueue:
    """See the module. Lanes are functions: (account, region, name)."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._adding = Gathering(self._add_all)
        self._ending = Gathering(self._finish_all)

    def add(self, event: QueuedEvent) -> "asyncio.Future[int]":
        """Keep an event: its number, once it is on disk."""
        return self._adding.put(event)

    async def _add_all(self, events: list[QueuedEvent]) -> Sequence[int]:
        def work(tx: Transaction) -> range:
            last = tx.one("events_last_number")
            first = 1 if last is None else int(last["seq"]) + 1
            numbers = range(first, first + len(events))
            rows = [(number, *event) for number, event in zip(numbers, events, strict=True)]
            tx.run_many("event_add", rows)
            return numbers

        return await self._database.write(work)

    async def again(self, number: int, again: Again) -> None:
        """The event waits for its next try."""
        await self._database.write(
            lambda tx: tx.run(
                "event_again",
                id=number,
                due=again.due,
                attempts=again.attempts,
                refusals=again.refusals,
            )
        )

    def finish(
        self, number: int, deliveries: Iterable[Delivery], now: float
    ) -> "asyncio.Future[None]":
        """The event is over; what there is to tell takes its place. Done once that is on disk."""
        rows = [
            {**each._asdict(), "attributes": dumps(each.attributes), "due": now}
            for each in deliveries
        ]
        return self._ending.put((number, rows))

    async def _finish_all(self, ended: list[tuple[int, list[dict[str, Any]]]]) -> Sequence[None]:
        quiet = dumps([number for number, rows in ended if not rows])

        def work(tx: Transaction) -> None:
            tx.run("events_remove", ids=quiet)
            for number, rows in ended:
                if rows and tx.run("events_remove", ids=dumps([number])):
                    tx.run_many("delivery_add", rows)

        await self._database.write(work)
        return [None] * len(ended)

    async def forget(self, lane: Lane) -> int:
        """Drop all events of a function that is no more; how many."""
        account, region, name = lane
        return await self._database.write(
            lambda tx: tx.run("events_of_lane_remove", account=account, region=region, name=name)
        )

    async def lanes(self) -> list[Lane]:
        """The functions that have events."""
        rows = await self._database.read(lambda tx: tx.all("events_lanes"))
        return [(row["account"], row["region"], row["name"]) for row in rows]

    async def due(self, lane: Lane, now: float, known: Collection[int], room: Room) -> Page:
        """The first due events of a lane but for those `known`, as far as there is room."""
        account, region, name = lane
        where = {"account": account, "region": region, "name": name, "now": now}
        limit = room.events + len(known)

        def work(tx: Transaction) -> tuple[list[sqlite3.Row], bool, float | None]:
            later = tx.one("events_next_due", **where)
            first = tx.all("events_due", **where, limit=limit)
            fresh = [row for row in first if row["id"] not in known]
            numbers = room.fitting([(row["id"], row["size"]) for row in fresh])
            found = tx.all("events_of", ids=dumps(numbers))
            is_cut = len(first) == limit or len(numbers) < len(fresh)
            return found, is_cut, later["due"] if later else None

        rows, is_cut, later = await self._database.read(work)
        return Page([_stored(row) for row in rows], is_cut, later)

    async def waiting(self) -> int:
        """How many events there are."""
        row = await self._database.read(lambda tx: tx.all("events_count")[0])
        return int(row["waiting"])

    async def deliveries(self, now: float, limit: int) -> tuple[list[StoredDelivery], float | None]:
        """The first due deliveries, and when the next one after now will be due."""

        def work(tx: Transaction) -> tuple[list[sqlite3.Row], float | None]:
            later = tx.one("deliveries_next_due", now=now)
            return tx.all("deliveries_due", now=now, limit=limit), later["due"] if later else None

        rows, later = await self._database.read(work)
        return [_delivery(row) for row in rows], later

    async def delivery_again(self, number: int, due: float) -> None:
        """The delivery is to be tried again."""
        await self._database.write(lambda tx: tx.run("delivery_again", id=number, due=due))

    async def delivered(self, number: int) -> None:
        """The delivery is done, or given up."""
        await self._database.write(lambda tx: tx.run("delivery_remove", id=number))


def _stored(row: sqlite3.Row) -> Stored:
    number, *values = row
    return Stored(number, QueuedEvent(*values))


def _delivery(row: sqlite3.Row) -> StoredDelivery:
    values = {name: row[name] for name in Delivery._fields}
    pairs = {name: (pair[0], pair[1]) for name, pair in loads(row["attributes"]).items()}
    return StoredDelivery(
        row["id"], Delivery(**{**values, "attributes": pairs}), int(row["attempts"])
    )
