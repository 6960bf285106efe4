"""Temporary credentials: made without waiting for the store, recognised after a restart.

An access key id names its account and carries a tag that only this server can make. So a key id
that the store has forgotten is known to be ours and expired, and a foreign one is known to be
foreign. Secret key and token are derived from the session and from a secret that the store does not
have, so the store holds neither.
"""

import asyncio
import base64
import hmac
import logging
import secrets
from itertools import islice
from math import floor

from emberbox.clock import Clock
from emberbox.model.access_keys import (
    FREE_BITS,
    TEMPORARY,
    access_key_id,
    parse_access_key_id,
)
from emberbox.records import dataclass
from emberbox.storage.sessions import NO_LIMITS, Limits, Session, SessionStore

_TAG_BITS = 12
_ISSUED_MAX = 50_000
_STORE_AFTER_S = 0.25
"""Who starts a function waits for no thread that writes; and those of many are one write."""

_log = logging.getLogger(__name__)


class ExpiredSessionError(Exception):
    """The access key id was ours, and its time is over."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client signs with until `expires`, in seconds since the epoch."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expires: float

    def __repr__(self) -> str:
        return f"<Credentials {self.access_key_id}>"


class Sessions:
    """Issues and recognises temporary credentials; `close` when done. `secret` makes theirs."""

    def __init__(self, store: SessionStore, secret: bytes, clock: Clock) -> None:
        self._store = store
        self._secret = secret
        self._clock = clock
        self._issued: dict[tuple[str, str, str], Session] = {}
        self._by_key: dict[str, Session] = {}
        self._unwritten: list[Session] = []
        self._timer: asyncio.TimerHandle | None = None
        self._writes: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Wait until all issued sessions are stored."""
        self._store_issued()
        while self._writes:
            await asyncio.wait(self._writes)

    def issue(
        self, account: str, role_name: str, session_name: str, duration_s: int
    ) -> Credentials:
        """Credentials of a role for the platform's own use, at once; they reach the store later.

        They are good for `duration_s` or at least half of it: one session of a role is handed out
        again while more than half of its time is left.
        """
        now = self._clock.now()
        name = (account, role_name, session_name)
        session = self._issued.get(name)
        if session is None or session.expires < now + duration_s / 2:
            session = self._new(account, None, role_name, session_name, now, duration_s, NO_LIMITS)
            self._remember(name, session)
            self._unwritten.append(session)
            if self._timer is None:
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(_STORE_AFTER_S, self._store_issued)
        return self.credentials(session)

    def _store_issued(self) -> None:
        """Write what was issued since the last time."""
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        sessions, self._unwritten = self._unwritten, []
        work = self._store.add_all(sessions, self._clock.now())
        task = asyncio.get_running_loop().create_task(work)
        self._writes.add(task)
        task.add_done_callback(self._has_written)

    async def create(
        self,
        account: str,
        *,
        duration_s: int,
        user: str | None = None,
        role: str | None = None,
        name: str | None = None,
        limits: Limits = NO_LIMITS,
    ) -> Credentials:
        """Credentials that are stored when this returns: of a role, a user, or the root."""
        now = self._clock.now()
        while True:
            session = self._new(account, user, role, name, now, duration_s, limits)
            if session.access_key not in self._by_key and await self._store.add(session, now):
                return self.credentials(session)

    async def find(self, access_key: str) -> Session | None:
        """The session of a key id; None if it is none of ours, ExpiredSessionError if it was."""
        if self.account_of(access_key) is None:
            return None
        session = self._by_key.get(access_key) or await self._store.find(access_key)
        if session is None or session.expires <= self._clock.now():
            raise ExpiredSessionError(access_key)
        return session

    def account_of(self, access_key: str) -> str | None:
        """The account of a temporary key id that this server made; None for any other text."""
        parsed = parse_access_key_id(access_key)
        if parsed is None or not access_key.startswith(TEMPORARY):
            return None
        account, free = parsed
        if self._tag(account, free >> _TAG_BITS) != free & (1 << _TAG_BITS) - 1:
            return None
        return account

    def credentials(self, session: Session) -> Credentials:
        """What belongs to a session's key id."""
        whose = f"{session.user}|{session.role}|{session.name}"
        fields = f"{session.access_key}|{whose}|{session.expires!r}"
        secret = self._derive("secret", fields)[:30]
        token = self._derive("token", fields) + self._derive("token-end", fields)
        return Credentials(
            access_key_id=session.access_key,
            secret_access_key=base64.b64encode(secret).decode(),
            session_token=base64.b64encode(token).decode(),
            expires=session.expires,
        )

    def _new(
        self,
        account: str,
        user: str | None,
        role: str | None,
        name: str | None,
        now: float,
        duration_s: int,
        limits: Limits,
    ) -> Session:
        serial = secrets.randbits(FREE_BITS - _TAG_BITS)
        free = serial << _TAG_BITS | self._tag(account, serial)
        key = access_key_id(TEMPORARY, account, free)
        expires = float(floor(now + duration_s))
        return Session(key, account, user, role, name, now, expires, limits)

    def _remember(self, name: tuple[str, str, str], session: Session) -> None:
        if len(self._by_key) >= _ISSUED_MAX:
            # The older half is in the store by now, and is found there.
            self._by_key = dict(islice(self._by_key.items(), _ISSUED_MAX // 2, None))
            self._issued = {n: s for n, s in self._issued.items() if s.access_key in self._by_key}
        self._issued[name] = session
        self._by_key[session.access_key] = session

    def _has_written(self, task: asyncio.Task[None]) -> None:
        self._writes.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("sessions are known until the next start only: %s", task.exception())

    def _tag(self, account: str, serial: int) -> int:
        digest = self._derive("tag", f"{account}|{serial}")
        return int.from_bytes(digest[:2]) & (1 << _TAG_BITS) - 1

    def _derive(self, purpose: str, text: str) -> bytes:
        return hmac.digest(self._secret, f"{purpose}|{text}".encode(), "sha512")
