"""The page behind GetFunction's Code.Location: a function's zip, for who has the signed link."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import IO

from emberbox.gateway.pages import Page, PlainResponse, RequestInfo

_PIECE = 1 << 18

Resolve = Callable[[str, str], Path | None]
"""(raw path, raw query) of a link -> the zip it is good for, or None."""


def code_page(resolve: Resolve) -> Page:
    """A page that sends the zip a link is good for, and 403 for any other link."""

    async def show(request: RequestInfo) -> PlainResponse:
        zipped = resolve(request.raw_path, request.query)
        if zipped is None or request.method not in {"GET", "HEAD"}:
            return PlainResponse(
                403,
                [("content-type", "application/xml")],
                b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>",
            )
        source = zipped.open("rb")
        size = zipped.stat().st_size
        headers = [("content-type", "application/zip"), ("content-length", str(size))]
        return PlainResponse(200, headers, _pieces(source))

    return show


async def _pieces(source: IO[bytes]) -> AsyncIterator[bytes]:
    with source:
        while piece := source.read(_PIECE):
            yield piece
