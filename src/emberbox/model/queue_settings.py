"""Attributes of a queue: which there are, what they may be, and what they mean.

Source: API reference of Amazon SQS, CreateQueue and SetQueueAttributes; the texts of refusals are
the service's own.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from emberbox.errors import CallerError
from emberbox.records import dataclass

MESSAGE_MAX_BYTES: Final = 1_048_576
VISIBILITY_MAX_S: Final = 43_200
DELAY_MAX_S: Final = 900
WAIT_MAX_S: Final = 20

_QUEUE_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:sqs:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):(?P<name>[\w-]{1,80}(\.fifo)?)\Z"
)
_NAME: Final = re.compile(r"[\w-]{1,80}\Z", re.ASCII)
_FIFO_NAME: Final = re.compile(r"(?=.{6,80}\Z)[\w-]+\.fifo\Z", re.ASCII)
_FLAGS: Final = ("true", "false")
_ALLOW_SOURCES_MAX: Final = 10
_RECEIVES_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Redrive:
    """Where messages go that were received too often."""

    target_arn: str
    max_receives: int


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """The attributes of a queue as values."""

    visibility_s: int
    message_max_bytes: int
    retention_s: int
    delay_s: int
    wait_s: int
    redrive: Redrive | None
    is_fifo: bool
    by_content: bool
    by_group: bool


def invalid_value(message: str) -> CallerError:
    """The error that a parameter's value is wrong."""
    return CallerError("InvalidParameterValue", message, status=400)


def queue_arn(account: str, region: str, name: str) -> str:
    """The ARN of a queue."""
    return f"arn:aws:sqs:{region}:{account}:{name}"


def parse_queue_arn(arn: str) -> tuple[str, str, str] | None:
    """Account, region and name of a queue's ARN; None if it is none."""
    found = _QUEUE_ARN.match(arn)
    return (found["account"], found["region"], found["name"]) if found else None


def check_queue_name(name: str, *, is_fifo: bool) -> None:
    """CallerError for a name that a queue of this kind cannot have."""
    if is_fifo and not _FIFO_NAME.match(name):
        raise invalid_value(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or "
            "underscores, must end with .fifo suffix and be 1 to 80 in length."
        )
    if not is_fifo and not _NAME.match(name):
        raise invalid_value(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        )


def _whole_number(low: int, high: int) -> Callable[[str], bool]:
    return lambda text: text.isascii() and text.isdigit() and low <= int(text[:9]) <= high


def _one_of(*values: str) -> Callable[[str], bool]:
    return lambda text: text in values


def _json_object(text: str) -> bool:
    return not text or isinstance(_loaded(text), dict)


_RULES: Final[Mapping[str, Callable[[str], bool]]] = {
    "VisibilityTimeout": _whole_number(0, VISIBILITY_MAX_S),
    "MaximumMessageSize": _whole_number(1_024, MESSAGE_MAX_BYTES),
    "MessageRetentionPeriod": _whole_number(60, 1_209_600),
    "DelaySeconds": _whole_number(0, DELAY_MAX_S),
    "ReceiveMessageWaitTimeSeconds": _whole_number(0, WAIT_MAX_S),
    "Policy": _json_object,
    "RedrivePolicy": lambda _text: True,
    "RedriveAllowPolicy": lambda _text: True,
    "SqsManagedSseEnabled": _one_of(*_FLAGS),
    "KmsMasterKeyId": lambda text: not text,
    "KmsDataKeyReusePeriodSeconds": _whole_number(60, 86_400),
}
_FIFO_RULES: Final[Mapping[str, Callable[[str], bool]]] = {
    "FifoQueue": _one_of("true"),
    "ContentBasedDeduplication": _one_of(*_FLAGS),
    "DeduplicationScope": _one_of("messageGroup", "queue"),
    "FifoThroughputLimit": _one_of("perQueue", "perMessageGroupId"),
}
_DEFAULTS: Final = {
    "VisibilityTimeout": "30",
    "MaximumMessageSize": str(MESSAGE_MAX_BYTES),
    "MessageRetentionPeriod": "345600",
    "DelaySeconds": "0",
    "ReceiveMessageWaitTimeSeconds": "0",
    "SqsManagedSseEnabled": "true",
}
_FIFO_DEFAULTS: Final = {
    "FifoQueue": "true",
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "FifoThroughputLimit": "perQueue",
}
_READ_ONLY: Final = frozenset(
    {
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
        "CreatedTimestamp",
        "LastModifiedTimestamp",
        "QueueArn",
    }
)
READABLE: Final = frozenset(_RULES) | frozenset(_FIFO_RULES) | _READ_ONLY | {"All"}
"""Names that GetQueueAttributes knows."""
_EMPTIABLE: Final = frozenset({"Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId"})


