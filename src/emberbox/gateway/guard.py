"""Who calls, and whether they may: the gateway's two questions about a request, answered.

On a server in the mode `authenticated` every signature is verified; in `enforced` policies decide
besides. An open server has no guard.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.gateway.access.needs import Access, Need, Place
from emberbox.gateway.access.services import ACCESS
from emberbox.gateway.access.tags import tags_context
from emberbox.gateway.refusing import refusal
from emberbox.gateway.sigv4_payload import check_chunks, stand_in
from emberbox.gateway.sigv4_request import (
    Claim,
    Fault,
    Headers,
    SignatureError,
    check_fresh,
    check_signature,
    claim_of_header,
    claim_of_query,
)
from emberbox.gateway.wire import HttpRequest
from emberbox.identity.authority import Authority, Question
from emberbox.identity.callers import Caller, Callers, UnknownKeyError
from emberbox.identity.sessions import ExpiredSessionError
from emberbox.model.policy.documents import Policy
from emberbox.model.policy.evaluation import Decision, Request
from emberbox.model.policy.principals import ANONYMOUS, Kind
from emberbox.model.policy.wording import denial
from emberbox.model.request import Params
from emberbox.records import dataclass

SKEW_S: Final = 300.0
S3_SKEW_S: Final = 900.0

_OWN_ACCOUNT: Final = frozenset({"iam"})
_BY_REQUEST: Final = frozenset({"apigateway", "apigatewayv2"})
_JSON_DENIED: Final = "AccessDeniedException"
_XML_DENIED: Final = frozenset({"iam", "sts", "s3", "cloudformation", "elbv2"})
_SNS_DENIED: Final = "AuthorizationError"

ResourcePolicies = Callable[[str], Awaitable[Sequence[Policy]]]
"""The policies of a resource by its ARN; empty if it has none, or there is no such resource."""

ResourceTags = Callable[[str, str, str, Params], Awaitable[Mapping[str, Sequence[str]]]]
"""(action, ARN, account, request) -> the condition keys that a resource's tags give."""


@dataclass(frozen=True, slots=True)
class Identified:
    """Who makes a request, None for somebody who has not signed, and what is known around it."""

    caller: Caller | None
    around: "Circumstances"


