"""The service `sns`, put together from its groups of operations."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.model.async_deliveries import Delivery
from emberbox.model.notification import Urls
from emberbox.model.request import Operation
from emberbox.model.topic import Subscription, invalid_parameter
from emberbox.services.sns.delivering import Counted, Deliveries
from emberbox.services.sns.mobile import MobileOperations
from emberbox.services.sns.naming import topic_at
from emberbox.services.sns.publishing import Publisher, PublishOperations
from emberbox.services.sns.senders import InvokeAsync, MayDeliver, Post, Senders
from emberbox.services.sns.signing import Signer
from emberbox.services.sns.subscriptions import SubscriptionOperations
from emberbox.services.sns.text_messages import TextMessageOperations
from emberbox.services.sns.topics import TopicOperations
from emberbox.services.to_queues import SendToQueue
from emberbox.storage.database import Database
from emberbox.storage.publications import PublicationStore
from emberbox.storage.sns_records import SnsRecords
from emberbox.storage.topics import TopicStore


class SnsService:
    """Amazon SNS. What is published before `open` waits on disk."""

    name = "sns"

    def __init__(
        self,
        store: TopicStore,
        publications: PublicationStore,
        records: SnsRecords,
        clock: Clock,
        signer: Signer,
        urls: Urls,
    ) -> None:
        self.store = store
        self._publications = publications
        self._clock = clock
        self._signer = signer
        self._urls = urls
        self._deliveries: Deliveries | None = None
        self._publisher = publisher = Publisher(store, publications, clock, self._poke)
        mobile = MobileOperations(records)
        self.operations: Mapping[str, Operation] = {
            **TopicOperations(store).operations,
            **SubscriptionOperations(store, publisher, clock).operations,
            **PublishOperations(store, publisher, mobile.refuse_push).operations,
            **mobile.operations,
            **TextMessageOperations(records).operations,
        }
        store.subscriptions.listeners.append(self._subscription_changed)

    @classmethod
    async def start(
        cls, path: Path, clock: Clock, signer: Signer, urls: Urls, stack: AsyncExitStack
    ) -> Self:
        """The service over a database file; it closes when the stack unwinds."""
        database = await Database.open(path, "topics")
        stack.push_async_callback(database.close)
        store = TopicStore(database)
        await store.load()
        publications, records = PublicationStore(database), SnsRecords(database)
        return cls(store, publications, records, clock, signer, urls)

    async def open(
        self,
        send: SendToQueue,
        invoke: InvokeAsync,
        may: MayDeliver,
        counted: Counted,
        post: Post,
        stack: AsyncExitStack,
    ) -> None:
        """Begin to deliver, by these ways into queues and functions, to those that `may` allows."""
        self._publisher.counted = counted
        senders = Senders(self.store, self._signer, self._urls, send, invoke, may, post)
        self._deliveries = Deliveries(
            self.store,
            self._publications,
            self._clock,
            senders.by_protocol,
            senders.bury,
            counted,
        )
        stack.push_async_callback(self._deliveries.close)
        await self._deliveries.open()

    def has_topic(self, arn: str) -> bool:
        """Whether there is a topic with this ARN."""
        try:
            return not topic_at(self.store, arn).is_fifo
        except CallerError:
            return False

    async def announce(self, arn: str, subject: str, text: str, trace: str) -> None:
        """What another service of this server publishes; CallerError if there is no such topic."""
        topic = topic_at(self.store, arn)
        message = self._publisher.new(arn, text, subject=subject, trace=trace)
        await self._publisher.publish(topic, [message])

    async def deliver(self, delivery: Delivery) -> None:
        """A topic as the target of what is told of an asynchronous invocation."""
        text = delivery.body.decode()
        attributes = delivery.message_attributes()
        await self.tell(delivery.target, text, attributes=attributes, trace=delivery.trace)

    async def tell(
        self,
        arn: str,
        text: str,
        *,
        subject: str | None = None,
        attributes: Mapping[str, Mapping[str, Any]] | None = None,
        trace: str = "",
    ) -> None:
        """A topic hears from a part of this server; CallerError if it is FIFO, or not there."""
        topic = topic_at(self.store, arn)
        if topic.is_fifo:
            raise invalid_parameter("a FIFO topic hears neither of invocations nor of alarms")
        message = self._publisher.new(
            arn, text, subject=subject, attributes=attributes, trace=trace
        )
        await self._publisher.publish(topic, [message])

    def _poke(self, subscriptions: Sequence[str]) -> None:
        if self._deliveries is not None:
            self._deliveries.poke(subscriptions)

    def _subscription_changed(
        self, before: Subscription | None, after: Subscription | None
    ) -> None:
        """Deliveries to one that is gone are dropped."""
        if before is not None and after is None:
            self._poke([before.id])
