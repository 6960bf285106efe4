"""Subscriptions as resources: subscribe, confirm, list, change, end."""

import asyncio
import re
import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.model.page_tokens import to_token
from emberbox.model.queue_settings import parse_queue_arn
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.model.topic import Subscription, Topic, TopicKey, invalid_parameter
from emberbox.services.sns.access import topic_for
from emberbox.services.sns.attributes import checked_subscription, shown_subscription
from emberbox.services.sns.naming import PAGE, after, subscription_at, topic_at, unbuilt
from emberbox.services.sns.publishing import Publisher
from emberbox.storage.topics import MissingTopicError, TopicStore

PENDING: Final = "pending confirmation"
_SHOWN_PENDING: Final = "PendingConfirmation"
_AT_ONCE: Final = frozenset({"lambda", "sqs"})
_WEB: Final = frozenset({"http", "https"})
_MAIL: Final = frozenset({"email", "email-json"})
_UNBUILT: Final = frozenset({"sms", "application", "firehose"})
_FUNCTION: Final = re.compile(
    r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:[\w-]{1,64}(:[\w$-]{1,128})?\Z", re.ASCII
)


class SubscriptionOperations:
    """What is done to subscriptions."""

    def __init__(self, store: TopicStore, publisher: Publisher, clock: Clock) -> None:
        self._store = store
        self._publisher = publisher
        self._clock = clock
        self._adding: dict[tuple[TopicKey, str, str], asyncio.Task[Subscription]] = {}

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "ConfirmSubscription": self.confirm_subscription,
            "GetSubscriptionAttributes": self.get_subscription_attributes,
            "ListSubscriptions": self.list_subscriptions,
            "ListSubscriptionsByTopic": self.list_subscriptions_by_topic,
            "SetSubscriptionAttributes": self.set_subscription_attributes,
            "Subscribe": self.subscribe,
            "Unsubscribe": self.unsubscribe,
        }

    async def subscribe(self, context: RequestContext, params: Params) -> Params:
        """Add a subscription; web servers are asked to confirm it."""
        topic = topic_for(self._store, context, params["TopicArn"])
        protocol, endpoint = params["Protocol"], params.get("Endpoint") or ""
        _check_endpoint(topic, protocol, endpoint)
        attributes = checked_subscription(protocol, params.get("Attributes") or {})
        found = self._same(topic, protocol, endpoint)
        if found is None:
            found = await self._added(context, topic, protocol, endpoint, attributes)
        if attributes and dict(found.attributes) != attributes:
            raise invalid_parameter(
                "Attributes Reason: Subscription already exists with different attributes"
            )
        if not found.is_confirmed and protocol in _WEB:
            await self._publisher.ask_to_confirm(found)
        if found.is_confirmed or params.get("ReturnSubscriptionArn"):
            return {"SubscriptionArn": found.arn}
        return {"SubscriptionArn": PENDING}

    def _same(self, topic: Topic, protocol: str, endpoint: str) -> Subscription | None:
        for each in self._store.of_topic(topic.key):
            if (each.protocol, each.endpoint) == (protocol, endpoint):
                return each
        return None

    async def _added(
        self,
        context: RequestContext,
        topic: Topic,
        protocol: str,
        endpoint: str,
        attributes: Mapping[str, str],
    ) -> Subscription:
        """A new subscription; requests for the same that come at once have one together."""
        key = (topic.key, protocol, endpoint)
        task = self._adding.get(key)
        if task is None:
            task = asyncio.create_task(self._add(context, topic, protocol, endpoint, attributes))
            self._adding[key] = task
            task.add_done_callback(lambda _task: self._adding.pop(key))
        try:
            return await asyncio.shield(task)
        except MissingTopicError:
            raise CallerError("NotFound", "Topic does not exist", status=404) from None

    async def _add(
        self,
        context: RequestContext,
        topic: Topic,
        protocol: str,
        endpoint: str,
        attributes: Mapping[str, str],
    ) -> Subscription:
        made = Subscription(
            id=str(uuid.uuid4()),
            topic=topic.key,
            owner=context.account,
            protocol=protocol,
            endpoint=endpoint,
            attributes=attributes,
            token=secrets.token_hex(64),
            is_confirmed=protocol in _AT_ONCE,
            is_authenticated=protocol in _AT_ONCE,
            created_ms=int(self._clock.now() * 1_000),
        )
        return await self._store.put_subscription(made.id, lambda _before: made)

    async def confirm_subscription(self, _context: RequestContext, params: Params) -> Params:
        """Confirm a subscription by the token that its endpoint was sent."""
        topic = topic_at(self._store, params["TopicArn"])
        token, is_authenticated = params["Token"], params.get("AuthenticateOnUnsubscribe") == "true"
        mine = self._store.of_topic(topic.key)
        found = next((each for each in mine if _is_same(each.token, token)), None)
        if found is None:
            raise invalid_parameter("Token")
        await self._change(
            found,
            lambda now: replace(now, is_confirmed=True, is_authenticated=is_authenticated),
        )
        return {"SubscriptionArn": found.arn}

    async def _change(
        self, subscription: Subscription, change: Callable[[Subscription], Subscription]
    ) -> None:
        """By a function of what it is then: others may be changing it, too."""

        def alter(before: Subscription | None) -> Subscription:
            if before is None:
                raise CallerError("NotFound", "Subscription does not exist", status=404)
            return change(before)

        await self._store.put_subscription(subscription.id, alter)

    async def unsubscribe(self, context: RequestContext, params: Params) -> Params:
        """End a subscription; one that is not there is no error."""
        arn = params["SubscriptionArn"]
        try:
            found = subscription_at(self._store, arn)
        except CallerError as error:
            if error.code == "NotFound":
                return {}
            raise
        if found.is_authenticated and context.account not in (found.owner, found.topic.account):
            raise CallerError("AuthorizationError", "Not authorized", status=403)
        await self._store.unsubscribe(found.id)
        return {}

    async def list_subscriptions(self, context: RequestContext, params: Params) -> Params:
        """The subscriptions of the caller's account."""
        mine = [
            each
            for each in self._store.subscriptions
            if (each.owner, each.topic.region) == (context.account, context.region)
        ]
        return _page(mine, params)

    async def list_subscriptions_by_topic(self, context: RequestContext, params: Params) -> Params:
        """The subscriptions of a topic."""
        topic = topic_for(self._store, context, params["TopicArn"])
        return _page(self._store.of_topic(topic.key), params)

    async def get_subscription_attributes(self, context: RequestContext, params: Params) -> Params:
        """All attributes of a subscription."""
        found = self._mine(context, params)
        topic = self._store.topics.get(found.topic)
        return {"Attributes": shown_subscription(found, topic)}

    async def set_subscription_attributes(self, context: RequestContext, params: Params) -> Params:
        """Change one attribute; an empty value removes it."""
        found = self._mine(context, params)
        asked = {params["AttributeName"]: params.get("AttributeValue") or ""}

        def change(before: Subscription) -> Subscription:
            attributes = checked_subscription(found.protocol, {**before.attributes, **asked})
            return replace(before, attributes=attributes)

        await self._change(found, change)
        return {}

    def _mine(self, context: RequestContext, params: Params) -> Subscription:
        found = subscription_at(self._store, params["SubscriptionArn"])
        if context.account not in (found.owner, found.topic.account):
            raise CallerError("AuthorizationError", "Not authorized", status=403)
        return found


