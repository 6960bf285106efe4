"""Brings parcels to their targets, until each is there or is given up.

Parcels for servers that are not ours have a lane of their own, so that a slow one keeps no function
and no queue waiting. A parcel stays on disk until its target has taken it: it may come twice, never
not at all.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Final

from emberbox.clock import Clock
from emberbox.errors import CallerError, EmberboxError, PlatformError
from emberbox.model.parcels import (
    Exhausted,
    Parcel,
    after_failure,
    dead_letter_attributes,
    is_too_old,
)
from emberbox.rounds import Rounds, Trouble, until_done
from emberbox.storage.outbox import Outbox, Waiting

log = logging.getLogger("emberbox.targets")

Send = Callable[[Parcel, int], Awaitable[None]]
"""Sends a parcel that was tried so often before. CallerError if it never can be sent, unless its
status says otherwise; another error if it may be later."""

Bury = Callable[[Parcel, Mapping[str, str]], Awaitable[None]]
"""Puts a parcel with attributes into its queue of dead letters; errors as for `Send`."""

Counted = Callable[[str, Parcel], None]
"""Counts what happens to a parcel, as a metric."""

_AT_ONCE: Final = 128
_TROUBLE_S: Final = 1.0
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
_BURIALS: Final = 5


class NotYetError(PlatformError):
    """A target may not be called before `wait_s` seconds have passed; this counts as no attempt."""

    def __init__(self, wait_s: float) -> None:
        super().__init__("more waits for the target than its rate lets through")
        self.wait_s = wait_s


class Dispatcher:
    """See the module. `open` it once its targets are there."""

    def __init__(
        self, outbox: Outbox, send: Send, bury: Bury, clock: Clock, counted: Counted
    ) -> None:
        self._attempt = _Attempt(outbox, send, bury, clock, counted)
        self._lanes = {
            slow: _Lane(outbox, self._attempt.make, clock, is_slow=slow) for slow in (False, True)
        }

    def open(self) -> None:
        """Begin with what is on disk."""
        for lane in self._lanes.values():
            lane.open()

    async def close(self) -> None:
        """Stop; what is not there yet is on disk."""
        for lane in self._lanes.values():
            await lane.close()

    def take(self, parcels: Iterable[Waiting]) -> None:
        """Send these, which have just been committed."""
        for each in parcels:
            self._lanes[each.parcel.is_slow].take(each)

    def poke(self) -> None:
        """Look at the disk again: the clock of a test has moved."""
        for lane in self._lanes.values():
            lane.poke()


class _Lane:
    """Parcels that share a number of places."""

    def __init__(
        self,
        outbox: Outbox,
        make: Callable[[Waiting], Awaitable[None]],
        clock: Clock,
        *,
        is_slow: bool,
    ) -> None:
        self._outbox = outbox
        self._make = make
        self._clock = clock
        self._is_slow = is_slow
        self._in_flight: dict[int, asyncio.Task[None]] = {}
        self._has_more = False
        self._is_open = False
        self._rounds = Rounds(self._round, clock, Trouble(log, "parcels cannot be read"))
        self.poke = self._rounds.soon

    def open(self) -> None:
        self._is_open = True
        self._rounds.open()

    async def close(self) -> None:
        self._is_open = False
        await self._rounds.close()
        running = list(self._in_flight.values())
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def take(self, waiting: Waiting) -> None:
        if not self._is_open or len(self._in_flight) >= _AT_ONCE:
            self._has_more = True
        elif waiting.number not in self._in_flight:
            task = asyncio.get_running_loop().create_task(self._run(waiting))
            self._in_flight[waiting.number] = task

    async def _run(self, waiting: Waiting) -> None:
        try:
            await self._make(waiting)
        finally:
            self._in_flight.pop(waiting.number, None)
            self._rounds.soon()

    async def _round(self) -> float | None:
        later = await self._look()
        # Parcels that wait are looked for when half of the places are free again.
        while self._has_more and len(self._in_flight) <= _AT_ONCE // 2:
            self._has_more = False
            later = await self._look()
        return later

    async def _look(self) -> float | None:
        room = _AT_ONCE - len(self._in_flight)
        if room < _AT_ONCE // 2:
            self._has_more = True
            return None
        found, later = await self._outbox.due(
            self._clock.now(), list(self._in_flight), room, slow=self._is_slow
        )
        self._has_more |= len(found) == room
        for each in found:
            self.take(each)
        return later


class _Attempt:
    """One try of one parcel, and what follows."""

    def __init__(
        self, outbox: Outbox, send: Send, bury: Bury, clock: Clock, counted: Counted
    ) -> None:
        self._outbox = outbox
        self._send = send
        self._bury = bury
        self._clock = clock
        self._counted = counted

    async def make(self, waiting: Waiting) -> None:
        """Try it now; it is done, given up, or waits for its next try on disk."""
        parcel, tries = waiting.parcel, waiting.attempts
        if is_too_old(parcel, self._clock.now()):
            await self._given_up(waiting, "TooOld", "its time is over", Exhausted.AGE)
            return
        try:
            await self._send(parcel, tries)
        except Exception as error:  # noqa: BLE001 - whatever a target does, the parcel is safe
            await self._failed(waiting, error)
            return
        self._counted("Invocations", parcel)
        await self._stored(self._outbox.done, waiting.number)

    async def _failed(self, waiting: Waiting, error: Exception) -> None:
        if isinstance(error, NotYetError):
            due = self._clock.now() + error.wait_s
            await self._stored(self._outbox.again, waiting.number, waiting.attempts, due)
            return
        tries = waiting.attempts + 1
        code = error.code if isinstance(error, CallerError) else type(error).__name__
        waiting = waiting._replace(attempts=tries)
        if isinstance(error, CallerError) and not _may_pass(error):
            await self._given_up(waiting, code, error.message, None)
            return
        if not isinstance(error, EmberboxError | OSError):
            log.error("a parcel to %s met a fault", waiting.parcel.target, exc_info=error)
        again = after_failure(waiting.parcel, tries, self._clock.now(), random.random())  # noqa: S311
        if isinstance(again, Exhausted):
            await self._given_up(waiting, code, str(error), again)
            return
        self._counted("RetryInvocationAttempts", waiting.parcel)
        await self._stored(self._outbox.again, waiting.number, tries, again)

    async def _given_up(
        self, waiting: Waiting, code: str, message: str, exhausted: Exhausted | None
    ) -> None:
        parcel = waiting.parcel
        log.warning("%s could not send to %s: %s", parcel.source, parcel.target, message)
        self._counted("FailedInvocations", parcel)
        if parcel.dead_letters:
            told = dead_letter_attributes(parcel, code, message, waiting.attempts, exhausted)
            await self._bury_it(parcel, told)
        await self._stored(self._outbox.done, waiting.number)

    async def _bury_it(self, parcel: Parcel, told: Mapping[str, str]) -> None:
        for attempt in range(_BURIALS):
            try:
                await self._bury(parcel, told)
            except CallerError as error:
                log.warning("%s cannot take dead letters: %s", parcel.dead_letters, error)
                self._counted("InvocationsFailedToBeSentToDlq", parcel)
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, the parcel has its end
                log.warning("%s takes no dead letter now: %s", parcel.dead_letters, error)
                await asyncio.sleep(_TROUBLE_S * 2**attempt)
            else:
                self._counted("InvocationsSentToDlq", parcel)
                return

    async def _stored(self, write: Callable[..., Awaitable[None]], *values: float) -> None:
        """Until it is on disk."""
        await until_done(partial(write, *values), Trouble(log, "parcels cannot be written"))


def _may_pass(error: CallerError) -> bool:
    status = error.status or 400
    return status == _TOO_MANY or status >= _SERVER_ERROR
