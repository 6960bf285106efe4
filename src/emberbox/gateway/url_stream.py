"""A response that a function streams, on its way to an HTTP client of its URL.

What the client does not read makes the function wait: little is kept here.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from emberbox.gateway.sending import BrokenOffError
from emberbox.invoke.frontdoor import InvokeAnswer
from emberbox.model.invocation import Flow
from emberbox.model.url_response import (
    INTEGRATION_TYPE,
    PRELUDE_END,
    PRELUDE_MAX_BYTES,
    BadResponseError,
    HttpAnswer,
    plain_stream,
    prelude_of,
)

_KEPT_BYTES: Final = 262_144


class UrlStream:
    """A `ResponseSink`; `head` is done once the function has said how its answer begins.

    That is with its first byte: until then it may fail, which has a status of its own.
    `outcome_known` is to be called when the invocation has ended.
    """

    def __init__(self) -> None:
        self.head: asyncio.Future[HttpAnswer] = asyncio.get_running_loop().create_future()
        self._plain: HttpAnswer | None = None
        self._flow: Flow | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._news = asyncio.Event()
        self._is_paused = False
        self._is_gone = False
        self._ended: bool | None = None

    def begin(self, version: str, content_type: str, flow: Flow) -> None:
        """The function begins to stream; with or without a prelude."""
        del version
        self._flow = flow
        if content_type.partition(";")[0].strip().lower() != INTEGRATION_TYPE:
            self._plain = plain_stream(content_type)

    def write(self, chunk: bytes) -> None:
        """The next piece; dropped if nobody wants it any more."""
        if self._is_gone:
            return
        self._pieces.append(chunk)
        self._size += len(chunk)
        if self._plain is not None:
            self._begin_plainly(self._plain)
        elif not self.head.done():
            self._look_for_head()
        if self._size > _KEPT_BYTES and not self._is_paused and self._flow is not None:
            self._is_paused = True
            self._flow.pause()
        self._news.set()

    def outcome_known(self, outcome: asyncio.Future[InvokeAnswer]) -> None:
        """Nothing more will come. It is whole unless the function, or we, have failed."""
        failed = outcome.cancelled() or outcome.exception() is not None
        self._ended = not failed and not outcome.result().failed
        if self._plain is not None and self._ended:
            self._begin_plainly(self._plain)
        elif not self.head.done():
            self._refuse("the response ended before it began")
        self._news.set()

    def abandon(self) -> None:
        """Nobody reads on; the function runs to its end, as on AWS."""
        self._is_gone = True
        self._take()

    async def body(self) -> AsyncIterator[bytes]:
        """What is streamed, as it comes; BrokenOffError if the rest is missing."""
        try:
            while self._ended is None or self._pieces:
                while self._pieces:
                    yield self._take()
                if self._ended is None:
                    self._news.clear()
                    await self._news.wait()
        finally:
            self.abandon()
        if not self._ended:
            raise BrokenOffError

    def _take(self) -> bytes:
        """All that is kept; the function may write on."""
        pieces, self._pieces, self._size = self._pieces, [], 0
        if self._is_paused and self._flow is not None:
            self._is_paused = False
            self._flow.resume()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _begin_plainly(self, head: HttpAnswer) -> None:
        self._plain = None
        self.head.set_result(head)

    def _look_for_head(self) -> None:
        so_far = b"".join(self._pieces)
        prelude, end, rest = so_far.partition(PRELUDE_END)
        kept = rest if end else so_far
        self._pieces, self._size = [kept] if kept else [], len(kept)
        if len(prelude) > PRELUDE_MAX_BYTES:
            self._refuse("the prelude is too long")
        elif end:
            try:
                self.head.set_result(prelude_of(prelude))
            except BadResponseError as error:
                self._refuse(str(error))

    def _refuse(self, reason: str) -> None:
        self.head.set_exception(BadResponseError(reason))
        self.head.exception()  # which counts as heard, whether or not anybody asks
