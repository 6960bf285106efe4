"""Which topic a request is for, and whether the caller may use it."""

from typing import Final

from emberbox.errors import CallerError
from emberbox.model.policy.principals import root
from emberbox.model.policy.resource import resource_policy_allows
from emberbox.model.request import RequestContext
from emberbox.model.topic import Topic
from emberbox.services.sns.naming import topic_at
from emberbox.storage.topics import TopicStore

_SHARED: Final = frozenset(
    {"GetTopicAttributes", "ListSubscriptionsByTopic", "Publish", "PublishBatch", "Subscribe"}
)


def topic_for(store: TopicStore, context: RequestContext, arn: str) -> Topic:
    """The topic; CallerError if there is none, or if it is another's that does not allow it."""
    topic = topic_at(store, arn)
    if topic.key.account == context.account:
        return topic
    action = context.operation.removesuffix("Batch")
    if context.operation in _SHARED and resource_policy_allows(
        topic.attributes.get("Policy"), root(context.account), f"sns:{action}", topic.key.arn
    ):
        return topic
    raise CallerError(
        "AuthorizationError",
        f"User: arn:aws:iam::{context.account}:root is not authorized to perform: SNS:{action} on "
        f"resource: {topic.key.arn} because no resource-based policy allows the SNS:{action} "
        "action",
        status=403,
    )
