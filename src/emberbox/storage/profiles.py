"""Instance profiles, issuers of web identities and account aliases, in the state database."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from json import dumps, loads
from sqlite3 import Row

from emberbox.storage.database import Transaction
from emberbox.storage.grants import check_entity
from emberbox.storage.identity_database import IdentityDatabase
from emberbox.storage.identity_records import (
    Kind,
    Profile,
    Provider,
    Reason,
    RefusedError,
    retagged,
)

PROFILES_MAX = 1_000
PROVIDERS_MAX = 100
CLIENTS_MAX = 100


class ProfileStore:
    """The instance profiles of all accounts. What is refused raises RefusedError."""

    def __init__(self, database: IdentityDatabase) -> None:
        self._database = database

    async def profile(self, account: str, name: str) -> Profile:
        """One profile."""
        return await self._database.read(lambda tx: _profile(tx, account, name))

    async def profiles(self, account: str, role: str | None = None) -> list[Profile]:
        """All profiles, or those of a role, by name."""

        def work(tx: Transaction) -> list[Row]:
            if role is None:
                return tx.all("profiles", account=account)
            check_entity(tx, account, Kind.ROLE, role)
            return tx.all("profiles_of_role", account=account, role=role)

        return [_profile_of(row) for row in await self._database.read(work)]

    async def create(self, profile: Profile) -> None:
        """Add a profile, which has no role yet."""

        def work(tx: Transaction) -> None:
            if len(tx.all("profiles", account=profile.account)) >= PROFILES_MAX:
                raise RefusedError(Reason.TOO_MANY_PROFILES)
            values = {name: getattr(profile, name) for name in profile.__slots__}
            if not tx.run("profile_add", **(values | {"tags": dumps(dict(profile.tags))})):
                raise RefusedError(Reason.PROFILE_EXISTS)

        await self._database.write(profile.account, work)

    async def add_role(self, account: str, name: str, role: str) -> None:
        """Put a role into a profile that has none."""

        def work(tx: Transaction) -> None:
            profile = _profile(tx, account, name)
            check_entity(tx, account, Kind.ROLE, role)
            if profile.role is not None:
                raise RefusedError(Reason.PROFILE_FULL)
            _put(tx, replace(profile, role=role))

        await self._database.write(account, work)

    async def remove_role(self, account: str, name: str, role: str) -> None:
        """Take the role out of a profile."""

        def work(tx: Transaction) -> None:
            profile = _profile(tx, account, name)
            if profile.role != role:
                raise RefusedError(Reason.NOT_IN_PROFILE)
            _put(tx, replace(profile, role=None))

        await self._database.write(account, work)

    async def tag(
        self, account: str, name: str, add: Mapping[str, str], remove: Iterable[str]
    ) -> None:
        """Change a profile's tags."""

        def work(tx: Transaction) -> None:
            profile = _profile(tx, account, name)
            _put(tx, replace(profile, tags=retagged(profile.tags, add, remove)))

        await self._database.write(account, work)

    async def delete(self, account: str, name: str) -> None:
        """Remove a profile without a role."""

        def work(tx: Transaction) -> None:
            if _profile(tx, account, name).role is not None:
                raise RefusedError(Reason.HAS_ROLE)
            tx.run("profile_remove", account=account, name=name)

        await self._database.write(account, work)


