"""Log groups, streams and events in the log database: what is written, listed and expired.

Reading events is in `emberbox.storage.log_reading`. Every name is looked up with its account and
region; a group or stream that is not there raises, and the service above words the answer.
"""

import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence
from json import dumps

from emberbox.model.log_events import Slice, StreamKey, chunks
from emberbox.storage.database import Database, Transaction
from emberbox.storage.log_filters import REMOVED, STORED
from emberbox.storage.log_reading import Page, ReadRequest, read_page
from emberbox.storage.log_records import (
    ABOVE_ALL,
    AlreadyThereError,
    GroupKey,
    GroupQuery,
    LogGroup,
    MissingStreamError,
    ProtectedGroupError,
    StoredStream,
    StreamQuery,
    TooManyTagsError,
    find_group,
    group_of,
    just_above,
    stream_of,
)

DAY_MS = 86_400_000
_SWEEP_CHUNKS = 256
_SWEEP_ROUNDS = 64
_ZLIB_LEVEL = 1


class LogStore:
    """The log database. Lists and reads are bounded by their `limit`; writes are committed."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def covered(self) -> int:
        """The highest segment of the journal that needs no replay."""
        return await self.database.read(_covered)

    async def append(self, parts: Sequence[Slice], covered: int, now_ms: int) -> None:
        """Store slices in their order, creating what they name, and note the journal's segment.

        One transaction: either all of it has happened or nothing.
        """
        by_stream: dict[StreamKey, list[Slice]] = {}
        for part in parts:
            by_stream.setdefault(part.stream, []).append(part)

        def work(tx: Transaction) -> None:
            for key, its_parts in by_stream.items():
                group_id, stream_id = _ensure(tx, key, now_ms)
                _add_chunks(tx, group_id, stream_id, its_parts, now_ms)
            tx.run("log_journal_cover", covered=covered)

        await self.database.write(work)

    async def put(self, group: GroupKey, stream: str, parts: Sequence[Slice], now_ms: int) -> None:
        """Store slices in a stream that must exist."""

        def work(tx: Transaction) -> None:
            found = find_group(tx, group)
            _add_chunks(tx, found.id, _stream(tx, found.id, stream).id, parts, now_ms)

        await self.database.write(work)

    async def create_group(
        self,
        key: GroupKey,
        now_ms: int,
        *,
        group_class: str = "STANDARD",
        is_protected: bool = False,
        retention_days: int | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Add an empty group; AlreadyThereError if there is one."""

        def work(tx: Transaction) -> None:
            if not _add_group(
                tx,
                key,
                now_ms,
                group_class=group_class,
                is_protected=is_protected,
                retention_days=retention_days,
                tags=tags,
            ):
                raise AlreadyThereError("group")

        await self.database.write(work)

    async def delete_group(self, key: GroupKey) -> None:
        """Remove a group with its streams; their events go with the next sweeps."""

        def work(tx: Transaction) -> None:
            group = find_group(tx, key)
            if group.is_protected:
                raise ProtectedGroupError(key.name)
            tx.run("log_streams_doom_all", group_id=group.id)
            tx.run("log_streams_remove_all", group_id=group.id)
            tx.run("log_filters_remove_all", group_id=group.id)
            tx.run("log_group_remove", id=group.id)
            tx.changed(REMOVED, str(group.id))

        await self.database.write(work)

    async def group(self, key: GroupKey) -> LogGroup:
        """One group, or MissingGroupError."""
        return await self.database.read(lambda tx: find_group(tx, key))

    async def groups(self, query: GroupQuery) -> list[LogGroup]:
        """Groups by name."""
        classes = None if query.classes is None else dumps(list(query.classes))

        def work(tx: Transaction) -> list[sqlite3.Row]:
            return tx.all(
                "log_groups",
                account=query.account,
                region=query.region,
                low=max(query.prefix, just_above(query.after)),
                high=query.prefix + ABOVE_ALL,
                pattern=query.pattern,
                classes=classes,
                limit=query.limit,
            )

        return [group_of(row) for row in await self.database.read(work)]

    async def retain(self, key: GroupKey, days: int | None) -> None:
        """Set for how many days a group keeps its events; None is for ever."""
        await self.database.write(
            lambda tx: tx.run("log_group_retain", id=find_group(tx, key).id, days=days)
        )

    async def protect(self, key: GroupKey, *, is_protected: bool) -> None:
        """Say whether a group is protected against deletion."""
        await self.database.write(
            lambda tx: tx.run(
                "log_group_protect", id=find_group(tx, key).id, is_protected=is_protected
            )
        )

    async def tag(
        self, key: GroupKey, add: Mapping[str, str], remove: Iterable[str], limit: int
    ) -> None:
        """Change a group's tags; TooManyTagsError, and no change, if there were over `limit`."""
        gone = frozenset(remove)

        def work(tx: Transaction) -> None:
            group = find_group(tx, key)
            tags = {name: value for name, value in group.tags.items() if name not in gone}
            tags.update(add)
            if len(tags) > limit:
                raise TooManyTagsError(key.name)
            tx.run("log_group_tag", id=group.id, tags=dumps(tags))

        await self.database.write(work)

    async def create_stream(self, group: GroupKey, name: str, now_ms: int) -> None:
        """Add an empty stream to a group that must exist; AlreadyThereError if there is one."""

        def work(tx: Transaction) -> None:
            group_id = find_group(tx, group).id
            if not tx.run("log_stream_add", group_id=group_id, name=name, created_ms=now_ms):
                raise AlreadyThereError("stream")

        await self.database.write(work)

    async def delete_stream(self, group: GroupKey, name: str) -> None:
        """Remove a stream; its events go with the next sweeps."""

        def work(tx: Transaction) -> None:
            found = find_group(tx, group)
            if found.is_protected:
                raise ProtectedGroupError(group.name)
            row = _stream_row(tx, found.id, name)
            tx.run("log_stream_doom", id=row["id"])
            tx.run("log_stream_remove", id=row["id"])
            tx.run("log_group_grow", id=found.id, more=-row["size_bytes"])

        await self.database.write(work)

    async def streams(self, group: GroupKey, query: StreamQuery) -> list[StoredStream]:
        """Streams of a group that must exist, by name or by the time of their last event."""
        name = f"log_streams_by_{'time' if query.by_time else 'name'}"
        name += "_down" if query.descending else "_up"
        start = (2**63 - 1, ABOVE_ALL) if query.descending else (-1, "")
        after_ms, after = query.after or start
        low, high = query.prefix, query.prefix + ABOVE_ALL
        if query.descending:
            high = min(high, after)
        else:
            low = max(low, just_above(after))

        def work(tx: Transaction) -> list[sqlite3.Row]:
            return tx.all(
                name,
                group_id=find_group(tx, group).id,
                after_ms=after_ms,
                after=after,
                low=low,
                high=high,
                limit=query.limit,
            )

        return [stream_of(row) for row in await self.database.read(work)]

    async def read(self, group: GroupKey, request: ReadRequest, now_ms: int) -> Page:
        """Events of a group that must exist, or of those of its streams that the request names.

        Events older than the group keeps them are not read, swept or not.
        """

        def work(tx: Transaction) -> Page:
            found = find_group(tx, group)
            ids = [_stream(tx, found.id, name).id for name in request.streams]
            keep_ms = 0 if found.retention_days is None else found.retention_days * DAY_MS
            oldest_ms = now_ms - keep_ms if keep_ms else 0
            return read_page(tx, found.id, ids, request, oldest_ms)

        return await self.database.read(work)

    async def expire(self, now: float) -> int:
        """Remove events that are over their group's age or whose stream is gone; 0 if none were.

        A call does a bounded amount of work in small transactions; what is left is for the next.
        """
        removed = 0
        for _ in range(_SWEEP_ROUNDS):
            swept = await self.database.write(lambda tx: _sweep(tx, int(now * 1000)))
            removed += swept
            if swept == 0:
                break
        return removed


