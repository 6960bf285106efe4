"""Subscription filters and metric filters of log groups, and how far each has come.

All filters are in memory too, by their group: a group that has none costs nothing when events are
stored. What a filter has not seen yet is read in the order in which it was stored.
"""

import sqlite3
import zlib
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from json import dumps, loads
from typing import Any

from emberbox.model.log_events import Cut, unpack
from emberbox.records import dataclass
from emberbox.storage.database import Change, Database, Transaction
from emberbox.storage.log_reading import LogEvent
from emberbox.storage.log_records import GroupKey, find_group

STORED = "log_chunks"
"""The kind of change that says that events of a group were stored; its key is the group's id."""

REMOVED = "log_group_removed"
_BATCH_CHUNKS = 16
_BATCH_BYTES = 4_194_304


class Kind(StrEnum):
    """What a filter does with the events that match."""

    SUBSCRIPTION = "subscription"
    METRIC = "metric"


class MissingFilterError(LookupError):
    """The group is there, the filter is not."""


class TooManyFiltersError(Exception):
    """The group has as many filters of this kind as it may have."""


@dataclass(frozen=True, slots=True)
class LogFilter:
    """A filter as it is stored; `settings` are the members of its operation, in AWS's words."""

    id: int
    group_id: int
    group: GroupKey
    kind: Kind
    name: str
    pattern: str
    settings: Mapping[str, Any]
    created_ms: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What was stored behind a filter's position: `matched` of it, and up to which `position`.

    `unmatched_ms` are times of events that do not match, one of each minute.
    """

    matched: Sequence[LogEvent]
    unmatched_ms: Sequence[int]
    position: int


class LogFilterStore:
    """The filters. `load` first; `listeners` hear the id of a group that events were stored in."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._by_group: dict[int, dict[tuple[Kind, str], LogFilter]] = {}
        self.listeners: list[Callable[[int], None]] = []
        database.subscribe(self._changed)

    async def load(self) -> None:
        """Read all filters."""
        for row in await self._database.read(lambda tx: tx.all("log_filters_all")):
            self._keep(_filter_of(row))

    def _keep(self, made: LogFilter) -> None:
        self._by_group.setdefault(made.group_id, {})[made.kind, made.name] = made

    def _changed(self, change: Change) -> None:
        if change.kind == REMOVED:
            self._by_group.pop(int(change.key[0]), None)
        elif change.kind == STORED and self._by_group:
            group_id = int(change.key[0])
            if group_id in self._by_group:
                for listener in self.listeners:
                    listener(group_id)

    def all(self) -> list[LogFilter]:
        """Every filter there is."""
        return [each for its in self._by_group.values() for each in its.values()]

    def of(self, group_id: int, kind: Kind | None = None) -> list[LogFilter]:
        """The filters of a group by name, or those of one kind."""
        found = self._by_group.get(group_id, {}).values()
        return sorted(
            (each for each in found if kind in (None, each.kind)), key=lambda each: each.name
        )

    def current(self, made: LogFilter) -> LogFilter | None:
        """A filter as it is now; None if it is gone."""
        now = self._by_group.get(made.group_id, {}).get((made.kind, made.name))
        return now if now is not None and now.id == made.id else None

    async def put(
        self,
        group: GroupKey,
        kind: Kind,
        name: str,
        pattern: str,
        settings: Mapping[str, Any],
        *,
        now_ms: int,
        most: int,
    ) -> LogFilter:
        """Add a filter, or change the one of that name, which keeps its place.

        A new one begins with the next event that is stored. MissingGroupError;
        TooManyFiltersError if the group had more than `most` of the kind.
        """

        def work(tx: Transaction) -> sqlite3.Row | None:
            it = {"group_id": find_group(tx, group).id, "kind": kind, "name": name}
            others = tx.one("log_filters_count", **it)
            if others is not None and others["count"] >= most:
                raise TooManyFiltersError(group.name)
            tx.run("log_filter_put", **it, pattern=pattern, settings=dumps(settings), now_ms=now_ms)
            return tx.one("log_filter", **it)

        row = await self._database.write(work)
        if row is None:
            raise MissingFilterError(name)
        made = _filter_of(row)
        self._keep(made)
        return made

    async def remove(self, group: GroupKey, kind: Kind, name: str) -> None:
        """Remove a filter. MissingGroupError or MissingFilterError."""

        def work(tx: Transaction) -> int:
            group_id = find_group(tx, group).id
            if not tx.run("log_filter_remove", group_id=group_id, kind=kind, name=name):
                raise MissingFilterError(name)
            return group_id

        group_id = await self._database.write(work)
        its = self._by_group.get(group_id, {})
        its.pop((kind, name), None)
        if not its:
            self._by_group.pop(group_id, None)

    async def next(self, made: LogFilter, matches: Callable[[str], bool]) -> Batch | None:
        """What comes behind the filter's position, a bounded part of it; None if nothing does."""
        return await self._database.read(lambda tx: _next(tx, made, matches))

    async def newest(self) -> int:
        """The position behind all that is stored."""
        row = await self._database.read(lambda tx: tx.one("log_chunks_newest"))
        return 0 if row is None else int(row["position"])

    async def read_after(
        self, group_id: int, position: int, matches: Callable[[str], bool]
    ) -> Batch | None:
        """What was stored in a group behind a position, a bounded part of it."""
        return await self._database.read(lambda tx: _after(tx, group_id, position, matches))

    async def advance(self, made: LogFilter, position: int) -> None:
        """All up to there has been dealt with."""
        await self._database.write(
            lambda tx: tx.run("log_filter_advance", id=made.id, position=position)
        )


def _filter_of(row: sqlite3.Row) -> LogFilter:
    return LogFilter(
        id=row["id"],
        group_id=row["group_id"],
        group=GroupKey(row["account"], row["region"], row["group_name"]),
        kind=Kind(row["kind"]),
        name=row["name"],
        pattern=row["pattern"],
        settings=loads(row["settings"]),
        created_ms=row["created_ms"],
    )


def _next(tx: Transaction, made: LogFilter, matches: Callable[[str], bool]) -> Batch | None:
    row = tx.one("log_filter_position", id=made.id)
    return None if row is None else _after(tx, made.group_id, row["position"], matches)


def _after(
    tx: Transaction, group_id: int, position: int, matches: Callable[[str], bool]
) -> Batch | None:
    size = 0
    matched: list[LogEvent] = []
    unmatched: dict[int, int] = {}
    rows = tx.all("log_chunks_as_stored", group_id=group_id, after=position, limit=_BATCH_CHUNKS)
    for chunk in rows:
        position = chunk["id"]
        for ordinal, (when, raw) in enumerate(unpack(zlib.decompress(chunk["blob"]))):
            message = raw.decode("utf-8", "replace")
            if matches(message):
                cut = Cut(when, position, ordinal)
                matched.append(LogEvent(cut, message, chunk["ingested_ms"], chunk["stream"]))
            else:
                unmatched.setdefault(when // 60_000, when)
        size += chunk["size_bytes"]
        if size >= _BATCH_BYTES:
            break
    return Batch(matched, list(unmatched.values()), position) if rows else None