def new_attributes(asked: Mapping[str, str]) -> dict[str, str]:
    """All attributes of a new queue; CallerError if those asked for are wrong."""
    is_fifo = asked.get("FifoQueue") == "true"
    defaults = _DEFAULTS | (_FIFO_DEFAULTS if is_fifo else {})
    return changed_attributes(defaults, asked)


def changed_attributes(current: Mapping[str, str], asked: Mapping[str, str]) -> dict[str, str]:
    """The attributes of a queue with changes laid over them; CallerError if they are wrong."""
    is_fifo = current.get("FifoQueue") == "true"
    for name, value in asked.items():
        rule = _RULES.get(name) or (_FIFO_RULES.get(name) if is_fifo else None)
        if rule is None:
            raise CallerError("InvalidAttributeName", f"Unknown Attribute {name}.", status=400)
        if not rule(value):
            raise _bad_attribute(name, value)
    merged = dict(current) | dict(asked)
    if (
        merged.get("FifoThroughputLimit") == "perMessageGroupId"
        and merged.get("DeduplicationScope") != "messageGroup"
    ):
        raise invalid_value(
            "The perMessageGroupId value is allowed only when the value for DeduplicationScope is "
            "messageGroup."
        )
    result = {n: v for n, v in merged.items() if v or n not in _EMPTIABLE}
    _redrive(result)
    allowed_sources(result)
    return result


def _bad_attribute(name: str, value: str) -> CallerError:
    if name == "KmsMasterKeyId":
        text = "Emberbox does not build encryption with keys of KMS; use SqsManagedSseEnabled."
    else:
        text = f"Invalid value for the parameter {name}."
    del value
    return CallerError("InvalidAttributeValue", text, status=400)


def settings_of(attributes: Mapping[str, str]) -> QueueSettings:
    """The values behind a queue's attributes."""
    return QueueSettings(
        visibility_s=int(attributes["VisibilityTimeout"]),
        message_max_bytes=int(attributes["MaximumMessageSize"]),
        retention_s=int(attributes["MessageRetentionPeriod"]),
        delay_s=int(attributes["DelaySeconds"]),
        wait_s=int(attributes["ReceiveMessageWaitTimeSeconds"]),
        redrive=_redrive(attributes),
        is_fifo=attributes.get("FifoQueue") == "true",
        by_content=attributes.get("ContentBasedDeduplication") == "true",
        by_group=attributes.get("DeduplicationScope") == "messageGroup",
    )


def bad_redrive(policy: str, reason: str) -> CallerError:
    """The refusal of a redrive policy."""
    return invalid_value(
        f"Value {policy[:2048]} for parameter RedrivePolicy is invalid. Reason: {reason}"
    )


def _redrive(attributes: Mapping[str, str]) -> Redrive | None:
    text = attributes.get("RedrivePolicy")
    if not text:
        return None
    policy = _loaded(text)
    if not isinstance(policy, dict):
        raise bad_redrive(text, "Redrive policy is not a valid JSON map.")
    for name in ("deadLetterTargetArn", "maxReceiveCount"):
        if name not in policy:
            raise bad_redrive(text, f"Redrive policy does not contain mandatory attribute: {name}.")
    target = policy["deadLetterTargetArn"]
    if not isinstance(target, str) or parse_queue_arn(target) is None:
        raise bad_redrive(text, "Invalid value for deadLetterTargetArn.")
    return Redrive(target, _max_receives(text, policy["maxReceiveCount"]))


def _max_receives(policy: str, value: Any) -> int:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if is_number or (isinstance(value, str) and value.isascii() and value.isdigit()):
        count = int(str(value)[:9])
        if 1 <= count <= _RECEIVES_MAX:
            return count
    raise bad_redrive(
        policy,
        f"Invalid value for maxReceiveCount: {str(value)[:64]}, valid values are from 1 to 1000 "
        "both inclusive.",
    )


def allowed_sources(attributes: Mapping[str, str]) -> frozenset[str] | None:
    """ARNs of the queues that may name this one as their dead-letter queue; None for all.

    CallerError for a RedriveAllowPolicy that is wrong.
    """
    text = attributes.get("RedriveAllowPolicy")
    if not text:
        return None
    policy = _loaded(text)
    permission = policy.get("redrivePermission") if isinstance(policy, dict) else None
    sources = policy.get("sourceQueueArns") if isinstance(policy, dict) else None
    if permission in ("allowAll", "denyAll") and sources is None:
        return None if permission == "allowAll" else frozenset()
    if (
        permission == "byQueue"
        and isinstance(sources, list)
        and 1 <= len(sources) <= _ALLOW_SOURCES_MAX
        and all(isinstance(each, str) and parse_queue_arn(each) for each in sources)
    ):
        return frozenset(sources)
    raise invalid_value(
        f"Value {text[:2048]} for parameter RedriveAllowPolicy is invalid. Reason: Amazon SQS "
        "can't create the redrive allow policy, as it's in an unsupported format."
    )


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
