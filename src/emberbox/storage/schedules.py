"""Schedules in their database, by name and by when they run next. None of them is in memory."""

import uuid
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from json import dumps, loads
from typing import Any, NamedTuple

from emberbox.model.scheduling import Run, Schedule, following_run, parcel_of
from emberbox.storage.database import Database, Transaction
from emberbox.storage.outbox import Waiting, promise
from emberbox.storage.shelf import ShelfKey


class ScheduleKey(NamedTuple):
    """The full name of a schedule."""

    account: str
    region: str
    grp: str
    name: str


class ScheduleStore:
    """See the module."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, key: ScheduleKey) -> Schedule | None:
        """One schedule, or None."""
        rows = await self._database.read(lambda tx: tx.all("schedule", **key._asdict()))
        return _read(rows[0]["value"]) if rows else None

    async def put(
        self,
        key: ScheduleKey,
        alter: Callable[[Schedule | None], Schedule],
        first: Callable[[Schedule], Run | None],
    ) -> Schedule:
        """Add or replace one by what `alter`, which must be pure, makes of it."""

        def work(tx: Transaction) -> Schedule:
            row = tx.one("schedule", **key._asdict())
            before = None if row is None else _read(row["value"])
            after = alter(before)
            if after is not before:
                run = first(after)
                tx.run(
                    "schedule_put",
                    **key._asdict(),
                    state=after.state,
                    value=dumps(asdict(after)),
                    moment=None if run is None else run.moment,
                    next=None if run is None else run.due,
                )
            return after

        return await self._database.write(work)

    async def remove(self, key: ScheduleKey) -> bool:
        """Forget one; whether it was there."""
        return bool(
            await self._database.write(lambda tx: tx.run("schedule_remove", **key._asdict()))
        )

    async def remove_group(self, account: str, region: str, group: str) -> None:
        """Forget all schedules of a group."""
        key = ShelfKey(account, region, group)
        while await self._database.write(partial(self.remove_some, key=key)):
            pass

    def remove_some(self, tx: Transaction, *, key: ShelfKey) -> int:
        """Forget up to a thousand schedules of a group within a transaction; how many."""
        return tx.run("schedules_forget", account=key.account, region=key.region, grp=key.name)

    async def page(self, limit: int, **where: Any) -> list[Schedule]:
        """Schedules by group and name, those after `after_group` and `after_name`."""
        rows = await self._database.read(lambda tx: tx.all("schedules_page", **where, limit=limit))
        return [_read(row["value"]) for row in rows]

    async def fire(self, now: float, limit: int) -> list[Waiting]:
        """Promise what runs that are due send, and move each schedule on, in one commit."""

        def work(tx: Transaction) -> list[Waiting]:
            sent: list[Waiting] = []
            for row in tx.all("schedules_due", now=now, limit=limit):
                schedule = _read(row["value"])
                run = Run(row["moment"], row["next"])
                sent += promise(tx, [parcel_of(schedule, run, str(uuid.uuid4()))], now)
                _move(tx, schedule, following_run(schedule, run.moment, now))
            return sent

        return await self._database.write(work)

    async def next(self) -> float | None:
        """When the next schedule is due."""
        rows = await self._database.read(lambda tx: tx.all("schedules_next"))
        return float(rows[0]["next"]) if rows else None


def _move(tx: Transaction, schedule: Schedule, run: Run | None) -> None:
    key = ScheduleKey(schedule.account, schedule.region, schedule.group, schedule.name)
    if run is None and schedule.completion == "DELETE":
        tx.run("schedule_remove", **key._asdict())
        return
    moment, due = (None, None) if run is None else (run.moment, run.due)
    tx.run("schedule_move", **key._asdict(), moment=moment, next=due)


def _read(text: str) -> Schedule:
    return Schedule(**loads(text))
