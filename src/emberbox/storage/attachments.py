"""Attachments of functions, versions and aliases in the state database; the catalog shows them.

Triggers of the schema remove them with what they hang on.
"""

import sqlite3
from collections.abc import Callable
from json import dumps, loads

from emberbox.model.attachment import Attachment, Kind
from emberbox.storage.catalog import CatalogWriter, Delta, FunctionKey
from emberbox.storage.database import Transaction

Alter = Callable[[Attachment | None], Attachment | None]


class QualifierMissingError(LookupError):
    """There is no such function, or no such version or alias of it."""


class AttachmentStore:
    """See the module."""

    def __init__(self, writer: CatalogWriter) -> None:
        self._writer = writer

    async def load(self) -> None:
        """Fill the catalog, which must hold the functions; before the first write."""
        rows = await self._writer.database.read(lambda tx: tx.all("attachments"))
        for row in rows:
            key = (row["account"], row["region"], row["function"])
            self._writer.catalog.attach(key, _attachment_of(row))

    async def alter(
        self, key: FunctionKey, kind: Kind, qualifier: str, alter: Alter
    ) -> Attachment | None:
        """Replace an attachment by what `alter`, which must be pure, makes of it; None for none.

        QualifierMissingError or what `alter` raises, and no change.
        """
        where = {"account": key.account, "region": key.region, "function": key.name}

        def work(tx: Transaction) -> tuple[Attachment | None, Delta]:
            if tx.one("attachable", **where, qualifier=qualifier) is None:
                raise QualifierMissingError(qualifier)
            row = tx.one("attachment", **where, kind=kind.value, qualifier=qualifier)
            after = alter(None if row is None else _attachment_of(row))
            if after is None:
                tx.run("attachment_remove", **where, kind=kind.value, qualifier=qualifier)
            else:
                tx.run(
                    "attachment_put",
                    **where,
                    kind=kind.value,
                    qualifier=qualifier,
                    value=dumps(dict(after.value)),
                    modified=after.modified,
                )
            return after, Delta(attachments={(kind, qualifier): after})

        return await self._writer.write(key, work)


def _attachment_of(row: sqlite3.Row) -> Attachment:
    return Attachment(Kind(row["kind"]), row["qualifier"], loads(row["value"]), row["modified"])
