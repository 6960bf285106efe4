"""Function URLs: plain HTTP in front of a function, by host name or by path.

Source: "Lambda function URLs" and "Response streaming for Lambda functions" of AWS's guide.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from emberbox.clock import Clock
from emberbox.errors import CallerError, PlatformError
from emberbox.gateway.pages import PlainResponse, Public, RequestInfo
from emberbox.gateway.url_access import UrlAccess
from emberbox.gateway.url_stream import UrlStream
from emberbox.invoke.frontdoor import FrontDoor, InvokeAnswer, InvokeRequest
from emberbox.model.cors import answered, preflight
from emberbox.model.function_url import PATH, FunctionUrl, is_url_id
from emberbox.model.limits import INVOKE_PAYLOAD_MAX_BYTES
from emberbox.model.names import LATEST
from emberbox.model.span_attributes import invoked
from emberbox.model.spans import traceparent_of
from emberbox.model.trace import from_traceparent, is_trace
from emberbox.model.url_event import BadQueryError, Signer, UrlRequest, event_of
from emberbox.model.url_response import BadResponseError, HttpAnswer, answer_of
from emberbox.records import dataclass

log = logging.getLogger("emberbox.gateway")

FRONT: Final = "lambda-url"
"""The second label of the host names of function URLs."""

_STREAMED: Final = "RESPONSE_STREAM"
_JSON: Final = "application/json"
_BROKEN: Final = b"Internal Server Error"
_TOO_LARGE: Final = (
    f"Request must be smaller than {INVOKE_PAYLOAD_MAX_BYTES} bytes for the InvokeFunction "
    "operation"
)

Counted = Callable[[FunctionUrl, int, float], None]
"""Hears of each request that reached a function: the status of its answer, and the seconds."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Which URL a request is for, and how it said so."""

    url: FunctionUrl
    raw_path: str
    prefix: str


class FunctionUrls:
    """Serves the URLs that `lookup` knows. `page` is to be entered by path and by front."""

    def __init__(
        self,
        lookup: Callable[[str], FunctionUrl | None],
        access: UrlAccess,
        front_door: FrontDoor,
        clock: Clock,
        counted: Counted,
    ) -> None:
        self._lookup = lookup
        self._access = access
        self._front_door = front_door
        self._clock = clock
        self._counted = counted
        self._tasks: set[asyncio.Task[None]] = set()
        self.page = Public(self.serve, INVOKE_PAYLOAD_MAX_BYTES, _TOO_LARGE)

    async def serve(self, request: RequestInfo) -> PlainResponse:
        """Answer one request."""
        place = self._place(request)
        if place is None:
            return _refused(403, {"Message": None}, "AccessDeniedException", request)
        if request.span is not None:
            request.span.page = f"{request.method} {place.url.function}"
        cors, origin = place.url.cors, _header(request, "origin")
        if cors is not None and origin is not None and _is_preflight(request):
            return PlainResponse(200, [*preflight(cors, origin), _id_line(request)])
        answer = await self._answer(place, request)
        if cors is not None:
            answer = PlainResponse(
                answer.status, answered(cors, origin, answer.headers), answer.body
            )
        return answer

    async def _answer(self, place: _Place, request: RequestInfo) -> PlainResponse:
        try:
            signer = await self._access.admit(place.url, request)
            answer = await self._invoke(place, request, signer)
        except CallerError as error:
            if request.span is not None:
                request.span.code = error.code
            return _of_error(error, request)
        except BadQueryError as error:
            return _refused(400, {"message": str(error)}, "BadRequestException", request)
        return answer

    def _place(self, request: RequestInfo) -> _Place | None:
        path, prefix, region = request.raw_path, "", None
        labels = (urlsplit(request.endpoint).hostname or "").split(".")
        if len(labels) > 2 and labels[1] == FRONT:
            url_id, region = labels[0], labels[2]
        else:
            url_id, _, rest = path.removeprefix(PATH).partition("/")
            path, prefix = f"/{rest}", f"{PATH}{url_id}"
        url = self._lookup(url_id) if is_url_id(url_id) else None
        if url is None or region not in {None, url.region}:
            return None
        return _Place(url, path, prefix)

    async def _invoke(
        self, place: _Place, request: RequestInfo, signer: Signer | None
    ) -> PlainResponse:
        url, begun = place.url, self._clock.monotonic()
        span = request.span
        trace = _trace(request) or _new_trace(self._clock.now())
        if span is not None:
            trace = span.opened.trace
            span.more = partial(invoked, url.account, url.region, url.function, url.qualifier)
        event = event_of(self._url_request(place, request, trace), signer)
        if len(event) > INVOKE_PAYLOAD_MAX_BYTES:
            raise CallerError("RequestEntityTooLargeException", _TOO_LARGE, status=413)
        stream = UrlStream() if url.invoke_mode == _STREAMED else None
        asked = InvokeRequest(
            url.account,
            url.region,
            request.request_id,
            url.function,
            event,
            None if url.qualifier == LATEST else url.qualifier,
            trace=trace,
            sink=stream,
            span=None if span is None else span.opened,
        )
        try:
            outcome = self._begin(asked)
            found, body = await (_whole(outcome) if stream is None else _streamed(outcome, stream))
        except (BadResponseError, PlatformError) as error:
            found, body = _broken(error, request), _BROKEN
            if span is not None:
                span.failed = isinstance(error, BadResponseError)
        except CallerError as error:
            self._count(url, error.status or 500, begun)
            raise
        self._count(url, found.status, begun)
        headers = [*found.headers, ("x-amzn-trace-id", trace), _id_line(request)]
        return PlainResponse(found.status, headers, body)

    def _begin(self, request: InvokeRequest) -> asyncio.Future[InvokeAnswer]:
        """The invocation, which goes on though its client may leave."""
        outcome: asyncio.Future[InvokeAnswer] = asyncio.get_running_loop().create_future()
        if isinstance(request.sink, UrlStream):
            outcome.add_done_callback(request.sink.outcome_known)
        if not self._front_door.begin(request, partial(_settle, outcome)):
            self._own(self._run(request, outcome))
        return outcome

    async def _run(self, request: InvokeRequest, outcome: asyncio.Future[InvokeAnswer]) -> None:
        try:
            _settle(outcome, await self._front_door.invoke(request))
        except Exception as error:  # noqa: BLE001 - the boundary of the invocation
            if not outcome.done():
                outcome.set_exception(error)

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _url_request(self, place: _Place, request: RequestInfo, trace: str) -> UrlRequest:
        endpoint = urlsplit(request.endpoint)
        return UrlRequest(
            place.url.url_id,
            request.method,
            place.raw_path,
            request.query,
            request.headers,
            request.body,
            request.client,
            endpoint.scheme,
            endpoint.netloc,
            request.request_id,
            self._clock.now(),
            trace,
            place.prefix,
            "" if request.span is None else traceparent_of(trace) or "",
        )

    def _count(self, url: FunctionUrl, status: int, begun: float) -> None:
        self._counted(url, status, self._clock.monotonic() - begun)


