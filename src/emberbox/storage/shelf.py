"""Resources of one kind in a table of JSON documents, all of them at hand in memory."""

from collections.abc import Callable
from dataclasses import asdict
from json import dumps, loads
from typing import Any, Generic, NamedTuple, TypeVar

from emberbox.storage.database import Database, Transaction
from emberbox.storage.mirror import Mirror

T = TypeVar("T")


class ShelfKey(NamedTuple):
    """Where a resource stands. `name` is unique among those of its kind there."""

    account: str
    region: str
    name: str


class Shelf(Generic[T]):
    """See the module. `type_` is a dataclass of JSON values; `load` once before use."""

    def __init__(self, database: Database, kind: str, type_: Callable[..., T]) -> None:
        self.mirror: Mirror[ShelfKey, T] = Mirror(database)
        self._kind = kind
        self._type = type_

    async def load(self) -> None:
        """Read everything."""
        rows = await self.mirror.database.read(lambda tx: tx.all("documents", kind=self._kind))
        self.mirror.fill(
            (ShelfKey(row["account"], row["region"], row["name"]), self._read(row["value"]))
            for row in rows
        )

    def get(self, key: ShelfKey) -> T | None:
        """One resource, or None."""
        return self.mirror.get(key)

    async def put(self, key: ShelfKey, alter: Callable[[T | None], T]) -> T:
        """Add or replace one by what `alter`, which must be pure, makes of it."""

        def work(tx: Transaction) -> T:
            return self.put_in(tx, key, alter)

        made = await self.mirror.write(key, work)
        assert made is not None
        return made

    def put_in(self, tx: Transaction, key: ShelfKey, alter: Callable[[T | None], T]) -> T:
        """The same within a transaction of `mirror.write`."""
        row = tx.one("document", kind=self._kind, **key._asdict())
        after = alter(None if row is None else self._read(row["value"]))
        value: Any = after
        tx.run("document_put", kind=self._kind, **key._asdict(), value=dumps(asdict(value)))
        return after

    async def remove(
        self, key: ShelfKey, also: Callable[[Transaction], object] | None = None
    ) -> None:
        """Forget one, and do something else in the same commit."""

        def work(tx: Transaction) -> None:
            tx.run("document_remove", kind=self._kind, **key._asdict())
            if also is not None:
                also(tx)

        await self.mirror.write(key, work)

    def _read(self, text: str) -> T:
        return self._type(**loads(text))
