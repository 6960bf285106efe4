"""Parcels on their way: on disk from when they were promised until they are there or given up.

The table is part of each database whose commits promise parcels.
"""

import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import asdict
from json import dumps, loads
from typing import NamedTuple

from emberbox.model.parcels import Parcel
from emberbox.storage.database import Database, Transaction


class Waiting(NamedTuple):
    """A parcel, its number, and how often it has been tried."""

    number: int
    parcel: Parcel
    attempts: int


def promise(tx: Transaction, parcels: Iterable[Parcel], due: float) -> list[Waiting]:
    """Keep parcels within a transaction."""
    found = []
    for parcel in parcels:
        row = tx.one(
            "parcel_add", content=dumps(asdict(parcel)), due=due, is_slow=int(parcel.is_slow)
        )
        if row is None:
            raise sqlite3.IntegrityError("the parcel got no number")
        found.append(Waiting(row["id"], parcel, 0))
    return found


class Outbox:
    """What is in the table of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, parcels: Iterable[Parcel], due: float) -> list[Waiting]:
        """Keep parcels."""
        return await self._database.write(lambda tx: promise(tx, list(parcels), due))

    async def due(
        self, now: float, known: Collection[int], limit: int, *, slow: bool
    ) -> tuple[list[Waiting], float | None]:
        """Parcels that are due but for those `known`, and when the first later one is."""

        def work(tx: Transaction) -> tuple[list[Waiting], float | None]:
            values = {"now": now, "is_slow": int(slow)}
            rows = tx.all("parcels_due", **values, limit=limit + len(known))
            found = [_waiting(row) for row in rows if row["id"] not in known]
            later = tx.one("parcels_later", **values)
            return found[:limit], None if later is None else later["due"]

        return await self._database.read(work)

    async def again(self, number: int, attempts: int, due: float) -> None:
        """Try a parcel again then."""
        await self._database.write(
            lambda tx: tx.run("parcel_again", id=number, attempts=attempts, due=due)
        )

    async def done(self, number: int) -> None:
        """A parcel is there, or given up."""
        await self._database.write(lambda tx: tx.run("parcel_remove", id=number))

    async def count(self) -> int:
        """How many are on their way."""
        row = await self._database.read(lambda tx: tx.all("parcels_count")[0])
        return int(row["waiting"])


def _waiting(row: sqlite3.Row) -> Waiting:
    return Waiting(row["id"], Parcel(**loads(row["content"])), row["attempts"])
