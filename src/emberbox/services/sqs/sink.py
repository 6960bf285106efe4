"""Messages of other services into queues of this server."""

from collections.abc import Awaitable, Mapping
from typing import Any, Protocol

from emberbox.errors import CallerError
from emberbox.model.async_deliveries import Delivery
from emberbox.services.sqs.broker import Broker
from emberbox.services.sqs.naming import missing
from emberbox.services.sqs.sending import draft_of
from emberbox.storage.queue_records import MissingQueueError


class QueueSink:
    """Sends to queues by their ARN."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def send(
        self,
        arn: str,
        body: str,
        attributes: Mapping[str, Mapping[str, Any]],
        *,
        group_id: str | None = None,
        deduplication_id: str | None = None,
        trace: str = "",
    ) -> None:
        """Return once the message is on disk; CallerError if the queue cannot take it."""
        queue = self._broker.queue_by_arn(arn)
        if queue is None:
            raise missing()
        asked: dict[str, Any] = {"MessageBody": body, "MessageAttributes": dict(attributes)}
        if group_id is not None:
            asked["MessageGroupId"] = group_id
        if deduplication_id is not None:
            asked["MessageDeduplicationId"] = deduplication_id
        draft = draft_of(queue.key.account, queue, asked, trace)
        try:
            await self._broker.send(queue, [draft.message])
        except MissingQueueError:
            raise missing() from None

    async def deliver(self, delivery: Delivery) -> None:
        """A queue as the target of what is told of an asynchronous invocation."""
        await delivered_to_queue(delivery, self.send)


class Send(Protocol):
    """Sends a message to the queue of an ARN."""

    def __call__(
        self, arn: str, body: str, attributes: Mapping[str, Mapping[str, Any]], *, trace: str = ""
    ) -> Awaitable[None]:
        """Return once it is on disk."""
        ...


async def delivered_to_queue(delivery: Delivery, send: Send) -> None:
    """Send what is told of an asynchronous invocation to its queue."""
    if delivery.target.endswith(".fifo"):
        raise CallerError(
            "InvalidParameterValue", "a FIFO queue is no target of asynchronous invocations"
        )
    text, attributes = delivery.body.decode(), delivery.message_attributes()
    await send(delivery.target, text, attributes, trace=delivery.trace)
