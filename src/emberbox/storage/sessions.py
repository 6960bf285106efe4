"""Temporary sessions and the server's secrets, in the state database."""

from dataclasses import dataclass

from emberbox.storage.database import Database, Transaction

_FORGET_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Session:
    """Whom an access key id stands for until it expires.

    With a role it is a session of that role under `name`; without, of the account's root.
    """

    access_key: str
    account: str
    role: str | None
    name: str | None
    expires: float


class SessionStore:
    """Sessions by access key id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, session: Session, forget_before: float) -> bool:
        """Keep a session; False if its key id is taken. Some sessions that expired earlier go."""

        def work(tx: Transaction) -> bool:
            tx.run("sessions_forget", before=forget_before, limit=_FORGET_AT_ONCE)
            added = tx.run(
                "session_add",
                access_key=session.access_key,
                account=session.account,
                role=session.role,
                name=session.name,
                expires=session.expires,
            )
            return bool(added)

        return await self._database.write(work)

    async def find(self, access_key: str) -> Session | None:
        """The session of a key id, expired or not, None if there is none."""
        row = await self._database.read(lambda tx: tx.one("session", access_key=access_key))
        return None if row is None else Session(**dict(row))

    async def secret(self, name: str, proposal: bytes) -> bytes:
        """The secret of that name, which is the proposal if there was none."""

        def work(tx: Transaction) -> bytes:
            tx.run("secret_add", name=name, value=proposal)
            row = tx.one("secret", name=name)
            return proposal if row is None else bytes(row["value"])

        return await self._database.write(work)
