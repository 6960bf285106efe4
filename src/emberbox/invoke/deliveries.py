"""Brings records and dead letters to their targets, until they are there or cannot be.

A delivery stays on disk until its target has taken it, so a target may get one twice, never none.
Source: "Capturing records of Lambda asynchronous invocations" and "Dead-letter queues" of AWS's
guide.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.invoke.event_spans import EventSpans
from emberbox.model.async_deliveries import Delivery
from emberbox.rounds import Rounds, Trouble
from emberbox.storage.event_queue import EventQueue, StoredDelivery

log = logging.getLogger("emberbox.invoke")

Deliver = Callable[[Delivery], Awaitable[None]]
"""Gives a delivery to its target. CallerError if it never can be, another error if not now."""

TARGETS = ("sqs", "sns", "lambda", "events", "s3")
"""Services that may be a target, as their ARNs name them."""

_AT_ONCE = 32
_TRIES = 8
_FIRST_PAUSE_S = 1.0
_FAILED = {"destination": "DestinationDeliveryFailures", "dead-letter": "DeadLetterErrors"}


class Failed(Protocol):
    """Counts deliveries that were given up, as metrics of AWS/Lambda."""

    def __call__(self, metric: str, delivery: Delivery) -> None:
        """DestinationDeliveryFailures or DeadLetterErrors."""
        ...


class Deliveries:
    """See the module. `targets` by the service that their ARNs name; more may be added later."""

    def __init__(
        self, queue: EventQueue, targets: Mapping[str, Deliver], clock: Clock, failed: Failed
    ) -> None:
        self._queue = queue
        self._targets = targets
        self._clock = clock
        self._failed = failed
        self.spans: EventSpans | None = None
        trouble = Trouble(log, "deliveries cannot be read or noted")
        self._rounds = Rounds(self._round, clock, trouble)
        self.open = self._rounds.open
        self.close = self._rounds.close
        self.soon = self._rounds.soon
        self.rested = self._rounds.rested

    async def _round(self) -> float | None:
        while True:
            due, later = await self._queue.deliveries(self._clock.now(), _AT_ONCE)
            if not due:
                return later
            await asyncio.gather(*(self._one(each) for each in due))

    async def _one(self, stored: StoredDelivery) -> None:
        delivery = stored.delivery
        try:
            await self._try(delivery, stored.attempts + 1)
        except CallerError as error:
            self._give_up(delivery, error)
        except Exception as error:  # noqa: BLE001 - one delivery must not end all others
            if stored.attempts + 1 < _TRIES:
                pause = _FIRST_PAUSE_S * 2**stored.attempts
                await self._queue.delivery_again(stored.number, self._clock.now() + pause)
                return
            self._give_up(delivery, error)
        await self._queue.delivered(stored.number)

    async def _try(self, delivery: Delivery, attempt: int) -> None:
        spans = self.spans
        span = None if spans is None else spans.begin_delivery(delivery)
        if spans is None or span is None:
            await self.deliver(delivery)
            return
        try:
            await self.deliver(delivery._replace(trace=span.trace))
        except Exception as error:
            spans.end_delivery(span, delivery, attempt, error)
            raise
        spans.end_delivery(span, delivery, attempt)

    async def deliver(self, delivery: Delivery) -> None:
        """Give it to its target, now; raises as `Deliver` does."""
        parts = delivery.target.split(":")
        deliver = self._targets.get(parts[2]) if len(parts) > 3 else None
        if deliver is None:
            raise CallerError("InvalidParameterValueException", "there is no such kind of target")
        await deliver(delivery)

    def _give_up(self, delivery: Delivery, error: Exception) -> None:
        log.warning(
            "a %s of function %s could not be delivered to %s: %s",
            delivery.kind,
            delivery.name,
            delivery.target,
            error,
        )
        self._failed(_FAILED[delivery.kind], delivery)
