"""The state database as the identity stores use it: every write announces its account."""

from collections.abc import Callable
from typing import TypeVar

from emberbox.storage.database import Database, Transaction

T = TypeVar("T")

CHANGED = "identity"
"""The kind of change in the feed; its key is the account."""


class IdentityDatabase:
    """Reads and writes of identities. Who keeps decisions in memory hears of each change."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run the work on a snapshot."""
        return await self._database.read(work)

    async def write(self, account: str, work: Callable[[Transaction], T]) -> T:
        """Run the work in a transaction, and announce that the account has changed."""

        def announced(tx: Transaction) -> T:
            made = work(tx)
            tx.changed(CHANGED, account)
            return made

        return await self._database.write(announced)

    async def quietly(self, work: Callable[[Transaction], T]) -> T:
        """Run work that changes nobody's rights, and announce nothing."""
        return await self._database.write(work)
