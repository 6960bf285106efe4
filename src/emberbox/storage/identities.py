"""Roles, in the state database, and the stores of all that belongs to identities.

IAM has no regions: every key starts with the account. What is refused raises RefusedError with the
reason; the service above words it. Whether a policy of AWS exists is not known here.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from json import dumps, loads

from emberbox.storage.access_keys import AccessKeyStore
from emberbox.storage.database import Database, Transaction
from emberbox.storage.grants import GrantStore, check_attachable, check_bare
from emberbox.storage.identity_database import IdentityDatabase
from emberbox.storage.identity_records import Kind, Reason, RefusedError, Role, retagged
from emberbox.storage.policies import PolicyStore
from emberbox.storage.profiles import ProfileStore, ProviderStore
from emberbox.storage.users import UserStore

ROLES_MAX = 1_000


class IdentityStore:
    """The roles of all accounts; its parts hold the rest.

    `policies` are the customer managed policies, `grants` what users, groups and roles have of
    policies, `users` the users and groups, `keys` the access keys.
    """

    def __init__(self, database: Database) -> None:
        self._database = IdentityDatabase(database)
        self.policies = PolicyStore(self._database)
        self.grants = GrantStore(self._database)
        self.users = UserStore(self._database)
        self.keys = AccessKeyStore(self._database)
        self.profiles = ProfileStore(self._database)
        self.providers = ProviderStore(self._database)

    async def role(self, account: str, arn: str) -> Role | None:
        """The role with this ARN, None if the account has none such."""
        found = await self._database.read(
            lambda tx: tx.one("role", account=account, name=arn.rsplit("/", 1)[-1])
        )
        role = None if found is None else _role_of(found)
        return role if role is not None and role.arn == arn else None

    async def role_named(self, account: str, name: str) -> Role:
        """The role with this name."""
        return await self._database.read(lambda tx: _role(tx, account, name))

    async def roles(self, account: str, path_prefix: str, after: str, limit: int) -> list[Role]:
        """Roles under a path, by name, after a name."""

        def work(tx: Transaction) -> list[sqlite3.Row]:
            return tx.all(
                "roles", account=account, path_prefix=path_prefix, after=after, limit=limit
            )

        return [_role_of(row) for row in await self._database.read(work)]

    async def create_role(self, role: Role) -> None:
        """Add a role whose name the account does not have in any case."""

        def work(tx: Transaction) -> None:
            count = tx.one("role_count", account=role.account)
            if count is not None and count["roles"] >= ROLES_MAX:
                raise RefusedError(Reason.TOO_MANY_ROLES)
            if role.boundary is not None:
                check_attachable(tx, role.account, role.boundary)
            values = {name: getattr(role, name) for name in role.__slots__}
            if not tx.run("role_add", **(values | {"tags": dumps(dict(role.tags))})):
                raise RefusedError(Reason.ROLE_EXISTS)

        await self._database.write(role.account, work)

    async def change_role(
        self,
        account: str,
        name: str,
        *,
        description: str | None = None,
        max_session_s: int | None = None,
        trust: str | None = None,
    ) -> Role:
        """Replace what is given; the role as it is then."""

        def work(tx: Transaction) -> Role:
            _role(tx, account, name)
            tx.run(
                "role_change",
                account=account,
                name=name,
                description=description,
                max_session_s=max_session_s,
                trust=trust,
                tags=None,
            )
            return _role(tx, account, name)

        return await self._database.write(account, work)

    async def tag_role(
        self, account: str, name: str, add: Mapping[str, str], remove: Iterable[str]
    ) -> None:
        """Change a role's tags, whose names differ in more than case."""

        def work(tx: Transaction) -> None:
            tags = retagged(_role(tx, account, name).tags, add, remove)
            tx.run(
                "role_change",
                account=account,
                name=name,
                description=None,
                max_session_s=None,
                trust=None,
                tags=dumps(tags),
            )

        await self._database.write(account, work)

    async def bound_role(self, account: str, name: str, policy_arn: str | None) -> None:
        """Set or remove a role's permissions boundary."""

        def work(tx: Transaction) -> None:
            role = _role(tx, account, name)
            if policy_arn is None and role.boundary is None:
                raise RefusedError(Reason.NO_ROLE_BOUNDARY)
            if policy_arn is not None:
                check_attachable(tx, account, policy_arn)
            tx.run("role_bound", account=account, name=name, boundary=policy_arn)

        await self._database.write(account, work)

    async def delete_role(self, account: str, name: str) -> None:
        """Remove a role that has no policies any more."""

        def work(tx: Transaction) -> None:
            _role(tx, account, name)
            check_bare(tx, account, Kind.ROLE, name)
            if tx.one("profiles_of_role", account=account, role=name) is not None:
                raise RefusedError(Reason.HAS_PROFILES)
            tx.run("role_remove", account=account, name=name)

        await self._database.write(account, work)


def _role(tx: Transaction, account: str, name: str) -> Role:
    row = tx.one("role", account=account, name=name)
    if row is None:
        raise RefusedError(Reason.NO_ROLE)
    return _role_of(row)


def _role_of(row: sqlite3.Row) -> Role:
    values = dict(row)
    return Role(**(values | {"tags": loads(values["tags"])}))
