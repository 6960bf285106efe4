"""Alarms and their history on disk."""

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from json import dumps, loads
from typing import Any, NamedTuple

from emberbox.model.alarms import AlarmState
from emberbox.records import dataclass
from emberbox.storage.database import Database, Transaction

HISTORY_KEEP_S = 14 * 86_400


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm: its settings as they were given, and the state it is in; times in epoch seconds."""

    account: str
    region: str
    name: str
    settings: Mapping[str, Any]
    state: AlarmState
    reason: str
    reason_data: str
    state_s: float
    updated_s: float
    configured_s: float
    tags: Mapping[str, str]

    @property
    def arn(self) -> str:
        """The alarm's ARN."""
        return f"arn:aws:cloudwatch:{self.region}:{self.account}:alarm:{self.name}"


class HistoryItem(NamedTuple):
    """One entry of an alarm's history; `kind` is its HistoryItemType."""

    number: int
    name: str
    at_s: float
    kind: str
    summary: str
    data: str


class AlarmStore:
    """Alarms by account, region and name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, alarm: Alarm, history: HistoryItem | None = None) -> None:
        """Keep an alarm, in the place of one of that name, and what happened to it."""

        def work(tx: Transaction) -> None:
            tx.run("alarm_put", **_row(alarm))
            if history is not None:
                _add_history(tx, alarm, history)

        await self._database.write(work)

    async def move(self, alarm: Alarm, history: HistoryItem) -> bool:
        """Take over a new state, unless the alarm has been removed or configured since."""

        def work(tx: Transaction) -> bool:
            row = tx.one("alarm", **_key(alarm))
            if row is None or row["configured_s"] != alarm.configured_s:
                return False
            kept = replace(alarm, tags=loads(row["tags"]), settings=loads(row["settings"]))
            tx.run("alarm_put", **_row(kept))
            _add_history(tx, alarm, history)
            return True

        return await self._database.write(work)

    async def get(self, account: str, region: str, name: str) -> Alarm | None:
        """An alarm, or None."""
        row = await self._database.read(
            lambda tx: tx.one("alarm", account=account, region=region, name=name)
        )
        return None if row is None else _alarm(row)

    async def page(self, account: str, region: str, after: str, limit: int) -> list[Alarm]:
        """Alarms by name, after one."""
        rows = await self._database.read(
            lambda tx: tx.all(
                "alarms_page", account=account, region=region, after=after, limit=limit
            )
        )
        return [_alarm(row) for row in rows]

    async def all(self) -> list[Alarm]:
        """Every alarm of this server."""
        return [_alarm(r) for r in await self._database.read(lambda tx: tx.all("alarms_of_all"))]

    async def remove(self, alarm: Alarm, history: HistoryItem) -> None:
        """Remove an alarm; its history stays for a while."""

        def work(tx: Transaction) -> None:
            if tx.run("alarm_remove", **_key(alarm)):
                _add_history(tx, alarm, history)

        await self._database.write(work)

    async def history(
        self,
        account: str,
        region: str,
        *,
        name: str | None,
        kind: str | None,
        start: float,
        end: float,
        before: int,
        limit: int,
    ) -> list[HistoryItem]:
        """What happened, newest first."""
        rows = await self._database.read(
            lambda tx: tx.all(
                "alarm_history_page",
                account=account,
                region=region,
                name=name,
                kind=kind,
                start=start,
                end=end,
                before=before,
                limit=limit,
            )
        )
        return [
            HistoryItem(r["id"], r["name"], r["at_s"], r["kind"], r["summary"], r["data"])
            for r in rows
        ]

    async def forget_history(self, before: float) -> None:
        """Drop what happened earlier."""
        await self._database.write(lambda tx: tx.run("alarm_history_forget", before=before))


def _key(alarm: Alarm) -> dict[str, str]:
    return {"account": alarm.account, "region": alarm.region, "name": alarm.name}


def _add_history(tx: Transaction, alarm: Alarm, item: HistoryItem) -> None:
    tx.run(
        "alarm_history_add",
        **_key(alarm),
        at_s=item.at_s,
        kind=item.kind,
        summary=item.summary,
        data=item.data,
    )


def _row(alarm: Alarm) -> dict[str, Any]:
    return {
        **_key(alarm),
        "settings": dumps(dict(alarm.settings)),
        "state": alarm.state.value,
        "reason": alarm.reason,
        "reason_data": alarm.reason_data,
        "state_s": alarm.state_s,
        "updated_s": alarm.updated_s,
        "configured_s": alarm.configured_s,
        "tags": dumps(dict(alarm.tags)),
    }


def _alarm(row: sqlite3.Row) -> Alarm:
    return Alarm(
        row["account"],
        row["region"],
        row["name"],
        loads(row["settings"]),
        AlarmState(row["state"]),
        row["reason"],
        row["reason_data"],
        row["state_s"],
        row["updated_s"],
        row["configured_s"],
        loads(row["tags"]),
    )
