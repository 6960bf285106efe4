"""Topics and subscriptions as values, and what a message that was published is.

Source: API reference of Amazon SNS.
"""

from collections.abc import Mapping
from functools import cached_property
from json import loads
from typing import Any, NamedTuple

from emberbox.errors import CallerError
from emberbox.model.event_pattern import SUBSCRIPTION, EventPattern
from emberbox.records import dataclass

MESSAGE_MAX_BYTES = 262_144


class TopicKey(NamedTuple):
    """The full name of a topic."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        """The ARN of a topic of this name."""
        return f"arn:aws:sns:{self.region}:{self.account}:{self.name}"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic; `attributes` are those that were set."""

    key: TopicKey
    attributes: Mapping[str, str]
    tags: Mapping[str, str]
    data_protection: str = ""

    @property
    def is_fifo(self) -> bool:
        """Whether messages of a group keep their order."""
        return self.attributes.get("FifoTopic") == "true"


@dataclass(frozen=True)
class Subscription:
    """Who gets the messages of a topic. `token` confirms it."""

    id: str
    topic: TopicKey
    owner: str
    protocol: str
    endpoint: str
    attributes: Mapping[str, str]
    token: str
    is_confirmed: bool
    is_authenticated: bool
    created_ms: int

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"{self.topic.arn}:{self.id}"

    @property
    def is_raw(self) -> bool:
        """Whether the endpoint gets the message as it was published."""
        return self.attributes.get("RawMessageDelivery") == "true"

    @property
    def dead_letters(self) -> str | None:
        """The ARN of the queue for what cannot be delivered."""
        text = self.attributes.get("RedrivePolicy")
        return loads(text)["deadLetterTargetArn"] if text else None

    @cached_property
    def filter(self) -> EventPattern | None:
        """The filter policy, if there is one."""
        text = self.attributes.get("FilterPolicy")
        return EventPattern(text, SUBSCRIPTION) if text else None

    def wants(self, message: "Publication") -> bool:
        """Whether the filter policy lets a message through."""
        if self.filter is None:
            return True
        if self.attributes.get("FilterPolicyScope") != "MessageBody":
            return self.filter.matches(message.filterable)
        body = message.body_object
        return body is not None and self.filter.matches(body)


@dataclass(frozen=True)
class Publication:
    """A message of a topic. `attributes` are as the API has them, `texts` by protocol.

    `trace` is the X-Amzn-Trace-Id of the request that published it.
    """

    message_id: str
    topic_arn: str
    message: str
    subject: str | None
    attributes: Mapping[str, Mapping[str, Any]]
    texts: Mapping[str, str]
    group_id: str | None
    deduplication_id: str | None
    published_s: float
    type: str = "Notification"
    token: str = ""
    sequence: int = 0
    trace: str = ""

    def text_for(self, protocol: str) -> str:
        """What a protocol gets."""
        return self.texts.get(protocol, self.message)

    @cached_property
    def filterable(self) -> dict[str, Any]:
        """The attributes as values that a filter policy can look at."""
        return {name: _value(each) for name, each in self.attributes.items() if _has_text(each)}

    @cached_property
    def body_object(self) -> dict[str, Any] | None:
        """The message as a JSON object; None if it is none."""
        try:
            found = loads(self.message)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None


def _has_text(attribute: Mapping[str, Any]) -> bool:
    return "StringValue" in attribute


def _value(attribute: Mapping[str, Any]) -> Any:
    kind, text = attribute["DataType"], attribute["StringValue"]
    if kind == "String.Array" or kind.startswith("Number"):
        try:
            return loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def invalid_parameter(what: str) -> CallerError:
    """The error that a parameter is wrong."""
    return CallerError("InvalidParameter", f"Invalid parameter: {what}", status=400)
