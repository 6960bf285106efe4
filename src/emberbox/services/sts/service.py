"""The service `sts`: who calls, and temporary credentials.

Whether a caller may assume a role has been decided by the gateway where policies are enforced. Who
shows a token of another issuer is decided here, by the role's trust policy, on every server.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from emberbox.errors import CallerError
from emberbox.identity.authority import Authority, Question
from emberbox.identity.callers import Caller, Callers, UnknownKeyError
from emberbox.identity.sessions import ExpiredSessionError, Sessions
from emberbox.identity.web_identity import (
    ExpiredTokenError,
    Identity,
    IssuerError,
    TokenError,
    WebIdentities,
)
from emberbox.model.access_keys import parse_access_key_id
from emberbox.model.policy.documents import from_text
from emberbox.model.policy.principals import Kind, Principal, root
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.sts.requests import (
    account_of_role,
    check_no_mfa,
    duration,
    limits,
    shown,
)
from emberbox.storage.identities import IdentityStore
from emberbox.storage.identity_records import Provider, RefusedError, Role
from emberbox.storage.sessions import NO_LIMITS

ROOT_MAX_S = 3_600
SESSION_S = 43_200


class StsService:
    """STS over the identity store, the callers and the sessions."""

    name = "sts"

    def __init__(
        self,
        identities: IdentityStore,
        callers: Callers,
        sessions: Sessions,
        authority: Authority,
        tokens: WebIdentities,
    ) -> None:
        self._identities = identities
        self._callers = callers
        self._sessions = sessions
        self._authority = authority
        self._tokens = tokens
        self.operations: Mapping[str, Operation] = {
            "GetCallerIdentity": self.get_caller_identity,
            "AssumeRole": self.assume_role,
            "AssumeRoleWithWebIdentity": self.assume_role_with_web_identity,
            "GetSessionToken": self.get_session_token,
            "GetAccessKeyInfo": self.get_access_key_info,
        }

    async def get_caller_identity(self, context: RequestContext, params: Params) -> Params:
        """Show who calls."""
        who = (await self._caller(context)).principal
        return {"UserId": who.id, "Account": who.account, "Arn": who.arn}

    async def assume_role(self, context: RequestContext, params: Params) -> Params:
        """Issue credentials of a role."""
        caller = await self._caller(context)
        check_no_mfa(params)
        role = await self._role(params["RoleArn"])
        if role is None:
            raise CallerError(
                "AccessDenied",
                f"User: {caller.principal.arn} is not authorized to perform: sts:AssumeRole on "
                f"resource: {params['RoleArn']}",
                status=403,
            )
        is_chained = caller.principal.kind is Kind.ROLE
        duration_s = duration(role, params.get("DurationSeconds", 3_600), is_chained=is_chained)
        made, percent = limits(params, caller.limits if is_chained else NO_LIMITS)
        name = params["RoleSessionName"]
        credentials = await self._sessions.create(
            role.account, role=role.name, name=name, duration_s=duration_s, limits=made
        )
        answer: Params = {"Credentials": shown(credentials)} | _assumed(role, name)
        if percent is not None:
            answer["PackedPolicySize"] = percent
        if made.source_identity is not None:
            answer["SourceIdentity"] = made.source_identity
        return answer

    async def assume_role_with_web_identity(
        self, _context: RequestContext, params: Params
    ) -> Params:
        """Issue credentials of a role to whom a configured issuer vouches for."""
        account, name = account_of_role(params["RoleArn"]), params["RoleSessionName"]
        provider, identity = await self._verified(account, params["WebIdentityToken"])
        role = await self._role(params["RoleArn"])
        if role is None or not self._is_trusted(role, provider, identity, name):
            raise CallerError(
                "AccessDenied",
                "Not authorized to perform sts:AssumeRoleWithWebIdentity",
                status=403,
            )
        duration_s = duration(role, params.get("DurationSeconds", 3_600), is_chained=False)
        made, percent = limits(params, NO_LIMITS)
        made = replace(made, provider=provider.arn, subject=identity.subject)
        credentials = await self._sessions.create(
            account, role=role.name, name=name, duration_s=duration_s, limits=made
        )
        answer: Params = {
            "Credentials": shown(credentials),
            "SubjectFromWebIdentityToken": identity.subject,
            "Provider": provider.arn,
            "Audience": identity.audience,
        }
        if percent is not None:
            answer["PackedPolicySize"] = percent
        return answer | _assumed(role, name)

    async def get_session_token(self, context: RequestContext, params: Params) -> Params:
        """Issue temporary credentials of the caller, a user or the account's root."""
        caller = await self._caller(context)
        if caller.issued is not None:
            raise CallerError(
                "AccessDenied", "Cannot call GetSessionToken with session credentials", status=403
            )
        check_no_mfa(params)
        is_root = caller.principal.kind is Kind.ROOT
        duration_s = params.get("DurationSeconds", ROOT_MAX_S if is_root else SESSION_S)
        credentials = await self._sessions.create(
            caller.principal.account,
            user=None if is_root else caller.name,
            duration_s=min(duration_s, ROOT_MAX_S) if is_root else duration_s,
        )
        return {"Credentials": shown(credentials)}

    async def get_access_key_info(self, context: RequestContext, params: Params) -> Params:
        """Show the account that a key id names."""
        parsed = parse_access_key_id(params["AccessKeyId"])
        if parsed is None:
            raise CallerError(
                "ValidationError", "The access key ID does not name an account.", status=400
            )
        return {"Account": parsed[0]}

    async def _caller(self, context: RequestContext) -> Caller:
        """Who has the key; on an open server a key that nobody has is the root's."""
        try:
            return await self._callers.find(context.access_key)
        except UnknownKeyError:
            return Caller(root(context.account), context.access_key, "")
        except ExpiredSessionError:
            raise CallerError(
                "ExpiredToken", "The security token included in the request is expired", status=403
            ) from None

    async def _role(self, arn: str) -> Role | None:
        return await self._identities.role(account_of_role(arn), arn)

    async def _verified(self, account: str, token: str) -> tuple[Provider, Identity]:
        try:
            issuer = self._tokens.issuer_of(token)
            provider = await self._identities.providers.provider(account, issuer)
            return provider, await self._tokens.verify(provider, token)
        except RefusedError:
            text = "No OpenIDConnect provider found in your account for the token's issuer"
            raise CallerError("InvalidIdentityToken", text, status=400) from None
        except ExpiredTokenError as error:
            raise CallerError("ExpiredTokenException", str(error), status=400) from None
        except IssuerError as error:
            raise CallerError("IDPCommunicationError", str(error), status=400) from None
        except TokenError as error:
            raise CallerError("InvalidIdentityToken", str(error), status=400) from None

    def _is_trusted(
        self, role: Role, provider: Provider, identity: Identity, session_name: str
    ) -> bool:
        claims = {"aud": identity.audience, "sub": identity.subject}
        context: dict[str, Sequence[str]] = {
            f"{provider.url}:{key}".lower(): (value,) for key, value in claims.items()
        }
        amr = identity.claims.get("amr")
        if isinstance(amr, list):
            context[f"{provider.url}:amr".lower()] = tuple(map(str, amr))
        context["sts:rolesessionname"] = (session_name,)
        question = Question(
            "sts:AssumeRoleWithWebIdentity",
            role.arn,
            role.account,
            context,
            (from_text(role.arn, role.trust),),
            is_trust=True,
        )
        who = Principal(Kind.FEDERATED, provider=provider.arn)
        return self._authority.may_service(who, question).is_allowed


def _assumed(role: Role, name: str) -> Params:
    arn = f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{name}"
    return {"AssumedRoleUser": {"AssumedRoleId": f"{role.id}:{name}", "Arn": arn}}
