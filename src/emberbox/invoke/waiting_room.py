"""Where requests above the concurrency limit wait a while instead of being refused.

Beyond AWS, and off unless the server is told otherwise. Functions take turns, so that one with a
long line keeps nobody else waiting; within a function, first come, first served. Asynchronous
events and batches of pollers wait too: whoever did not would never find a place that is free, as
long as anybody waits. Of a full room the last of the longest line has to leave.
"""

import asyncio
from collections import deque
from typing import Final

from emberbox.errors import CallerError
from emberbox.invoke.admission import Admission, Admitted

_Key = tuple[str, str, str]

_ROOM_MAX: Final = 10_000
"""Requests that wait at once."""


class WaitingRoom:
    """Requests wait `wait_s` at most; 0 lets nobody wait."""

    def __init__(self, admission: Admission, wait_s: float, room_max: int = _ROOM_MAX) -> None:
        self._admission = admission
        self._room_max = room_max
        self._wait_s = wait_s
        self._lines: dict[_Key, deque[asyncio.Future[Admitted]]] = {}
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    def must_wait(self, key: _Key) -> bool:
        """Whether one more request of a function would have to wait."""
        if not self._wait_s:
            return False
        return key in self._lines or self._admission.is_full(key)

    async def admit(self, key: _Key, asked: float | None) -> Admitted:
        """Let one more run as soon as it may; CallerError 429 if that is not in time.

        `asked` is when a synchronous request came, None for the others.
        """
        if not self.must_wait(key) or not self._has_room(key):
            return self._admission.admit(key, asked)
        self._admission.count_request(key, asked)
        turn: asyncio.Future[Admitted] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(key, deque()).append(turn)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_s):
                return await turn
        except TimeoutError:
            # It may have come to its turn at the last moment; else it hears why it may not run.
            return turn.result() if _is_let_in(turn) else self._admission.admit(key)
        except asyncio.CancelledError:
            if _is_let_in(turn):
                self._admission.release(turn.result())
                self.vacated()
            raise
        finally:
            self._forget(key, turn)

    def _has_room(self, key: _Key) -> bool:
        """Whether one more may wait, for the sake of which the last of a longer line may leave."""
        if self._waiting < self._room_max:
            return True
        longest = max(self._lines, key=lambda each: len(self._lines[each]))
        line = self._lines[longest]
        if len(line) <= len(self._lines.get(key, ())) + 1:
            return False
        last = line.pop()
        self._waiting -= 1
        if not last.done():
            last.set_exception(self._admission.refusal(longest))
        return True

    def vacated(self) -> None:
        """Somebody has ended: whose turn it is comes in. Functions take turns."""
        for key in list(self._lines) if self._waiting else ():
            while key in self._lines and not self._admission.is_full(key):
                if self._let_in(key, self._next(key)):
                    return

    def _next(self, key: _Key) -> asyncio.Future[Admitted]:
        """Who stands first in a function's line, which goes behind the others."""
        line = self._lines.pop(key)
        turn = line.popleft()
        if line:
            self._lines[key] = line
        self._waiting -= 1
        return turn

    def _let_in(self, key: _Key, turn: asyncio.Future[Admitted]) -> bool:
        """False if he has left, or is refused: the function was switched off meanwhile."""
        if turn.done():
            return False
        try:
            turn.set_result(self._admission.admit(key))
        except CallerError as error:
            turn.set_exception(error)
            return False
        return True

    def _forget(self, key: _Key, turn: asyncio.Future[Admitted]) -> None:
        """Out of the line, if it still stands there."""
        line = self._lines.get(key)
        if line is not None and turn in line:
            line.remove(turn)
            self._waiting -= 1
            if not line:
                del self._lines[key]


def _is_let_in(turn: asyncio.Future[Admitted]) -> bool:
    return turn.done() and not turn.cancelled() and turn.exception() is None
