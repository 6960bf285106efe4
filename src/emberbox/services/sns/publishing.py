"""Publish and PublishBatch: a message is on disk, for all who want it, before it is answered."""

import hashlib
import json
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.model import message_attributes
from emberbox.model.notification import CONFIRMATION, sequence_number
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.model.topic import (
    MESSAGE_MAX_BYTES,
    Publication,
    Subscription,
    Topic,
    TopicKey,
    invalid_parameter,
)
from emberbox.services.sns.access import topic_for
from emberbox.services.sns.mobile import is_endpoint
from emberbox.services.sns.naming import unbuilt
from emberbox.storage.publications import PublicationStore, Published
from emberbox.storage.topics import TopicStore

_SUBJECT: Final = re.compile(r"[^\x00-\x1f\x7f\s][^\x00-\x1f\x7f]{0,99}\Z")
_TOKEN: Final = re.compile(r"[!-~]{1,128}\Z")
_BATCH_MAX: Final = 10
_ENTRY_ID: Final = re.compile(r"[\w-]{1,80}\Z", re.ASCII)

Poke = Callable[[Sequence[str]], None]
"""Hears which subscriptions have something to be delivered."""

RefusePush = Callable[[RequestContext, str], Awaitable[CallerError]]
"""Says why nothing is published to an endpoint for mobile push."""


class Publisher:
    """Keeps messages for the subscriptions that want them."""

    def __init__(
        self, store: TopicStore, publications: PublicationStore, clock: Clock, poke: Poke
    ) -> None:
        self._store = store
        self._publications = publications
        self._clock = clock
        self._poke = poke
        self.counted: Callable[[str, TopicKey, float], None] = lambda _metric, _topic, _value: None

    async def publish(self, topic: Topic, messages: Sequence[Publication]) -> list[Published]:
        """Keep messages, all or none."""
        confirmed = [each for each in self._store.of_topic(topic.key) if each.is_confirmed]
        aimed = [(message, [s.id for s in confirmed if s.wants(message)]) for message in messages]
        by_group = topic.attributes.get("FifoThroughputScope") == "MessageGroup"
        published = await self._publications.publish(
            [
                (message, targets, (message.group_id or "") if by_group else "")
                for message, targets in aimed
            ],
            int(self._clock.now() * 1_000),
        )
        self._poke([target for _, targets in aimed for target in targets])
        for message, targets in aimed:
            self.counted("NumberOfMessagesPublished", topic.key, 1)
            self.counted("PublishSize", topic.key, _size(message))
            if len(targets) < len(confirmed):
                filtered = len(confirmed) - len(targets)
                self.counted("NumberOfNotificationsFilteredOut", topic.key, filtered)
        return published

    async def ask_to_confirm(self, subscription: Subscription) -> None:
        """Send an endpoint the token that confirms its subscription."""
        arn = subscription.topic.arn
        message = self.new(
            arn,
            f"You have chosen to subscribe to the topic {arn}.\nTo confirm the subscription, "
            "visit the SubscribeURL included in this message.",
            type=CONFIRMATION,
            token=subscription.token,
        )
        now_ms = int(self._clock.now() * 1_000)
        await self._publications.publish([(message, [subscription.id], "")], now_ms)
        self._poke([subscription.id])

    def new(
        self,
        topic_arn: str,
        text: str,
        *,
        subject: str | None = None,
        attributes: Mapping[str, Mapping[str, Any]] | None = None,
        texts: Mapping[str, str] | None = None,
        group_id: str | None = None,
        deduplication_id: str | None = None,
        type: str = "Notification",  # noqa: A002 - the name of the member
        token: str = "",
        trace: str = "",
    ) -> Publication:
        """A message of now."""
        return Publication(
            message_id=str(uuid.uuid4()),
            topic_arn=topic_arn,
            message=text,
            subject=subject,
            attributes=attributes or {},
            texts=texts or {},
            group_id=group_id,
            deduplication_id=deduplication_id,
            published_s=self._clock.now(),
            type=type,
            token=token,
            trace=trace,
        )


