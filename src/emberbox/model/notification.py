"""What endpoints of a topic get: the notification, its text to be signed, confirmations.

Source: SNS developer guide, "Parsing Amazon SNS message formats" and "Verifying the signatures of
Amazon SNS messages".
"""

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from emberbox.model.topic import Publication, Subscription
from emberbox.records import dataclass

_VERSION: Final = "2010-03-31"
CONFIRMATION: Final = "SubscriptionConfirmation"
_SIGNED: Final = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_SIGNED_CONFIRMATION: Final = (
    "Message",
    "MessageId",
    "SubscribeURL",
    "Timestamp",
    "Token",
    "TopicArn",
    "Type",
)


@dataclass(frozen=True, slots=True)
class Urls:
    """The addresses in messages.

    `base` is scheme, host and port of this server; `certificate` tells where the one is that
    verifies a message, when a message is signed.
    """

    base: str
    certificate: Callable[[], str]

    def unsubscribe(self, arn: str) -> str:
        """Visiting it ends a subscription."""
        return self._asking({"Action": "Unsubscribe", "SubscriptionArn": arn})

    def confirm(self, topic_arn: str, token: str) -> str:
        """Visiting it confirms a subscription."""
        return self._asking(
            {"Action": "ConfirmSubscription", "TopicArn": topic_arn, "Token": token}
        )

    def _asking(self, fields: Mapping[str, str]) -> str:
        """A request to SNS in a URL; its version says that it is to SNS, as nothing signs it."""
        return f"{self.base}/?{urlencode({**fields, 'Version': _VERSION})}"


def unsigned(
    message: Publication, subscription: Subscription, urls: Urls, version: str
) -> dict[str, Any]:
    """The members of a message for queues and HTTP, but for its signature."""
    members: dict[str, Any] = {"Type": message.type, "MessageId": message.message_id}
    if message.type == CONFIRMATION:
        members["Token"] = message.token
    members["TopicArn"] = message.topic_arn
    if message.subject is not None:
        members["Subject"] = message.subject
    members["Message"] = message.text_for(subscription.protocol)
    if message.type == CONFIRMATION:
        members["SubscribeURL"] = urls.confirm(message.topic_arn, message.token)
    members["Timestamp"] = timestamp(message.published_s)
    if message.topic_arn.endswith(".fifo"):
        members["SequenceNumber"] = sequence_number(message.sequence)
    members["SignatureVersion"] = version
    return members


def text_to_sign(members: Mapping[str, Any]) -> bytes:
    """Names and values, a line each, in the order that verifiers expect."""
    names = _SIGNED_CONFIRMATION if members["Type"] == CONFIRMATION else _SIGNED
    lines = [f"{name}\n{members[name]}\n" for name in names if name in members]
    return "".join(lines).encode()


def signed(
    members: Mapping[str, Any],
    signature: str,
    message: Publication,
    subscription: Subscription,
    urls: Urls,
) -> dict[str, Any]:
    """The whole message."""
    whole = dict(members) | {"Signature": signature, "SigningCertURL": urls.certificate()}
    if message.type != CONFIRMATION:
        whole["UnsubscribeURL"] = urls.unsubscribe(subscription.arn)
    if message.attributes:
        whole["MessageAttributes"] = shown_attributes(message)
    return whole


def lambda_event(
    whole: Mapping[str, Any], message: Publication, subscription: Subscription
) -> bytes:
    """The event of a function: other spellings, and a Subject also where there is none."""
    sns = {
        "Type": whole["Type"],
        "MessageId": whole["MessageId"],
        "TopicArn": whole["TopicArn"],
        "Subject": message.subject,
        "Message": whole["Message"],
        "Timestamp": whole["Timestamp"],
        "SignatureVersion": whole["SignatureVersion"],
        "Signature": whole["Signature"],
        "SigningCertUrl": whole["SigningCertURL"],
        "UnsubscribeUrl": whole["UnsubscribeURL"],
        "MessageAttributes": shown_attributes(message),
    }
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription.arn,
        "Sns": sns,
    }
    return orjson.dumps({"Records": [record]})


def shown_attributes(message: Publication) -> dict[str, dict[str, str]]:
    """The attributes as messages carry them."""
    return {
        name: {
            "Type": value["DataType"],
            "Value": base64.b64encode(value["BinaryValue"]).decode()
            if "BinaryValue" in value
            else value["StringValue"],
        }
        for name, value in message.attributes.items()
    }


def sequence_number(number: int) -> str:
    """The place of a message in a FIFO topic: 20 digits, growing."""
    return str(10_000_000_000_000_000_000 + number)


def timestamp(epoch_s: float) -> str:
    """A moment to the millisecond."""
    moment = datetime.fromtimestamp(epoch_s, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
