"""Who may call a function by its URL.

Source: "Control access to Lambda function URLs" of AWS's guide. Two rights are needed since October
2025: to call the URL, and to invoke the function through it.
"""

from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import parse_qsl

from emberbox.errors import CallerError
from emberbox.gateway.access.needs import Need
from emberbox.gateway.guard import Circumstances, Guard
from emberbox.gateway.pages import RequestInfo
from emberbox.gateway.signed_page import wire_of
from emberbox.gateway.sigv4_request import Fault, SignatureError
from emberbox.gateway.sigv4_scope import ScopeReader
from emberbox.identity.callers import Caller, Callers, UnknownKeyError
from emberbox.identity.sessions import ExpiredSessionError
from emberbox.model.function_url import FunctionUrl
from emberbox.model.names import LATEST, function_arn
from emberbox.model.policy.documents import Policy
from emberbox.model.policy.evaluation import Policies, Request, decide
from emberbox.model.policy.principals import root
from emberbox.model.url_event import Signer
from emberbox.records import dataclass

NONE: Final = "NONE"

_FORBIDDEN: Final = (
    "Forbidden. For troubleshooting Function URL authorization issues, see: "
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
)
_SERVICE: Final = "lambda"
_FIELDS_MAX: Final = 1_000
_CALL: Final = "lambda:InvokeFunctionUrl"
_INVOKE: Final = "lambda:InvokeFunction"


def forbidden() -> CallerError:
    """The refusal, which does not tell why."""
    return CallerError("AccessDeniedException", _FORBIDDEN, status=403)


@dataclass(frozen=True, slots=True)
class UrlAccess:
    """Asks the guard; on an open server, which has none, credentials only say who calls.

    `policies` gives the resource policies of a function, by its ARN with qualifier.
    """

    guard: Guard | None
    callers: Callers
    scopes: ScopeReader
    policies: Callable[[str], Sequence[Policy]]

    async def admit(self, url: FunctionUrl, request: RequestInfo) -> Signer | None:
        """Who has signed the request, None where nobody need; CallerError for who may not call."""
        caller = None
        if url.auth_type != NONE:
            caller = await self._caller(request)
        await self._check(url, caller, request)
        if caller is None:
            return None
        who = caller.principal
        return Signer(caller.access_key, who.account, who.arn, who.id)

    async def _caller(self, request: RequestInfo) -> Caller:
        wire = wire_of(request)
        is_signed = b"authorization" in wire.headers or "X-Amz-Signature=" in request.query
        if not is_signed:
            raise forbidden()
        if self.guard is not None:
            caller, claim = await self.guard.identify(wire, _SERVICE)
            if claim.service.decode("latin-1") != _SERVICE:
                raise self.guard.refusal(SignatureError(Fault.MISMATCH), claim)
            return caller
        scope = self.scopes.of_request(dict(request.headers), _query(request))
        if scope.service != _SERVICE:
            raise forbidden()
        try:
            return await self.callers.find(scope.access_key)
        except (UnknownKeyError, ExpiredSessionError):
            return Caller(root(scope.account), scope.access_key, "")

    async def _check(self, url: FunctionUrl, caller: Caller | None, request: RequestInfo) -> None:
        qualifier = None if url.qualifier == LATEST else url.qualifier
        arn = function_arn(url.account, url.region, url.function, qualifier)
        needs = (
            Need(_CALL, arn, {"lambda:functionurlauthtype": (url.auth_type,)}),
            Need(_INVOKE, arn, {"lambda:invokedviafunctionurl": ("true",)}),
        )
        if self.guard is not None and self.guard.is_enforced:
            around = Circumstances(
                request.request_id,
                request.client,
                url.region,
                is_secure=request.endpoint.startswith("https:"),
                user_agent=dict(request.headers).get("user-agent", ""),
            )
            try:
                for need in needs:
                    await self.guard.allow_need(caller, _SERVICE, need, around)
            except CallerError:
                raise forbidden() from None
        elif caller is not None and caller.principal.account != url.account:
            self._check_stranger(url, caller, needs)

    def _check_stranger(self, url: FunctionUrl, caller: Caller, needs: Sequence[Need]) -> None:
        """Another account is let in by the function's policy alone, whatever the server's mode."""
        resource = Policies(resource=self.policies(needs[0].resource))
        for need in needs:
            request = Request(
                root(caller.principal.account),
                need.action,
                need.resource,
                url.account,
                need.context,
            )
            if not decide(request, resource).is_allowed:
                raise forbidden()


def _query(request: RequestInfo) -> list[tuple[str, str]]:
    try:
        return parse_qsl(request.query, max_num_fields=_FIELDS_MAX)
    except ValueError:
        return []
