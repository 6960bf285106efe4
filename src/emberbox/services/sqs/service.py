"""The service `sqs`: its operations by name, and what they answer when a queue is missing."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

from emberbox.clock import Clock
from emberbox.model.request import Operation, Params, Reply, RequestContext
from emberbox.services.sqs.access import Access
from emberbox.services.sqs.broker import Broker
from emberbox.services.sqs.moving import MoveOperations
from emberbox.services.sqs.naming import missing
from emberbox.services.sqs.permissions import PermissionOperations
from emberbox.services.sqs.queues import QueueOperations
from emberbox.services.sqs.receiving import ReceiveOperations
from emberbox.services.sqs.sending import SendOperations
from emberbox.storage.database import Database
from emberbox.storage.queue_messages import MessageStore
from emberbox.storage.queue_moves import MoveStore
from emberbox.storage.queue_records import MissingQueueError
from emberbox.storage.queues import QueueStore


class SqsService:
    """Amazon SQS over the broker. `open` and `close` go around its use."""

    name = "sqs"

    def __init__(self, broker: Broker, moves: MoveStore) -> None:
        self.broker = broker
        access = Access(broker.queues)
        queues = QueueOperations(broker, access)
        self._moving = MoveOperations(broker, moves, queues)
        built = (
            queues.operations
            | PermissionOperations(broker, access).operations
            | SendOperations(broker, access).operations
            | ReceiveOperations(broker, access).operations
            | self._moving.operations
        )
        self.operations: Mapping[str, Operation] = {
            name: _answering(operation) for name, operation in built.items()
        }

    @classmethod
    async def start(cls, path: Path, clock: Clock, stack: AsyncExitStack) -> Self:
        """The service over a database file; it runs until the stack unwinds."""
        database = await Database.open(path, "queues")
        stack.push_async_callback(database.close)
        store = QueueStore(database)
        await store.load()
        broker = Broker(store, MessageStore(database), clock)
        service = cls(broker, MoveStore(database))
        stack.push_async_callback(service.close)
        await service.open()
        return service

    async def open(self) -> None:
        """Go on with what a former server has begun."""
        self.broker.open()
        await self._moving.open()

    async def close(self) -> None:
        """Stop what runs beside the operations."""
        await self._moving.close()
        await self.broker.close()


def _answering(operation: Operation) -> Operation:
    async def answered(context: RequestContext, params: Params) -> Params | Reply:
        try:
            return await operation(context, params)
        except MissingQueueError:
            raise missing() from None

    return answered