class ProviderStore:
    """The issuers whose tokens an account believes, and the aliases of accounts."""

    def __init__(self, database: IdentityDatabase) -> None:
        self._database = database

    async def provider(self, account: str, url: str) -> Provider:
        """One issuer."""
        return await self._database.read(lambda tx: _provider(tx, account, url))

    async def providers(self, account: str) -> list[Provider]:
        """All issuers."""
        rows = await self._database.read(lambda tx: tx.all("providers", account=account))
        return [_provider_of(row) for row in rows]

    async def create(self, provider: Provider) -> None:
        """Add an issuer."""

        def work(tx: Transaction) -> None:
            if len(tx.all("providers", account=provider.account)) >= PROVIDERS_MAX:
                raise RefusedError(Reason.TOO_MANY_PROVIDERS)
            key = {"account": provider.account, "url": provider.url, "created": provider.created}
            if not tx.run("provider_add", **key, **_lists(provider)):
                raise RefusedError(Reason.PROVIDER_EXISTS)

        await self._database.write(provider.account, work)

    async def change(
        self,
        account: str,
        url: str,
        *,
        add_client: str | None = None,
        remove_client: str | None = None,
        thumbprints: Iterable[str] | None = None,
    ) -> None:
        """Change an issuer's clients or thumbprints."""

        def work(tx: Transaction) -> None:
            before = _provider(tx, account, url)
            clients = [client for client in before.clients if client != remove_client]
            if add_client is not None and add_client not in clients:
                clients.append(add_client)
            if len(clients) > CLIENTS_MAX:
                raise RefusedError(Reason.TOO_MANY_CLIENTS)
            marks = before.thumbprints if thumbprints is None else tuple(thumbprints)
            after = replace(before, clients=tuple(clients), thumbprints=marks)
            tx.run("provider_change", account=account, url=url, **_lists(after))

        await self._database.write(account, work)

    async def tag(
        self, account: str, url: str, add: Mapping[str, str], remove: Iterable[str]
    ) -> None:
        """Change an issuer's tags."""

        def work(tx: Transaction) -> None:
            before = _provider(tx, account, url)
            after = replace(before, tags=retagged(before.tags, add, remove))
            tx.run("provider_change", account=account, url=url, **_lists(after))

        await self._database.write(account, work)

    async def delete(self, account: str, url: str) -> None:
        """Remove an issuer."""

        def work(tx: Transaction) -> None:
            _provider(tx, account, url)
            tx.run("provider_remove", account=account, url=url)

        await self._database.write(account, work)

    async def alias(self, account: str) -> str | None:
        """The account's alias."""
        row = await self._database.read(lambda tx: tx.one("alias_of_account", account=account))
        return None if row is None else str(row["alias"])

    async def set_alias(self, account: str, alias: str) -> None:
        """Give the account an alias, which no other account has."""

        def work(tx: Transaction) -> None:
            row = tx.one("account_of_alias", alias=alias)
            if row is not None and row["account"] != account:
                raise RefusedError(Reason.ALIAS_EXISTS)
            tx.run("account_alias_put", account=account, alias=alias)

        await self._database.write(account, work)

    async def remove_alias(self, account: str, alias: str) -> None:
        """Take the alias away."""

        def work(tx: Transaction) -> None:
            if not tx.run("account_alias_remove", account=account, alias=alias):
                raise RefusedError(Reason.NO_ALIAS)

        await self._database.write(account, work)


def _put(tx: Transaction, profile: Profile) -> None:
    tx.run(
        "profile_change",
        account=profile.account,
        name=profile.name,
        role=profile.role,
        tags=dumps(dict(profile.tags)),
    )


def _profile(tx: Transaction, account: str, name: str) -> Profile:
    row = tx.one("profile", account=account, name=name)
    if row is None:
        raise RefusedError(Reason.NO_PROFILE)
    return _profile_of(row)


def _profile_of(row: Row) -> Profile:
    values = dict(row)
    return Profile(**(values | {"tags": loads(values["tags"])}))


def _provider(tx: Transaction, account: str, url: str) -> Provider:
    row = tx.one("provider", account=account, url=url)
    if row is None:
        raise RefusedError(Reason.NO_PROVIDER)
    return _provider_of(row)


def _provider_of(row: Row) -> Provider:
    values = dict(row)
    return Provider(
        values["account"],
        values["url"],
        tuple(loads(values["clients"])),
        tuple(loads(values["thumbprints"])),
        values["created"],
        loads(values["tags"]),
    )


def _lists(provider: Provider) -> dict[str, str]:
    return {
        "clients": dumps(provider.clients),
        "thumbprints": dumps(provider.thumbprints),
        "tags": dumps(dict(provider.tags)),
    }