def _covered(tx: Transaction) -> int:
    row = tx.one("log_journal_covered")
    return 0 if row is None else int(row["covered"])


def _stream_row(tx: Transaction, group_id: int, name: str) -> sqlite3.Row:
    row = tx.one("log_stream", group_id=group_id, name=name)
    if row is None:
        raise MissingStreamError(name)
    return row


def _stream(tx: Transaction, group_id: int, name: str) -> StoredStream:
    return stream_of(_stream_row(tx, group_id, name))


def _add_group(
    tx: Transaction,
    key: GroupKey,
    now_ms: int,
    *,
    group_class: str = "STANDARD",
    is_protected: bool = False,
    retention_days: int | None = None,
    tags: Mapping[str, str] | None = None,
) -> bool:
    return bool(
        tx.run(
            "log_group_add",
            account=key.account,
            region=key.region,
            name=key.name,
            created_ms=now_ms,
            group_class=group_class,
            is_protected=is_protected,
            retention_days=retention_days,
            tags=dumps(dict(tags or {})),
        )
    )


def _ensure(tx: Transaction, key: StreamKey, now_ms: int) -> tuple[int, int]:
    row = tx.one(
        "log_stream_ids",
        account=key.account,
        region=key.region,
        group_name=key.group,
        name=key.name,
    )
    if row is not None:
        return row["group_id"], row["stream_id"]
    group_key = GroupKey(key.account, key.region, key.group)
    _add_group(tx, group_key, now_ms)
    group_id = find_group(tx, group_key).id
    tx.run("log_stream_add", group_id=group_id, name=key.name, created_ms=now_ms)
    return group_id, _stream(tx, group_id, key.name).id


