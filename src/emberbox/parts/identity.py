"""Identities: who there is, who calls, and what each may do."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from emberbox.clock import Clock
from emberbox.identity.authority import Authority
from emberbox.identity.callers import Callers
from emberbox.identity.sealing import Sealer
from emberbox.identity.sessions import Sessions
from emberbox.identity.web_identity import WebIdentities
from emberbox.services.iam.service import IamService
from emberbox.services.sts.service import StsService
from emberbox.settings import AuthMode
from emberbox.storage.database import Database
from emberbox.storage.identities import IdentityStore
from emberbox.storage.sessions import SessionStore

CREDENTIALS_S = 12 * 3_600


@dataclass(frozen=True, slots=True)
class Identities:
    """What others need of it."""

    store: IdentityStore
    sessions: Sessions
    callers: Callers
    authority: Authority
    iam: IamService
    sts: StsService

    def role_credentials(self) -> Callable[[str, str, str], Mapping[str, str]]:
        """Makes the key variables of a function's execution role."""

        def credentials(account: str, role: str, session_name: str) -> dict[str, str]:
            issued = self.sessions.issue(account, role, session_name, CREDENTIALS_S)
            return {
                "AWS_ACCESS_KEY_ID": issued.access_key_id,
                "AWS_SECRET_ACCESS_KEY": issued.secret_access_key,
                "AWS_SESSION_TOKEN": issued.session_token,
            }

        return credentials


async def open_identities(
    state: Database, secret: bytes, mode: AuthMode, clock: Clock, stack: AsyncExitStack
) -> Identities:
    """Put it together; `secret` is the one of the data directory. It closes with the stack."""
    store = IdentityStore(state)
    sealer = Sealer(secret)
    sessions = Sessions(SessionStore(state), sealer.derived("sessions"), clock)
    stack.push_async_callback(sessions.close)
    callers = Callers(store, sessions, sealer, clock, strict=mode is not AuthMode.OPEN)
    stack.push_async_callback(callers.keep_uses)
    authority = Authority(store, clock)
    state.subscribe(callers.identity_changed)
    state.subscribe(authority.identity_changed)
    return Identities(
        store,
        sessions,
        callers,
        authority,
        IamService(store, callers, authority, clock),
        StsService(store, callers, sessions, authority, WebIdentities(clock)),
    )
