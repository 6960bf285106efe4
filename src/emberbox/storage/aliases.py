"""Aliases in the state database.

Every write is announced to the change feed as ("function", account, region, name).
"""

from collections.abc import Callable

from emberbox.model.alias import Alias
from emberbox.storage.catalog import CatalogWriter, Delta, FunctionKey
from emberbox.storage.database import Transaction
from emberbox.storage.function_rows import alias_of, row_of_alias


class AliasExistsError(Exception):
    """The function has an alias of that name."""


class AliasMissingError(LookupError):
    """The function has no alias of that name."""


class VersionMissingError(LookupError):
    """There is no such version, or no such function; the argument is the version."""


class AliasStore:
    """Aliases on disk. After a write has returned, the catalog shows it."""

    def __init__(self, writer: CatalogWriter) -> None:
        self._writer = writer

    async def create(self, alias: Alias) -> None:
        """Add an alias; AliasExistsError or VersionMissingError, and no change."""

        def work(tx: Transaction) -> tuple[None, Delta]:
            _check_versions(tx, alias)
            if tx.one("alias", **_name(alias)) is not None:
                raise AliasExistsError(alias.name)
            return None, _put(tx, alias)

        await self._writer.write(FunctionKey(*alias.key), work)

    async def update(self, key: FunctionKey, name: str, alter: Callable[[Alias], Alias]) -> Alias:
        """Replace an alias by what `alter`, which must be pure, makes of it.

        AliasMissingError, VersionMissingError or what `alter` raises, and no change.
        """

        def work(tx: Transaction) -> tuple[Alias, Delta]:
            row = tx.one(
                "alias", account=key.account, region=key.region, function=key.name, name=name
            )
            if row is None:
                raise AliasMissingError(name)
            after = alter(alias_of(row))
            _check_versions(tx, after)
            return after, _put(tx, after)

        return await self._writer.write(key, work)

    async def delete(self, key: FunctionKey, name: str) -> None:
        """Remove an alias; one that is not there does no harm."""

        def work(tx: Transaction) -> tuple[None, Delta]:
            if not tx.run(
                "alias_remove", account=key.account, region=key.region, function=key.name, name=name
            ):
                return None, Delta()
            tx.changed("function", *key)
            return None, Delta(aliases={name: None})

        await self._writer.write(key, work)


def _check_versions(tx: Transaction, alias: Alias) -> None:
    account, region, function = alias.key
    for version in (alias.version, *alias.weights):
        if not tx.one("function", account=account, region=region, name=function, version=version):
            raise VersionMissingError(version)


def _put(tx: Transaction, alias: Alias) -> Delta:
    tx.run("alias_put", **row_of_alias(alias))
    tx.changed("function", *alias.key)
    return Delta(aliases={alias.name: alias})


def _name(alias: Alias) -> dict[str, str]:
    account, region, function = alias.key
    return {"account": account, "region": region, "function": function, "name": alias.name}
