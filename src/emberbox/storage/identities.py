"""Roles and what is attached to them, in the state database.

IAM has no regions: every key starts with the account. What is refused raises RefusedError with the
reason; the service above words it. Customer managed policies are in `emberbox.storage.policies`;
whether a policy of AWS exists is not known here.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from json import dumps, loads

from emberbox.model.policy_documents import size_without_blanks
from emberbox.storage.database import Database, Transaction
from emberbox.storage.identity_records import Reason, RefusedError, Role, retagged
from emberbox.storage.policies import PolicyStore

AWS_POLICIES = "arn:aws:iam::aws:policy/"

ROLES_MAX = 1_000
ATTACHED_MAX = 10
INLINE_MAX_BYTES = 10_240


class IdentityStore:
    """The roles of all accounts, with their inline policies, attached policies and tags.

    `policies` are the customer managed policies.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.policies = PolicyStore(database)

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

        await self._database.write(work)

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

        return await self._database.write(work)

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

        await self._database.write(work)

    async def bound_role(self, account: str, name: str, policy_arn: str | None) -> None:
        """Set or remove a role's permissions boundary."""

        def work(tx: Transaction) -> None:
            role = _role(tx, account, name)
            if policy_arn is None and role.boundary is None:
                raise RefusedError(Reason.NO_BOUNDARY)
            if policy_arn is not None:
                check_attachable(tx, account, policy_arn)
            tx.run("role_bound", account=account, name=name, boundary=policy_arn)

        await self._database.write(work)

    async def delete_role(self, account: str, name: str) -> None:
        """Remove a role that has no policies any more."""

        def work(tx: Transaction) -> None:
            _role(tx, account, name)
            if tx.one("role_attachments", account=account, role=name) is not None:
                raise RefusedError(Reason.HAS_ATTACHED)
            if tx.one("role_policies", account=account, role=name) is not None:
                raise RefusedError(Reason.HAS_INLINE)
            tx.run("role_remove", account=account, name=name)

        await self._database.write(work)

    async def attach(self, account: str, role: str, policy_arn: str) -> None:
        """Attach a managed policy to a role; doing so again changes nothing."""

        def work(tx: Transaction) -> None:
            _role(tx, account, role)
            check_attachable(tx, account, policy_arn)
            tx.run("role_attach", account=account, role=role, policy_arn=policy_arn)
            if len(tx.all("role_attachments", account=account, role=role)) > ATTACHED_MAX:
                raise RefusedError(Reason.TOO_MANY_ATTACHED)

        await self._database.write(work)

    async def detach(self, account: str, role: str, policy_arn: str) -> None:
        """Detach a managed policy from a role."""

        def work(tx: Transaction) -> None:
            _role(tx, account, role)
            if not tx.run("role_detach", account=account, role=role, policy_arn=policy_arn):
                raise RefusedError(Reason.NOT_ATTACHED)

        await self._database.write(work)

    async def attached(self, account: str, role: str) -> list[str]:
        """The ARNs of the managed policies of a role."""

        def work(tx: Transaction) -> list[str]:
            _role(tx, account, role)
            rows = tx.all("role_attachments", account=account, role=role)
            return [row["policy_arn"] for row in rows]

        return await self._database.read(work)

    async def roles_using(self, account: str, policy_arn: str) -> tuple[list[Role], list[Role]]:
        """The roles a policy is attached to, and those it bounds."""

        def work(tx: Transaction) -> tuple[list[Role], list[Role]]:
            names = ("attached_roles", "bounded_roles")
            attached, bounded = (
                [_role_of(row) for row in tx.all(name, account=account, policy_arn=policy_arn)]
                for name in names
            )
            return attached, bounded

        return await self._database.read(work)

    async def put_inline(self, account: str, role: str, name: str, document: str) -> None:
        """Add or replace an inline policy of a role."""

        def work(tx: Transaction) -> None:
            _role(tx, account, role)
            tx.run("role_policy_put", account=account, role=role, name=name, document=document)
            rows = tx.all("role_policies", account=account, role=role)
            if sum(size_without_blanks(row["document"]) for row in rows) > INLINE_MAX_BYTES:
                raise RefusedError(Reason.INLINE_TOO_LARGE)

        await self._database.write(work)

    async def inline(self, account: str, role: str) -> dict[str, str]:
        """The inline policies of a role: name -> document, by name."""

        def work(tx: Transaction) -> dict[str, str]:
            _role(tx, account, role)
            rows = tx.all("role_policies", account=account, role=role)
            return {row["name"]: row["document"] for row in rows}

        return await self._database.read(work)

    async def delete_inline(self, account: str, role: str, name: str) -> None:
        """Remove an inline policy of a role."""

        def work(tx: Transaction) -> None:
            _role(tx, account, role)
            if not tx.run("role_policy_remove", account=account, role=role, name=name):
                raise RefusedError(Reason.NO_INLINE_POLICY)

        await self._database.write(work)


def check_attachable(tx: Transaction, account: str, policy_arn: str) -> None:
    """RefusedError unless the policy is AWS's or one of the account's own."""
    if policy_arn.startswith(AWS_POLICIES):
        return
    if tx.one("policy", account=account, arn=policy_arn) is None:
        raise RefusedError(Reason.NOT_ATTACHABLE)


def _role(tx: Transaction, account: str, name: str) -> Role:
    row = tx.one("role", account=account, name=name)
    if row is None:
        raise RefusedError(Reason.NO_ROLE)
    return _role_of(row)


def _role_of(row: sqlite3.Row) -> Role:
    values = dict(row)
    return Role(**(values | {"tags": loads(values["tags"])}))
