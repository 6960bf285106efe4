"""From a complete request to an answer: route, parse, validate, run the operation, serialise."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import replace

from emberbox.errors import CallerError, PlatformError
from emberbox.gateway.access.needs import Need
from emberbox.gateway.body import DisconnectedError
from emberbox.gateway.catalog import Catalog
from emberbox.gateway.codecs import CODECS
from emberbox.gateway.failures import internal, resolve
from emberbox.gateway.guard import Circumstances, Guard, Identified
from emberbox.gateway.post_form import TYPE as FORM_TYPE
from emberbox.gateway.request_spans import RequestSpan
from emberbox.gateway.routing import Aim, Destination, NoRouteError, Router, UnservedError
from emberbox.gateway.shapes import ServiceModel, Shape
from emberbox.gateway.sigv4_scope import Scope
from emberbox.gateway.validation import validate
from emberbox.gateway.wire import HttpRequest, HttpResponse
from emberbox.identity.callers import Caller
from emberbox.model.request import (
    BodyStream,
    Operation,
    Params,
    Reply,
    RequestContext,
    Service,
)
from emberbox.model.trace import from_traceparent, is_trace
from emberbox.records import dataclass

log = logging.getLogger("emberbox.gateway")

_BODILESS = frozenset({204, 304})
_LONG = 50
_NOT_BUILT = 501
_UPLOADS = frozenset({"PUT", "POST"})
_UPLOADING = frozenset({"s3", ""})


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a request came: from which address, and its body if that is still to come.

    `operation` is the name of one that no model has, and that this request stands for. `span` is
    what is recorded of it, None for nothing.
    """

    client: str = ""
    upload: BodyStream | None = None
    leaves: Callable[[], Awaitable[None]] | None = None
    operation: str = ""
    span: RequestSpan | None = None

    def met(self, code: str) -> None:
        """The request cannot be served, for a reason of this name."""
        if self.span is not None:
            self.span.code = code


_WHOLE = Arrival()


