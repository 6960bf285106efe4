"""Pages of ours that tell of accounts: on a server that knows its callers, each sees its own."""

from collections.abc import Awaitable, Callable
from typing import Final

from emberbox.gateway.access.needs import Need
from emberbox.gateway.guard import Circumstances, Guard, Wire
from emberbox.gateway.pages import Page, PlainResponse, RequestInfo

NEED: Final = Need("cloudwatch:GetMetricData", "*")
"""What a caller must be allowed where policies decide."""

Telling = Callable[[RequestInfo, str | None], Awaitable[PlainResponse]]
"""A page of one account, or of all for None."""


def signed_page(tell: Telling, guard: Guard | None) -> Page:
    """A page for who has signed the request; CallerError for others. An open server asks nobody."""

    async def show(request: RequestInfo) -> PlainResponse:
        if guard is None:
            return await tell(request, None)
        caller, claim = await guard.identify(wire_of(request), "lambda")
        around = Circumstances(
            request.request_id,
            request.client,
            claim.region.decode("latin-1"),
            path=request.raw_path,
        )
        await guard.allow_need(caller, "lambda", NEED, around)
        return await tell(request, caller.principal.account)

    return show


def wire_of(request: RequestInfo) -> Wire:
    """The request as it was signed."""
    target = f"{request.raw_path}?{request.query}" if request.query else request.raw_path
    headers: dict[bytes, bytes] = {}
    for name, value in request.headers:
        line, before = value.encode(), headers.get(name.encode())
        headers[name.encode()] = line if before is None else b"%b,%b" % (before, line)
    return Wire(request.method.encode(), target.encode("latin-1"), headers, request.body)
