"""Plain HTTP beside the AWS protocols: downloads, function URLs, APIs' data planes, health.

A page is an async function from a request to a plain answer. It is reached by a path prefix, or by
the front its host name has (`lambda-url`, `execute-api`).
"""

import re
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from dataclasses import field
from typing import Final

from emberbox.gateway.request_spans import RequestSpan
from emberbox.records import dataclass

OWN_PREFIX: Final = "/_emberbox/"
"""Paths of ours: a page below it is served whatever the request's signature says."""

_CONNECTIONS: Final = re.compile("/(?:@|%40)connections/")


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """A request for a page.

    `raw_path` is percent-encoded as it came, `query` the raw query string; header names are lower
    case, one entry per header line. `endpoint` is the scheme, host and port as the client has them.
    `span` is what is recorded of it, None for nothing.
    """

    method: str
    raw_path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    endpoint: str
    client: str
    request_id: str
    span: RequestSpan | None = None


@dataclass(frozen=True, slots=True)
class PlainResponse:
    """An answer; a body that is not bytes is sent piece by piece as it comes."""

    status: int = 200
    headers: Sequence[tuple[str, str]] = field(default_factory=list)
    body: bytes | AsyncIterable[bytes] = b""


Page = Callable[[RequestInfo], Awaitable[PlainResponse]]


@dataclass(frozen=True, slots=True)
class Public:
    """A page for the web: pages of any site may ask it, and its answers say what these may read.

    `limit_bytes` is what it takes, `too_large` what a client hears that sends more.
    """

    page: Page
    limit_bytes: int
    too_large: str


Served = Page | Public
"""A page; a plain one is kept from the pages of other sites."""


class Pages:
    """Pages by path prefix and by host front; the longest prefix wins."""

    def __init__(self, by_path: Mapping[str, Served], by_front: Mapping[str, Served]) -> None:
        self._by_path = sorted(by_path.items(), key=lambda each: len(each[0]), reverse=True)
        self._by_front = dict(by_front)

    def find(self, path: str, front: str, *, is_signed: bool) -> Served | None:
        """The page for a request.

        A host front wins over everything but the management of an API's connections, which is a
        service on the same host. Prefixes outside `/_emberbox/` yield to signed requests,
        which are for an AWS service (API Gateway's `/v2/` beside the Docker registry's).
        """
        if front in self._by_front and not (is_signed and _CONNECTIONS.search(path)):
            return self._by_front[front]
        for prefix, page in self._by_path:
            if path.startswith(prefix):
                return page if prefix.startswith(OWN_PREFIX) or not is_signed else None
        return None
