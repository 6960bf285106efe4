"""Topics and subscriptions in their database, and all of them at hand in memory."""

import sqlite3
from collections.abc import Callable
from json import dumps, loads
from typing import Any

from emberbox.model.topic import Subscription, Topic, TopicKey
from emberbox.storage.database import Database, Transaction
from emberbox.storage.mirror import Mirror


class MissingTopicError(Exception):
    """The topic is not there, or not any more."""


class TopicStore:
    """See the module. `load` once before use."""

    def __init__(self, database: Database) -> None:
        self.topics: Mirror[TopicKey, Topic] = Mirror(database)
        self.subscriptions: Mirror[str, Subscription] = Mirror(database)
        self._of_topic: dict[TopicKey, dict[str, Subscription]] = {}
        self.topics.listeners.append(self._topic_changed)
        self.subscriptions.listeners.append(self._subscription_changed)

    async def load(self) -> None:
        """Read everything."""
        read = self.topics.database.read
        topics = [_topic_of(row) for row in await read(lambda tx: tx.all("topics"))]
        self.topics.fill((topic.key, topic) for topic in topics)
        found = [_subscription_of(row) for row in await read(lambda tx: tx.all("subscriptions"))]
        self.subscriptions.fill((each.id, each) for each in found)
        for each in found:
            self._subscription_changed(None, each)

    def of_account(self, account: str, region: str) -> list[Topic]:
        """The topics of an account in a region, by name."""
        mine = [topic for topic in self.topics if topic.key[:2] == (account, region)]
        return sorted(mine, key=lambda topic: topic.key.name)

    def of_topic(self, key: TopicKey) -> list[Subscription]:
        """The subscriptions of a topic, oldest first."""
        found = self._of_topic.get(key, {}).values()
        return sorted(found, key=lambda each: (each.created_ms, each.id))

    async def put_topic(self, key: TopicKey, alter: Callable[[Topic | None], Topic]) -> Topic:
        """Add or replace a topic by what `alter`, which must be pure, makes of it."""

        def work(tx: Transaction) -> Topic:
            row = tx.one("topic", **key._asdict())
            after = alter(None if row is None else _topic_of(row))
            tx.run(
                "topic_put",
                **key._asdict(),
                attributes=dumps(dict(after.attributes)),
                tags=dumps(dict(after.tags)),
                data_protection=after.data_protection,
            )
            return after

        made = await self.topics.write(key, work)
        assert made is not None
        return made

    async def remove_topic(self, key: TopicKey) -> None:
        """Forget a topic, its subscriptions and what was published to it, all or nothing."""

        def work(tx: Transaction) -> None:
            tx.run("topic_remove", **key._asdict())
            tx.run("subscriptions_of_topic_remove", **key._asdict())
            tx.run("publication_duplicates_of_topic_remove", topic=key.arn)

        await self.topics.write(key, work)

    async def put_subscription(
        self, id_: str, alter: Callable[[Subscription | None], Subscription]
    ) -> Subscription:
        """Add or replace a subscription by what `alter`, which must be pure, makes of it.

        MissingTopicError if its topic is gone.
        """

        def work(tx: Transaction) -> Subscription:
            row = tx.one("subscription", id=id_)
            after = alter(None if row is None else _subscription_of(row))
            if tx.one("topic", **after.topic._asdict()) is None:
                raise MissingTopicError(after.topic.arn)
            tx.run("subscription_put", **_row_of(after))
            return after

        made = await self.subscriptions.write(id_, work)
        assert made is not None
        return made

    async def unsubscribe(self, id_: str) -> None:
        """Forget a subscription."""

        def work(tx: Transaction) -> None:
            tx.run("subscription_remove", id=id_)

        await self.subscriptions.write(id_, work)

    def _topic_changed(self, before: Topic | None, after: Topic | None) -> None:
        """The subscriptions of a topic go with it."""
        if after is None and before is not None:
            for subscription in self.of_topic(before.key):
                self.subscriptions.drop(subscription.id)

    def _subscription_changed(
        self, before: Subscription | None, after: Subscription | None
    ) -> None:
        if after is not None:
            self._of_topic.setdefault(after.topic, {})[after.id] = after
        elif before is not None:
            mine = self._of_topic.get(before.topic, {})
            mine.pop(before.id, None)
            if not mine:
                self._of_topic.pop(before.topic, None)


def _topic_of(row: sqlite3.Row) -> Topic:
    return Topic(
        TopicKey(row["account"], row["region"], row["name"]),
        loads(row["attributes"]),
        loads(row["tags"]),
        row["data_protection"],
    )


def _subscription_of(row: sqlite3.Row) -> Subscription:
    return Subscription(
        id=row["id"],
        topic=TopicKey(row["account"], row["region"], row["topic"]),
        owner=row["owner"],
        protocol=row["protocol"],
        endpoint=row["endpoint"],
        attributes=loads(row["attributes"]),
        token=row["token"],
        is_confirmed=bool(row["is_confirmed"]),
        is_authenticated=bool(row["is_authenticated"]),
        created_ms=row["created_ms"],
    )


def _row_of(subscription: Subscription) -> dict[str, Any]:
    return {
        "id": subscription.id,
        "account": subscription.topic.account,
        "region": subscription.topic.region,
        "topic": subscription.topic.name,
        "owner": subscription.owner,
        "protocol": subscription.protocol,
        "endpoint": subscription.endpoint,
        "attributes": dumps(dict(subscription.attributes)),
        "token": subscription.token,
        "is_confirmed": subscription.is_confirmed,
        "is_authenticated": subscription.is_authenticated,
        "created_ms": subscription.created_ms,
    }
