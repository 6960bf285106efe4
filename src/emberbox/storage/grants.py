"""What users, groups and roles may do: their inline policies and what is attached to them."""

from sqlite3 import Row

from emberbox.model.policy_documents import size_without_blanks
from emberbox.storage.database import Transaction
from emberbox.storage.identity_database import IdentityDatabase
from emberbox.storage.identity_records import Kind, Permissions, Reason, RefusedError

AWS_POLICIES = "arn:aws:iam::aws:policy/"

ATTACHED_MAX = 10
INLINE_MAX_BYTES = {Kind.USER: 2_048, Kind.GROUP: 5_120, Kind.ROLE: 10_240}

_NO_ENTITY = {
    Kind.USER: Reason.NO_USER,
    Kind.GROUP: Reason.NO_GROUP,
    Kind.ROLE: Reason.NO_ROLE,
}
_NO_INLINE = {
    Kind.USER: Reason.NO_USER_POLICY,
    Kind.GROUP: Reason.NO_GROUP_POLICY,
    Kind.ROLE: Reason.NO_ROLE_POLICY,
}
_TOO_LARGE = {
    Kind.USER: Reason.USER_INLINE_TOO_LARGE,
    Kind.GROUP: Reason.GROUP_INLINE_TOO_LARGE,
    Kind.ROLE: Reason.ROLE_INLINE_TOO_LARGE,
}


class GrantStore:
    """The policies of users, groups and roles. What is refused raises RefusedError."""

    def __init__(self, database: IdentityDatabase) -> None:
        self._database = database

    async def attach(self, account: str, kind: Kind, entity: str, policy_arn: str) -> None:
        """Attach a managed policy; doing so again changes nothing."""
        key = _key(account, kind, entity)

        def work(tx: Transaction) -> None:
            check_entity(tx, account, kind, entity)
            check_attachable(tx, account, policy_arn)
            tx.run("policy_attach", **key, policy_arn=policy_arn)
            if len(tx.all("policy_attachments", **key)) > ATTACHED_MAX:
                raise RefusedError(Reason.TOO_MANY_ATTACHED)

        await self._database.write(account, work)

    async def detach(self, account: str, kind: Kind, entity: str, policy_arn: str) -> None:
        """Detach a managed policy."""

        def work(tx: Transaction) -> None:
            check_entity(tx, account, kind, entity)
            if not tx.run("policy_detach", **_key(account, kind, entity), policy_arn=policy_arn):
                raise RefusedError(Reason.NOT_ATTACHED)

        await self._database.write(account, work)

    async def attached(self, account: str, kind: Kind, entity: str) -> list[str]:
        """The ARNs of the managed policies attached."""

        def work(tx: Transaction) -> list[str]:
            check_entity(tx, account, kind, entity)
            rows = tx.all("policy_attachments", **_key(account, kind, entity))
            return [row["policy_arn"] for row in rows]

        return await self._database.read(work)

    async def put_inline(
        self, account: str, kind: Kind, entity: str, name: str, document: str
    ) -> None:
        """Add or replace an inline policy."""
        key = _key(account, kind, entity)

        def work(tx: Transaction) -> None:
            check_entity(tx, account, kind, entity)
            tx.run("inline_put", **key, name=name, document=document)
            sizes = (size_without_blanks(row["document"]) for row in tx.all("inlines", **key))
            if sum(sizes) > INLINE_MAX_BYTES[kind]:
                raise RefusedError(_TOO_LARGE[kind])

        await self._database.write(account, work)

    async def inline(self, account: str, kind: Kind, entity: str) -> dict[str, str]:
        """The inline policies: name -> document, by name."""

        def work(tx: Transaction) -> dict[str, str]:
            check_entity(tx, account, kind, entity)
            rows = tx.all("inlines", **_key(account, kind, entity))
            return {row["name"]: row["document"] for row in rows}

        return await self._database.read(work)

    async def delete_inline(self, account: str, kind: Kind, entity: str, name: str) -> None:
        """Remove an inline policy."""

        def work(tx: Transaction) -> None:
            check_entity(tx, account, kind, entity)
            if not tx.run("inline_remove", **_key(account, kind, entity), name=name):
                raise RefusedError(_NO_INLINE[kind])

        await self._database.write(account, work)

    async def users_of(
        self, account: str, policy_arn: str
    ) -> tuple[list[tuple[Kind, str]], list[tuple[Kind, str]]]:
        """What a policy is attached to, and what it bounds."""

        def work(
            tx: Transaction,
        ) -> tuple[list[tuple[Kind, str]], list[tuple[Kind, str]]]:
            attached, bounded = (
                [(Kind(row["kind"]), row["entity"]) for row in rows]
                for rows in (
                    tx.all("attached_entities", account=account, policy_arn=policy_arn),
                    tx.all("bounded_entities", account=account, policy_arn=policy_arn),
                )
            )
            return attached, bounded

        return await self._database.read(work)

    async def permissions(self, account: str, kind: Kind, entity: str) -> Permissions:
        """Everything that decides what a user (with its groups), a group or a role may do."""

        def work(tx: Transaction) -> Permissions:
            row = check_entity(tx, account, kind, entity)
            found = list(_policies(tx, account, kind, entity))
            if kind is Kind.USER:
                for group in tx.all("groups_of_user", account=account, user=entity):
                    found += _policies(tx, account, Kind.GROUP, group["name"])
            arn = None if kind is Kind.GROUP else row["boundary"]
            if arn is None:
                return Permissions(tuple(found))
            text = tx.one("default_document", account=account, arn=arn)
            return Permissions(tuple(found), (arn, None if text is None else text["document"]))

        return await self._database.read(work)


def check_attachable(tx: Transaction, account: str, policy_arn: str) -> None:
    """RefusedError unless the policy is AWS's or one of the account's own."""
    if policy_arn.startswith(AWS_POLICIES):
        return
    if tx.one("policy", account=account, arn=policy_arn) is None:
        raise RefusedError(Reason.NOT_ATTACHABLE)


def check_bare(tx: Transaction, account: str, kind: Kind, entity: str) -> None:
    """RefusedError if an entity that is to go still has policies."""
    key = _key(account, kind, entity)
    if tx.one("policy_attachments", **key) is not None:
        raise RefusedError(Reason.HAS_ATTACHED)
    if tx.one("inlines", **key) is not None:
        raise RefusedError(Reason.HAS_INLINE)


def rename_grants(tx: Transaction, account: str, kind: Kind, entity: str, new_name: str) -> None:
    """Move the policies of an entity that gets another name."""
    for query in ("inlines_rename", "policy_attachments_rename"):
        tx.run(query, **_key(account, kind, entity), new_name=new_name)


def check_entity(tx: Transaction, account: str, kind: Kind, entity: str) -> Row:
    """The row of a user, group or role; RefusedError if there is none."""
    row = tx.one(kind.value, account=account, name=entity)
    if row is None:
        raise RefusedError(_NO_ENTITY[kind])
    return row


def _policies(
    tx: Transaction, account: str, kind: Kind, entity: str
) -> list[tuple[str, str | None]]:
    key = _key(account, kind, entity)
    inline = [(row["name"], row["document"]) for row in tx.all("inlines", **key)]
    attached = tx.all("attached_documents", **key)
    return inline + [(row["policy_arn"], row["document"]) for row in attached]


def _key(account: str, kind: Kind, entity: str) -> dict[str, str]:
    return {"account": account, "kind": kind.value, "entity": entity}
