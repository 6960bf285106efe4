"""ReceiveMessage, DeleteMessage and ChangeMessageVisibility, singly and in batches."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, Final

from emberbox.errors import CallerError
from emberbox.model import message_attributes
from emberbox.model.queue_settings import VISIBILITY_MAX_S, WAIT_MAX_S, invalid_value
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.sqs.access import Access
from emberbox.services.sqs.broker import Broker
from emberbox.services.sqs.naming import bad_value, check_entries, failed_entry, in_range
from emberbox.storage.queue_messages import (
    ExpiredReceiptError,
    GoneError,
    NotInFlightError,
    TooLongError,
)
from emberbox.storage.queue_records import (
    BadReceiptError,
    Queue,
    Receipt,
    Received,
    from_handle,
    sequence_number,
)

_RECEIVE_MAX: Final = 10
_ALL: Final = frozenset({"All", ".*"})


class ReceiveOperations:
    """Messages out of queues."""

    def __init__(self, broker: Broker, access: Access) -> None:
        self._broker = broker
        self._access = access

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "ReceiveMessage": self.receive_message,
            "DeleteMessage": self.delete_message,
            "DeleteMessageBatch": self.delete_message_batch,
            "ChangeMessageVisibility": self.change_message_visibility,
            "ChangeMessageVisibilityBatch": self.change_message_visibility_batch,
        }

    async def receive_message(self, context: RequestContext, params: Params) -> Params:
        """Receive up to ten messages, waiting for the first if asked to."""
        queue = await self._access.queue(context, params["QueueUrl"])
        limit = in_range(
            params,
            "MaxNumberOfMessages",
            1,
            _RECEIVE_MAX,
            "Must be between 1 and 10, if provided.",
        )
        wait_s = in_range(
            params, "WaitTimeSeconds", 0, WAIT_MAX_S, "Must be >= 0 and <= 20, if provided."
        )
        visibility_s = in_range(
            params,
            "VisibilityTimeout",
            0,
            VISIBILITY_MAX_S,
            "Must be between 0 and 43200, if provided.",
        )
        wait_s = queue.settings.wait_s if wait_s is None else wait_s
        receiving = self._broker.receive(
            queue,
            limit or 1,
            wait_s=wait_s,
            visibility_s=visibility_s,
            attempt_id=params.get("ReceiveRequestAttemptId"),
        )
        if wait_s and context.leaves is not None:
            found = await _while_there(context.leaves(), receiving)
        else:
            found = await receiving
        names = {*params.get("AttributeNames", ()), *params.get("MessageSystemAttributeNames", ())}
        wanted = params.get("MessageAttributeNames", ())
        return {"Messages": [_shown(queue, each, names, wanted) for each in found]} if found else {}

    async def delete_message(self, context: RequestContext, params: Params) -> Params:
        """Remove a message that was received."""
        queue = await self._access.queue(context, params["QueueUrl"])
        handle = params["ReceiptHandle"]
        (error,) = await self._broker.delete(queue, [_receipt(queue, handle)])
        if error is not None:
            raise _refusal(handle, error)
        return {}

    async def delete_message_batch(self, context: RequestContext, params: Params) -> Params:
        """Remove up to ten messages."""
        queue = await self._access.queue(context, params["QueueUrl"])
        entries = params["Entries"]
        check_entries(entries, "DeleteMessageBatchRequestEntry")

        async def delete(good: list[tuple[Params, Receipt]]) -> list[Exception | None]:
            return await self._broker.delete(queue, [receipt for _, receipt in good])

        return await _each(queue, entries, delete, lambda _entry: None)

    async def change_message_visibility(self, context: RequestContext, params: Params) -> Params:
        """Set when a message in flight is visible again."""
        queue = await self._access.queue(context, params["QueueUrl"])
        handle = params["ReceiptHandle"]
        _check_visibility(params)
        change = (_receipt(queue, handle), params["VisibilityTimeout"])
        (error,) = await self._broker.change_visibility(queue, [change])
        if error is not None:
            raise _refusal(handle, error)
        return {}

    async def change_message_visibility_batch(
        self, context: RequestContext, params: Params
    ) -> Params:
        """Set when up to ten messages in flight are visible again."""
        queue = await self._access.queue(context, params["QueueUrl"])
        entries = params["Entries"]
        check_entries(entries, "ChangeMessageVisibilityBatchRequestEntry")

        async def change(good: list[tuple[Params, Receipt]]) -> list[Exception | None]:
            changes = [(receipt, e.get("VisibilityTimeout", 0)) for e, receipt in good]
            return await self._broker.change_visibility(queue, changes)

        return await _each(queue, entries, change, _check_visibility)


async def _while_there(
    leaves: Awaitable[None], receiving: Coroutine[Any, Any, list[Received]]
) -> list[Received]:
    """What is received, unless the receiver leaves first: then nothing is taken from the queue."""
    receiver = asyncio.create_task(receiving)
    leaver = asyncio.ensure_future(leaves)
    try:
        await asyncio.wait((receiver, leaver), return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaver.cancel()
        if not receiver.done():
            receiver.cancel()
    return [] if receiver.cancelling() else receiver.result()


async def _each(
    queue: Queue,
    entries: Sequence[Params],
    act: Callable[[list[tuple[Params, Receipt]]], Any],
    check: Callable[[Params], None],
) -> Params:
    """Do something to the messages of a batch; each entry succeeds or fails for itself."""
    good: list[tuple[Params, Receipt]] = []
    failed = []
    for entry in entries:
        try:
            check(entry)
            good.append((entry, _receipt(queue, entry["ReceiptHandle"])))
        except CallerError as error:
            failed.append(failed_entry(entry, error))
    successful = []
    for (entry, _), problem in zip(good, await act(good), strict=True):
        if problem is None:
            successful.append({"Id": entry["Id"]})
        else:
            failed.append(failed_entry(entry, _refusal(entry["ReceiptHandle"], problem)))
    result: Params = {"Successful": successful}
    return result | ({"Failed": failed} if failed else {})


def _check_visibility(params: Params) -> None:
    value = params.get("VisibilityTimeout", 0)
    if not 0 <= value <= VISIBILITY_MAX_S:
        raise bad_value(
            value,
            "VisibilityTimeout",
            f"VisibilityTimeout must be an integer between 0 and {VISIBILITY_MAX_S}.",
        )


def _receipt(queue: Queue, handle: str) -> Receipt:
    try:
        return from_handle(handle, queue)
    except BadReceiptError:
        raise CallerError(
            "ReceiptHandleIsInvalid",
            f'The input receipt handle "{handle[:1024]}" is not a valid receipt handle.',
            status=400,
        ) from None


def _refusal(handle: str, error: Exception) -> CallerError:
    match error:
        case ExpiredReceiptError():
            return bad_value(handle, "ReceiptHandle", "The receipt handle has expired.")
        case NotInFlightError():
            return CallerError(
                "MessageNotInflight",
                f"The message referred to by {handle[:1024]} isn't in flight.",
                status=400,
            )
        case GoneError():
            return bad_value(
                handle,
                "ReceiptHandle",
                "Message does not exist or is not available for visibility timeout change.",
            )
        case TooLongError():
            return invalid_value(
                "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]"
            )
        case _:
            raise error


def system_attributes(queue: Queue, message: Received) -> dict[str, str]:
    """Everything that the service knows of a received message, under its names."""
    known = {
        "SentTimestamp": str(message.sent_ms),
        "ApproximateReceiveCount": str(message.receives),
        "ApproximateFirstReceiveTimestamp": str(message.first_received_ms),
        **message.system,
    }
    if message.group_id:
        known["MessageGroupId"] = message.group_id
    if queue.settings.is_fifo:
        known["SequenceNumber"] = sequence_number(message.id)
    if message.came_from is not None:
        known["DeadLetterQueueSourceArn"] = message.came_from
    return known


def _shown(queue: Queue, message: Received, names: set[str], wanted: Sequence[str]) -> Params:
    shown: Params = {
        "MessageId": message.message_id,
        "ReceiptHandle": message.receipt,
        "MD5OfBody": message_attributes.md5_of(message.body),
        "Body": message.body,
    }
    if names:
        known = system_attributes(queue, message)
        shown["Attributes"] = (
            known if "All" in names else {n: v for n, v in known.items() if n in names}
        )
    if wanted and message.attributes:
        everything = message_attributes.from_stored(message.attributes)
        chosen = {n: v for n, v in everything.items() if _is_wanted(n, wanted)}
        if chosen:
            shown["MessageAttributes"] = chosen
            shown["MD5OfMessageAttributes"] = message_attributes.md5_of_attributes(chosen)
    return shown


def _is_wanted(name: str, wanted: Iterable[str]) -> bool:
    return any(
        each in _ALL or each == name or (each.endswith(".*") and name.startswith(each[:-2]))
        for each in wanted
    )
