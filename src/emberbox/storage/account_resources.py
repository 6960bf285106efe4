"""What belongs to an account and a region, and to no function, in the state database."""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import field
from json import dumps, loads
from typing import Any

from emberbox.records import dataclass
from emberbox.storage.database import Database, Transaction


@dataclass(frozen=True, slots=True)
class AccountResource:
    """One thing. `kind` is the one in its ARN, `name` what follows that; `modified` in seconds."""

    account: str
    region: str
    kind: str
    name: str
    value: Mapping[str, Any]
    modified: float
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:lambda:{self.region}:{self.account}:{self.kind}:{self.name}"


class ResourceExistsError(Exception):
    """There is one of that kind and name."""


class ResourceMissingError(LookupError):
    """There is none of that kind and name."""


class TooManyResourcesError(Exception):
    """The account has as many of that kind as it may have."""


Alter = Callable[[AccountResource], AccountResource]


class AccountResourceStore:
    """The things of one kind."""

    def __init__(self, database: Database, kind: str) -> None:
        self._database = database
        self._kind = kind

    async def create(self, resource: AccountResource, most: int) -> None:
        """Add a thing; ResourceExistsError or TooManyResourcesError, and no change."""

        def work(tx: Transaction) -> None:
            if not tx.run("account_resource_add", **_row_of(resource)):
                raise ResourceExistsError(resource.name)
            [row] = tx.all(
                "account_resource_count",
                account=resource.account,
                region=resource.region,
                kind=self._kind,
            )
            if row["resources"] > most:
                raise TooManyResourcesError(resource.name)

        await self._database.write(work)

    async def get(self, account: str, region: str, name: str) -> AccountResource | None:
        """One thing, or None."""
        return await self._database.read(lambda tx: self._one(tx, account, region, name))

    async def update(self, account: str, region: str, name: str, alter: Alter) -> AccountResource:
        """Replace a thing by what `alter`, which must be pure, makes of it.

        ResourceMissingError or what `alter` raises, and no change.
        """

        def work(tx: Transaction) -> AccountResource:
            before = self._one(tx, account, region, name)
            if before is None:
                raise ResourceMissingError(name)
            after = alter(before)
            tx.run("account_resource_put", **_row_of(after))
            return after

        return await self._database.write(work)

    async def remove(self, account: str, region: str, name: str) -> None:
        """Remove a thing, or ResourceMissingError."""

        def work(tx: Transaction) -> None:
            if not tx.run(
                "account_resource_remove",
                account=account,
                region=region,
                kind=self._kind,
                name=name,
            ):
                raise ResourceMissingError(name)

        await self._database.write(work)

    async def all(self, account: str, region: str) -> list[AccountResource]:
        """The things by name; `most` of `create` bounds them."""
        rows = await self._database.read(
            lambda tx: tx.all("account_resources", account=account, region=region, kind=self._kind)
        )
        return list(map(_resource_of, rows))

    def _one(self, tx: Transaction, account: str, region: str, name: str) -> AccountResource | None:
        row = tx.one("account_resource", account=account, region=region, kind=self._kind, name=name)
        return None if row is None else _resource_of(row)


def _resource_of(row: sqlite3.Row) -> AccountResource:
    return AccountResource(
        row["account"],
        row["region"],
        row["kind"],
        row["name"],
        loads(row["value"]),
        row["modified"],
        loads(row["tags"]),
    )


def _row_of(resource: AccountResource) -> dict[str, Any]:
    return {
        "account": resource.account,
        "region": resource.region,
        "kind": resource.kind,
        "name": resource.name,
        "value": dumps(dict(resource.value)),
        "modified": resource.modified,
        "tags": dumps(dict(resource.tags)),
    }
