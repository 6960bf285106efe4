"""Attachments of functions, versions and aliases in the state database; the catalog shows them.

Triggers of the schema remove them with what they hang on.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from json import dumps, loads

from emberbox.model.attachment import Attachment, Kind
from emberbox.records import dataclass
from emberbox.storage.catalog import CatalogWriter, Delta, FunctionKey
from emberbox.storage.database import Transaction
from emberbox.storage.function_rows import alias_of, function_of, row_of, row_of_alias

Alter = Callable[[Attachment | None], Attachment | None]


class QualifierMissingError(LookupError):
    """There is no such function, or no such version or alias of it."""


class RevisionError(Exception):
    """What it hangs on is at another revision than expected."""


@dataclass(frozen=True, slots=True)
class Revision:
    """That a change is one of what it hangs on, too: which revision it is meant for, if any, and
    which one it makes."""

    expected: str | None
    next: str


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
        self,
        key: FunctionKey,
        kind: Kind,
        qualifier: str,
        alter: Alter,
        revision: Revision | None = None,
    ) -> Attachment | None:
        """Replace an attachment by what `alter`, which must be pure, makes of it; None for none.

        QualifierMissingError, RevisionError or what `alter` raises, and no change.
        """
        where = {"account": key.account, "region": key.region, "function": key.name}

        def work(tx: Transaction) -> tuple[Attachment | None, Delta]:
            delta = _revised(tx, key, qualifier, revision)
            row = tx.one("attachment", **where, kind=kind.value, qualifier=qualifier)
            after = alter(None if row is None else _attachment_of(row))
            if after is None:
                tx.run("attachment_remove", **where, kind=kind.value, qualifier=qualifier)
            else:
                put_attachment(tx, key, after)
            delta.attachments[kind, qualifier] = after
            tx.changed("function", *key)
            return after, delta

        return await self._writer.write(key, work)


def put_attachment(tx: Transaction, key: FunctionKey, attachment: Attachment) -> None:
    """Write the row of an attachment."""
    tx.run(
        "attachment_put",
        account=key.account,
        region=key.region,
        function=key.name,
        kind=attachment.kind.value,
        qualifier=attachment.qualifier,
        value=dumps(dict(attachment.value)),
        modified=attachment.modified,
    )


def _revised(tx: Transaction, key: FunctionKey, qualifier: str, revision: Revision | None) -> Delta:
    """Make a new revision of a version or an alias, if that is wanted."""
    row = tx.one("function", **key._asdict(), version=qualifier)
    alias_row = tx.one(
        "alias", account=key.account, region=key.region, function=key.name, name=qualifier
    )
    found = row or alias_row
    if found is None:
        raise QualifierMissingError(qualifier)
    if revision is None:
        return Delta()
    if revision.expected not in (None, found["revision_id"]):
        raise RevisionError(found["revision_id"])
    if row is not None:
        version = replace(function_of(row, tx.vault), revision_id=revision.next)
        tx.run("function_put", **row_of(version, tx.vault))
        return Delta.of(version)
    alias = replace(alias_of(found), revision_id=revision.next)
    tx.run("alias_put", **row_of_alias(alias))
    return Delta(aliases={alias.name: alias})


def _attachment_of(row: sqlite3.Row) -> Attachment:
    return Attachment(Kind(row["kind"]), row["qualifier"], loads(row["value"]), row["modified"])