@dataclass(frozen=True, slots=True)
class Wire:
    """A request as it was signed. Header names are in lower case; `target` is path and query.

    `body` None comes later, and its part in the signature is checked as it comes.
    """

    method: bytes
    target: bytes
    headers: Headers
    body: bytes | None

    @classmethod
    def of(cls, request: HttpRequest, raw_query: str, *, is_whole: bool = True) -> "Wire":
        """The same of a request that has been read, or whose body is still to come."""
        target = f"{request.path}?{raw_query}" if raw_query else request.path
        headers = {name.encode(): value.encode() for name, value in request.headers.items()}
        body = request.body if is_whole else None
        return cls(request.method.encode(), target.encode("latin-1"), headers, body)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What else is known of a request: what conditions may ask for."""

    request_id: str
    client: str
    region: str
    is_secure: bool = False
    user_agent: str = ""
    method: str = ""
    path: str = ""

    @property
    def context(self) -> dict[str, Sequence[str]]:
        """As condition keys."""
        found: dict[str, Sequence[str]] = {
            "aws:requestedregion": (self.region,),
            "aws:securetransport": ("true" if self.is_secure else "false",),
            "aws:viaawsservice": ("false",),
        }
        if self.client:
            found["aws:sourceip"] = (self.client,)
        if self.user_agent:
            found["aws:useragent"] = (self.user_agent,)
        return found


class DecisionLog(Protocol):
    """Where decisions are written; denials, or everything."""

    @property
    def keeps_everything(self) -> bool:
        """Whether what is allowed is kept, too."""
        ...

    def write(
        self,
        request_id: str,
        caller: str,
        action: str,
        resource: str,
        decision: Decision,
        message: str,
    ) -> None:
        """Keep one; `message` is empty for what was allowed."""
        ...


class Paths(Protocol):
    """Knows the paths of users, groups, roles and profiles."""

    async def full_arn(self, arn: str) -> str:
        """The ARN with its path, of an IAM entity that is named without."""
        ...


class Guard:
    """Answers for one server. `policies` and `owners` are entered by service as in ARNs; `owners`
    know the account of a resource whose ARN has none, empty if there is no such one.
    """

    def __init__(
        self,
        callers: Callers,
        authority: Authority,
        paths: Paths,
        clock: Clock,
        log: DecisionLog,
        *,
        is_enforced: bool,
    ) -> None:
        self._callers = callers
        self._authority = authority
        self._paths = paths
        self._clock = clock
        self._log = log
        self.is_enforced = is_enforced
        self.policies: dict[str, ResourcePolicies] = {}
        self.function_policies: Callable[[str], Sequence[Policy]] = _no_policies
        self.tags: ResourceTags = _no_tags
        self.owners: dict[str, Callable[[str], str]] = {}

    async def identify(self, wire: Wire, service: str) -> tuple[Caller, Claim]:
        """Who has signed; CallerError for a signature that proves nothing."""
        claim = None
        try:
            claim = _claim(wire)
            caller = await self._callers.find(claim.access_key)
            self.verify(caller, claim, wire)
        except SignatureError as error:
            raise self.refusal(error, claim, service) from None
        except UnknownKeyError:
            raise self.refusal(SignatureError(Fault.UNKNOWN_KEY), claim, service) from None
        except ExpiredSessionError:
            raise self.refusal(SignatureError(Fault.EXPIRED_TOKEN), claim, service) from None
        return caller, claim

    async def signer_of(self, credential: str, token: str) -> Caller:
        """Who has a credential's access key, for a signature that is checked elsewhere."""
        try:
            caller = await self._callers.find(credential.partition("/")[0])
        except UnknownKeyError:
            raise self.refusal(SignatureError(Fault.UNKNOWN_KEY), None, "s3") from None
        except ExpiredSessionError:
            raise self.refusal(SignatureError(Fault.EXPIRED_TOKEN), None, "s3") from None
        if not hmac.compare_digest(caller.token or b"", token.encode()):
            raise self.refusal(SignatureError(Fault.INVALID_TOKEN), None, "s3")
        return caller

    def identify_at_once(self, wire: Wire) -> tuple[Caller, Claim] | None:
        """The same of a call to Lambda, without waiting; None if the caller is not known yet."""
        claim = None
        try:
            claim = claim_of_header(wire.headers)
            caller = self._callers.at_hand(claim.access_key)
            if caller is None:
                return None
            self.verify(caller, claim, wire)
        except SignatureError as error:
            raise self.refusal(error, claim, "lambda") from None
        return caller, claim

    def verify(self, caller: Caller, claim: Claim, wire: Wire) -> None:
        """SignatureError unless the caller has signed exactly this request, and lately."""
        _check_token(caller, claim)
        check_fresh(claim, self._clock.now(), _skew(claim))
        payload = stand_in(claim, wire.headers, wire.body)
        check_signature(claim, caller.secret, wire.method, wire.target, wire.headers, payload)
        if wire.body is not None:
            check_chunks(claim, caller.secret, wire.headers, wire.body)
        self._callers.note_use(
            claim.access_key, claim.service.decode("latin-1"), claim.region.decode("latin-1")
        )

    def refusal(self, error: SignatureError, claim: Claim | None, service: str = "") -> CallerError:
        """What the client hears."""
        if claim is not None:
            service = claim.service.decode("latin-1")
            return refusal(error, service, claim, self._clock.now(), _skew(claim))
        return refusal(error, service, None, self._clock.now(), SKEW_S)

    async def allow(
        self,
        caller: Caller | None,
        service: str,
        operation: str,
        params: Params,
        around: Circumstances,
    ) -> None:
        """CallerError unless the caller may do this; None for a caller who has not signed."""
        access = ACCESS.get(service)
        if access is not None and operation in access.free and service == "sts":
            if caller is None and operation != "AssumeRoleWithWebIdentity":
                raise self.refusal(SignatureError(Fault.MISSING), None, service)
            return
        if caller is None and not (self.is_enforced and service == "s3"):
            raise self.refusal(SignatureError(Fault.MISSING), None, service)
        if not self.is_enforced:
            return
        if caller is not None and service in _OWN_ACCOUNT:
            _check_not_session_token(caller)
        if access is None and service not in _BY_REQUEST:
            _check_root(caller, service, operation)
            return
        place = Place(caller.principal.account if caller is not None else "", around.region)
        for need in _needs(access, operation, place, params, around):
            await self._decide(caller, service, need, params, around)

    async def allow_need(
        self, caller: Caller | None, service: str, need: Need, around: Circumstances
    ) -> None:
        """The same for what does not come through the dispatcher, such as Invoke."""
        if self.is_enforced:
            await self._decide(caller, service, need, {}, around)

    async def may(
        self, caller: Caller | None, service: str, need: Need, params: Params, around: Circumstances
    ) -> bool:
        """Whether policies allow what an operation asks for a part of itself."""
        try:
            await self._decide(caller, service, need, params, around)
        except CallerError:
            return False
        return True

    def may_invoke_at_once(self, caller: Caller, arn: str, policies: Sequence[Policy]) -> bool:
        """Whether an invocation was allowed before and nothing has changed since."""
        if not self.is_enforced:
            return True
        if self._log.keeps_everything:
            return False
        question = Question("lambda:InvokeFunction", arn, arn.split(":", 5)[4], {}, tuple(policies))
        kept = self._authority.kept(caller, question)
        return kept is not None and kept.is_allowed

    async def _decide(
        self,
        caller: Caller | None,
        service: str,
        need: Need,
        params: Params,
        around: Circumstances,
    ) -> None:
        question = await self._question(caller, need, params, around)
        if caller is None or self._authority.kept(caller, question) is None:
            question = await self._with_tags(question, params)
        if caller is None:
            decision = self._authority.may_service(ANONYMOUS, question)
            principal = ANONYMOUS
        else:
            principal = caller.principal
            if question.is_trust and principal.kind is Kind.ROOT:
                raise CallerError(
                    "AccessDenied", "Roles may not be assumed by root accounts.", status=403
                )
            decision = await self._authority.may(caller, question)
        message = ""
        if not decision.is_allowed:
            asked = Request(principal, need.action, question.resource, question.resource_account)
            message = denial(asked, decision)
        self._log.write(
            around.request_id,
            principal.arn,
            need.action,
            question.resource,
            decision,
            message,
        )
        if message:
            raise _denied(service, message)

    async def _question(
        self, caller: Caller | None, need: Need, params: Params, around: Circumstances
    ) -> Question:
        resource = await self._paths.full_arn(need.resource)
        parts = resource.split(":", 5)
        of = parts[2] if len(parts) > 5 else ""
        account = parts[4] if len(parts) > 5 else ""
        if not account and of in self.owners:
            account = self.owners[of](resource)
        mine = caller.principal.account if caller is not None else ""
        context = {**around.context, **tags_context(params), **need.context}
        if account:
            context["aws:resourceaccount"] = (account,)
        is_trust = of == "iam" and need.action.startswith("sts:")
        policies = await self._policies_of(of, resource, is_trust=is_trust)
        return Question(
            need.action, resource, account or mine, context, tuple(policies), is_trust=is_trust
        )

    async def _with_tags(self, question: Question, params: Params) -> Question:
        """With what conditions may ask of the resource; only where a decision is not kept."""
        of_tags = await self.tags(
            question.action, question.resource, question.resource_account, params
        )
        return replace(question, context={**question.context, **of_tags}) if of_tags else question

    async def _policies_of(self, of: str, resource: str, *, is_trust: bool) -> Sequence[Policy]:
        if of == "lambda":
            return self.function_policies(resource)
        if of not in self.policies or (of == "iam" and not is_trust):
            return ()
        return await self.policies[of](resource)


