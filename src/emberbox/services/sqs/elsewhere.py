"""Queues of another server, as pollers and as those who send to queues use them."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from emberbox.clock import Clock
from emberbox.errors import CallerError, EmberboxError
from emberbox.model.async_deliveries import Delivery
from emberbox.model.queue_event import QueueMessage
from emberbox.model.queue_settings import WAIT_MAX_S, parse_queue_arn
from emberbox.services.elsewhere import Elsewhere
from emberbox.services.sqs.sink import delivered_to_queue
from emberbox.sources.feed import SourceError, SourceMissingError
from emberbox.sources.queue_port import QueueFacts

_MISSING: Final = "The queue does not exist."
_MISSING_CODES: Final = frozenset(
    {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "NonExistentQueue"}
)
_FACTS_LAST_S: Final = 30.0
_LOOK_AGAIN_S: Final = 5.0
_BATCH_MAX: Final = 10


class QueuesElsewhere:
    """A `QueuePort` over another server, and a way to send to its queues."""

    def __init__(self, service: Elsewhere, clock: Clock) -> None:
        self._service = service
        self._clock = clock
        self._urls: dict[str, str] = {}
        self._facts: dict[str, tuple[float, QueueFacts]] = {}
        self._returns: set[asyncio.Task[Any]] = set()

    async def facts(self, arn: str) -> QueueFacts:
        """What is known of a queue; half a minute old at most."""
        now = self._clock.monotonic()
        known = self._facts.get(arn)
        if known is None or known[0] < now:
            names = ["VisibilityTimeout"]
            answer = await self._ask(arn, "get_queue_attributes", AttributeNames=names)
            visibility_s = int(answer["Attributes"]["VisibilityTimeout"])
            known = (now + _FACTS_LAST_S, QueueFacts(visibility_s, arn.endswith(".fifo")))
            self._facts[arn] = known
        return known[1]

    async def receive(self, arn: str, limit: int, wait_s: float | None) -> list[QueueMessage]:
        """Up to `limit` messages once there is one, by long polls one after another."""
        deadline = None if wait_s is None else self._clock.monotonic() + wait_s
        while True:
            left_s = WAIT_MAX_S if deadline is None else deadline - self._clock.monotonic()
            found = await self._poll(arn, limit, max(0, min(WAIT_MAX_S, round(left_s))))
            if found or (deadline is not None and self._clock.monotonic() >= deadline):
                return found

    async def delete(self, arn: str, receipts: Sequence[str]) -> None:
        """Remove messages that were received."""
        for entries in _entries(receipts):
            await self._ask(arn, "delete_message_batch", Entries=entries)

    async def release(self, arn: str, receipts: Sequence[str]) -> None:
        """Make messages visible again."""
        for entries in _entries(receipts):
            now = [entry | {"VisibilityTimeout": 0} for entry in entries]
            await self._ask(arn, "change_message_visibility_batch", Entries=now)

    async def appears(self, _arn: str) -> None:
        """Return when it is time to look again: nobody tells us."""
        await asyncio.sleep(_LOOK_AGAIN_S)

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
        """Return once the other server has the message."""
        asked: dict[str, Any] = {"MessageBody": body, "MessageAttributes": dict(attributes)}
        if group_id is not None:
            asked["MessageGroupId"] = group_id
        if deduplication_id is not None:
            asked["MessageDeduplicationId"] = deduplication_id
        if trace:
            value = {"DataType": "String", "StringValue": trace}
            asked["MessageSystemAttributes"] = {"AWSTraceHeader": value}
        await self._call(arn, "send_message", **asked)

    async def deliver(self, delivery: Delivery) -> None:
        """A queue as the target of what is told of an asynchronous invocation."""
        await delivered_to_queue(delivery, self.send)

    async def _poll(self, arn: str, limit: int, wait_s: int) -> list[QueueMessage]:
        task = asyncio.create_task(
            self._ask(
                arn,
                "receive_message",
                MaxNumberOfMessages=limit,
                WaitTimeSeconds=wait_s,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
        )
        try:
            answer = await asyncio.shield(task)
        except asyncio.CancelledError:
            self._keep(task)
            task.add_done_callback(partial(self._give_back, arn))
            raise
        return [_message(each) for each in answer.get("Messages", ())]

    def _give_back(self, arn: str, task: asyncio.Task[dict[str, Any]]) -> None:
        """Messages of a poll that nobody waits for any more go back into the queue."""
        if task.cancelled() or task.exception() is not None:
            return
        receipts = [each["ReceiptHandle"] for each in task.result().get("Messages", ())]
        if receipts:
            self._keep(asyncio.create_task(self.release(arn, receipts)))

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._returns.add(task)
        task.add_done_callback(self._returns.discard)

    async def _ask(self, arn: str, operation: str, **params: Any) -> dict[str, Any]:
        """As pollers want to hear of failures."""
        try:
            return await self._call(arn, operation, **params)
        except CallerError as error:
            if error.code in _MISSING_CODES:
                raise SourceMissingError(_MISSING) from None
            raise SourceError(error.message) from None
        except EmberboxError as error:
            raise SourceError(str(error)) from None

    async def _call(self, arn: str, operation: str, **params: Any) -> dict[str, Any]:
        key = parse_queue_arn(arn)
        if key is None:
            raise CallerError("QueueDoesNotExist", _MISSING)
        account, region, name = key
        if arn not in self._urls:
            found = await self._service.call(
                region, "get_queue_url", QueueName=name, QueueOwnerAWSAccountId=account
            )
            self._urls[arn] = found["QueueUrl"]
        try:
            return await self._service.call(region, operation, QueueUrl=self._urls[arn], **params)
        except CallerError as error:
            if error.code in _MISSING_CODES:
                self._urls.pop(arn, None)
                self._facts.pop(arn, None)
            raise


def _entries(receipts: Sequence[str]) -> list[list[dict[str, Any]]]:
    entries = [{"Id": str(n), "ReceiptHandle": receipt} for n, receipt in enumerate(receipts)]
    return [entries[at : at + _BATCH_MAX] for at in range(0, len(entries), _BATCH_MAX)]


def _message(found: Mapping[str, Any]) -> QueueMessage:
    system = found.get("Attributes", {})
    return QueueMessage(
        found["MessageId"],
        found["ReceiptHandle"],
        found["Body"],
        system,
        found.get("MessageAttributes", {}),
        system.get("MessageGroupId", ""),
    )
