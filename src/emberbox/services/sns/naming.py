"""How requests to SNS name topics and subscriptions, and the errors that operations share."""

import re
from collections.abc import Iterable
from typing import Final

from emberbox.errors import CallerError
from emberbox.model.page_tokens import from_token
from emberbox.model.topic import Subscription, Topic, TopicKey, invalid_parameter
from emberbox.storage.topics import TopicStore

PAGE: Final = 100

_TOPIC: Final = re.compile(
    r"arn:aws[a-z-]*:sns:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):(?P<name>[\w-]{1,256}(?:\.fifo)?)\Z",
    re.ASCII,
)


def topic_key(arn: str) -> TopicKey:
    """The key in a topic's ARN; CallerError if it is none."""
    found = _TOPIC.match(arn)
    if found is None:
        raise invalid_parameter(f"TopicArn Reason: {arn[:256]} is no ARN of a topic")
    return TopicKey(found["account"], found["region"], found["name"])


def topic_at(store: TopicStore, arn: str) -> Topic:
    """The topic with this ARN, or CallerError."""
    topic = store.topics.get(topic_key(arn))
    if topic is None:
        raise CallerError("NotFound", "Topic does not exist", status=404)
    return topic


def subscription_at(store: TopicStore, arn: str) -> Subscription:
    """The subscription with this ARN, or CallerError."""
    topic_arn, _, id_ = arn.rpartition(":")
    if not topic_arn.startswith("arn:") or not _TOPIC.match(topic_arn):
        raise invalid_parameter("SubscriptionArn Reason: An ARN must have at least 6 elements")
    found = store.subscriptions.get(id_)
    if found is None or found.arn != arn:
        raise CallerError("NotFound", "Subscription does not exist", status=404)
    return found


def after(token: str | None) -> str:
    """What a page token stands for; empty for the first page."""
    if not token:
        return ""
    found = from_token(token)
    if found is None:
        raise invalid_parameter("NextToken")
    return found


def unbuilt(member: str, values: Iterable[str]) -> CallerError:
    """A setting that would be stored and then ignored."""
    return invalid_parameter(f"{member}: Emberbox does not build {', '.join(sorted(values))}")
