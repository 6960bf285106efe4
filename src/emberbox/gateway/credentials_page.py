"""The page where SDKs inside functions fetch credentials, for who has an environment's token."""

import json
from collections.abc import Callable, Mapping

from emberbox.gateway.pages import Page, PlainResponse, RequestInfo

_JSON = [("content-type", "application/json")]


def credentials_page(answer: Callable[[str], Mapping[str, str] | None]) -> Page:
    """A page that gives the keys that a token in the Authorization header is good for."""

    async def show(request: RequestInfo) -> PlainResponse:
        token = next((value for name, value in request.headers if name == "authorization"), "")
        keys = answer(token) if request.method == "GET" else None
        if keys is None:
            return PlainResponse(403, _JSON, b'{"code":"AccessDenied","message":"Bad token"}')
        return PlainResponse(200, _JSON, json.dumps(dict(keys)).encode())

    return show
