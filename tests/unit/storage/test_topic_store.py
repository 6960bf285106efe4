"""Topics and subscriptions on disk: what is changed at once, and what goes together."""

import asyncio

import pytest

from emberbox.model.topic import Subscription, Topic, TopicKey
from emberbox.storage.database import Database
from emberbox.storage.topics import MissingTopicError, TopicStore

KEY = TopicKey("123456789012", "us-east-1", "t")


def subscription(id_):
    endpoint = f"arn:aws:sqs:us-east-1:123456789012:{id_}"
    return Subscription(id_, KEY, KEY.account, "sqs", endpoint, {}, "token", True, True, 0)


@pytest.fixture
async def database(tmp_path):
    database = await Database.open(tmp_path / "topics.db", "topics")
    yield database
    await database.close()


@pytest.fixture
async def store(database):
    """A topic with two subscriptions."""
    store = TopicStore(database)
    await store.put_topic(KEY, lambda _found: Topic(KEY, {}, {}))
    for id_ in "ab":
        await store.put_subscription(id_, lambda _found, id_=id_: subscription(id_))
    return store


async def test_the_subscriptions_of_a_topic_go_with_it(store, database):
    """In one commit, in memory and on disk; whoever listens hears of each."""
    heard = []
    store.subscriptions.listeners.append(lambda before, after: heard.append((before.id, after)))

    await store.remove_topic(KEY)
    afterwards = TopicStore(database)
    await afterwards.load()

    assert sorted(heard) == [("a", None), ("b", None)]
    for each in (store, afterwards):
        assert not list(each.subscriptions)
        assert not each.of_topic(KEY)


async def test_nobody_subscribes_to_a_topic_while_it_goes(store, database):
    """What would be left is the subscription of whoever makes a topic of that name next."""
    removing = asyncio.ensure_future(store.remove_topic(KEY))
    await asyncio.sleep(0)

    with pytest.raises(MissingTopicError):
        await store.put_subscription("c", lambda _found: subscription("c"))

    await removing
    rows = await database.read(lambda tx: tx.all("subscriptions"))
    assert (len(rows), list(store.subscriptions)) == (0, [])
