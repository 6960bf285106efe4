"""SendMessage and SendMessageBatch."""

import hashlib
import re
from json import dumps
from typing import Final, NamedTuple

from emberbox.entropy import Entropy
from emberbox.errors import CallerError
from emberbox.model import message_attributes
from emberbox.model.queue_settings import DELAY_MAX_S, MESSAGE_MAX_BYTES, invalid_value
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.sqs.access import Access
from emberbox.services.sqs.broker import Broker
from emberbox.services.sqs.naming import (
    bad_value,
    check_entries,
    failed_entry,
    in_range,
    missing_parameter,
)
from emberbox.storage.queue_records import NewMessage, Queue, Sent, sequence_number

_TOKEN: Final = re.compile(r"[!-~]{1,128}\Z")
_TRACE: Final = "AWSTraceHeader"
_ENTROPY: Final = Entropy()


class _Draft(NamedTuple):
    message: NewMessage
    answer: Params
    size_bytes: int


class SendOperations:
    """Messages into queues."""

    def __init__(self, broker: Broker, access: Access) -> None:
        self._broker = broker
        self._access = access

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "SendMessage": self.send_message,
            "SendMessageBatch": self.send_message_batch,
        }

    async def send_message(self, context: RequestContext, params: Params) -> Params:
        """Send one message."""
        queue = await self._access.queue(context, params["QueueUrl"])
        draft = draft_of(context.account, queue, params, context.trace)
        (sent,) = await self._broker.send(queue, [draft.message])
        return _answer(queue, draft, sent)

    async def send_message_batch(self, context: RequestContext, params: Params) -> Params:
        """Send up to ten messages; each is refused for itself."""
        queue = await self._access.queue(context, params["QueueUrl"])
        entries = params["Entries"]
        check_entries(entries, "SendMessageBatchRequestEntry")
        drafts: list[tuple[Params, _Draft]] = []
        failed = []
        for entry in entries:
            try:
                drafts.append((entry, draft_of(context.account, queue, entry, context.trace)))
            except CallerError as error:
                failed.append(failed_entry(entry, error))
        _check_total(sum(draft.size_bytes for _, draft in drafts))
        sent = await self._broker.send(queue, [draft.message for _, draft in drafts])
        answers = [
            {"Id": entry["Id"]} | _answer(queue, draft, each)
            for (entry, draft), each in zip(drafts, sent, strict=True)
        ]
        result: Params = {"Successful": answers}
        return result | ({"Failed": failed} if failed else {})


def _check_total(size_bytes: int) -> None:
    if size_bytes > MESSAGE_MAX_BYTES:
        raise CallerError(
            "BatchRequestTooLong",
            f"Batch requests cannot be longer than {MESSAGE_MAX_BYTES} bytes. You have sent "
            f"{size_bytes} bytes.",
            status=400,
        )


def draft_of(account: str, queue: Queue, params: Params, trace: str = "") -> _Draft:
    """The message that a request asks to send, and most of the answer; CallerError if wrong.

    `trace` is the request's own, which a message takes along unless it names another.
    """
    body = params.get("MessageBody") or ""
    attributes = params.get("MessageAttributes") or {}
    system = params.get("MessageSystemAttributes") or {}
    if not body:
        raise missing_parameter("MessageBody")
    group_id = _group(queue, params)
    deduplication_id = _deduplication(queue, params, body)
    message_attributes.check_text(body)
    message_attributes.check_attributes(attributes)
    _check_system(system)
    size_bytes = len(body.encode()) + message_attributes.size_bytes(attributes)
    if size_bytes > queue.settings.message_max_bytes:
        raise invalid_value(
            "One or more parameters are invalid. Reason: Message must be shorter than "
            f"{queue.settings.message_max_bytes} bytes."
        )
    answer: Params = {
        "MD5OfMessageBody": message_attributes.md5_of(body),
        "MessageId": _ENTROPY.uuid(),
    }
    if attributes:
        answer["MD5OfMessageAttributes"] = message_attributes.md5_of_attributes(attributes)
    if system:
        answer["MD5OfMessageSystemAttributes"] = message_attributes.md5_of_attributes(system)
    message = NewMessage(
        message_id=answer["MessageId"],
        body=body,
        attributes=message_attributes.to_stored(attributes),
        system=_system(account, deduplication_id, system, trace),
        group_id=group_id,
        deduplication_id=deduplication_id,
        delay_ms=_delay_s(queue, params) * 1_000,
    )
    return _Draft(message, answer, size_bytes)


def _answer(queue: Queue, draft: _Draft, sent: Sent) -> Params:
    answer = draft.answer | {"MessageId": sent.message_id}
    if queue.settings.is_fifo:
        answer["SequenceNumber"] = sequence_number(sent.id)
    return answer


def _check_system(system: Params) -> None:
    for name, value in system.items():
        if name != _TRACE:
            raise bad_value(name, "MessageSystemAttributes", "unknown message system attribute.")
        if value.get("DataType") != "String" or not value.get("StringValue"):
            raise invalid_value(
                f"The message system attribute '{_TRACE}' must be a non-empty String."
            )


def _system(account: str, deduplication_id: str | None, system: Params, trace: str) -> str:
    known = {"SenderId": account}
    if _TRACE in system:
        known[_TRACE] = system[_TRACE]["StringValue"]
    elif trace:
        known[_TRACE] = trace
    if deduplication_id is not None:
        known["MessageDeduplicationId"] = deduplication_id
    return dumps(known)


def _group(queue: Queue, params: Params) -> str:
    group = params.get("MessageGroupId")
    if group is None:
        if queue.settings.is_fifo:
            raise missing_parameter("MessageGroupId")
        return ""
    _check_token(group, "MessageGroupId")
    return str(group)


def _check_token(text: str, name: str) -> None:
    if not _TOKEN.match(text):
        raise bad_value(
            text,
            name,
            f"{name} can only include alphanumeric and punctuation characters. 1 to 128 in length.",
        )


def _deduplication(queue: Queue, params: Params, body: str) -> str | None:
    asked = params.get("MessageDeduplicationId")
    if not queue.settings.is_fifo:
        if asked is not None:
            raise bad_value(
                asked,
                "MessageDeduplicationId",
                "The request includes a parameter that is not valid for this queue type.",
            )
        return None
    if asked is not None:
        _check_token(asked, "MessageDeduplicationId")
        return str(asked)
    if not queue.settings.by_content:
        raise invalid_value(
            "The queue should either have ContentBasedDeduplication enabled or "
            "MessageDeduplicationId provided explicitly"
        )
    return hashlib.sha256(body.encode()).hexdigest()


def _delay_s(queue: Queue, params: Params) -> int:
    asked = in_range(params, "DelaySeconds", 0, DELAY_MAX_S, "Must be >= 0 and <= 900.")
    if asked is None:
        return queue.settings.delay_s
    if queue.settings.is_fifo and asked:
        raise bad_value(
            asked,
            "DelaySeconds",
            "The request include parameter that is not valid for this queue type.",
        )
    return queue.settings.delay_s if queue.settings.is_fifo else asked