def _is_same(one: str, other: str) -> bool:
    """Whether two tokens are the same, in as long a time whether they are or not."""
    return secrets.compare_digest(one.encode(), other.encode())


def _check_endpoint(topic: Topic, protocol: str, endpoint: str) -> None:
    if protocol in _UNBUILT:
        raise unbuilt("Protocol", [f"the protocol {protocol}"])
    if protocol not in _AT_ONCE | _WEB | _MAIL:
        raise invalid_parameter(
            f"Amazon SNS does not support this protocol string: {protocol[:64]}"
        )
    if topic.is_fifo and protocol != "sqs":
        raise invalid_parameter(
            f"Invalid protocol type: {protocol}. FIFO topics deliver to queues of SQS only."
        )
    if protocol == "sqs":
        if parse_queue_arn(endpoint) is None:
            raise invalid_parameter("SQS endpoint ARN")
        if endpoint.endswith(".fifo") and not topic.is_fifo:
            raise invalid_parameter(
                "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to "
                "standard SNS topics"
            )
    elif protocol == "lambda" and not _FUNCTION.match(endpoint):
        raise invalid_parameter("Lambda endpoint ARN")
    elif protocol in _WEB and not endpoint.startswith(f"{protocol}://"):
        raise invalid_parameter("Endpoint must match the specified protocol")
    elif protocol in _MAIL and "@" not in endpoint:
        raise invalid_parameter("Email address")


def _page(found: Sequence[Subscription], params: Params) -> Params:
    start = after(params.get("NextToken"))
    rest = sorted((each for each in found if each.id > start), key=lambda each: each.id)
    answer: Params = {"Subscriptions": [_shown(each) for each in rest[:PAGE]]}
    if len(rest) > PAGE:
        answer["NextToken"] = to_token(rest[PAGE - 1].id)
    return answer


def _shown(subscription: Subscription) -> Params:
    return {
        "SubscriptionArn": subscription.arn if subscription.is_confirmed else _SHOWN_PENDING,
        "Owner": subscription.owner,
        "Protocol": subscription.protocol,
        "Endpoint": subscription.endpoint,
        "TopicArn": subscription.topic.arn,
    }
