"""What a mapping may be set to, by what it reads from, and what it is set to if nothing is said.

Source: the Lambda guide's tables of parameters for each event source; the literals are the
service's own where they are known.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from emberbox.errors import CallerError
from emberbox.model.configuration import invalid
from emberbox.model.event_pattern import MAPPING, EventPattern
from emberbox.model.event_tests import PatternError
from emberbox.model.mapping import SourceKind
from emberbox.model.names import arn_part

FILTERS_MAX: Final = 10
_QUEUE_BATCH_MAX: Final = 10
_RECORD_AGE_MIN_S: Final = 60
_KEEP_FOREVER: Final = -1
_POLLERS_MIN_SQS: Final = 2
_POLLERS_MAX_KAFKA: Final = 2_000

_SOURCES: Final[tuple[tuple[re.Pattern[str], SourceKind], ...]] = tuple(
    (re.compile(rf"arn:aws[a-z-]*:{pattern}\Z"), kind)
    for pattern, kind in (
        (r"sqs:[a-z0-9-]+:\d{12}:[\w-]+\.fifo", SourceKind.FIFO),
        (r"sqs:[a-z0-9-]+:\d{12}:[\w-]+", SourceKind.SQS),
        (r"kinesis:[a-z0-9-]+:\d{12}:stream/[\w.-]+(/consumer/[\w.-]+:\d+)?", SourceKind.KINESIS),
        (r"dynamodb:[a-z0-9-]+:\d{12}:table/[\w.-]+/stream/[\w:.-]+", SourceKind.DYNAMODB),
        (r"kafka:[a-z0-9-]+:\d{12}:cluster/.+", SourceKind.MSK),
        (r"mq:[a-z0-9-]+:\d{12}:broker:.+", SourceKind.MQ),
        (r"rds:[a-z0-9-]+:\d{12}:cluster:.+", SourceKind.DOCUMENTDB),
    )
)

_ANY: Final = frozenset(
    {
        "BatchSize",
        "DestinationConfig",
        "Enabled",
        "EventSourceArn",
        "FilterCriteria",
        "FunctionName",
        "KMSKeyArn",
        "MaximumBatchingWindowInSeconds",
        "MetricsConfig",
        "Tags",
        "UUID",
    }
)
_QUEUE: Final = frozenset({"FunctionResponseTypes", "ScalingConfig", "ProvisionedPollerConfig"})
_ERRORS: Final = frozenset(
    {"BisectBatchOnFunctionError", "MaximumRecordAgeInSeconds", "MaximumRetryAttempts"}
)
_STREAM: Final = _ERRORS | {
    "FunctionResponseTypes",
    "ParallelizationFactor",
    "StartingPosition",
    "StartingPositionTimestamp",
    "TumblingWindowInSeconds",
}
_BROKER: Final = frozenset(
    {
        "LoggingConfig",
        "ProvisionedPollerConfig",
        "SourceAccessConfigurations",
        "StartingPosition",
        "StartingPositionTimestamp",
        "Topics",
        "FunctionResponseTypes",
    }
)
_ALLOWED: Final[Mapping[SourceKind, frozenset[str]]] = {
    SourceKind.SQS: _ANY | _QUEUE,
    SourceKind.FIFO: _ANY | _QUEUE,
    SourceKind.KINESIS: _ANY | _STREAM,
    SourceKind.DYNAMODB: _ANY | _STREAM,
    SourceKind.MSK: _ANY | _ERRORS | _BROKER | {"AmazonManagedKafkaEventSourceConfig"},
    SourceKind.KAFKA: _ANY
    | _ERRORS
    | _BROKER
    | {"SelfManagedEventSource", "SelfManagedKafkaEventSourceConfig"},
    SourceKind.MQ: _ANY | {"Queues", "SourceAccessConfigurations"},
    SourceKind.DOCUMENTDB: _ANY
    | {
        "DocumentDBEventSourceConfig",
        "SourceAccessConfigurations",
        "StartingPosition",
        "StartingPositionTimestamp",
    },
}
"""Which members a mapping may have."""

_QUEUE_DEFAULTS: Final = {
    "BatchSize": 10,
    "MaximumBatchingWindowInSeconds": 0,
    "FunctionResponseTypes": [],
}
_STREAM_DEFAULTS: Final = {
    "BatchSize": 100,
    "MaximumBatchingWindowInSeconds": 0,
    "ParallelizationFactor": 1,
    "DestinationConfig": {"OnFailure": {}},
    "MaximumRecordAgeInSeconds": _KEEP_FOREVER,
    "BisectBatchOnFunctionError": False,
    "MaximumRetryAttempts": _KEEP_FOREVER,
    "TumblingWindowInSeconds": 0,
    "FunctionResponseTypes": [],
}
_DEFAULTS: Final[Mapping[SourceKind, Mapping[str, Any]]] = {
    SourceKind.SQS: _QUEUE_DEFAULTS,
    SourceKind.FIFO: _QUEUE_DEFAULTS,
    SourceKind.KINESIS: _STREAM_DEFAULTS,
    SourceKind.DYNAMODB: _STREAM_DEFAULTS,
    SourceKind.MSK: {"BatchSize": 100},
    SourceKind.KAFKA: {"BatchSize": 100},
    SourceKind.MQ: {"BatchSize": 100},
    SourceKind.DOCUMENTDB: {
        "BatchSize": 100,
        "DocumentDBEventSourceConfig": {"FullDocument": "Default"},
    },
}
_FAILURE_SERVICES: Final = frozenset({"sqs", "sns", "s3"})
_METRICS: Final[Mapping[SourceKind, frozenset[str]]] = {
    SourceKind.MSK: frozenset({"EventCount", "ErrorCount", "KafkaMetrics"}),
    SourceKind.KAFKA: frozenset({"EventCount", "ErrorCount", "KafkaMetrics"}),
}
_EVENT_COUNT: Final = frozenset({"EventCount"})
_KAFKA: Final = (SourceKind.MSK, SourceKind.KAFKA)


def kind_of_source(params: Mapping[str, Any]) -> SourceKind:
    """What a request to create a mapping wants to read from; CallerError if it is nothing known."""
    arn = params.get("EventSourceArn")
    if params.get("SelfManagedEventSource"):
        if arn:
            raise invalid("EventSourceArn and SelfManagedEventSource cannot both be specified.")
        return SourceKind.KAFKA
    for pattern, kind in _SOURCES:
        if arn and pattern.match(arn):
            return kind
    raise invalid("Unrecognized event source.")


def defaults(kind: SourceKind) -> dict[str, Any]:
    """What a mapping of this kind is set to if nothing is said."""
    return dict(_DEFAULTS[kind])


def check_given(kind: SourceKind, params: Mapping[str, Any]) -> None:
    """CallerError for what a request says that a mapping of this kind cannot have."""
    for member, value in params.items():
        if member not in _ALLOWED[kind] and value not in (None, [], {}):
            if member == "StartingPosition" and kind.is_queue:
                raise invalid("StartingPosition is not valid for SQS event sources.")
            raise unsupported(member)
    for text in _patterns(params):
        try:
            EventPattern(text, MAPPING)
        except PatternError:
            raise invalid("Invalid filter pattern definition.") from None


def check_source(kind: SourceKind, params: Mapping[str, Any]) -> None:
    """CallerError unless a new mapping says where it begins and what exactly it reads."""
    position = params.get("StartingPosition")
    if kind.is_stream and not position:
        raise invalid(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy "
            "constraint: Member must not be null."
        )
    if position == "AT_TIMESTAMP" and kind is SourceKind.DYNAMODB:
        raise invalid(f"Unsupported starting position for arn type: {params['EventSourceArn']}")
    has_timestamp = params.get("StartingPositionTimestamp") is not None
    if has_timestamp and position != "AT_TIMESTAMP":
        raise invalid("Timestamp only valid with StartingPosition AT_TIMESTAMP")
    if position == "AT_TIMESTAMP" and not has_timestamp:
        raise invalid("StartingPositionTimestamp is required with StartingPosition AT_TIMESTAMP.")
    _check_required(kind, params)


def check_settings(kind: SourceKind, settings: Mapping[str, Any]) -> None:
    """CallerError unless a mapping may have all these settings together."""
    filters = (settings.get("FilterCriteria") or {}).get("Filters") or []
    if len(filters) > FILTERS_MAX:
        raise invalid(f"Filters count exceeds the limit of {FILTERS_MAX}.")
    if kind.is_queue:
        _check_queue(kind, settings)
    _check_record_age(settings)
    _check_destination(kind, settings.get("DestinationConfig") or {})
    metrics = (settings.get("MetricsConfig") or {}).get("Metrics") or []
    if not frozenset(metrics) <= _METRICS.get(kind, _EVENT_COUNT):
        raise unsupported("MetricsConfig")
    _check_pollers(kind, settings)


def unsupported(member: str) -> CallerError:
    """The error for a parameter that this kind of source does not have."""
    return invalid(f"Unsupported {member} parameter for given event source mapping type.")


def _patterns(params: Mapping[str, Any]) -> Iterable[str]:
    for each in (params.get("FilterCriteria") or {}).get("Filters") or []:
        yield each.get("Pattern") or ""


def _check_required(kind: SourceKind, params: Mapping[str, Any]) -> None:
    needed: dict[SourceKind, tuple[str, ...]] = {
        SourceKind.MSK: ("Topics", "StartingPosition"),
        SourceKind.KAFKA: ("Topics", "StartingPosition", "SourceAccessConfigurations"),
        SourceKind.MQ: ("Queues", "SourceAccessConfigurations"),
        SourceKind.DOCUMENTDB: (
            "DocumentDBEventSourceConfig",
            "SourceAccessConfigurations",
            "StartingPosition",
        ),
    }
    for member in needed.get(kind, ()):
        if params.get(member) is None:
            raise invalid(f"Required '{member[:1].lower()}{member[1:]}' parameter is missing.")


def _check_queue(kind: SourceKind, settings: Mapping[str, Any]) -> None:
    size, window = settings["BatchSize"], settings["MaximumBatchingWindowInSeconds"]
    if kind is SourceKind.FIFO:
        if size > _QUEUE_BATCH_MAX:
            raise invalid(f"Batch size for FIFO queues must not exceed {_QUEUE_BATCH_MAX}.")
        if window:
            raise invalid("Batching window is not supported for FIFO queues.")
    if size > _QUEUE_BATCH_MAX and not window:
        raise invalid(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is "
            f"greater than {_QUEUE_BATCH_MAX}"
        )


def _check_record_age(settings: Mapping[str, Any]) -> None:
    age = settings.get("MaximumRecordAgeInSeconds", _KEEP_FOREVER)
    if _KEEP_FOREVER < age < _RECORD_AGE_MIN_S:
        raise invalid(
            f"MaximumRecordAgeInSeconds must be {_KEEP_FOREVER} or at least {_RECORD_AGE_MIN_S}."
        )


def _check_destination(kind: SourceKind, config: Mapping[str, Any]) -> None:
    if (config.get("OnSuccess") or {}).get("Destination"):
        raise unsupported("DestinationConfig")
    target = (config.get("OnFailure") or {}).get("Destination")
    if not target:
        return
    is_topic = target.startswith("kafka://")
    if not (kind.is_stream or kind in _KAFKA) or (is_topic and kind not in _KAFKA):
        raise unsupported("DestinationConfig")
    service = "" if is_topic else arn_part(target, 2)
    if not is_topic and (service not in _FAILURE_SERVICES or target.endswith(".fifo")):
        raise invalid(f"The destination ARN {target} is invalid.")


def _check_pollers(kind: SourceKind, settings: Mapping[str, Any]) -> None:
    pollers = settings.get("ProvisionedPollerConfig") or {}
    if not pollers:
        return
    least, most = pollers.get("MinimumPollers"), pollers.get("MaximumPollers")
    if kind is SourceKind.FIFO:
        raise unsupported("ProvisionedPollerConfig")
    if least is not None and most is not None and least > most:
        raise invalid("MinimumPollers must be less than or equal to MaximumPollers.")
    if kind is SourceKind.SQS:
        if least is not None and least < _POLLERS_MIN_SQS:
            raise invalid(f"MinimumPollers must be at least {_POLLERS_MIN_SQS} for SQS.")
        if settings.get("ScalingConfig"):
            raise invalid("ScalingConfig and ProvisionedPollerConfig cannot both be specified.")
    elif most is not None and most > _POLLERS_MAX_KAFKA:
        raise invalid(f"MaximumPollers must be at most {_POLLERS_MAX_KAFKA} for Apache Kafka.")
