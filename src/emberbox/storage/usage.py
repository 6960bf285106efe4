"""Usage on disk: single invocations for a month, sums by day for good."""

import sqlite3
from collections.abc import Iterable
from dataclasses import asdict
from typing import NamedTuple

from emberbox.clock import utc
from emberbox.model.usage import Subject, Totals, Usage
from emberbox.storage.database import Database, Transaction

KEEP_RUNS_S = 35 * 86_400
_ROWS_MAX = 200_000


class DayTotals(NamedTuple):
    """What one subject used on one day (YYYY-MM-DD, UTC)."""

    day: str
    subject: Subject
    totals: Totals


class UsageStore:
    """Committed usage survives the end of the server."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, records: Iterable[Usage]) -> None:
        """Keep records, and add them to the sums of their days."""
        listed = list(records)

        def work(tx: Transaction) -> None:
            numbers: dict[Subject, int] = {}
            sums: dict[tuple[str, int], Totals] = {}
            for usage in listed:
                number = numbers.get(usage.subject)
                if number is None:
                    number = numbers[usage.subject] = _number(tx, usage.subject)
                values = {k: v for k, v in usage._asdict().items() if k != "subject"}
                tx.run("run_add", subject=number, **values)
                day = f"{utc(usage.at):%Y-%m-%d}"
                sums.setdefault((day, number), Totals()).add(usage)
            for (day, number), totals in sums.items():
                tx.run("totals_add", day=day, subject=number, **asdict(totals))

        await self._database.write(work)

    async def totals(self, since_day: str, account: str | None = None) -> list[DayTotals]:
        """Sums by day and subject, from a day on."""
        rows = await self._database.read(
            lambda tx: tx.all("totals_since", since=since_day, account=account, limit=_ROWS_MAX)
        )
        return [DayTotals(row["day"], _subject(row), _totals(row)) for row in rows]

    async def runs(
        self, account: str, region: str, *, name: str | None, since: float, limit: int
    ) -> list[Usage]:
        """Single invocations, newest first."""
        rows = await self._database.read(
            lambda tx: tx.all(
                "runs_page", account=account, region=region, name=name, since=since, limit=limit
            )
        )
        fields = [name for name in Usage._fields if name != "subject"]
        return [Usage(_subject(row), **{name: row[name] for name in fields}) for row in rows]

    async def forget(self, before: float) -> None:
        """Drop single invocations that are older; the sums stay."""
        await self._database.write(lambda tx: tx.run("runs_forget", before=before))


def _number(tx: Transaction, subject: Subject) -> int:
    row = tx.one("subject_add", **subject._asdict())
    if row is None:
        raise sqlite3.IntegrityError("the subject got no number")
    return int(row["id"])


def _subject(row: sqlite3.Row) -> Subject:
    return Subject(**{name: row[name] for name in Subject._fields})


def _totals(row: sqlite3.Row) -> Totals:
    return Totals(**{name: row[name] for name in Totals.__dataclass_fields__})
