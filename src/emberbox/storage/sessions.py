"""Temporary sessions, in the state database."""

from collections.abc import Sequence
from dataclasses import asdict
from json import dumps, loads

from emberbox.records import dataclass
from emberbox.storage.database import Database, Transaction

_FORGET_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Limits:
    """What makes a session less than its role, or tells more of it.

    `policies` are session policies: ARNs, or texts; None if there are none. `provider` is the
    issuer of the token that the role was assumed with, `subject` whom it named. `transitive` are
    the keys of tags that sessions made with this session get too.
    """

    policies: tuple[str, ...] | None = None
    tags: tuple[tuple[str, str], ...] = ()
    transitive: tuple[str, ...] = ()
    source_identity: str | None = None
    provider: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """Whom an access key id stands for from `issued` until it expires.

    With a role it is a session of that role under `name`; with a user, that user; else the
    account's root.
    """

    access_key: str
    account: str
    user: str | None
    role: str | None
    name: str | None
    issued: float
    expires: float
    limits: Limits = Limits()


NO_LIMITS = Limits()


class SessionStore:
    """Sessions by access key id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, session: Session, forget_before: float) -> bool:
        """Keep a session; False if its key id is taken. Some sessions that expired earlier go."""

        def work(tx: Transaction) -> bool:
            _forget(tx, forget_before)
            return _add(tx, session)

        return await self._database.write(work)

    async def add_all(self, sessions: Sequence[Session], forget_before: float) -> None:
        """Keep several, in one commit."""

        def work(tx: Transaction) -> None:
            _forget(tx, forget_before)
            for session in sessions:
                _add(tx, session)

        await self._database.write(work)

    async def find(self, access_key: str) -> Session | None:
        """The session of a key id, expired or not, None if there is none."""
        row = await self._database.read(lambda tx: tx.one("session", access_key=access_key))
        if row is None:
            return None
        values = dict(row)
        limits = loads(values.pop("limits"))
        policies = limits.pop("policies")
        tags = tuple((name, value) for name, value in limits.pop("tags"))
        transitive = tuple(limits.pop("transitive"))
        policies = None if policies is None else tuple(policies)
        kept = Limits(policies, tags, transitive, **limits)
        return Session(**values, limits=kept)


def _forget(tx: Transaction, before: float) -> None:
    tx.run("sessions_forget", before=before, limit=_FORGET_AT_ONCE)


def _add(tx: Transaction, session: Session) -> bool:
    added = tx.run(
        "session_add",
        access_key=session.access_key,
        account=session.account,
        user=session.user,
        role=session.role,
        name=session.name,
        issued=session.issued,
        expires=session.expires,
        limits=dumps(asdict(session.limits)),
    )
    return bool(added)
