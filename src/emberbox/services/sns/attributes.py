"""What attributes of topics and subscriptions may be, and what they look like to a client."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from emberbox.errors import CallerError
from emberbox.model.event_pattern import SUBSCRIPTION, EventPattern
from emberbox.model.event_tests import PatternError
from emberbox.model.queue_settings import parse_queue_arn
from emberbox.model.sns_retries import check_policy, effective_policy
from emberbox.model.topic import Subscription, Topic, invalid_parameter
from emberbox.services.sns.naming import unbuilt

_FLAGS: Final = ("true", "false")
_KEYS_MAX: Final = 5
_COMBINATIONS_MAX: Final = 150

Check = Callable[[str, str], None]


def _flag(name: str, value: str) -> None:
    if value not in _FLAGS:
        raise invalid_parameter(f"{name} Reason: the value must be true or false")


def _one_of(*values: str) -> Check:
    def check(name: str, value: str) -> None:
        if value not in values:
            raise invalid_parameter(f"{name} Reason: the value must be one of {', '.join(values)}")

    return check


def _policy(name: str, value: str) -> None:
    if value and not isinstance(_loaded(value), dict):
        raise invalid_parameter(f"{name} Error: the policy is no JSON object")


def _delivery(of_topic: bool) -> Check:
    def check(_name: str, value: str) -> None:
        if value:
            check_policy(value, of_topic=of_topic)

    return check


def _text(_name: str, _value: str) -> None:
    return


def _refused(name: str, value: str) -> None:
    if value and value != "PassThrough":
        raise unbuilt(name, [name])


_TOPIC_RULES: Final[Mapping[str, Check]] = {
    "DisplayName": _text,
    "Policy": _policy,
    "DeliveryPolicy": _delivery(True),
    "SignatureVersion": _one_of("1", "2"),
    "TracingConfig": _refused,
    "KmsMasterKeyId": _refused,
    "ArchivePolicy": _refused,
}
_FIFO_RULES: Final[Mapping[str, Check]] = {
    "FifoTopic": _flag,
    "ContentBasedDeduplication": _flag,
    "FifoThroughputScope": _one_of("Topic", "MessageGroup"),
}
_FEEDBACK: Final = ("SuccessFeedbackRoleArn", "FailureFeedbackRoleArn", "SuccessFeedbackSampleRate")


def check_topic(attributes: Mapping[str, str], *, is_fifo: bool) -> None:
    """CallerError for the first attribute that a topic cannot have."""
    for name, value in attributes.items():
        if name.endswith(_FEEDBACK):
            _refused(name, value)
            continue
        rule = _TOPIC_RULES.get(name)
        if rule is None and (is_fifo or value == "false"):
            rule = _FIFO_RULES.get(name)
        if rule is None:
            raise invalid_parameter(f"AttributeName: {name[:128]}")
        rule(name, value)


def shown_topic(topic: Topic, counts: Mapping[bool, int]) -> dict[str, str]:
    """All attributes; `counts` are the subscriptions by whether they are confirmed."""
    shown = {
        "Policy": _default_policy(topic),
        "DisplayName": "",
        **{name: value for name, value in topic.attributes.items() if value},
        "TopicArn": topic.key.arn,
        "Owner": topic.key.account,
        "SubscriptionsConfirmed": str(counts.get(True, 0)),
        "SubscriptionsPending": str(counts.get(False, 0)),
        "SubscriptionsDeleted": "0",
        "EffectiveDeliveryPolicy": json.dumps(
            {
                "http": {
                    "defaultHealthyRetryPolicy": effective_policy(
                        topic.attributes.get("DeliveryPolicy"), None
                    ),
                    "disableSubscriptionOverrides": False,
                }
            }
        ),
    }
    if topic.is_fifo:
        shown.setdefault("ContentBasedDeduplication", "false")
    return shown


def _default_policy(topic: Topic) -> str:
    actions = (
        "GetTopicAttributes",
        "SetTopicAttributes",
        "AddPermission",
        "RemovePermission",
        "DeleteTopic",
        "Subscribe",
        "ListSubscriptionsByTopic",
        "Publish",
    )
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in actions],
        "Resource": topic.key.arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": topic.key.account}},
    }
    return json.dumps(
        {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]}
    )


_SUBSCRIPTION_NAMES: Final = frozenset(
    {
        "DeliveryPolicy",
        "FilterPolicy",
        "FilterPolicyScope",
        "RawMessageDelivery",
        "RedrivePolicy",
        "SubscriptionRoleArn",
        "ReplayPolicy",
    }
)


def checked_subscription(protocol: str, attributes: Mapping[str, str]) -> dict[str, str]:
    """Attributes of a subscription, empty ones left out; CallerError if they are wrong."""
    for name in attributes:
        if name not in _SUBSCRIPTION_NAMES:
            raise invalid_parameter("AttributeName")
    found = {name: value for name, value in attributes.items() if value and value != "{}"}
    for name in ("SubscriptionRoleArn", "ReplayPolicy"):
        _refused(name, found.get(name, ""))
    _flag("RawMessageDelivery", found.get("RawMessageDelivery", "false"))
    if found.get("RawMessageDelivery") == "true" and protocol not in ("sqs", "http", "https"):
        raise invalid_parameter(
            f"RawMessageDelivery Reason: Delivery protocol [{protocol}] does not support raw "
            "message delivery."
        )
    _one_of("MessageAttributes", "MessageBody")(
        "FilterPolicyScope", found.get("FilterPolicyScope", "MessageAttributes")
    )
    _delivery(False)("DeliveryPolicy", found.get("DeliveryPolicy", ""))
    _check_redrive(found.get("RedrivePolicy"))
    _check_filter(found)
    return found


def _check_redrive(text: str | None) -> None:
    if text is None:
        return
    policy = _loaded(text)
    target = policy.get("deadLetterTargetArn") if isinstance(policy, dict) else None
    if not isinstance(target, str) or parse_queue_arn(target) is None:
        raise invalid_parameter("RedrivePolicy: deadLetterTargetArn is an invalid arn")


def _check_filter(attributes: Mapping[str, str]) -> None:
    text = attributes.get("FilterPolicy")
    if text is None:
        return
    try:
        EventPattern(text, SUBSCRIPTION)
    except PatternError as error:
        raise invalid_parameter(f"FilterPolicy: {error}") from None
    policy = _loaded(text)
    is_nested = any(isinstance(value, dict) for value in policy.values())
    if is_nested and attributes.get("FilterPolicyScope") != "MessageBody":
        raise invalid_parameter(
            "FilterPolicy: Filter policy scope MessageAttributes does not support nested filter "
            "policy"
        )
    if len(list(_leaves(policy))) > _KEYS_MAX:
        raise invalid_parameter("FilterPolicy: Filter policy can not have more than 5 keys")
    combinations = 1
    for depth, values in _leaves(policy):
        combinations *= depth * values
    if combinations > _COMBINATIONS_MAX:
        raise CallerError("FilterPolicyLimitExceeded", "Filter policy is too complex", status=403)


def _leaves(policy: Any, depth: int = 1) -> "list[tuple[int, int]]":
    """Depth and number of alternatives of each key that has any."""
    found: list[tuple[int, int]] = []
    for key, value in policy.items():
        if key == "$or" and isinstance(value, list):
            for each in value:
                found += _leaves(each, depth)
        elif isinstance(value, dict):
            found += _leaves(value, depth + 1)
        else:
            found.append((depth, max(1, len(value))))
    return found


def shown_subscription(subscription: Subscription, topic: Topic | None) -> dict[str, str]:
    """All attributes."""
    shown = {
        "SubscriptionArn": subscription.arn,
        "TopicArn": subscription.topic.arn,
        "Protocol": subscription.protocol,
        "Endpoint": subscription.endpoint,
        "Owner": subscription.owner,
        "PendingConfirmation": str(not subscription.is_confirmed).lower(),
        "ConfirmationWasAuthenticated": str(subscription.is_authenticated).lower(),
        "RawMessageDelivery": "false",
        "SubscriptionPrincipal": f"arn:aws:iam::{subscription.owner}:root",
        **subscription.attributes,
    }
    if "FilterPolicy" in shown:
        shown.setdefault("FilterPolicyScope", "MessageAttributes")
    if subscription.protocol in ("http", "https"):
        of_topic = topic.attributes.get("DeliveryPolicy") if topic is not None else None
        policy = effective_policy(of_topic, subscription.attributes.get("DeliveryPolicy"))
        shown["EffectiveDeliveryPolicy"] = json.dumps({"healthyRetryPolicy": policy})
    return shown


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
