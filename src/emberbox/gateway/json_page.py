"""Facts of the server as JSON, for programs and for the curious."""

from collections.abc import Callable

import orjson

from emberbox.gateway.pages import Page, PlainResponse, RequestInfo


def json_page(read: Callable[[], object]) -> Page:
    """A page that shows what `read` returns at the time; only GET and HEAD."""

    async def show(request: RequestInfo) -> PlainResponse:
        headers = [("content-type", "application/json")]
        if request.method not in {"GET", "HEAD"}:
            return PlainResponse(405, [*headers, ("allow", "GET, HEAD")], b"{}")
        return PlainResponse(200, headers, orjson.dumps(read()))

    return show