async def _no_tags(
    _action: str, _arn: str, _account: str, _params: Params
) -> Mapping[str, Sequence[str]]:
    return {}


def _no_policies(_arn: str) -> Sequence[Policy]:
    return ()


def _claim(wire: Wire) -> Claim:
    if b"authorization" in wire.headers:
        return claim_of_header(wire.headers)
    query = wire.target.partition(b"?")[2]
    if b"X-Amz-Signature=" in query:
        return claim_of_query(query)
    if b"AWSAccessKeyId=" in query:
        raise SignatureError(Fault.UNSUPPORTED, "signature version 2")
    raise SignatureError(Fault.MISSING)


def _check_token(caller: Caller, claim: Claim) -> None:
    given = claim.token or b""
    if not hmac.compare_digest(caller.token or b"", given):
        raise SignatureError(Fault.INVALID_TOKEN)


def _skew(claim: Claim) -> float:
    return S3_SKEW_S if claim.service == b"s3" else SKEW_S


def _needs(
    access: Access | None,
    operation: str,
    place: Place,
    params: Params,
    around: Circumstances,
) -> list[Need]:
    if access is not None:
        return access.needs(operation, place, params)
    arn = f"arn:aws:apigateway:{place.region}::{around.path}"
    return [Need(f"apigateway:{around.method}", arn)]


def _check_not_session_token(caller: Caller) -> None:
    """What GetSessionToken gives without a second factor, IAM does not take."""
    if caller.issued is not None and caller.principal.kind in {Kind.USER, Kind.ROOT}:
        raise refusal(SignatureError(Fault.INVALID_TOKEN), "iam", None, 0.0, SKEW_S)


def _check_root(caller: Caller | None, service: str, operation: str) -> None:
    """Nobody has written down what this service's operations touch: only the root may use it."""
    if caller is None or caller.principal.kind is not Kind.ROOT:
        who = "anonymous" if caller is None else caller.principal.arn
        text = f"User: {who} is not authorized to perform: {service}:{operation}"
        raise _denied(service, text)


def _denied(service: str, message: str) -> CallerError:
    code = _JSON_DENIED
    if service in _XML_DENIED:
        code = "AccessDenied"
    elif service == "sns":
        code = _SNS_DENIED
    return CallerError(code, message, status=403)
