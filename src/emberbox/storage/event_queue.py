"""The queue of asynchronous invocation on disk: events, and deliveries to their targets.

What `add` has returned for is synced to disk. An event leaves the queue in the same commit that
enters what is to be told of it, so neither is lost and neither is there without the other.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import field
from json import dumps, loads
from typing import Any, NamedTuple

from emberbox.model.async_deliveries import Delivery
from emberbox.model.async_invocation import Again, QueuedEvent
from emberbox.records import dataclass
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


@dataclass(slots=True)
class _Changes:
    """What is written together, in this order."""

    added: list[tuple[Any, ...]] = field(default_factory=list)
    again: list[dict[str, Any]] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    told: list[tuple[int, list[dict[str, Any]]]] = field(default_factory=list)

    def commit(self, tx: Transaction) -> None:
        """Write it within a transaction."""
        tx.run_many("event_add", self.added)
        tx.run_many("event_again", self.again)
        tx.run("events_remove", ids=dumps(self.ended))
        for number, rows in self.told:
            if tx.run("events_remove", ids=dumps([number])):
                tx.run_many("delivery_add", rows)


class EventQueue:
    """See the module. Lanes are functions: (account, region, name).

    Changes are written in the order they are made. Each is done once it is on disk.
    """

    def __init__(self, database: Database, last: int) -> None:
        self._database = database
        self._last = last
        self._changes = Gathering(self._write)

    @classmethod
    async def open(cls, database: Database) -> "EventQueue":
        """The queue in a database."""
        last = await database.read(lambda tx: tx.one("events_last_number"))
        return cls(database, 0 if last is None else int(last["seq"]))

    def add(self, event: QueuedEvent) -> "tuple[int, asyncio.Future[None]]":
        """Keep an event: its number, which no other had or has, and when it is done."""
        self._last += 1
        row = (self._last, *event)
        return self._last, self._changes.put(lambda changes: changes.added.append(row))

    def again(self, number: int, again: Again) -> "asyncio.Future[None]":
        """The event waits for its next try."""
        row = {"id": number, **again._asdict()}
        return self._changes.put(lambda changes: changes.again.append(row))

    def finish(
        self, number: int, deliveries: Sequence[Delivery], now: float
    ) -> "asyncio.Future[None]":
        """The event is over; what there is to tell takes its place."""
        if not deliveries:
            return self._changes.put(lambda changes: changes.ended.append(number))
        rows = [
            {**each._asdict(), "attributes": dumps(each.attributes), "due": now}
            for each in deliveries
        ]
        return self._changes.put(lambda changes: changes.told.append((number, rows)))

    async def decided(self) -> None:
        """Until all changes that were made are written, or could not be."""
        await self._changes.decided()

    async def _write(self, made: list[Callable[[_Changes], None]]) -> Sequence[None]:
        changes = _Changes()
        for change in made:
            change(changes)
        await self._database.write(changes.commit)
        return [None] * len(made)

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
