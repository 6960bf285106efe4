"""Customer managed policies and their versions, in the state database."""

import sqlite3
from collections.abc import Iterable, Mapping
from json import dumps, loads

from emberbox.storage.database import Transaction
from emberbox.storage.identity_database import IdentityDatabase
from emberbox.storage.identity_records import (
    Policy,
    PolicyVersion,
    Reason,
    RefusedError,
    Uses,
    retagged,
)

POLICIES_MAX = 1_500
VERSIONS_MAX = 5


class PolicyStore:
    """The customer managed policies of all accounts. What is refused raises RefusedError."""

    def __init__(self, database: IdentityDatabase) -> None:
        self._database = database

    async def create(self, policy: Policy, document: str) -> None:
        """Add a policy with its first version; the account has no such name in any case."""

        def work(tx: Transaction) -> None:
            count = tx.one("policy_count", account=policy.account)
            if count is not None and count["policies"] >= POLICIES_MAX:
                raise RefusedError(Reason.TOO_MANY_POLICIES)
            added = tx.run(
                "policy_add",
                account=policy.account,
                arn=policy.arn,
                name=policy.name,
                id=policy.id,
                path=policy.path,
                created=policy.created,
                description=policy.description,
                tags=dumps(dict(policy.tags)),
            )
            if not added:
                raise RefusedError(Reason.POLICY_EXISTS)
            tx.run(
                "policy_version_add",
                account=policy.account,
                arn=policy.arn,
                version=1,
                document=document,
                created=policy.created,
            )

        await self._database.write(policy.account, work)

    async def policy(self, account: str, arn: str) -> Policy:
        """One policy."""
        return await self._database.read(lambda tx: _policy(tx, account, arn))

    async def policies(self, account: str) -> list[Policy]:
        """All policies of an account, by ARN; POLICIES_MAX bounds them."""
        rows = await self._database.read(lambda tx: tx.all("policies", account=account))
        return [_policy_of(row) for row in rows]

    async def uses(self, account: str) -> dict[str, Uses]:
        """How often each policy is used in an account, those of AWS included: ARN -> uses."""
        rows = await self._database.read(lambda tx: tx.all("policy_uses", account=account))
        found: dict[str, Uses] = {}
        for row in rows:
            so_far = found.get(row["policy_arn"], Uses())
            found[row["policy_arn"]] = Uses(
                so_far.attached + row["attached"], so_far.bounded + row["bounded"]
            )
        return found

    async def delete(self, account: str, arn: str) -> None:
        """Remove a policy that nothing uses and that has one version only."""

        def work(tx: Transaction) -> None:
            _policy(tx, account, arn)
            _check_unused(tx, account, arn)
            if len(tx.all("policy_versions", account=account, arn=arn)) > 1:
                raise RefusedError(Reason.HAS_VERSIONS)
            tx.run("policy_versions_remove", account=account, arn=arn)
            tx.run("policy_remove", account=account, arn=arn)

        await self._database.write(account, work)

    async def tag(
        self, account: str, arn: str, add: Mapping[str, str], remove: Iterable[str]
    ) -> None:
        """Change a policy's tags, whose names differ in more than case."""

        def work(tx: Transaction) -> None:
            tags = retagged(_policy(tx, account, arn).tags, add, remove)
            tx.run("policy_tag", account=account, arn=arn, tags=dumps(tags))

        await self._database.write(account, work)

    async def add_version(
        self, account: str, arn: str, document: str, now: float, *, is_default: bool
    ) -> PolicyVersion:
        """Add a version, at most VERSIONS_MAX; numbers are never used again."""

        def work(tx: Transaction) -> PolicyVersion:
            policy = _policy(tx, account, arn)
            if len(tx.all("policy_versions", account=account, arn=arn)) >= VERSIONS_MAX:
                raise RefusedError(Reason.TOO_MANY_VERSIONS)
            version = policy.last_version + 1
            key = {"account": account, "arn": arn, "version": version}
            tx.run("policy_version_add", **key, document=document, created=now)
            tx.run("policy_count_version", **key, now=now)
            if is_default:
                tx.run("policy_default", **key, now=now)
            return PolicyVersion(version, document, now, is_default)

        return await self._database.write(account, work)

    async def version(self, account: str, arn: str, version: int) -> PolicyVersion:
        """One version of a policy."""

        def work(tx: Transaction) -> PolicyVersion:
            policy = _policy(tx, account, arn)
            return _version_of(_version_row(tx, account, arn, version), policy)

        return await self._database.read(work)

    async def default_document(self, account: str, arn: str) -> str | None:
        """The text of a policy's default version; None if there is no such policy."""
        row = await self._database.read(
            lambda tx: tx.one("default_document", account=account, arn=arn)
        )
        return None if row is None else str(row["document"])

    async def versions(self, account: str, arn: str) -> list[PolicyVersion]:
        """All versions of a policy, newest first."""

        def work(tx: Transaction) -> list[PolicyVersion]:
            policy = _policy(tx, account, arn)
            rows = tx.all("policy_versions", account=account, arn=arn)
            return [_version_of(row, policy) for row in rows]

        return await self._database.read(work)

    async def set_default(self, account: str, arn: str, version: int, now: float) -> None:
        """Make a version the one that counts."""

        def work(tx: Transaction) -> None:
            _policy(tx, account, arn)
            _version_row(tx, account, arn, version)
            tx.run("policy_default", account=account, arn=arn, version=version, now=now)

        await self._database.write(account, work)

    async def delete_version(self, account: str, arn: str, version: int) -> None:
        """Remove a version that is not the default."""

        def work(tx: Transaction) -> None:
            policy = _policy(tx, account, arn)
            _version_row(tx, account, arn, version)
            if policy.default_version == version:
                raise RefusedError(Reason.IS_DEFAULT)
            tx.run("policy_version_remove", account=account, arn=arn, version=version)

        await self._database.write(account, work)


def _check_unused(tx: Transaction, account: str, arn: str) -> None:
    for name in ("attached_entities", "bounded_entities"):
        if tx.one(name, account=account, policy_arn=arn) is not None:
            raise RefusedError(Reason.IS_ATTACHED)


def _policy(tx: Transaction, account: str, arn: str) -> Policy:
    row = tx.one("policy", account=account, arn=arn)
    if row is None:
        raise RefusedError(Reason.NO_POLICY)
    return _policy_of(row)


def _policy_of(row: sqlite3.Row) -> Policy:
    values = dict(row)
    return Policy(**(values | {"tags": loads(values["tags"])}))


def _version_row(tx: Transaction, account: str, arn: str, version: int) -> sqlite3.Row:
    row = tx.one("policy_version", account=account, arn=arn, version=version)
    if row is None:
        raise RefusedError(Reason.NO_VERSION)
    return row


def _version_of(row: sqlite3.Row, policy: Policy) -> PolicyVersion:
    return PolicyVersion(
        row["version"], row["document"], row["created"], row["version"] == policy.default_version
    )