class Dispatcher:
    """The services by name, behind their codecs."""

    def __init__(
        self, services: Iterable[Service], catalog: Catalog, guard: Guard | None = None
    ) -> None:
        self._guard = guard
        self._services = {service.name: service for service in services}
        self._catalog = catalog
        self._router = Router(catalog, anonymous_s3="s3" in self._services)

    def warm(self) -> Iterator[str]:
        """Read the models of the services there are, which else the first request to each does.

        ValueError for an operation that its model does not know. Each step may run in a thread.
        """
        for name, service in self._services.items():
            model = self._catalog.model(name)
            strangers = service.operations.keys() - model.operation_names
            if strangers:
                raise ValueError(f"the model of {name} has no operations {sorted(strangers)}")
            self._router.warm(model)
            yield name

    async def answer(
        self,
        scope: Scope,
        request: HttpRequest,
        endpoint: str,
        request_id: str,
        identified: Identified | None = None,
        arrival: Arrival = _WHOLE,
    ) -> HttpResponse:
        """The answer, errors included; NoRouteError if the request is no AWS client's.

        `identified` is who asks, where the server has a guard.
        """
        aim = self._aim(scope, request, request_id)
        if isinstance(aim, HttpResponse):
            return aim
        service = self._catalog.model(aim.service)
        what = aim.service
        try:
            destination = self._router.find(aim, request)
            what = f"{aim.service}.{destination.call.operation.name}"
            if arrival.span is not None:
                arrival.span.operation = what.replace(".", "/", 1)
            return await self._run(destination, scope, endpoint, request_id, identified, arrival)
        except CallerError as error:
            arrival.met(error.code)
            return failed(service, aim.protocol, error, request_id)
        except PlatformError as error:
            arrival.met(type(error).__name__)
            log.error("%s failed, request %s: %s", what, request_id, error)  # noqa: TRY400 - it is all
            return failed(service, aim.protocol, internal(service, str(error)), request_id)
        except DisconnectedError:
            raise
        except Exception as error:
            arrival.met(type(error).__name__)
            log.exception("%s failed, request %s", what, request_id)
            return failed(service, aim.protocol, internal(service), request_id)

    def refuse(
        self, scope: Scope, request: HttpRequest, error: CallerError, request_id: str
    ) -> HttpResponse:
        """An error found before the body was read, in the protocol the request's head names."""
        aim = self._aim(scope, request, request_id)
        if isinstance(aim, HttpResponse):
            return aim
        return failed(self._catalog.model(aim.service), aim.protocol, error, request_id)

    def service_name(self, scope: Scope, request: HttpRequest) -> str:
        """The service a request is for, empty if unknown; NoRouteError for no AWS client's."""
        try:
            return self._router.aim(scope, request).service
        except (CallerError, UnservedError):
            return ""

    def operation_name(self, scope: Scope, request: HttpRequest) -> str:
        """The operation as far as the head of a request tells; empty if it does not."""
        try:
            aim = self._router.aim(scope, request)
            return self._router.find(aim, request).call.operation.name
        except (CallerError, UnservedError):
            return ""

    def takes_form(self, scope: Scope, request: HttpRequest) -> bool:
        """Whether a request is an upload to a bucket by an HTML form."""
        return (
            request.method == "POST"
            and scope.service in _UPLOADING
            and request.headers.get("content-type", "").startswith(FORM_TYPE)
            and "s3" in self
        )

    def takes_upload(self, scope: Scope, request: HttpRequest) -> bool:
        """Whether the body of a request, not yet read, is for the operation to read as it comes."""
        if request.method not in _UPLOADS or scope.service not in _UPLOADING or "s3" not in self:
            return False
        try:
            aim = self._router.aim(scope, request)
            if aim.service != "s3":
                return False
            shape = self._router.find(aim, request).call.operation.input
        except (CallerError, NoRouteError, UnservedError):
            return False
        return shape is not None and bool(shape.payload) and _is_blob(shape)

    def _aim(self, scope: Scope, request: HttpRequest, request_id: str) -> Aim | HttpResponse:
        """Service and protocol, or the refusal if they are none of ours."""
        try:
            return self._router.aim(scope, request)
        except UnservedError as error:
            text = f"Emberbox does not build {error.service}"
            refusal = CallerError("NotImplementedException", text, status=_NOT_BUILT)
            return failed(None, error.protocol, refusal, request_id)
        except CallerError as error:
            return failed(None, "query", error, request_id)

    async def _run(
        self,
        destination: Destination,
        scope: Scope,
        endpoint: str,
        request_id: str,
        identified: Identified | None,
        arrival: Arrival,
    ) -> HttpResponse:
        call = destination.call
        operation = self._built(call.service.name, call.operation.name)
        codec = CODECS[destination.protocol]
        params = codec.parse(call, destination.request)
        if arrival.upload is not None and call.operation.input is not None:
            params[str(call.operation.input.payload)] = arrival.upload
        validate(call.service, call.operation, params)
        caller, asks = None, None
        if self._guard is not None and identified is not None:
            caller = identified.caller
            await self._guard.allow(
                caller, call.service.name, call.operation.name, params, identified.around
            )
            if self._guard.is_enforced:
                asks = _asker(self._guard, caller, call.service.name, identified.around)
        context = RequestContext(
            account=scope.account,
            region=scope.region,
            request_id=request_id,
            service=call.service.name,
            operation=arrival.operation or call.operation.name,
            access_key=scope.access_key,
            endpoint=endpoint + destination.prefix,
            principal=None if caller is None else caller.principal,
            trace=_trace(destination.request, arrival.span),
            leaves=arrival.leaves,
            client=arrival.client,
            asks=asks,
        )
        result = await operation(context, params)
        reply = result if isinstance(result, Reply) else Reply(result)
        if _is_long(reply.output):
            response = await asyncio.to_thread(codec.serialise, call, reply.output, request_id)
        else:
            response = codec.serialise(call, reply.output, request_id)
        return _amended(response, reply)

    def _built(self, service: str, operation: str) -> Operation:
        built = self._services[service].operations.get(operation) if service in self else None
        if built is None:
            text = f"Emberbox does not build {service}.{operation} yet"
            raise CallerError("NotImplementedException", text, status=_NOT_BUILT)
        return built

    def __contains__(self, service: str) -> bool:
        return service in self._services


def _asker(
    guard: Guard, caller: Caller | None, service: str, around: Circumstances
) -> Callable[[str, str, Params], Awaitable[bool]]:
    async def asks(action: str, arn: str, part: Params) -> bool:
        return await guard.may(caller, service, Need(action, arn), part, around)

    return asks


def _is_long(output: Params) -> bool:
    """Whether an answer takes so long to write that others should not wait for it."""
    return any(isinstance(each, list) and len(each) > _LONG for each in output.values())


def _trace(request: HttpRequest, span: RequestSpan | None) -> str:
    """The trace that a request belongs to, in X-Ray's form; empty if it says none."""
    if span is not None:
        return span.opened.trace
    given = request.headers.get("x-amzn-trace-id", "")
    if is_trace(given):
        return given
    return from_traceparent(request.headers.get("traceparent")) or ""


def _is_blob(shape: Shape) -> bool:
    return shape.members[str(shape.payload)].type == "blob"


def failed(
    service: ServiceModel | None, protocol: str, error: CallerError, request_id: str
) -> HttpResponse:
    """The envelope of an error in a protocol."""
    return CODECS[protocol].serialise_error(service, resolve(service, error), request_id)


def _amended(response: HttpResponse, reply: Reply) -> HttpResponse:
    """The status and headers an operation asked for laid over those of the model."""
    own = {name.lower() for name in reply.headers}
    headers = [each for each in response.headers if each[0].lower() not in own]
    headers.extend(reply.headers.items())
    status = reply.status or response.status
    body = b"" if status in _BODILESS else response.body
    return replace(response, status=status, headers=headers, body=body)