class PublishOperations:
    """Messages into topics."""

    def __init__(self, store: TopicStore, publisher: Publisher, refuse_push: RefusePush) -> None:
        self._store = store
        self._publisher = publisher
        self._refuse_push = refuse_push

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {"Publish": self.publish, "PublishBatch": self.publish_batch}

    async def publish(self, context: RequestContext, params: Params) -> Params:
        """Publish one message."""
        if params.get("PhoneNumber"):
            raise unbuilt("PhoneNumber", ["text messages to phones"])
        arn = params.get("TopicArn") or params.get("TargetArn")
        if not arn:
            raise invalid_parameter("TopicArn or TargetArn Reason: no value for required parameter")
        if is_endpoint(arn):
            raise await self._refuse_push(context, arn)
        topic = topic_for(self._store, context, arn)
        message = self._message(topic, params, context.trace)
        _check_size(_size(message))
        (published,) = await self._publisher.publish(topic, [message])
        return _answer(topic, published)

    async def publish_batch(self, context: RequestContext, params: Params) -> Params:
        """Publish up to ten messages; each is refused for itself."""
        topic = topic_for(self._store, context, params["TopicArn"])
        entries = params["PublishBatchRequestEntries"]
        _check_entries(entries)
        good: list[tuple[Params, Publication]] = []
        failed = []
        for entry in entries:
            try:
                good.append((entry, self._message(topic, entry, context.trace)))
            except CallerError as error:
                failed.append(_failed(entry, error))
        if sum(_size(message) for _, message in good) > MESSAGE_MAX_BYTES:
            raise CallerError(
                "BatchRequestTooLong",
                "The length of all the messages put together is more than the limit.",
                status=400,
            )
        published = await self._publisher.publish(topic, [message for _, message in good])
        successful = [
            {"Id": entry["Id"]} | _answer(topic, each)
            for (entry, _), each in zip(good, published, strict=True)
        ]
        return {"Successful": successful, "Failed": failed}

    def _message(self, topic: Topic, params: Params, trace: str) -> Publication:
        text = params["Message"]
        if not text:
            raise invalid_parameter("Empty message")
        texts = _texts(text) if params.get("MessageStructure") == "json" else {}
        attributes = params.get("MessageAttributes") or {}
        _check_attributes(attributes)
        subject = params.get("Subject")
        if subject is not None and not _SUBJECT.match(subject):
            raise invalid_parameter("Subject")
        return self._publisher.new(
            topic.key.arn,
            texts.get("default") or text,
            subject=subject,
            attributes=attributes,
            texts=texts,
            group_id=_group(topic, params),
            deduplication_id=_deduplication(topic, params),
            trace=trace,
        )


def _texts(text: str) -> dict[str, str]:
    """The message of each protocol."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise invalid_parameter("Message Structure - JSON message body failed to parse")
    texts = {name: value for name, value in found.items() if isinstance(value, str)}
    if "default" not in texts:
        raise invalid_parameter("Message Structure - No default entry in JSON message body")
    return texts


def _check_attributes(attributes: Params) -> None:
    """As SQS has them, but for a further type and any number of them."""
    for name, value in attributes.items():
        as_string = {**value, "DataType": "String"}
        is_array = value.get("DataType") == "String.Array"
        try:
            message_attributes.check_attributes({name: as_string if is_array else value})
        except CallerError as error:
            raise CallerError("ParameterValueInvalid", error.message, status=400) from None


def _size(message: Publication) -> int:
    text = json.dumps(dict(message.texts)) if message.texts else message.message
    return len(text.encode()) + message_attributes.size_bytes(message.attributes)


def _check_size(size_bytes: int) -> None:
    if size_bytes > MESSAGE_MAX_BYTES:
        raise invalid_parameter("Message too long")


def _group(topic: Topic, params: Params) -> str | None:
    group = params.get("MessageGroupId")
    if group is None:
        if topic.is_fifo:
            raise invalid_parameter("The MessageGroupId parameter is required for FIFO topics")
        return None
    if not _TOKEN.match(group):
        raise invalid_parameter("MessageGroupId")
    return str(group)


def _deduplication(topic: Topic, params: Params) -> str | None:
    asked = params.get("MessageDeduplicationId")
    if not topic.is_fifo:
        if asked is not None:
            raise invalid_parameter(
                "MessageDeduplicationId Reason: The request includes MessageDeduplicationId "
                "parameter that is not valid for this topic type"
            )
        return None
    if asked is not None:
        if not _TOKEN.match(asked):
            raise invalid_parameter("MessageDeduplicationId")
        return str(asked)
    if topic.attributes.get("ContentBasedDeduplication") != "true":
        raise invalid_parameter(
            "The topic should either have ContentBasedDeduplication enabled or "
            "MessageDeduplicationId provided explicitly"
        )
    return hashlib.sha256(params["Message"].encode()).hexdigest()


def _answer(topic: Topic, published: Published) -> Params:
    answer: Params = {"MessageId": published.message_id}
    if topic.is_fifo:
        answer["SequenceNumber"] = sequence_number(published.sequence)
    return answer


def _check_entries(entries: Sequence[Params]) -> None:
    if not entries:
        raise CallerError("EmptyBatchRequest", "The batch request doesn't contain any entries.")
    if len(entries) > _BATCH_MAX:
        raise CallerError(
            "TooManyEntriesInBatchRequest",
            "The batch request contains more entries than permissible.",
        )
    ids = [entry["Id"] for entry in entries]
    if not all(_ENTRY_ID.match(each) for each in ids):
        raise CallerError(
            "InvalidBatchEntryId",
            "The Id of a batch entry in a batch request doesn't abide by the specification.",
        )
    if len(set(ids)) < len(ids):
        raise CallerError(
            "BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id."
        )


def _failed(entry: Params, error: CallerError) -> Params:
    return {"Id": entry["Id"], "Code": error.code, "Message": error.message, "SenderFault": True}
