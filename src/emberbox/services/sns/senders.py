"""One delivery to one endpoint: a queue, a function, a web server."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

import orjson

from emberbox.errors import CallerError, PlatformError
from emberbox.model.message_attributes import ATTRIBUTES_MAX
from emberbox.model.notification import Urls, lambda_event, signed, text_to_sign, unsigned
from emberbox.model.sns_retries import content_type
from emberbox.model.topic import Publication, Subscription
from emberbox.services.sns.signing import Signer
from emberbox.services.to_queues import SendToQueue
from emberbox.storage.topics import TopicStore

_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
_DENIED: Final = 403


class InvokeAsync(Protocol):
    """Queues an event for the function with this ARN; CallerError if there is none."""

    async def __call__(self, arn: str, payload: bytes, *, trace: str = "") -> object:
        """Return once the event is on disk. `trace` goes on with it."""
        ...


MayDeliver = Callable[[str, str], Awaitable[bool]]
"""(ARN of the topic, ARN of a queue or function): whether the latter's policy lets it deliver."""


Post = Callable[[str, bytes, Mapping[str, str]], Awaitable[int]]
"""Posts a body with headers to a URL: the status. OSError if there is none, CallerError if it may
not be."""


class Senders:
    """The senders by protocol. `invoke` and `send` are the ways into functions and queues."""

    def __init__(
        self,
        store: TopicStore,
        signer: Signer,
        urls: Urls,
        send: SendToQueue,
        invoke: InvokeAsync,
        may: MayDeliver,
        post: Post,
    ) -> None:
        self._store = store
        self._signer = signer
        self._urls = urls
        self._send = send
        self._invoke = invoke
        self._may = may
        self._post = post
        self.by_protocol = {
            "sqs": self.to_queue,
            "lambda": self.to_function,
            "http": self.to_web,
            "https": self.to_web,
            "email": _never,
            "email-json": _never,
        }

    async def to_queue(self, subscription: Subscription, message: Publication) -> None:
        """A message of the queue: the notification, or what was published if it is to be raw."""
        await self._check(message, subscription.endpoint)
        attributes = message.attributes if subscription.is_raw else {}
        if len(attributes) > ATTRIBUTES_MAX:
            raise CallerError("InvalidParameterValue", "too many attributes for a queue")
        is_fifo = subscription.endpoint.endswith(".fifo")
        await self._send(
            subscription.endpoint,
            self._body(subscription, message),
            attributes,
            group_id=message.group_id,
            deduplication_id=message.deduplication_id if is_fifo else None,
            trace=message.trace,
        )

    async def to_function(self, subscription: Subscription, message: Publication) -> None:
        """An event for the function's own queue, which tries and retries it."""
        await self._check(message, subscription.endpoint)
        whole = self._whole(subscription, message)
        event = lambda_event(whole, message, subscription)
        await self._invoke(subscription.endpoint, event, trace=message.trace)

    async def to_web(self, subscription: Subscription, message: Publication) -> None:
        """A POST; errors of the server and of the network may pass, others will not."""
        topic = self._store.topics.get(subscription.topic)
        headers = {
            "content-type": content_type(
                topic.attributes.get("DeliveryPolicy") if topic is not None else None,
                subscription.attributes.get("DeliveryPolicy"),
            ),
            "x-amz-sns-message-type": message.type,
            "x-amz-sns-message-id": message.message_id,
            "x-amz-sns-topic-arn": message.topic_arn,
        }
        if subscription.is_confirmed:
            headers["x-amz-sns-subscription-arn"] = subscription.arn
        if subscription.is_raw and message.type == "Notification":
            headers["x-amz-sns-rawdelivery"] = "true"
        body = self._body(subscription, message)
        status = await self._post(subscription.endpoint, body.encode(), headers)
        if 200 <= status < 300:
            return
        if status >= _SERVER_ERROR or status == _TOO_MANY or status < 200:
            raise PlatformError(f"the endpoint answered {status}")
        raise CallerError("EndpointRefused", f"the endpoint answered {status}", status=status)

    async def bury(
        self,
        target: str,
        subscription: Subscription,
        message: Publication,
        told: Mapping[str, str],
    ) -> None:
        """A dead letter: what would have been delivered, and what went wrong."""
        await self._check(message, target)
        attributes = {
            name: {"DataType": "String", "StringValue": value} for name, value in told.items()
        }
        await self._send(
            target,
            self._body(subscription, message),
            attributes,
            group_id=message.group_id,
            deduplication_id=message.deduplication_id if target.endswith(".fifo") else None,
        )

    async def _check(self, message: Publication, endpoint: str) -> None:
        if not await self._may(message.topic_arn, endpoint):
            text = f"the policy of {endpoint} lets {message.topic_arn} not deliver to it"
            raise CallerError("AuthorizationError", text, status=_DENIED)

    def _body(self, subscription: Subscription, message: Publication) -> str:
        if subscription.is_raw and message.type == "Notification":
            return message.text_for(subscription.protocol)
        return orjson.dumps(self._whole(subscription, message)).decode()

    def _whole(self, subscription: Subscription, message: Publication) -> dict[str, Any]:
        topic = self._store.topics.get(subscription.topic)
        version = topic.attributes.get("SignatureVersion", "1") if topic is not None else "1"
        members = unsigned(message, subscription, self._urls, version)
        signature = self._signer.sign(text_to_sign(members), version)
        return signed(members, signature, message, subscription, self._urls)


async def _never(subscription: Subscription, _message: Publication) -> None:
    raise CallerError("EndpointDisabled", f"nothing is sent by {subscription.protocol}")
