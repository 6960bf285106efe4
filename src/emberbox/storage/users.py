"""Users, groups and who is in which, in the state database."""

from collections.abc import Iterable, Mapping
from json import dumps, loads
from sqlite3 import Row

from emberbox.storage.database import Transaction
from emberbox.storage.grants import check_attachable, check_bare, check_entity, rename_grants
from emberbox.storage.identity_database import IdentityDatabase
from emberbox.storage.identity_records import Group, Kind, Reason, RefusedError, User, retagged

USERS_MAX = 5_000
GROUPS_MAX = 300
GROUPS_PER_USER_MAX = 10


class UserStore:
    """The users and groups of all accounts. What is refused raises RefusedError."""

    def __init__(self, database: IdentityDatabase) -> None:
        self._database = database

    async def user(self, account: str, name: str) -> User:
        """One user."""
        return await self._database.read(lambda tx: _user(tx, account, name))

    async def users(self, account: str) -> list[User]:
        """All users by name; USERS_MAX bounds them."""
        rows = await self._database.read(lambda tx: tx.all("users", account=account))
        return [_user_of(row) for row in rows]

    async def create(self, user: User) -> None:
        """Add a user whose name the account does not have in any case."""

        def work(tx: Transaction) -> None:
            if len(tx.all("users", account=user.account)) >= USERS_MAX:
                raise RefusedError(Reason.TOO_MANY_USERS)
            if user.boundary is not None:
                check_attachable(tx, user.account, user.boundary)
            values = {name: getattr(user, name) for name in user.__slots__}
            if not tx.run("user_add", **(values | {"tags": dumps(dict(user.tags))})):
                raise RefusedError(Reason.USER_EXISTS)

        await self._database.write(user.account, work)

    async def rename(
        self, account: str, name: str, new_name: str | None, new_path: str | None
    ) -> None:
        """Give a user another name or path; policies, groups and keys follow."""

        def work(tx: Transaction) -> None:
            user = _user(tx, account, name)
            to = new_name or name
            taken = {row["name"].lower() for row in tx.all("users", account=account)}
            if to.lower() in taken - {name.lower()}:
                raise RefusedError(Reason.USER_EXISTS)
            tags, path = dumps(dict(user.tags)), new_path or user.path
            key = {"account": account, "name": name, "new_name": to}
            tx.run("user_change", **key, path=path, tags=tags)
            tx.run("user_memberships_rename", **key)
            tx.run("user_keys_rename", **key)
            rename_grants(tx, account, Kind.USER, name, to)

        await self._database.write(account, work)

    async def tag(
        self, account: str, name: str, add: Mapping[str, str], remove: Iterable[str]
    ) -> None:
        """Change a user's tags, whose names differ in more than case."""

        def work(tx: Transaction) -> None:
            user = _user(tx, account, name)
            tags = dumps(retagged(user.tags, add, remove))
            key = {"account": account, "name": name, "new_name": name}
            tx.run("user_change", **key, path=user.path, tags=tags)

        await self._database.write(account, work)

    async def bound(self, account: str, name: str, policy_arn: str | None) -> None:
        """Set or remove a user's permissions boundary."""

        def work(tx: Transaction) -> None:
            user = _user(tx, account, name)
            if policy_arn is None and user.boundary is None:
                raise RefusedError(Reason.NO_USER_BOUNDARY)
            if policy_arn is not None:
                check_attachable(tx, account, policy_arn)
            tx.run("user_bound", account=account, name=name, boundary=policy_arn)

        await self._database.write(account, work)

    async def delete(self, account: str, name: str) -> None:
        """Remove a user that has nothing any more."""

        def work(tx: Transaction) -> None:
            _user(tx, account, name)
            check_bare(tx, account, Kind.USER, name)
            if tx.one("access_keys", account=account, user=name) is not None:
                raise RefusedError(Reason.HAS_KEYS)
            if tx.one("groups_of_user", account=account, user=name) is not None:
                raise RefusedError(Reason.HAS_GROUPS)
            tx.run("user_remove", account=account, name=name)

        await self._database.write(account, work)

    async def group(self, account: str, name: str) -> Group:
        """One group."""
        return await self._database.read(lambda tx: _group(tx, account, name))

    async def groups(self, account: str) -> list[Group]:
        """All groups by name; GROUPS_MAX bounds them."""
        rows = await self._database.read(lambda tx: tx.all("groups", account=account))
        return [Group(**dict(row)) for row in rows]

    async def create_group(self, group: Group) -> None:
        """Add a group whose name the account does not have in any case."""

        def work(tx: Transaction) -> None:
            if len(tx.all("groups", account=group.account)) >= GROUPS_MAX:
                raise RefusedError(Reason.TOO_MANY_GROUPS)
            if not tx.run("group_add", **{name: getattr(group, name) for name in group.__slots__}):
                raise RefusedError(Reason.GROUP_EXISTS)

        await self._database.write(group.account, work)

    async def rename_group(
        self, account: str, name: str, new_name: str | None, new_path: str | None
    ) -> None:
        """Give a group another name or path; policies and users follow."""

        def work(tx: Transaction) -> None:
            group = _group(tx, account, name)
            to = new_name or name
            taken = {row["name"].lower() for row in tx.all("groups", account=account)}
            if to.lower() in taken - {name.lower()}:
                raise RefusedError(Reason.GROUP_EXISTS)
            key = {"account": account, "name": name, "new_name": to}
            tx.run("group_change", **key, path=new_path or group.path)
            tx.run("group_members_rename", **key)
            rename_grants(tx, account, Kind.GROUP, name, to)

        await self._database.write(account, work)

    async def delete_group(self, account: str, name: str) -> None:
        """Remove a group without users and policies."""

        def work(tx: Transaction) -> None:
            _group(tx, account, name)
            check_bare(tx, account, Kind.GROUP, name)
            if tx.one("group_members", account=account, name=name) is not None:
                raise RefusedError(Reason.HAS_USERS)
            tx.run("group_remove", account=account, name=name)

        await self._database.write(account, work)

    async def join(self, account: str, group: str, user: str) -> None:
        """Put a user into a group; doing so again changes nothing."""

        def work(tx: Transaction) -> None:
            _group(tx, account, group)
            _user(tx, account, user)
            tx.run("group_join", account=account, name=group, user=user)
            if len(tx.all("groups_of_user", account=account, user=user)) > GROUPS_PER_USER_MAX:
                raise RefusedError(Reason.TOO_MANY_MEMBERSHIPS)

        await self._database.write(account, work)

    async def leave(self, account: str, group: str, user: str) -> None:
        """Take a user out of a group."""

        def work(tx: Transaction) -> None:
            _group(tx, account, group)
            _user(tx, account, user)
            if not tx.run("group_leave", account=account, name=group, user=user):
                raise RefusedError(Reason.NO_USER)

        await self._database.write(account, work)

    async def members(self, account: str, group: str) -> list[User]:
        """The users of a group by name."""

        def work(tx: Transaction) -> list[User]:
            _group(tx, account, group)
            rows = tx.all("group_members", account=account, name=group)
            return [_user_of(row) for row in rows]

        return await self._database.read(work)

    async def groups_of(self, account: str, user: str) -> list[Group]:
        """The groups a user is in, by name."""

        def work(tx: Transaction) -> list[Group]:
            _user(tx, account, user)
            rows = tx.all("groups_of_user", account=account, user=user)
            return [Group(**dict(row)) for row in rows]

        return await self._database.read(work)


def _user(tx: Transaction, account: str, name: str) -> User:
    return _user_of(check_entity(tx, account, Kind.USER, name))


def _user_of(row: Row) -> User:
    values = dict(row)
    return User(**(values | {"tags": loads(values["tags"])}))


def _group(tx: Transaction, account: str, name: str) -> Group:
    return Group(**dict(check_entity(tx, account, Kind.GROUP, name)))
