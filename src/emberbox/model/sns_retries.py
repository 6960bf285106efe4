"""When a delivery of SNS is tried again: by the protocol, and for HTTP by the delivery policy.

Source: SNS developer guide, "Amazon SNS message delivery retries" and "Creating a delivery policy".
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from emberbox.model.topic import invalid_parameter
from emberbox.records import dataclass


@dataclass(frozen=True, slots=True)
class Retries:
    """The phases: at once, at the least pause, growing from the least to the most, at the most."""

    at_once: int
    before: int
    growing: int
    after: int
    least_s: float
    most_s: float
    shape: str = "exponential"

    def pause_s(self, attempts: int) -> float | None:
        """Seconds to wait after so many failed attempts; None if it is to be given up."""
        retry = attempts - 1
        if retry < self.at_once:
            return 0.0
        retry -= self.at_once
        if retry < self.before:
            return self.least_s
        retry -= self.before
        if retry < self.growing:
            return self._grown(retry)
        return self.most_s if retry - self.growing < self.after else None

    def _grown(self, step: int) -> float:
        share = (step + 1) / self.growing
        if self.shape == "linear":
            return self.least_s + (self.most_s - self.least_s) * share
        if self.shape == "arithmetic":
            return self.least_s + (self.most_s - self.least_s) * share * share
        return self.least_s * float((self.most_s / self.least_s) ** share)


AWS_MANAGED: Final = Retries(3, 2, 10, 100_000, 1.0, 20.0)
"""Queues and functions."""
_HTTP: Final[Mapping[str, Any]] = {
    "minDelayTarget": 20,
    "maxDelayTarget": 20,
    "numRetries": 3,
    "numMaxDelayRetries": 0,
    "numNoDelayRetries": 0,
    "numMinDelayRetries": 0,
    "backoffFunction": "linear",
}
_RETRIES_MAX: Final = 100
_DELAY_MAX_S: Final = 3_600
_SHAPES: Final = ("linear", "arithmetic", "geometric", "exponential")


def of_http(topic_policy: str | None, subscription_policy: str | None) -> Retries:
    """The retries of an HTTP endpoint by the two policies that may be set."""
    policy = effective_policy(topic_policy, subscription_policy)
    growing = policy["numRetries"] - sum(
        policy[f"num{which}DelayRetries"] for which in ("No", "Min", "Max")
    )
    return Retries(
        policy["numNoDelayRetries"],
        policy["numMinDelayRetries"],
        max(0, growing),
        policy["numMaxDelayRetries"],
        float(policy["minDelayTarget"]),
        float(policy["maxDelayTarget"]),
        policy["backoffFunction"],
    )


def effective_policy(topic_policy: str | None, subscription_policy: str | None) -> dict[str, Any]:
    """The retry policy that is in force: the subscription's, else the topic's, else the default."""
    of_topic = (json.loads(topic_policy) if topic_policy else {}).get("http", {})
    default = dict(_HTTP) | (of_topic.get("defaultHealthyRetryPolicy") or {})
    if of_topic.get("disableSubscriptionOverrides") or not subscription_policy:
        return default
    return default | (json.loads(subscription_policy).get("healthyRetryPolicy") or {})


def content_type(topic_policy: str | None, subscription_policy: str | None) -> str:
    """The content type that an endpoint has asked for."""
    own = (json.loads(subscription_policy) if subscription_policy else {}).get("requestPolicy")
    of_topic = (json.loads(topic_policy) if topic_policy else {}).get("http", {})
    asked = own or of_topic.get("defaultRequestPolicy") or {}
    return str(asked.get("headerContentType", "text/plain; charset=UTF-8"))


def _can_be_asked(policy: Mapping[str, Any]) -> bool:
    """Whether the content type can be sent as a header; AttributeError if it is no policy."""
    asked = policy.get("headerContentType", "text/plain")
    return isinstance(asked, str) and asked.isascii() and asked.isprintable()


def check_policy(text: str, *, of_topic: bool) -> None:
    """CallerError for a delivery policy that cannot be."""
    try:
        policy = json.loads(text)
        inner = policy.get("http", {}) if of_topic else policy
        member = "defaultHealthyRetryPolicy" if of_topic else "healthyRetryPolicy"
        request = "defaultRequestPolicy" if of_topic else "requestPolicy"
        retry = dict(_HTTP) | (inner.get(member) or {})
        numbers = [value for name, value in retry.items() if name != "backoffFunction"]
        is_good = (
            all(isinstance(number, int) and number >= 0 for number in numbers)
            and retry["numRetries"] <= _RETRIES_MAX
            and 1 <= retry["minDelayTarget"] <= retry["maxDelayTarget"] <= _DELAY_MAX_S
            and retry["backoffFunction"] in _SHAPES
            and _can_be_asked(inner.get(request) or {})
        )
    except (ValueError, AttributeError, TypeError, RecursionError):
        is_good = False
    if not is_good:
        raise invalid_parameter("DeliveryPolicy: the retry policy is not valid")