def _settle(outcome: asyncio.Future[InvokeAnswer], answer: InvokeAnswer) -> None:
    """Unless who waited for it has gone."""
    if not outcome.done():
        outcome.set_result(answer)


async def _whole(
    outcome: asyncio.Future[InvokeAnswer],
) -> tuple[HttpAnswer, bytes | AsyncIterator[bytes]]:
    """The answer of a function whose response is awaited; BadResponseError if it failed."""
    answer = await outcome
    if answer.failed:
        raise BadResponseError(answer.error_type)
    found = answer_of(answer.payload)
    return found, found.body


async def _streamed(
    outcome: asyncio.Future[InvokeAnswer], stream: UrlStream
) -> tuple[HttpAnswer, bytes | AsyncIterator[bytes]]:
    """The answer of a function that streams, as soon as it begins.

    What a function gives as a whole is the body of an answer, whatever it says.
    """
    waited: set[asyncio.Future[Any]] = {outcome, stream.head}
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    if outcome.done() and not outcome.result().streamed:
        answer = outcome.result()
        if answer.failed:
            raise BadResponseError(answer.error_type)
        return HttpAnswer(200, [("content-type", _JSON)], answer.payload), answer.payload
    try:
        head = stream.head.result()
    except BadResponseError:
        stream.abandon()
        raise
    if not head.has_body:
        stream.abandon()
        return head, b""
    return head, stream.body()


def _broken(error: BadResponseError | PlatformError, request: RequestInfo) -> HttpAnswer:
    """A function that fails is no news here; that we fail is."""
    if isinstance(error, PlatformError):
        log.error("request %s of a function URL failed: %s", request.request_id, error)
    return HttpAnswer(502, [("content-type", _JSON)], _BROKEN)


def _of_error(error: CallerError, request: RequestInfo) -> PlainResponse:
    """What AWS's service refuses, in its own words."""
    key = "Message" if error.status == 403 and not error.fields else "message"
    document = {**error.fields, key: error.message}
    headers = list(error.headers.items())
    return _refused(error.status or 400, document, error.code, request, headers)


def _refused(
    status: int,
    document: dict[str, Any],
    code: str,
    request: RequestInfo,
    more: Sequence[tuple[str, str]] = (),
) -> PlainResponse:
    headers = [("content-type", _JSON), ("x-amzn-errortype", code), _id_line(request), *more]
    return PlainResponse(status, headers, orjson.dumps(document))


def _id_line(request: RequestInfo) -> tuple[str, str]:
    return "x-amzn-requestid", request.request_id


def _header(request: RequestInfo, name: str) -> str | None:
    return next((value for each, value in request.headers if each == name), None)


def _trace(request: RequestInfo) -> str | None:
    given = _header(request, "x-amzn-trace-id")
    if given and is_trace(given):
        return given
    return from_traceparent(_header(request, "traceparent"))


def _is_preflight(request: RequestInfo) -> bool:
    asked = _header(request, "access-control-request-method")
    return request.method == "OPTIONS" and asked is not None


def _new_trace(now: float) -> str:
    return f"Root=1-{int(now):08x}-{os.urandom(12).hex()}"
