"""Identities: who there is, who calls, and what each may do."""

from collections.abc import Callable, Mapping
from pathlib import Path

from emberbox.clock import Clock
from emberbox.gateway.guard import Guard, ResourcePolicies
from emberbox.identity.authority import Authority, Question
from emberbox.identity.callers import Callers
from emberbox.identity.paths import IdentityPaths
from emberbox.identity.sealing import Sealer
from emberbox.identity.sessions import Sessions
from emberbox.model.attachment import Kind as AttachmentKind
from emberbox.model.names import LATEST
from emberbox.model.policy.documents import Policy, from_text
from emberbox.model.request import Service
from emberbox.model.resource_policy import text_of
from emberbox.parts.deferred import Deferred
from emberbox.parts.ground import Ground
from emberbox.records import dataclass
from emberbox.settings import AuthMode
from emberbox.storage.catalog import FunctionCatalog
from emberbox.storage.database import Database
from emberbox.storage.identities import IdentityStore
from emberbox.storage.sessions import SessionStore
from emberbox.telemetry.decisions import DecisionFile

CREDENTIALS_S = 12 * 3_600


@dataclass(frozen=True, slots=True)
class NewRootKey:
    """A key of an account's root, to be shown once."""

    access_key: str
    secret: str

    def __repr__(self) -> str:
        return f"<NewRootKey {self.access_key}>"


class FunctionRights:
    """The policies of functions, by their ARNs."""

    def __init__(self, catalog: FunctionCatalog) -> None:
        self._catalog = catalog

    def policies(self, arn: str) -> tuple[Policy, ...]:
        """The policy of a function, or of the version or alias that the ARN names."""
        parts = arn.split(":")
        if len(parts) not in {7, 8} or parts[5] != "function":
            return ()
        key = (parts[4], parts[3], parts[6])
        qualifier = parts[7] if len(parts) > 7 else LATEST
        found = self._catalog.attachment(key, AttachmentKind.POLICY, qualifier)
        if found is None:
            return ()
        return (from_text(f"{arn} (resource policy)", text_of(found.value)),)


@dataclass(frozen=True, slots=True)
class Identities:
    """What others need of it."""

    mode: AuthMode
    clock: Clock
    store: IdentityStore
    sessions: Sessions
    callers: Callers
    authority: Authority
    iam: Service
    sts: Service

    async def role_may(self, role: str, action: str, resource: str) -> bool:
        """Whether a role allows what the platform does for a function that runs as it.

        `role` and `resource` are ARNs. On a server that enforces no policies every role does.
        """
        if self.mode is not AuthMode.ENFORCED:
            return True
        question = Question(action, resource, _account(resource) or _account(role), {})
        return (await self.authority.may_role(role, "lambda", question)).is_allowed

    async def open_root(self, account: str, *, renew: bool) -> NewRootKey | None:
        """Make sure that the account's root has a key; the key and its secret if one is made.

        With `renew` all older keys of the root are removed.
        """
        if self.mode is AuthMode.OPEN:
            return None
        keys = self.store.keys
        found = await keys.of(account, None)
        if found and not renew:
            return None
        for key in found:
            await keys.remove(account, None, key.access_key)
        made, secret = await self.callers.new_key(account, None)
        return NewRootKey(made.access_key, secret)

    def guard(
        self,
        data: Path,
        catalog: FunctionCatalog,
        policies: Mapping[str, ResourcePolicies],
        *,
        log_all: bool,
    ) -> Guard | None:
        """What asks who calls and whether they may; an open server has none.

        `policies` find those of other resources than functions and roles, by service.
        """
        if self.mode is AuthMode.OPEN:
            return None
        log = DecisionFile(data, self.clock, everything=log_all)
        is_enforced = self.mode is AuthMode.ENFORCED
        paths = IdentityPaths(self.store)
        made = Guard(self.callers, self.authority, paths, self.clock, log, is_enforced=is_enforced)
        functions = FunctionRights(catalog)
        made.function_policies = functions.policies
        made.policies.update({**policies, "iam": self._trust})
        return made

    async def _trust(self, role_arn: str) -> tuple[Policy, ...]:
        role = await self.store.role(_account(role_arn), role_arn)
        return () if role is None else (from_text(role.arn, role.trust),)

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


def _account(arn: str) -> str:
    parts = arn.split(":", 5)
    return parts[4] if len(parts) > 5 else ""


async def open_identities(ground: Ground, state: Database) -> Identities:
    """Put it together; `secret` is the one of the data directory. It closes with the stack."""
    store = IdentityStore(state)
    mode, clock, stack = ground.settings.auth, ground.clock, ground.stack
    sealer = Sealer(ground.secret)
    sessions = Sessions(SessionStore(state), sealer.derived("sessions"), clock)
    stack.push_async_callback(sessions.close)
    callers = Callers(store, sessions, sealer, clock, strict=mode is not AuthMode.OPEN)
    stack.push_async_callback(callers.keep_uses)
    authority = Authority(store, clock)
    state.subscribe(callers.identity_changed)
    state.subscribe(authority.identity_changed)

    def iam() -> Service:
        from emberbox.services.iam.service import IamService

        return IamService(store, callers, authority, clock)

    def sts() -> Service:
        from emberbox.identity.web_identity import WebIdentities
        from emberbox.services.sts.service import StsService

        return StsService(store, callers, sessions, authority, WebIdentities(clock))

    return Identities(
        mode, clock, store, sessions, callers, authority, Deferred("iam", iam), Deferred("sts", sts)
    )
