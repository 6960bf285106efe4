"""The telemetry of one environment: from what happens to those who have subscribed.

Nobody pays for it without a subscriber, but for the events of INIT, which are kept, within bounds,
until INIT has ended: who subscribes then hears of them too.
"""

import asyncio

from emberbox.clock import Clock
from emberbox.environment.telemetry_buffer import TelemetryBuffer
from emberbox.environment.telemetry_delivery import Dial, post
from emberbox.model.telemetry import Subscription, event, wanted

_EARLY_EVENTS_MAX = 1_000
_EARLY_BYTES_MAX = 262_144
_RETRY_S = 0.1


class _Subscriber:
    """One subscription: its buffer, and the one delivery that may be on its way."""

    def __init__(self, subscription: Subscription, dial: Dial, clock: Clock) -> None:
        self.subscription = subscription
        self._buffer = TelemetryBuffer(subscription)
        self._dial = dial
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_closed = False

    def add(self, kind: str, encoded: bytes) -> None:
        """Take an event if it is wanted; it leaves when a batch is full or its time has come."""
        if self._is_closed or not wanted(self.subscription, kind):
            return
        self._buffer.add(encoded)
        if self._buffer.is_full:
            self.flush()
        elif self._timer is None and self._task is None:
            delay = self.subscription.timeout_ms / 1000
            self._timer = asyncio.get_running_loop().call_later(delay, self.flush)

    def flush(self) -> None:
        """Send what is there now, unless a delivery is on its way: that goes on with it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is None and self._buffer and not self._is_closed:
            self._task = asyncio.get_running_loop().create_task(self._deliver())

    async def _deliver(self) -> None:
        try:
            while self._buffer:
                await self._send(self._buffer.take())
                self._tell_dropped()
        finally:
            self._task = None

    async def _send(self, batch: list[bytes]) -> None:
        """Once more if it fails; then the batch is given up, as on AWS."""
        for delay in (_RETRY_S, 0.0):
            try:
                if await post(self._dial, self.subscription, batch):
                    return
            except (OSError, TimeoutError):
                pass
            if delay:
                await asyncio.sleep(delay)

    def _tell_dropped(self) -> None:
        dropped = self._buffer.take_dropped()
        if dropped is not None:
            record = {
                "reason": "Consumer seems to have fallen behind as it has not acknowledged receipt "
                "of logs.",
                "droppedRecords": dropped.records,
                "droppedBytes": dropped.size_bytes,
            }
            self._buffer.add(event("platform.logsDropped", self._clock.now(), record))

    def close(self) -> None:
        """Send no more."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()


class TelemetryHub:
    """See the module. `is_heard` says whether it is worth making an event."""

    def __init__(self, dial: Dial, clock: Clock) -> None:
        self._dial = dial
        self._clock = clock
        self._early: list[tuple[str, bytes]] | None = None
        self._early_bytes = 0
        self._subscribers: dict[str, _Subscriber] = {}
        self.is_heard = False

    def begin(self) -> None:
        """INIT begins: what happens is kept for those who will subscribe."""
        self.close()
        self._early, self._early_bytes = [], 0
        self.is_heard = True

    def settle(self) -> None:
        """INIT has ended: nobody can subscribe any more."""
        self._early = None
        self.is_heard = bool(self._subscribers)

    def subscribe(self, name: str, subscription: Subscription) -> None:
        """Begin to deliver, what has been so far first. A second subscription replaces the first.

        Only between `begin` and `settle`.
        """
        before = self._subscribers.pop(name, None)
        if before is not None:
            before.close()
        subscriber = self._subscribers[name] = _Subscriber(subscription, self._dial, self._clock)
        for kind, encoded in self._early or ():
            subscriber.add(kind, encoded)

    def emit(self, kind: str, record: object) -> None:
        """Something has happened now. A record is JSON, or the text of a log line in bytes."""
        encoded = event(kind, self._clock.now(), record)
        early = self._early
        if (
            early is not None
            and len(early) < _EARLY_EVENTS_MAX
            and self._early_bytes + len(encoded) <= _EARLY_BYTES_MAX
        ):
            early.append((kind, encoded))
            self._early_bytes += len(encoded)
        for subscriber in self._subscribers.values():
            subscriber.add(kind, encoded)

    def flush(self) -> None:
        """Send everything now: the end is near."""
        for subscriber in self._subscribers.values():
            subscriber.flush()

    def close(self) -> None:
        """The processes are gone, and their subscriptions with them."""
        for subscriber in self._subscribers.values():
            subscriber.close()
        self._subscribers.clear()
        self._early = None
        self.is_heard = False
