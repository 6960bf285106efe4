"""Traces on disk, for X-Ray. The file is opened when the first is written or looked for.

Committed segments survive the end of the server, not of the machine.
"""

import asyncio
import sqlite3
from collections.abc import Iterable
from json import dumps, loads
from pathlib import Path
from typing import Any, Literal, NamedTuple

from emberbox.model.xray.segments import TRACE_MAX_BYTES, Segment
from emberbox.storage.database import Database, Transaction

KEEP_S = 30 * 86_400
"""How long a trace is kept after its last segment, in seconds."""

KEEP_BYTES = 512 << 20
"""How much is kept of all traces together; the oldest go first."""

Place = tuple[str, str]
"""An account and a region."""

By = Literal["begun", "touched", "ended"]


class StoredTrace(NamedTuple):
    """One trace. `documents` are all that came; `is_cut` says that there were more than fit."""

    number: int
    id: str
    revision: int
    is_cut: bool
    documents: list[str]


class SamplingRule(NamedTuple):
    """A rule in the shape of the API's `SamplingRule`, and when it was made and changed."""

    rule: dict[str, Any]
    created: float
    modified: float


class TraceStore:
    """See the module. Close it after all who write."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opening = asyncio.Lock()
        self._database: Database | None = None

    async def opened(self) -> Database:
        """The file, opened if it was not yet; for what else is kept in it."""
        async with self._opening:
            if self._database is None:
                self._database = await Database.open(self._path, "traces", durable=False)
            return self._database

    async def close(self) -> None:
        """Release the file, if it was opened."""
        if self._database is not None:
            await self._database.close()

    async def add(self, segments: Iterable[tuple[Place, Segment]], now: float) -> None:
        """Keep segments. One that is finished is never replaced by one that is not."""
        by_trace: dict[tuple[Place, str], list[Segment]] = {}
        for place, segment in segments:
            by_trace.setdefault((place, segment.trace_id), []).append(segment)

        def work(tx: Transaction) -> None:
            for (place, trace_id), listed in by_trace.items():
                _add(tx, place, trace_id, listed, now)

        await (await self.opened()).write(work)

    async def trace(self, place: Place, trace_id: str) -> StoredTrace | None:
        """One trace by its id, or None."""
        account, region = place

        def work(tx: Transaction) -> StoredTrace | None:
            row = tx.one("trace", account=account, region=region, trace_id=trace_id)
            return None if row is None else _trace(tx, row)

        return await (await self.opened()).read(work)

    async def between(
        self, place: Place, start: float, end: float, by: By, after: int, limit: int
    ) -> list[StoredTrace]:
        """A page of the traces that began, were added to or ended in a span of time."""
        account, region = place

        def work(tx: Transaction) -> list[StoredTrace]:
            rows = tx.all(
                f"traces_{by}",
                account=account,
                region=region,
                start=start,
                end=end,
                after=after,
                limit=limit,
            )
            return [_trace(tx, row) for row in rows]

        return await (await self.opened()).read(work)

    async def forget(self, before: float, keep_bytes: int = KEEP_BYTES) -> None:
        """Drop traces that nothing was added to since then, and the oldest if they are too many."""

        def work(tx: Transaction) -> None:
            tx.run("traces_forget", before=before)
            if tx.all("traces_size")[0]["bytes"] > keep_bytes:
                tx.run("traces_keep_newest", bytes=keep_bytes)

        await (await self.opened()).write(work)

    # -- sampling -----------------------------------------------------------------------------

    async def rules(self, place: Place) -> list[SamplingRule]:
        """The rules of sampling that customers have made."""
        account, region = place
        rows = await (await self.opened()).read(
            lambda tx: tx.all("rules", account=account, region=region)
        )
        return [_rule(row) for row in rows]

    async def put_rule(self, place: Place, name: str, rule: SamplingRule) -> None:
        """Make or replace a rule."""
        account, region = place
        row = {"rule": dumps(rule.rule), "created": rule.created, "modified": rule.modified}
        await (await self.opened()).write(
            lambda tx: tx.run("rule_put", account=account, region=region, name=name, **row)
        )

    async def remove_rule(self, place: Place, name: str) -> None:
        """Remove a rule, if it is there."""
        account, region = place
        await (await self.opened()).write(
            lambda tx: tx.run("rule_remove", account=account, region=region, name=name)
        )


def _add(tx: Transaction, place: Place, trace_id: str, listed: list[Segment], now: float) -> None:
    account, region = place
    row = tx.one(
        "trace_touch",
        account=account,
        region=region,
        trace_id=trace_id,
        begun=min(segment.start for segment in listed),
        touched=now,
        ended=max(segment.end or segment.start for segment in listed),
    )
    if row is None:
        raise sqlite3.IntegrityError("the trace got no number")
    room, grown, is_cut = TRACE_MAX_BYTES - row["bytes"], 0, False
    for segment in listed:
        size = len(segment.document)
        if grown + size > room:
            is_cut = True
            continue
        grown += size
        tx.run(
            "segment_put",
            trace=row["id"],
            id=segment.id,
            is_open=segment.is_in_progress,
            document=segment.document,
        )
    tx.run("trace_grown", id=row["id"], bytes=grown, is_cut=is_cut)


def _trace(tx: Transaction, row: sqlite3.Row) -> StoredTrace:
    documents = [each["document"] for each in tx.all("segments_of", trace=row["id"])]
    return StoredTrace(row["id"], row["trace_id"], row["revision"], bool(row["is_cut"]), documents)


def _rule(row: sqlite3.Row) -> SamplingRule:
    return SamplingRule(loads(row["rule"]), row["created"], row["modified"])
