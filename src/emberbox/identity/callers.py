"""Who has which access key: long-term keys of users and roots, temporary ones of sessions.

What is found is kept in memory until any identity changes, so the way of an invocation asks no
database.
"""

import hashlib
import secrets
from base64 import b32encode, b64encode
from collections.abc import Awaitable, Callable
from math import inf

from emberbox.clock import Clock
from emberbox.identity.sealing import Sealer
from emberbox.identity.sessions import Sessions
from emberbox.model.access_keys import FREE_BITS, LONG_TERM, access_key_id
from emberbox.model.policy.principals import Kind, Principal, root
from emberbox.records import dataclass
from emberbox.storage.database import Change
from emberbox.storage.identities import IdentityStore
from emberbox.storage.identity_database import CHANGED
from emberbox.storage.identity_records import AccessKey, RefusedError, Role, User
from emberbox.storage.sessions import NO_LIMITS, Limits, Session

_CACHED_MAX = 50_000


class UnknownKeyError(Exception):
    """Nobody has this access key, or not any more."""


@dataclass(frozen=True, slots=True, eq=False)
class Caller:
    """Somebody who signs with an access key, until `expires`.

    `issued` is when a session was made, None for a long-term key. `tags` are those of user or role.
    """

    principal: Principal
    access_key: str
    secret: str
    token: bytes | None = None
    expires: float = inf
    issued: float | None = None
    name: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    limits: Limits = NO_LIMITS

    def __repr__(self) -> str:
        return f"<Caller {self.principal.arn} {self.access_key}>"


class Callers:
    """Finds callers by their access keys.

    `strict` says that a session ends with its role or user; without, a role need not exist, as for
    functions on an open server.
    """

    def __init__(
        self,
        identities: IdentityStore,
        sessions: Sessions,
        sealer: Sealer,
        clock: Clock,
        *,
        strict: bool,
    ) -> None:
        self._identities = identities
        self._sessions = sessions
        self._sealer = sealer
        self._clock = clock
        self._strict = strict
        self._known: dict[str, Caller] = {}
        self._generation = 0
        self._uses: dict[str, tuple[float, str, str]] = {}

    def identity_changed(self, change: Change) -> None:
        """Listener of the change feed: nothing known before holds any more."""
        if change.kind == CHANGED:
            self._generation += 1
            self._known.clear()

    def at_hand(self, access_key: str) -> Caller | None:
        """A caller who is known already and whose time is not over."""
        caller = self._known.get(access_key)
        return caller if caller is not None and caller.expires > self._clock.now() else None

    async def find(self, access_key: str) -> Caller:
        """The caller; UnknownKeyError if there is none, ExpiredSessionError if there was."""
        known = self.at_hand(access_key)
        if known is not None:
            return known
        generation = self._generation
        session = await self._sessions.find(access_key)
        found = await (self._of_key(access_key) if session is None else self._of_session(session))
        if generation == self._generation:
            if len(self._known) >= _CACHED_MAX:
                self._known.clear()
            self._known[access_key] = found
        return found

    async def new_key(self, account: str, user: str | None) -> tuple[AccessKey, str]:
        """Make a long-term key of a user, or of the account's root: the key and its secret."""
        secret = b64encode(secrets.token_bytes(30)).decode()
        name = access_key_id(LONG_TERM, account, secrets.randbits(FREE_BITS))
        sealed = self._sealer.seal(secret, name)
        key = AccessKey(name, account, user, sealed, float(int(self._clock.now())))
        await self._identities.keys.add(key)
        return key, secret

    def note_use(self, access_key: str, service: str, region: str) -> None:
        """Remember when a long-term key was used; kept by `keep_uses`."""
        if access_key.startswith(LONG_TERM):
            self._uses[access_key] = (float(int(self._clock.now())), service, region)

    async def keep_uses(self) -> None:
        """Store the uses noted since the last time."""
        uses, self._uses = self._uses, {}
        if uses:
            await self._identities.keys.note_uses(uses)

    async def _of_key(self, access_key: str) -> Caller:
        key = await self._identities.keys.find(access_key)
        if key is None or not key.is_active:
            raise UnknownKeyError(access_key)
        secret = self._sealer.open(key.secret, access_key)
        if key.user is None:
            return Caller(root(key.account), access_key, secret)
        user = await self._existing(self._identities.users.user, key.account, key.user)
        tags = tuple(user.tags.items())
        return Caller(user_principal(user), access_key, secret, name=user.name, tags=tags)

    async def _of_session(self, session: Session) -> Caller:
        principal, name, tags = await self._of_subject(session)
        made = self._sessions.credentials(session)
        return Caller(
            principal,
            session.access_key,
            made.secret_access_key,
            made.session_token.encode(),
            session.expires,
            session.issued,
            name,
            tags,
            session.limits,
        )

    async def _of_subject(
        self, session: Session
    ) -> tuple[Principal, str, tuple[tuple[str, str], ...]]:
        account = session.account
        if session.user is not None:
            user = await self._existing(self._identities.users.user, account, session.user)
            _check_as_old(user.created, session)
            return user_principal(user), user.name, tuple(user.tags.items())
        if session.role is None or session.name is None:
            return root(account), "", ()
        try:
            role = await self._identities.role_named(account, session.role)
        except RefusedError:
            if self._strict:
                raise UnknownKeyError(session.access_key) from None
            return role_principal(account, session.role, session.name, None), session.role, ()
        if self._strict:
            _check_as_old(role.created, session)
        principal = role_principal(account, role.name, session.name, role)
        return principal, role.name, tuple(role.tags.items())

    async def _existing(
        self, find: Callable[[str, str], Awaitable[User]], account: str, name: str
    ) -> User:
        try:
            return await find(account, name)
        except RefusedError:
            raise UnknownKeyError(name) from None


def user_principal(user: User) -> Principal:
    """A user as a caller."""
    return Principal(Kind.USER, user.account, user.arn, user.arn, user.id)


def role_principal(account: str, name: str, session_name: str, role: Role | None) -> Principal:
    """A session of a role as a caller; the role of a function on an open server need not exist."""
    return Principal(
        Kind.ROLE,
        account,
        f"arn:aws:sts::{account}:assumed-role/{name}/{session_name}",
        f"arn:aws:iam::{account}:role/{name}" if role is None else role.arn,
        f"{_id_of(account, name) if role is None else role.id}:{session_name}",
    )


def _id_of(account: str, name: str) -> str:
    """The id of a role that does not exist, made of its name."""
    digest = hashlib.sha256(f"{account}/{name}".encode()).digest()
    return f"AROA{b32encode(digest)[:17].decode()}"


def _check_as_old(created: float, session: Session) -> None:
    """A role or user that came after the session is another one of the same name."""
    if created > session.issued:
        raise UnknownKeyError(session.access_key)
