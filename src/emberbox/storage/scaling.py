"""Scalable targets, their policies, scheduled actions and activities, in the state database.

Few there are, and they are looked at all the time: they are kept in memory besides.
"""

from collections.abc import Iterator, Mapping
from dataclasses import field
from enum import Enum
from itertools import takewhile
from json import dumps, loads
from typing import Any

from emberbox.records import dataclass
from emberbox.storage.database import Database, Transaction


class Kind(Enum):
    """What a record is of a scalable target."""

    TARGET = "scalable-target"
    POLICY = "scaling-policy"
    ACTION = "scheduled-action"
    ACTIVITIES = "scaling-activities"


@dataclass(frozen=True, slots=True)
class Record:
    """One thing of a target; `name` is empty where a target has only one of the kind."""

    kind: Kind
    account: str
    region: str
    resource_id: str
    name: str
    value: Mapping[str, Any]
    created: float
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> tuple[str, str, str]:
        """The target: account, region, resource id."""
        return self.account, self.region, self.resource_id

    @property
    def key(self) -> tuple[Kind, str, str, str, str]:
        """What tells it from others."""
        return self.kind, *self.place, self.name


class ScalingStore:
    """See the module; `load` before anything else."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._records: dict[tuple[Kind, str, str, str, str], Record] = {}

    async def load(self) -> None:
        """Read what is there."""

        def work(tx: Transaction) -> list[Record]:
            return [
                Record(
                    kind,
                    row["account"],
                    row["region"],
                    *_names(row["name"]),
                    loads(row["value"]),
                    row["modified"],
                    loads(row["tags"]),
                )
                for kind in Kind
                for row in tx.all("account_resources_of_kind", kind=kind.value)
            ]

        self._records = {each.key: each for each in await self._database.read(work)}

    def get(self, kind: Kind, place: tuple[str, str, str], name: str = "") -> Record | None:
        """One record, or None."""
        return self._records.get((kind, *place, name))

    def all(self, kind: Kind) -> Iterator[Record]:
        """All of a kind, of all accounts, by name."""
        return iter(sorted((r for r in self._records.values() if r.kind is kind), key=_order))

    def of(self, place: tuple[str, str, str]) -> list[Record]:
        """All records of a target."""
        return [each for each in self._records.values() if each.place == place]

    async def put(self, record: Record) -> None:
        """Keep a record, in the place of one with the same key."""

        def work(tx: Transaction) -> None:
            values = _row(record)
            if not tx.run("account_resource_add", **values):
                tx.run("account_resource_put", **values)

        await self._database.write(work)
        self._records[record.key] = record

    async def change(self, records: list[Record]) -> list[Record]:
        """Change records, all at once, in their order until one was removed; those changed."""

        def work(tx: Transaction) -> list[Record]:
            return list(takewhile(lambda e: tx.run("account_resource_put", **_row(e)), records))

        changed = await self._database.write(work)
        for each in changed:
            self._records[each.key] = each
        return changed

    async def remove(self, records: list[Record]) -> None:
        """Remove records, all at once."""

        def work(tx: Transaction) -> None:
            for each in records:
                tx.run(
                    "account_resource_remove",
                    account=each.account,
                    region=each.region,
                    kind=each.kind.value,
                    name=_text(each),
                )

        await self._database.write(work)
        for each in records:
            self._records.pop(each.key, None)


def _order(record: Record) -> tuple[str, str, str, str]:
    return *record.place, record.name


def _row(record: Record) -> dict[str, Any]:
    return {
        "account": record.account,
        "region": record.region,
        "kind": record.kind.value,
        "name": _text(record),
        "value": dumps(dict(record.value)),
        "modified": record.created,
        "tags": dumps(dict(record.tags)),
    }


def _text(record: Record) -> str:
    return f"{record.resource_id}/{record.name}"


def _names(text: str) -> tuple[str, str]:
    resource_id, _, name = text.partition("/")
    return resource_id, name
