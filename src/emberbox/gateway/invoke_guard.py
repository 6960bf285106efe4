"""The guard's questions on the way of an invocation: at once where it can be, else with waiting."""

from functools import lru_cache
from typing import Final

from emberbox.gateway.access.lambda_ import invoked
from emberbox.gateway.access.needs import Need, Place
from emberbox.gateway.guard import Circumstances, Guard, Wire
from emberbox.gateway.sigv4_request import Claim, Fault, SignatureError
from emberbox.identity.callers import Caller
from emberbox.invoke.frontdoor import InvokeRequest
from emberbox.records import dataclass

_ARNS: Final = 4_096
_LAMBDA: Final = b"lambda"


@dataclass(frozen=True, slots=True)
class InvokeGuard:
    """Admits invocations, into the account and region that were signed for."""

    guard: Guard

    def at_once(self, wire: Wire, request: InvokeRequest) -> InvokeRequest | None:
        """The request as admitted; None if that cannot be known without waiting.

        CallerError for a signature that proves nothing.
        """
        if b"authorization" not in wire.headers:
            return None
        found = self.guard.identify_at_once(wire)
        if found is None:
            return None
        caller, claim = found
        admitted, arn = self._in_place(caller, claim, request)
        policies = self.guard.function_policies(arn)
        return admitted if self.guard.may_invoke_at_once(caller, arn, policies) else None

    async def with_waiting(self, wire: Wire, request: InvokeRequest, client: str) -> InvokeRequest:
        """The request as admitted; CallerError if it is not."""
        caller, claim = await self.guard.identify(wire, "lambda")
        admitted, arn = self._in_place(caller, claim, request)
        around = Circumstances(
            request.request_id,
            client,
            admitted.region,
            user_agent=wire.headers.get(b"user-agent", b"").decode("latin-1"),
        )
        need = Need("lambda:InvokeFunction", arn)
        await self.guard.allow_need(caller, "lambda", need, around)
        return admitted

    def _in_place(
        self, caller: Caller, claim: Claim, request: InvokeRequest
    ) -> tuple[InvokeRequest, str]:
        if claim.service != _LAMBDA:
            raise self.guard.refusal(SignatureError(Fault.MISMATCH), claim)
        region = claim.region.decode("latin-1")
        account = caller.principal.account
        arn = _arn(request.function, request.qualifier, account, region)
        if self.guard.is_enforced:
            account = arn.split(":", 5)[4]  # which its policy lets the caller into
        return request._replace(account=account, region=region), arn


@lru_cache(_ARNS)
def _arn(function: str, qualifier: str | None, account: str, region: str) -> str:
    return invoked(function, Place(account, region), {"Qualifier": qualifier})
