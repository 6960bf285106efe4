"""The queues at work: sends wake receivers, receives wait, what is too old is swept away.

The operations of SQS are worded on top of this; event source mappings, topics and dead letters use
it directly.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

from emberbox.clock import Clock
from emberbox.errors import CallerError, EmberboxError
from emberbox.model.message_attributes import from_stored, size_bytes
from emberbox.model.queue_settings import parse_queue_arn
from emberbox.rounds import Rounds, Trouble
from emberbox.services.sqs.arrivals import Arrivals, Asked, Receiver, Turn
from emberbox.storage.queue_messages import Counts, MessageStore
from emberbox.storage.queue_receiving import Batch, Wish
from emberbox.storage.queue_records import (
    MissingQueueError,
    NewMessage,
    Queue,
    QueueKey,
    Receipt,
    Received,
    Sent,
)
from emberbox.storage.queues import QueueStore

log = logging.getLogger("emberbox.sqs")

T = TypeVar("T")

IN_FLIGHT_MAX: Final = 120_000
_SWEEP_EVERY_S: Final = 30.0

Counted = Callable[[Queue, str, float], None]
"""Hears a value of a metric of a queue."""


class Broker:
    """All queues of a server. `open` starts its sweeping, `close` ends it."""

    def __init__(self, queues: QueueStore, messages: MessageStore, clock: Clock) -> None:
        self.queues = queues
        self.counted: Counted = lambda _queue, _metric, _value: None
        self._messages = messages
        self._clock = clock
        self._arrivals = Arrivals(clock)
        self._in_flight: dict[int, int] = {}
        self._owned: set[asyncio.Task[Any]] = set()
        self._sweeping = Rounds(self._sweep, clock, Trouble(log, "old messages cannot be removed"))
        queues.listeners.append(self._queue_changed)

    def open(self) -> None:
        """Begin to sweep; needs a running loop."""
        self._sweeping.open()

    async def close(self) -> None:
        """Stop sweeping, and wait for what is given back."""
        await self._sweeping.close()
        while self._owned:
            await asyncio.wait(list(self._owned))

    def now_ms(self) -> int:
        """The time."""
        return int(self._clock.now() * 1_000)

    def queue_by_arn(self, arn: str) -> Queue | None:
        """The queue with this ARN, if there is one here."""
        key = parse_queue_arn(arn)
        return self.queues.get(QueueKey(*key)) if key is not None else None

    async def send(self, queue: Queue, messages: Sequence[NewMessage]) -> list[Sent]:
        """Store messages, all or none; a receiver that waits gets them in the same transaction."""
        sending = self._send(queue, messages, self.now_ms())
        if self._arrivals.is_awaited(queue.id):
            # To its end, even if the sender goes away: a receiver's turn depends on it.
            sent = await asyncio.shield(self._own(sending))
        else:
            sent = await sending
        for message in messages:
            self.counted(queue, "SentMessageSize", _size_bytes(message))
        self.counted(queue, "NumberOfMessagesSent", len(messages))
        if queue.settings.is_fifo:
            pairs = zip(messages, sent, strict=True)
            duplicates = sum(message.message_id != each.message_id for message, each in pairs)
            self.counted(queue, "NumberOfDeduplicatedSentMessages", duplicates)
        return sent

    async def _send(self, queue: Queue, messages: Sequence[NewMessage], now_ms: int) -> list[Sent]:
        receiver = None
        if any(not message.delay_ms for message in messages) and not self._may_be_full(queue):
            receiver = self._arrivals.call_first(queue.id)
        if receiver is None:
            sent = await self._messages.send(queue, messages, now_ms)
            for at_ms in {now_ms + message.delay_ms for message in messages}:
                self._arrivals.expect(queue.id, at_ms)
            return sent
        try:
            return await self._send_to(receiver, queue, messages, now_ms)
        finally:
            self._arrivals.put_back(queue.id, receiver)

    async def _send_to(
        self, receiver: Receiver, queue: Queue, messages: Sequence[NewMessage], now_ms: int
    ) -> list[Sent]:
        wish = self._wish(queue, receiver.asked)
        sent, batch = await self._messages.send_and_receive(queue, messages, wish, now_ms)
        self._noted(queue, wish, batch)
        for message in messages:
            if message.delay_ms or len(batch.messages) in {0, wish.limit}:
                self._arrivals.expect(queue.id, now_ms + message.delay_ms)
        if batch.messages:
            # Who looks next finds nothing before these come back.
            self._arrivals.expect(queue.id, now_ms + wish.visibility_ms)
            if receiver.done():
                self._give_back(queue, batch)
            else:
                receiver.set_result(Turn(batch=batch))
        return sent

    async def receive(
        self,
        queue: Queue,
        limit: int,
        *,
        wait_s: float | None = 0.0,
        visibility_s: int | None = None,
        attempt_id: str | None = None,
    ) -> list[Received]:
        """Receive up to `limit` messages, waiting for the first; None waits without end.

        MissingQueueError if the queue goes meanwhile. CallerError OverLimit for a standard queue
        with too many messages in flight that nobody waits for.
        """
        asked = Asked(limit, visibility_s, attempt_id)
        deadline = None if wait_s is None else self._clock.monotonic() + wait_s
        while True:
            queue = self._still(queue)
            found = await self._look(queue, asked, is_short=wait_s == 0)
            left = None if deadline is None else deadline - self._clock.monotonic()
            is_over = left is not None and left <= 0
            if not found and not is_over:
                give_back = partial(self._give_back, queue)
                is_over, batch = await self._arrivals.wait(queue.id, left, asked, give_back)
                found = [] if batch is None else batch.messages
            if found:
                self.counted(queue, "NumberOfMessagesReceived", len(found))
                return found
            if is_over:
                self.counted(queue, "NumberOfEmptyReceives", 1)
                return []

    async def _look(self, queue: Queue, asked: Asked, *, is_short: bool) -> list[Received]:
        while self._arrivals.may_find(queue.id, self.now_ms()):
            if await self._is_full(queue, self.now_ms()):
                if is_short and not queue.settings.is_fifo:
                    raise CallerError("OverLimit", "Too many messages in flight.", status=403)
                return []
            batch = await self._or_back(queue, self._take(queue, asked))
            if batch.messages or not batch.put_aside:
                return batch.messages
        return []

    async def _or_back(self, queue: Queue, taking: Coroutine[Any, Any, Batch]) -> Batch:
        """What was taken; if the receiver goes away meanwhile, it goes back into the queue."""
        task = asyncio.create_task(taking)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._own(self._back_when_taken(queue, task))
            raise

    async def _back_when_taken(self, queue: Queue, task: asyncio.Task[Batch]) -> None:
        with suppress(EmberboxError):
            self._give_back(queue, await task)

    def _give_back(self, queue: Queue, batch: Batch) -> None:
        """Nobody is there any more to take what was received."""
        changes = [(each.of(queue), 0) for each in batch.messages]
        if changes:
            self._own(self.change_visibility(queue, changes))

    def _own(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Something that comes to its end whoever goes away."""
        task = asyncio.create_task(work)
        self._owned.add(task)
        task.add_done_callback(self._owned.discard)
        return task

    def _wish(self, queue: Queue, asked: Asked) -> Wish:
        settings = queue.settings
        visibility_s = settings.visibility_s if asked.visibility_s is None else asked.visibility_s
        redrive = settings.redrive
        dead_letters = self.queue_by_arn(redrive.target_arn) if redrive is not None else None
        return Wish(asked.limit, visibility_s * 1_000, dead_letters, asked.attempt_id)

    async def _take(self, queue: Queue, asked: Asked) -> Batch:
        version = self._arrivals.version(queue.id)
        wish = self._wish(queue, asked)
        batch = await self._messages.receive(queue, wish, self.now_ms())
        self._noted(queue, wish, batch)
        if batch.messages:
            self._arrivals.found(queue.id)
        elif not batch.put_aside:
            self._arrivals.found_nothing(queue.id, version, batch.next_ms)
        return batch

    def _noted(self, queue: Queue, wish: Wish, batch: Batch) -> None:
        if wish.dead_letters is not None and batch.put_aside:
            self._arrivals.expect(wish.dead_letters.id, self.now_ms())
        if queue.id in self._in_flight:
            self._in_flight[queue.id] += len(batch.messages)

    async def delete(self, queue: Queue, receipts: Sequence[Receipt]) -> list[Exception | None]:
        """Remove messages; why each was not removed, or None."""
        now_ms = self.now_ms()
        results = await self._messages.delete(queue, receipts, now_ms)
        if queue.settings.is_fifo:
            self._arrivals.expect(queue.id, now_ms)
        self.counted(queue, "NumberOfMessagesDeleted", results.count(None))
        return results

    async def change_visibility(
        self, queue: Queue, changes: Sequence[tuple[Receipt, int]]
    ) -> list[Exception | None]:
        """Set when messages are visible again, in seconds from now."""
        now_ms = self.now_ms()
        results = await self._messages.change_visibility(
            queue, [(receipt, s * 1_000) for receipt, s in changes], now_ms
        )
        for (_, seconds), error in zip(changes, results, strict=True):
            if error is None:
                self._arrivals.expect(queue.id, now_ms + seconds * 1_000)
        return results

    async def counts(self, queue: Queue) -> Counts:
        """How many messages a queue has."""
        return await self._messages.counts(queue, self.now_ms())

    async def oldest_s(self, queue: Queue) -> float:
        """How many seconds ago the oldest message was sent that counts as such; 0 if none does."""
        now_ms = self.now_ms()
        oldest_ms = await self._messages.oldest_ms(queue, now_ms)
        return 0.0 if oldest_ms is None else max(0, now_ms - oldest_ms) / 1_000

    async def groups_in_flight(self, queue: Queue) -> int:
        """How many message groups of a FIFO queue have messages in flight."""
        return await self._messages.groups_in_flight(queue, self.now_ms())

    async def purge(self, queue: Queue) -> None:
        """Remove all messages there are now."""
        await self.queues.purge(queue, self.now_ms())
        while await self._messages.sweep_remains(self._known):
            pass

    def arrived(self, queue: Queue) -> None:
        """Messages came into a queue in another way than by `send`."""
        self._arrivals.expect(queue.id, self.now_ms())

    def _still(self, queue: Queue) -> Queue:
        now = self.queues.at(queue.key)
        if now.id != queue.id:
            raise MissingQueueError(queue.key.name)
        return now

    def _may_be_full(self, queue: Queue) -> bool:
        """Whether the limit of messages in flight may be reached, so far as is known."""
        return self._in_flight.get(queue.id, IN_FLIGHT_MAX) >= IN_FLIGHT_MAX

    async def _is_full(self, queue: Queue, now_ms: int) -> bool:
        """Whether the limit of messages in flight is reached; what is kept here is never less."""
        known = self._in_flight.get(queue.id)
        if known is None or known >= IN_FLIGHT_MAX:
            known = await self._messages.in_flight(queue, now_ms)
            self._in_flight[queue.id] = known
        return known >= IN_FLIGHT_MAX

    def _queue_changed(self, before: Queue | None, after: Queue | None) -> None:
        if after is None and before is not None:
            self._arrivals.forget(before.id)
            self._in_flight.pop(before.id, None)
            self._sweeping.soon()
        elif after is not None:
            self._arrivals.expect(after.id, self.now_ms())

    def _known(self) -> Sequence[Queue]:
        return self.queues.all()

    async def _sweep(self) -> float:
        while await self._messages.sweep(self._known, self.now_ms()):
            pass
        return self._clock.now() + _SWEEP_EVERY_S


def _size_bytes(message: NewMessage) -> int:
    size = len(message.body.encode())
    return size + (size_bytes(from_stored(message.attributes)) if message.attributes else 0)
