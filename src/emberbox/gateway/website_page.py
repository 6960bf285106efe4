"""Websites of buckets over plain HTTP, by host and by path.

The host `BUCKET.s3-website...` as AWS has it; `/_emberbox/website/BUCKET/` for whoever has no such
names.
"""

from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

from emberbox.errors import CallerError
from emberbox.gateway.access.needs import Need
from emberbox.gateway.guard import Circumstances, Guard
from emberbox.gateway.hosts import website_bucket
from emberbox.gateway.pages import PlainResponse, Public, RequestInfo

FRONT: Final = "s3-website"
PATH: Final = "/_emberbox/website/"

_METHODS: Final = frozenset({"GET", "HEAD"})
_LIMIT: Final = 65_536


class Answer(Protocol):
    """What a website answers."""

    @property
    def status(self) -> int:
        """The status."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """The headers."""
        ...

    @property
    def body(self) -> bytes | AsyncIterable[bytes]:
        """The body."""
        ...


Ask = Callable[[str, str, str, Callable[[str], Awaitable[bool]]], Awaitable[Answer]]
"""Bucket, key, host and who may read what -> the answer."""


def website_page(ask: Ask, guard: Guard | None, region: str) -> Public:
    """The page; visitors are nobody, and see what buckets let everybody see."""

    async def page(request: RequestInfo) -> PlainResponse:
        if request.method not in _METHODS:
            return PlainResponse(405, [("allow", "GET, HEAD")])
        host = urlsplit(request.endpoint).netloc
        bucket = website_bucket(host)
        path, base = request.raw_path, ""
        if path.startswith(PATH):
            bucket, _, path = path.removeprefix(PATH).partition("/")
            base = f"{PATH}{bucket}"
        around = Circumstances(
            request.request_id,
            request.client,
            region,
            is_secure=request.endpoint.startswith("https:"),
        )

        async def may(arn: str) -> bool:
            if guard is None:
                return True
            try:
                await guard.allow_need(None, "s3", Need("s3:GetObject", arn), around)
            except CallerError:
                return False
            return True

        answer = await ask(unquote(bucket), unquote(path.removeprefix("/")), host, may)
        headers = [(name, _below(base, value, name)) for name, value in answer.headers]
        body = answer.body
        if request.method == "HEAD" and not isinstance(body, bytes):
            body = b""
        return PlainResponse(answer.status, headers, body)

    return Public(page, _LIMIT, "Request Too Long")


def _below(base: str, value: str, name: str) -> str:
    """A header as it is for a site below a path: its own places are there."""
    return f"{base}{value}" if name == "location" and value.startswith("/") else value
