"""Event source mappings in the state database and in memory."""

import sqlite3
from collections.abc import Callable
from json import dumps, loads
from typing import Any

from emberbox.model.mapping import EventSourceMapping, MappingState, SourceKind
from emberbox.storage.database import Database, Transaction
from emberbox.storage.mirror import Mirror

Key = tuple[str, str, str]
Alter = Callable[[EventSourceMapping], EventSourceMapping]


class MappingExistsError(Exception):
    """Another mapping of the function reads the same; the argument is its UUID."""


class MappingMissingError(LookupError):
    """There is no such mapping."""


class MappingStore:
    """See the module. Keys are account, region and UUID.

    `mirror` holds all mappings and tells its listeners of every change: pollers live on that.
    """

    def __init__(self, database: Database) -> None:
        self.mirror: Mirror[Key, EventSourceMapping] = Mirror(database)

    async def load(self) -> None:
        """Read all mappings; before the first write."""
        rows = await self.mirror.database.read(lambda tx: tx.all("mappings"))
        self.mirror.fill((key_of(each), each) for each in map(_mapping_of, rows))

    def get(self, key: Key) -> EventSourceMapping | None:
        """One mapping, or None."""
        return self.mirror.get(key)

    def of_account(self, account: str, region: str) -> list[EventSourceMapping]:
        """The mappings of an account in a region, by UUID."""
        found = [each for each in self.mirror if (each.account, each.region) == (account, region)]
        return sorted(found, key=lambda each: each.uuid)

    async def create(self, mapping: EventSourceMapping) -> None:
        """Add a mapping; MappingExistsError, and no change, if another reads the same."""

        def work(tx: Transaction) -> EventSourceMapping:
            _check_alone(tx, mapping)
            tx.run("mapping_add", **_row_of(mapping))
            return mapping

        await self.mirror.write(key_of(mapping), work)

    async def update(self, key: Key, alter: Alter) -> EventSourceMapping:
        """Replace a mapping by what `alter`, which must be pure, makes of it.

        MappingMissingError, MappingExistsError or what `alter` raises, and no change.
        """

        def work(tx: Transaction) -> EventSourceMapping:
            after = alter(_existing(tx, key))
            _check_alone(tx, after)
            tx.run("mapping_put", **_row_of(after))
            return after

        changed = await self.mirror.write(key, work)
        assert changed is not None
        return changed

    async def remove(self, key: Key) -> None:
        """Forget a mapping; one that is not there does no harm."""

        def work(tx: Transaction) -> None:
            tx.run("mapping_remove", uuid=key[2])

        await self.mirror.write(key, work)


def key_of(mapping: EventSourceMapping) -> Key:
    """The key of a mapping in the store."""
    return (mapping.account, mapping.region, mapping.uuid)


def _existing(tx: Transaction, key: Key) -> EventSourceMapping:
    account, region, uuid = key
    row = tx.one("mapping", account=account, region=region, uuid=uuid)
    if row is None:
        raise MappingMissingError(uuid)
    return _mapping_of(row)


def _check_alone(tx: Transaction, mapping: EventSourceMapping) -> None:
    row = tx.one("mapping_like", **_row_of(mapping))
    if row is not None:
        raise MappingExistsError(row["uuid"])


def _mapping_of(row: sqlite3.Row) -> EventSourceMapping:
    return EventSourceMapping(
        uuid=row["uuid"],
        account=row["account"],
        region=row["region"],
        function=row["function"],
        qualifier=row["qualifier"],
        source=SourceKind[row["source"]],
        source_arn=row["source_arn"],
        settings=loads(row["settings"]),
        enabled=bool(row["enabled"]),
        state=MappingState(row["state"]),
        modified=row["modified"],
        reason=row["reason"],
        result=row["result"],
        tags=loads(row["tags"]),
    )


def _row_of(mapping: EventSourceMapping) -> dict[str, Any]:
    return {
        "uuid": mapping.uuid,
        "account": mapping.account,
        "region": mapping.region,
        "function": mapping.function,
        "qualifier": mapping.qualifier,
        "source": mapping.source.name,
        "source_arn": mapping.source_arn,
        "reads": dumps(mapping.reads),
        "settings": dumps(dict(mapping.settings)),
        "enabled": mapping.enabled,
        "state": mapping.state.value,
        "modified": mapping.modified,
        "reason": mapping.reason,
        "result": mapping.result,
        "tags": dumps(dict(mapping.tags)),
    }
