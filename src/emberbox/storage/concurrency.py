"""Reserved concurrency in the state database."""

from emberbox.model.concurrency import check_reservation
from emberbox.model.names import LATEST
from emberbox.storage.catalog import CatalogWriter, Delta, FunctionKey
from emberbox.storage.database import Transaction
from emberbox.storage.functions import FunctionMissingError


class ConcurrencyStore:
    """Reservations on disk. After a write has returned, the catalog shows it."""

    def __init__(self, writer: CatalogWriter) -> None:
        self._writer = writer

    async def put(self, key: FunctionKey, reserved: int, limit: int) -> None:
        """Set executions aside, of `limit` for account and region.

        FunctionMissingError, or CallerError if too few were left for others; and no change.
        """

        def work(tx: Transaction) -> tuple[None, Delta]:
            _check_function(tx, key)
            others = tx.one("reserved_by_others", **key._asdict())
            check_reservation(limit, 0 if others is None else others["reserved"], reserved)
            tx.run("reserved_put", **key._asdict(), reserved=reserved)
            tx.changed("function", *key)
            return None, Delta(reserved=reserved)

        await self._writer.write(key, work)

    async def delete(self, key: FunctionKey) -> None:
        """Give them back; none set aside does no harm. FunctionMissingError."""

        def work(tx: Transaction) -> tuple[None, Delta]:
            _check_function(tx, key)
            if tx.run("reserved_remove", **key._asdict()):
                tx.changed("function", *key)
            return None, Delta(reserved=None)

        await self._writer.write(key, work)


def _check_function(tx: Transaction, key: FunctionKey) -> None:
    if tx.one("function", **key._asdict(), version=LATEST) is None:
        raise FunctionMissingError(key.name)
