"""What SNS keeps besides topics: small records of an account and region, by kind and name."""

from collections.abc import Callable, Mapping
from json import dumps, loads
from typing import NamedTuple

from emberbox.storage.database import Database, Transaction

Content = Mapping[str, str]


class RecordKey(NamedTuple):
    """The full name of a record."""

    account: str
    region: str
    kind: str
    name: str


class SnsRecords:
    """See the module. Every answer has been committed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, key: RecordKey) -> Content | None:
        """A record, or None."""
        return await self._database.read(lambda tx: _found(tx, key))

    async def put(self, key: RecordKey, alter: Callable[[Content | None], Content]) -> Content:
        """Add or replace a record by what `alter`, which must be pure, makes of it."""

        def work(tx: Transaction) -> Content:
            after = alter(_found(tx, key))
            tx.run("sns_record_put", **key._asdict(), content=dumps(dict(after)))
            return after

        return await self._database.write(work)

    async def remove(self, key: RecordKey) -> bool:
        """Forget a record; whether it was there."""
        removed = await self._database.write(
            lambda tx: tx.run("sns_record_remove", **key._asdict())
        )
        return removed > 0

    async def remove_all(self, beginning: RecordKey) -> None:
        """Forget all records whose names begin so."""
        account, region, kind, prefix = beginning
        await self._database.write(
            lambda tx: tx.run(
                "sns_records_remove", account=account, region=region, kind=kind, prefix=prefix
            )
        )

    async def page(self, beginning: RecordKey, after: str, limit: int) -> list[tuple[str, Content]]:
        """Names and contents of records whose names begin so and come after one, in order."""
        account, region, kind, prefix = beginning
        rows = await self._database.read(
            lambda tx: tx.all(
                "sns_records_after",
                account=account,
                region=region,
                kind=kind,
                prefix=prefix,
                after=after,
                limit=limit,
            )
        )
        return [(row["name"], loads(row["content"])) for row in rows]


def _found(tx: Transaction, key: RecordKey) -> Content | None:
    row = tx.one("sns_record", **key._asdict())
    content: Content | None = None if row is None else loads(row["content"])
    return content
