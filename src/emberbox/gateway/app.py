"""The gateway: one ASGI application in front of all services.

A request is read within its limit, routed, and answered in the protocol it came in. What is no AWS
client's request is a page's, or gets a short text that says what this server is.
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

from emberbox import __version__
from emberbox.errors import CallerError
from emberbox.gateway.body import (
    Asked,
    DisconnectedError,
    Limit,
    Receive,
    TooLargeError,
    left,
    limit_of,
    plain,
    read_body,
)
from emberbox.gateway.bucket_front import BucketFront, Shared
from emberbox.gateway.catalog import Catalog
from emberbox.gateway.dispatch import Arrival, Dispatcher, failed
from emberbox.gateway.guard import Circumstances, Guard, Identified, Wire
from emberbox.gateway.hosts import read_host
from emberbox.gateway.invoke_guard import InvokeGuard
from emberbox.gateway.origins import foreign_page, is_foreign
from emberbox.gateway.pages import (
    OWN_PREFIX,
    Pages,
    PlainResponse,
    Public,
    RequestInfo,
    Served,
)
from emberbox.gateway.post_reading import read_form
from emberbox.gateway.request_ids import RequestIds
from emberbox.gateway.request_spans import RequestSpan, RequestSpans
from emberbox.gateway.routing import NoRouteError
from emberbox.gateway.sending import (
    ABORT,
    RawHeaders,
    Send,
    raw_headers,
    send_stream,
    send_whole,
    whole,
)
from emberbox.gateway.sigv4_payload import ChunkChain, chain_of
from emberbox.gateway.sigv4_scope import Scope, ScopeReader
from emberbox.gateway.uploads import Upload
from emberbox.gateway.wire import HttpRequest, HttpResponse
from emberbox.model.request import Service
from emberbox.model.span_attributes import Asked as SpanAsked
from emberbox.records import dataclass

log = logging.getLogger("emberbox.gateway")

_NO_PAGES: Final[Mapping[str, Served]] = MappingProxyType({})
_QUERY_FIELDS_MAX: Final = 1_000
_HOST: Final = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}\Z")
_S3: Final = Scope("", "", service="s3")
_PAGE_LIMIT: Final = Limit(10 * (1 << 20), "page")


@dataclass(frozen=True, slots=True)
class _Head:
    """A request without its body, and what the connection tells."""

    request: HttpRequest
    raw_query: str
    header_lines: list[tuple[str, str]]
    endpoint: str
    client: str
    request_id: str
    span: RequestSpan | None = None


class Gateway:
    """ASGI application for the services given; everything else it needs it builds itself.

    `pages` are plain routes by path prefix, `fronts` those by host front (`lambda-url`,
    `execute-api`). `account_of` knows the accounts of access keys that we have issued. Accounts and
    regions that a request does not name are the defaults. `guard` asks who calls and whether they
    may; without one, anybody may do anything. `buckets` knows which pages of other sites may use
    which. `spans` records requests for OpenTelemetry.
    """

    def __init__(
        self,
        services: Iterable[Service],
        *,
        default_account: str,
        default_region: str,
        pages: Mapping[str, Served] = _NO_PAGES,
        fronts: Mapping[str, Served] = _NO_PAGES,
        account_of: Callable[[str], str | None] = lambda _key: None,
        guard: Guard | None = None,
        buckets: BucketFront | None = None,
        spans: RequestSpans | None = None,
    ) -> None:
        self.guard = guard
        self.spans = spans
        self._buckets = buckets
        self.invoke_guard = None if guard is None else InvokeGuard(guard)
        self._catalog = Catalog()
        self._dispatcher = Dispatcher(services, self._catalog, guard)
        self._scopes = ScopeReader(default_account, default_region, account_of)
        self._ids = RequestIds()
        self._pages = Pages({f"{OWN_PREFIX}health": _health, **pages}, fronts)

    def warm(self) -> Iterator[str]:
        """Read the service models ahead of the first requests, one at each step; its name.

        ValueError if a service has an operation that its model does not know.
        """
        return self._dispatcher.warm()

    def scope_of(self, authorization: bytes | None) -> Scope:
        """Account, region and access key of an Authorization header; the defaults without one."""
        return self._scopes.of_header(authorization)

    def new_request_id(self) -> str:
        """A fresh request id."""
        return self._ids.next()

    def error_response(
        self, service: str, operation: str, error: CallerError, request_id: str
    ) -> tuple[int, RawHeaders, bytes]:
        """Status, headers and body of an error in the first protocol of a service."""
        del operation
        model = self._catalog.model(service)
        response = failed(model, model.protocols[0], error, request_id)
        body = response.body if isinstance(response.body, bytes) else b""
        headers = whole(response.status, raw_headers(response.headers), body, is_head=False)
        return response.status, headers, body

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one ASGI scope: HTTP requests and the life of the application."""
        match scope["type"]:
            case "http":
                await self._serve(scope, receive, send)
            case "lifespan":
                await _live(receive, send)
            case "websocket":
                await send({"type": "websocket.close", "code": 1000})
            case other:
                raise ValueError(f"unknown kind of ASGI scope: {other}")

    async def _serve(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        head = _read_head(scope, self._ids.next())
        if self.spans is not None:
            head = replace(head, span=_begun(self.spans, head))
        asked = Asked(receive, scope)
        try:
            response = await self._answer(head, asked)
        except DisconnectedError:
            return
        try:
            await self._send(scope, receive, send, head, asked, response)
        finally:
            if self.spans is not None and head.span is not None:
                self.spans.end(head.span, response.status)

    async def _send(
        self,
        scope: MutableMapping[str, Any],
        receive: Receive,
        send: Send,
        head: _Head,
        asked: Asked,
        response: HttpResponse,
    ) -> None:
        is_head = head.request.method == "HEAD"
        headers = raw_headers(response.headers)
        if not asked.has_asked and "expect" in head.request.headers:
            headers.append((b"connection", b"close"))
        if isinstance(response.body, bytes):
            body = b"" if is_head else response.body
            lengths = whole(response.status, headers, response.body, is_head=is_head)
            await send_whole(send, response.status, lengths, body)
        else:
            abort = scope.get("extensions", {}).get(ABORT, {}).get("call", _nothing)
            await send_stream(send, receive, abort, response.status, headers, response.body)

    async def _answer(self, head: _Head, receive: Receive) -> HttpResponse:
        request = head.request
        credential = self._scopes.of_request(request.headers, request.query)
        page = self._pages.find(
            request.path,
            read_host(request.headers.get("host", "")).front,
            is_signed=credential.is_signed,
        )
        shared = self._shared(credential, head) if page is None else None
        if isinstance(shared, CallerError):
            return self._dispatcher.refuse(_S3, request, shared, head.request_id)
        if shared is None and not isinstance(page, Public) and _is_foreign(request):
            return _plain_error(403, foreign_page().message, head.request_id)
        try:
            if page is not None:
                return await self._show(page, head, receive)
            if shared is not None and shared.answer is not None:
                return shared.answer
            response = await self._dispatch(credential, head, receive)
        except NoRouteError:
            return _nothing_here(head.request_id)
        if shared is not None:
            response.headers.extend(shared.headers)
        return response

    def _shared(self, credential: Scope, head: _Head) -> Shared | CallerError | None:
        """What a bucket lets a page of another site have; None if the request is no such thing."""
        origin = head.request.headers.get("origin")
        if origin is None or self._buckets is None or credential.service not in {"s3", ""}:
            return None
        try:
            return self._buckets.look(head.request, origin)
        except CallerError as error:
            return error

    async def _dispatch(self, credential: Scope, head: _Head, receive: Receive) -> HttpResponse:
        limit = limit_of(credential.service)
        request = head.request
        if self._buckets is not None and self._dispatcher.takes_form(credential, request):
            return await self._take_form(self._buckets.clock.now(), head, receive)
        takes_upload = self._dispatcher.takes_upload(credential, request)
        try:
            if not takes_upload:
                body = await read_body(receive, request.headers, limit)
                request = _with_body(request, body)
            identified, chain = None, None
            if self.guard is not None:
                credential, identified, chain = await self._identified(
                    credential, head, request, is_whole=not takes_upload
                )
            upload = Upload(receive, request.headers, chain) if takes_upload else None
            if upload is None:
                request = plain(request, limit)
        except TooLargeError:
            error = limit.error(self._dispatcher.operation_name(credential, request))
            return self._dispatcher.refuse(credential, request, error, head.request_id)
        except CallerError as error:
            return self._dispatcher.refuse(credential, request, error, head.request_id)
        return await self._dispatcher.answer(
            credential,
            request,
            head.endpoint,
            head.request_id,
            identified,
            Arrival(head.client, upload, partial(left, receive), span=head.span),
        )

    async def _take_form(self, now: float, head: _Head, receive: Receive) -> HttpResponse:
        """An upload by an HTML form, as the PutObject that it stands for."""
        try:
            form = await read_form(receive, head.request, self.guard, now)
        except CallerError as error:
            return self._dispatcher.refuse(_S3, head.request, error, head.request_id)
        scope, identified = self._scopes.of_query(form.credential), None
        if self.guard is not None:
            account = scope.account if form.caller is None else form.caller.principal.account
            scope = replace(scope, account=account)
            around = Circumstances(head.request_id, head.client, scope.region)
            identified = Identified(form.caller, around)
        response = await self._dispatcher.answer(
            replace(scope, service="s3"),
            form.put,
            head.endpoint,
            head.request_id,
            identified,
            Arrival(head.client, form.file, operation="PostObject", span=head.span),
        )
        return form.answer(response, head.endpoint)

    async def _identified(
        self, credential: Scope, head: _Head, request: HttpRequest, *, is_whole: bool
    ) -> tuple[Scope, Identified, ChunkChain | None]:
        """Who has signed, and what for: nothing that is not covered by the signature counts.

        Of a body that is still to come, the chain that its chunks have to keep.
        """
        caller, chain = None, None
        is_signed = credential.is_signed or "authorization" in request.headers
        if self.guard is not None and is_signed:
            service = self._dispatcher.service_name(credential, request)
            wire = Wire.of(request, head.raw_query, is_whole=is_whole)
            caller, claim = await self.guard.identify(wire, service)
            if not is_whole:
                chain = chain_of(claim, caller.secret, wire.headers)
            credential = Scope(
                caller.principal.account,
                claim.region.decode("latin-1"),
                claim.access_key,
                claim.service.decode("latin-1").lower(),
            )
        around = Circumstances(
            head.request_id,
            head.client,
            credential.region,
            is_secure=head.endpoint.startswith("https:"),
            user_agent=request.headers.get("user-agent", ""),
            method=request.method,
            path=request.path,
        )
        return credential, Identified(caller, around), chain

    async def _show(self, served: Served, head: _Head, receive: Receive) -> HttpResponse:
        if isinstance(served, Public):
            page, too_large = served.page, served.too_large
            limit = Limit(served.limit_bytes, "page")
        else:
            page, limit, too_large = served, _PAGE_LIMIT, "Request Too Long"
        try:
            body = await read_body(receive, head.request.headers, limit)
        except TooLargeError:
            return _plain_error(413, too_large, head.request_id)
        try:
            shown = await page(_info(head, body))
        except CallerError as error:
            return _plain_error(error.status or 400, error.message, head.request_id)
        except Exception:
            log.exception("page %s failed, request %s", head.request.path[:200], head.request_id)
            return _plain_error(500, "Internal Server Error", head.request_id)
        return HttpResponse(shown.status, list(shown.headers), shown.body)


def _read_head(scope: MutableMapping[str, Any], request_id: str) -> _Head:
    lines = [(name.decode("latin-1"), _text(value)) for name, value in scope["headers"]]
    raw_query = scope.get("query_string", b"").decode("latin-1")
    raw_path = scope.get("raw_path") or scope["path"].encode()
    headers: dict[str, str] = {}
    for name, value in lines:
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    client = scope.get("client")
    return _Head(
        request=HttpRequest(
            method=scope["method"],
            path=raw_path.partition(b"?")[0].decode("latin-1"),
            query=_query(raw_query),
            headers=headers,
        ),
        raw_query=raw_query,
        header_lines=lines,
        endpoint=f"{scope.get('scheme', 'http')}://{_host(headers, scope)}",
        client=client[0] if client else "",
        request_id=request_id,
    )


def _is_foreign(request: HttpRequest) -> bool:
    origin, host = request.headers.get("origin"), request.headers.get("host", "")
    return origin is not None and is_foreign(origin.encode(), host.encode())


def _nothing() -> None:
    """How a connection is broken off that cannot be."""


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _query(raw: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(raw, keep_blank_values=True, max_num_fields=_QUERY_FIELDS_MAX)
    except ValueError:
        return []


def _host(headers: Mapping[str, str], scope: MutableMapping[str, Any]) -> str:
    """The host the client used; our own address where its header is not fit to be in a URL."""
    host = headers.get("host", "")
    if _HOST.match(host):
        return host
    server = scope.get("server") or ("localhost", None)
    return f"{server[0]}:{server[1]}" if server[1] else str(server[0])


def _with_body(request: HttpRequest, body: bytes) -> HttpRequest:
    return HttpRequest(request.method, request.path, request.query, request.headers, body)


def _info(head: _Head, body: bytes) -> RequestInfo:
    return RequestInfo(
        method=head.request.method,
        raw_path=head.request.path,
        query=head.raw_query,
        headers=head.header_lines,
        body=body,
        endpoint=head.endpoint,
        client=head.client,
        request_id=head.request_id,
        span=head.span,
    )


def _begun(spans: RequestSpans, head: _Head) -> RequestSpan | None:
    request, headers = head.request, head.request.headers
    asked = SpanAsked(
        request.method,
        request.path,
        head.endpoint.partition(":")[0],
        head.request_id,
        head.client,
        headers.get("user-agent", ""),
    )
    return spans.begin(asked, headers.get("x-amzn-trace-id"), headers.get("traceparent"), "http")


async def _health(_request: RequestInfo) -> PlainResponse:
    document = {"status": "ok", "version": __version__}
    return PlainResponse(200, [("content-type", "application/json")], orjson.dumps(document))


def _nothing_here(request_id: str) -> HttpResponse:
    text = (
        "This is Emberbox, AWS Lambda and its event sources on your own machine. "
        "Point an AWS SDK or the AWS CLI at this address with --endpoint-url."
    )
    return _plain_error(404, text, request_id)


def _plain_error(status: int, message: str, request_id: str) -> HttpResponse:
    headers = [("content-type", "application/json"), ("x-amzn-RequestId", request_id)]
    return HttpResponse(status, headers, orjson.dumps({"message": message}))


async def _live(receive: Receive, send: Send) -> None:
    """The lifespan protocol: parts are started and stopped by the composition root, not here."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return
