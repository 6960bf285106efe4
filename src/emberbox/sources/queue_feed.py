"""Queues as a source: messages gathered into batches, what was filtered out deleted."""

import logging
from collections.abc import Sequence
from typing import Final

from emberbox.clock import Clock
from emberbox.errors import EmberboxError
from emberbox.model.event_pattern import AnyOf
from emberbox.model.limits import INVOKE_PAYLOAD_MAX_BYTES
from emberbox.model.mapping import EventSourceMapping
from emberbox.model.queue_event import (
    QueueMessage,
    event_of,
    event_size,
    is_let_through,
    record_of,
)
from emberbox.sources.counting import Count
from emberbox.sources.feed import Batch, Record, SourceError, Verdict
from emberbox.sources.queue_port import QueuePort

log = logging.getLogger("emberbox.sources")

_RECEIVE_MAX: Final = 10
_TRACE: Final = "AWSTraceHeader"
_DELETE_TRIES: Final = 3


class QueueFeed:
    """A queue for one mapping. One batch is gathered at a time."""

    def __init__(
        self, mapping: EventSourceMapping, port: QueuePort, clock: Clock, count: Count
    ) -> None:
        assert mapping.source_arn is not None
        self._count = count
        self._arn = mapping.source_arn
        self._port = port
        self._clock = clock
        self._filters = AnyOf(mapping.filter_patterns)
        self._size: int = mapping.settings["BatchSize"]
        self._window_s: int = mapping.settings.get("MaximumBatchingWindowInSeconds") or 0

    async def next(self) -> Sequence[Batch]:
        """A batch, in parts if it is too large for one event."""
        visibility_s = (await self._port.facts(self._arn)).visibility_s
        records: list[Record] = []
        try:
            began = await self._gather(records)
        except BaseException:
            await self._give_back(records)
            raise
        return [Batch(part, began + visibility_s) for part in _parts(records)]

    async def _give_back(self, records: Sequence[Record]) -> None:
        """What was received and is not used; never more than an attempt."""
        if not records:
            return
        try:
            await self._port.release(self._arn, [each.handle for each in records])
        except (SourceError, EmberboxError, OSError) as error:
            log.warning("messages of %s come back after their time: %s", self._arn, error)

    async def _gather(self, records: list[Record]) -> float:
        """Fill a batch until it is full or its window ends; when the first of it was received."""
        began = 0.0
        while not records:
            await self._receive(records, None)
            began = self._clock.monotonic()
        while len(records) < self._size and not _is_large(records):
            left_s = began + self._window_s - self._clock.monotonic()
            if left_s <= 0:
                break
            await self._receive(records, left_s)
        return began

    async def _receive(self, records: list[Record], wait_s: float | None) -> None:
        """Add what comes and is let through; what is not is deleted."""
        limit = min(_RECEIVE_MAX, self._size - len(records))
        messages = await self._port.receive(self._arn, limit, wait_s)
        self._count("PolledEventCount", len(messages))
        dropped = []
        for message in messages:
            if is_let_through(self._filters, message.body):
                records.append(self._record(message))
            else:
                dropped.append(message.receipt)
        if dropped:
            self._count("FilteredOutEventCount", len(dropped))
            await self._delete(dropped)

    def _record(self, message: QueueMessage) -> Record:
        content, trace = record_of(message, self._arn), message.system.get(_TRACE, "")
        return Record(message.message_id, message.receipt, content, trace)

    async def settle(self, batch: Batch, verdict: Verdict) -> None:
        """Delete what was processed; the rest comes back when its time is over."""
        if verdict.failed is None:
            return
        done = [each.handle for each in batch.records if each.identifier not in verdict.failed]
        if done:
            is_deleted = await self._delete(done)
            self._count("DeletedEventCount", len(done) if is_deleted else 0)

    async def _delete(self, receipts: Sequence[str]) -> bool:
        """Whether it could be done."""
        for tries_left in reversed(range(_DELETE_TRIES)):
            try:
                await self._port.delete(self._arn, receipts)
            except (SourceError, EmberboxError, OSError) as error:
                if not tries_left:
                    log.warning("messages of %s will come again: %s", self._arn, error)
            else:
                return True
        return False

    async def recovered(self) -> None:
        """Return when the queue is there again."""
        await self._port.appears(self._arn)

    def event(self, batch: Batch) -> bytes:
        """The event of a batch."""
        return event_of(record.content for record in batch.records)


def _is_large(records: Sequence[Record]) -> bool:
    return event_size(len(each.content) for each in records) >= INVOKE_PAYLOAD_MAX_BYTES


def _parts(records: Sequence[Record]) -> list[list[Record]]:
    """The records in order, in as few events as the limit of their size allows."""
    parts: list[list[Record]] = []
    size = 0
    for record in records:
        more = len(record.content) + 1
        if not parts or size + more > INVOKE_PAYLOAD_MAX_BYTES:
            parts.append([])
            size = event_size([])
        parts[-1].append(record)
        size += more
    return parts