def _add_chunks(
    tx: Transaction, group_id: int, stream_id: int, parts: Iterable[Slice], now_ms: int
) -> None:
    made = chunks(parts)
    if not made:
        return
    for chunk in made:
        tx.run(
            "log_chunk_add",
            group_id=group_id,
            stream_id=stream_id,
            first_ms=chunk.first_ms,
            last_ms=chunk.last_ms,
            now_ms=now_ms,
            events=chunk.count,
            size_bytes=chunk.size_bytes,
            blob=zlib.compress(chunk.payload, _ZLIB_LEVEL),
        )
    more = sum(chunk.size_bytes for chunk in made)
    tx.run(
        "log_stream_grow",
        id=stream_id,
        first_ms=min(chunk.first_ms for chunk in made),
        last_ms=max(chunk.last_ms for chunk in made),
        now_ms=now_ms,
        more=more,
    )
    tx.run("log_group_grow", id=group_id, more=more)
    tx.changed(STORED, str(group_id))


def _sweep(tx: Transaction, now_ms: int) -> int:
    removed = 0
    for row in tx.all("log_doomed_next", limit=_SWEEP_CHUNKS):
        removed += 1 + _remove_chunks(tx, row["stream_id"])
        if removed >= _SWEEP_CHUNKS:
            break
    return removed or _expire_one_group(tx, now_ms)


def _remove_chunks(tx: Transaction, stream_id: int) -> int:
    removed = tx.run("log_chunks_remove_some", stream_id=stream_id, limit=_SWEEP_CHUNKS)
    if removed < _SWEEP_CHUNKS:
        tx.run("log_doomed_done", stream_id=stream_id)
    return removed


def _expire_one_group(tx: Transaction, now_ms: int) -> int:
    after = 0
    while groups := tx.all("log_groups_that_expire", after=after, limit=_SWEEP_CHUNKS):
        for group in groups:
            removed = _expire_group(tx, group["id"], now_ms - group["retention_days"] * DAY_MS)
            if removed:
                return removed
        after = groups[-1]["id"]
    return 0


def _expire_group(tx: Transaction, group_id: int, cutoff_ms: int) -> int:
    rows = tx.all("log_chunks_expired", group_id=group_id, cutoff_ms=cutoff_ms, limit=_SWEEP_CHUNKS)
    tx.run_many("log_chunk_remove", [{"id": row["id"]} for row in rows])
    less: dict[int, int] = {}
    for row in rows:
        less[row["stream_id"]] = less.get(row["stream_id"], 0) + row["size_bytes"]
    for stream_id, size_bytes in less.items():
        tx.run("log_stream_shrink", id=stream_id, less=size_bytes)
    if rows:
        tx.run("log_group_grow", id=group_id, more=-sum(less.values()))
    return len(rows)
