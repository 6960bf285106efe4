"""Message move tasks in the queues' database, and the moving itself, a bounded step at a time."""

import sqlite3
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from emberbox.records import dataclass
from emberbox.storage.database import Database, Transaction
from emberbox.storage.queue_groups import regroup
from emberbox.storage.queue_receiving import next_rows
from emberbox.storage.queue_records import Queue


@dataclass(frozen=True, slots=True)
class Move:
    """A move task. `destination` None means where each message came from; `rate` is per second."""

    handle: str
    account: str
    region: str
    source: str
    destination: str | None
    rate: int | None
    status: str
    moved: int
    to_move: int
    failure: str | None
    started_ms: int


class Step(NamedTuple):
    """What a step did: the queues that messages came into, and whether anything is left to do."""

    reached: Sequence[Queue]
    is_last: bool
    failure: str | None = None


FindQueue = Callable[[str], Queue | None]


class MoveStore:
    """The move tasks of all queues."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, move: Move, keep: int) -> bool:
        """Add a task unless one of the same source runs; of those that ended, `keep` stay."""

        def work(tx: Transaction) -> bool:
            if any(
                row["status"] == "RUNNING"
                for row in tx.all("moves_of_source", source=move.source, limit=1)
            ):
                return False
            values = {name: getattr(move, name) for name in move.__slots__}
            del values["moved"], values["failure"], values["status"]
            tx.run("move_add", **values)
            tx.run("moves_forget", source=move.source, keep=keep)
            return True

        return await self._database.write(work)

    async def get(self, handle: str) -> Move | None:
        """A task by its handle."""
        row = await self._database.read(lambda tx: tx.one("move", handle=handle))
        return None if row is None else _move_of(row)

    async def of_source(self, source: str, limit: int) -> list[Move]:
        """The latest tasks of a source, newest first."""
        rows = await self._database.read(
            lambda tx: tx.all("moves_of_source", source=source, limit=limit)
        )
        return [_move_of(row) for row in rows]

    async def running(self) -> list[Move]:
        """The tasks that have not ended."""
        return [
            _move_of(row) for row in await self._database.read(lambda tx: tx.all("moves_running"))
        ]

    async def end(self, handle: str, status: str, failure: str | None) -> int:
        """A task has ended; the number of messages it has moved."""

        def work(tx: Transaction) -> int:
            tx.run("move_status", handle=handle, status=status, failure=failure)
            row = tx.one("move", handle=handle)
            return 0 if row is None else int(row["moved"])

        return await self._database.write(work)

    async def step(
        self,
        handle: str,
        source: Queue,
        destination: str | None,
        find: FindQueue,
        limit: int,
        now_ms: int,
    ) -> Step:
        """Move at most `limit` messages that are visible."""
        return await self._database.write(
            partial(_step, handle, source, destination, find, limit, now_ms)
        )


def _move_of(row: sqlite3.Row) -> Move:
    return Move(**{name: row[name] for name in Move.__slots__})


def _step(
    handle: str,
    source: Queue,
    destination: str | None,
    find: FindQueue,
    limit: int,
    now_ms: int,
    tx: Transaction,
) -> Step:
    rows = next_rows(tx, source, limit, now_ms)
    reached: dict[int, Queue] = {}
    failure = None
    moved = 0
    for row in rows:
        arn = destination or row["came_from"]
        if arn is None:
            failure = "CouldNotDetermineMessageSource"
            break
        target = find(arn)
        if target is None:
            failure = "AWS.SimpleQueueService.NonExistentQueue"
            break
        tx.run(
            "message_resend",
            id=row["id"],
            queue_id=target.id,
            now_ms=now_ms,
            message_id=str(uuid.uuid4()),
        )
        moved += 1
        reached[target.id] = target
        if row["group_id"]:
            regroup(tx, source, row["group_id"])
            regroup(tx, target, row["group_id"])
    tx.run("move_progress", handle=handle, more=moved)
    return Step(list(reached.values()), not rows, failure)
