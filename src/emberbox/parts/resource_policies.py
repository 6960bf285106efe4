"""The policies of queues and topics, for who decides about requests that touch them."""

from collections.abc import Sequence

from emberbox.gateway.guard import ResourcePolicies
from emberbox.model.policy.documents import Policy, from_text
from emberbox.model.topic import TopicKey
from emberbox.services.events.naming import Buses, bus_key_of
from emberbox.storage.queue_records import QueueKey
from emberbox.storage.queues import QueueStore
from emberbox.storage.topics import TopicStore

_PARTS = 6


def queue_policies(queues: QueueStore) -> ResourcePolicies:
    """The policy of a queue by its ARN."""

    async def policies(arn: str) -> Sequence[Policy]:
        parts = arn.split(":")
        queue = queues.get(QueueKey(parts[4], parts[3], parts[5])) if len(parts) == _PARTS else None
        return () if queue is None else _of(arn, queue.attributes.get("Policy"))

    return policies


def topic_policies(topics: TopicStore) -> ResourcePolicies:
    """The policy of a topic by its ARN."""

    async def policies(arn: str) -> Sequence[Policy]:
        parts = arn.split(":")
        key = TopicKey(parts[4], parts[3], parts[5]) if len(parts) == _PARTS else None
        topic = None if key is None else topics.topics.get(key)
        return () if topic is None else _of(arn, topic.attributes.get("Policy"))

    return policies


def bus_policies(buses: Buses) -> ResourcePolicies:
    """The policy of an event bus by its ARN."""

    async def policies(arn: str) -> Sequence[Policy]:
        key = bus_key_of(arn)
        bus = None if key is None else buses.at(key)
        return () if bus is None else _of(arn, bus.policy)

    return policies


def _of(arn: str, text: str | None) -> Sequence[Policy]:
    return () if not text else (from_text(arn, text),)
