"""The queues of this server, as pollers use them."""

import asyncio
from collections.abc import Sequence

from emberbox.errors import CallerError
from emberbox.model.message_attributes import from_stored
from emberbox.model.queue_event import QueueMessage
from emberbox.services.sqs.broker import Broker
from emberbox.services.sqs.receiving import system_attributes
from emberbox.sources.feed import SourceError, SourceMissingError
from emberbox.sources.queue_port import QueueFacts
from emberbox.storage.queue_records import (
    MissingQueueError,
    Queue,
    Receipt,
    Received,
    from_handle,
)

_MISSING = "The queue does not exist."


class LocalQueues:
    """A `QueuePort` over the broker."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        broker.queues.listeners.append(self._queue_changed)

    async def facts(self, arn: str) -> QueueFacts:
        """What is known of a queue."""
        settings = self._queue(arn).settings
        return QueueFacts(settings.visibility_s, settings.is_fifo)

    async def receive(self, arn: str, limit: int, wait_s: float | None) -> list[QueueMessage]:
        """Up to `limit` messages once there is one."""
        queue = self._queue(arn)
        try:
            found = await self._broker.receive(queue, limit, wait_s=wait_s)
        except MissingQueueError:
            raise SourceMissingError(_MISSING) from None
        except CallerError as error:
            raise SourceError(error.message) from None
        return [_message(queue, each) for each in found]

    async def delete(self, arn: str, receipts: Sequence[str]) -> None:
        """Remove messages; those that are gone, or were received again since, are left."""
        queue = self._queue(arn)
        await self._broker.delete(queue, _receipts(queue, receipts))

    async def release(self, arn: str, receipts: Sequence[str]) -> None:
        """Make messages visible again."""
        queue = self._queue(arn)
        changes = [(each, 0) for each in _receipts(queue, receipts)]
        await self._broker.change_visibility(queue, changes)

    async def appears(self, arn: str) -> None:
        """Return when a queue of this name is there."""
        if self._broker.queue_by_arn(arn) is not None:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(arn, [])
        waiting.append(future)
        try:
            await future
        finally:
            if future in waiting:
                waiting.remove(future)

    def _queue(self, arn: str) -> Queue:
        queue = self._broker.queue_by_arn(arn)
        if queue is None:
            raise SourceMissingError(_MISSING)
        return queue

    def _queue_changed(self, _before: Queue | None, after: Queue | None) -> None:
        for future in self._waiting.pop(after.key.arn, []) if after is not None else []:
            if not future.done():
                future.set_result(None)


def _receipts(queue: Queue, handles: Sequence[str]) -> list[Receipt]:
    return [from_handle(each, queue) for each in handles]


def _message(queue: Queue, received: Received) -> QueueMessage:
    return QueueMessage(
        received.message_id,
        received.receipt,
        received.body,
        system_attributes(queue, received),
        from_stored(received.attributes),
        received.group_id,
    )
