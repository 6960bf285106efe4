"""Long-term access keys, in the state database; their secrets come and go sealed."""

from collections.abc import Mapping
from sqlite3 import Row

from emberbox.storage.database import Transaction
from emberbox.storage.grants import check_entity
from emberbox.storage.identity_database import IdentityDatabase
from emberbox.storage.identity_records import AccessKey, Kind, Reason, RefusedError

KEYS_MAX = 2


class AccessKeyStore:
    """The access keys of users and of the roots of accounts. Refusals raise RefusedError."""

    def __init__(self, database: IdentityDatabase) -> None:
        self._database = database

    async def find(self, access_key: str) -> AccessKey | None:
        """A key by its id, None if there is none."""
        row = await self._database.read(lambda tx: tx.one("access_key", access_key=access_key))
        return None if row is None else _of_row(row)

    async def add(self, key: AccessKey) -> None:
        """Add a key; a user, and the root, has KEYS_MAX at most."""

        def work(tx: Transaction) -> None:
            if key.user is not None:
                check_entity(tx, key.account, Kind.USER, key.user)
            if len(tx.all("access_keys", account=key.account, user=key.user)) >= KEYS_MAX:
                raise RefusedError(Reason.TOO_MANY_KEYS)
            names = ("access_key", "account", "user", "secret", "created", "is_active")
            tx.run("access_key_add", **{name: getattr(key, name) for name in names})

        await self._database.write(key.account, work)

    async def of(self, account: str, user: str | None) -> list[AccessKey]:
        """The keys of a user, or of the account's root."""

        def work(tx: Transaction) -> list[AccessKey]:
            if user is not None:
                check_entity(tx, account, Kind.USER, user)
            return [_of_row(row) for row in tx.all("access_keys", account=account, user=user)]

        return await self._database.read(work)

    async def set_active(
        self, account: str, user: str | None, access_key: str, *, is_active: bool
    ) -> None:
        """Make a key work, or not."""

        def work(tx: Transaction) -> None:
            _check_owned(tx, account, user, access_key)
            tx.run("access_key_change", access_key=access_key, is_active=is_active)

        await self._database.write(account, work)

    async def remove(self, account: str, user: str | None, access_key: str) -> None:
        """Remove a key."""

        def work(tx: Transaction) -> None:
            _check_owned(tx, account, user, access_key)
            tx.run("access_key_remove", access_key=access_key)

        await self._database.write(account, work)

    async def note_uses(self, uses: Mapping[str, tuple[float, str, str]]) -> None:
        """Keep when keys were last used: key id -> (time, service, region). Changes nobody's
        rights, and so is not announced."""
        rows = [
            {"access_key": key, "used": at, "service": service, "region": region}
            for key, (at, service, region) in uses.items()
        ]
        await self._database.quietly(lambda tx: tx.run_many("access_key_used", rows))


def _check_owned(tx: Transaction, account: str, user: str | None, access_key: str) -> None:
    row = tx.one("access_key", access_key=access_key)
    if row is None or (row["account"], row["user"]) != (account, user):
        raise RefusedError(Reason.NO_KEY)


def _of_row(row: Row) -> AccessKey:
    values = dict(row)
    return AccessKey(**(values | {"is_active": bool(values["is_active"])}))
