"""Usage on disk: single invocations for a month, sums by day for good."""

import sqlite3
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import NamedTuple

import orjson

from emberbox.clock import utc
from emberbox.errors import PlatformError
from emberbox.model.usage import Run, Subject, Totals, Usage
from emberbox.storage.database import Database, Transaction

KEEP_RUNS_S = 35 * 86_400
_DAY_S = 86_400
ROWS_MAX = 200_000
"""The most sums that are read at once."""


class TooMuchError(PlatformError):
    """More was asked for than is read at once."""


class DayTotals(NamedTuple):
    """What one subject used on one day (YYYY-MM-DD, UTC)."""

    day: str
    subject: Subject
    totals: Totals


class UsageStore:
    """Committed usage survives the end of the server."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def generation(self) -> int:
        """The last generation of the journal that was kept; 0 for none."""
        row = await self._database.read(lambda tx: tx.one("generation"))
        return 0 if row is None else int(row["generation"])

    async def add(self, records: Iterable[Usage], generation: int) -> None:
        """Keep records, and add them to the sums of their days, unless their generation was kept.

        The writer gets few large pieces of work: under the interpreter's lock, a row for each
        invocation would stop the event loop twice a row.
        """
        runs: dict[Subject, list[Run]] = {}
        sums: dict[tuple[int, Subject], Totals] = {}
        for usage in records:
            runs.setdefault(usage.subject, []).append(usage[1:])
            sums.setdefault((int(usage.at // _DAY_S), usage.subject), Totals()).add(usage)

        def work(tx: Transaction) -> None:
            last = tx.one("generation")
            if last is not None and last["generation"] >= generation:
                return
            tx.run("generation_put", generation=generation)
            numbers: dict[Subject, int] = {}
            for subject, listed in runs.items():
                number = numbers[subject] = _number(tx, subject)
                last_at = max(run[1] for run in listed)
                payload = zlib.compress(orjson.dumps(listed), 1)
                tx.run("bundle_add", subject=number, last_at=last_at, payload=payload)
            for (day, subject), totals in sums.items():
                shown = f"{utc(day * _DAY_S):%Y-%m-%d}"
                tx.run("totals_add", day=shown, subject=numbers[subject], **asdict(totals))

        await self._database.write(work)

    async def keep(self, kept_ms: Mapping[Subject, float], at: float) -> None:
        """Add for how long environments were kept ahead of need, to the sums of a day."""
        day = f"{utc(at):%Y-%m-%d}"

        def work(tx: Transaction) -> None:
            for subject, each_ms in kept_ms.items():
                totals = asdict(Totals(kept_ms=each_ms))
                tx.run("totals_add", day=day, subject=_number(tx, subject), **totals)

        await self._database.write(work)

    async def totals(self, since_day: str, account: str | None = None) -> list[DayTotals]:
        """Sums by day and subject, from a day on; TooMuchError if they are too many."""
        rows = await self._database.read(
            lambda tx: tx.all("totals_since", since=since_day, account=account, limit=ROWS_MAX + 1)
        )
        if len(rows) > ROWS_MAX:
            raise TooMuchError(f"there are more than {ROWS_MAX} sums since {since_day}")
        return [DayTotals(row["day"], _subject(row), _totals(row)) for row in rows]

    async def last_days(self, since_day: str) -> dict[tuple[str, str, str, str], str]:
        """The last day on which each version ran, of those that have run since one."""
        rows = await self._database.read(lambda tx: tx.all("last_days", since=since_day))
        return {(r["account"], r["region"], r["name"], r["version"]): r["day"] for r in rows}

    async def runs(
        self, account: str, region: str, *, name: str | None, since: float, limit: int
    ) -> list[Usage]:
        """Single invocations, newest first."""
        rows = await self._database.read(
            lambda tx: tx.all(
                "bundles_page", account=account, region=region, name=name, since=since, limit=limit
            )
        )
        found: list[Usage] = []
        for row in rows:
            # Bundles overlap by the moment in which they were collected, and by no more.
            if len(found) >= limit and found[limit - 1].at > row["last_at"]:
                break
            subject = _subject(row)
            fresh = (Usage(subject, *run) for run in _opened(row["payload"]))
            found += (usage for usage in fresh if usage.at >= since)
            found.sort(key=_at, reverse=True)
            del found[limit:]
        return found

    async def forget(self, before: float) -> None:
        """Drop single invocations that are older, as far as their bundles are; the sums stay."""
        await self._database.write(lambda tx: tx.run("bundles_forget", before=before))


def _opened(payload: bytes | str) -> list[Run]:
    text = zlib.decompress(payload) if isinstance(payload, bytes) else payload
    runs: list[Run] = [tuple(run) for run in orjson.loads(text)]
    return runs


def _at(usage: Usage) -> float:
    return usage.at


def _number(tx: Transaction, subject: Subject) -> int:
    row = tx.one("subject_add", **subject._asdict())
    if row is None:
        raise sqlite3.IntegrityError("the subject got no number")
    return int(row["id"])


def _subject(row: sqlite3.Row) -> Subject:
    return Subject(**{name: row[name] for name in Subject._fields})


def _totals(row: sqlite3.Row) -> Totals:
    return Totals(**{name: row[name] for name in Totals.__dataclass_fields__})
