"""An event source mapping: what it reads, for which function, and the states it goes through.

Source: API reference of Lambda (EventSourceMappingConfiguration) and the guide's page on event
source mappings.
"""

from collections.abc import Mapping
from dataclasses import field, replace
from enum import Enum
from typing import Any

from emberbox.machine import Machine, Table
from emberbox.model.names import function_arn
from emberbox.records import dataclass


class MappingState(Enum):
    """`State` of a mapping."""

    CREATING = "Creating"
    ENABLING = "Enabling"
    ENABLED = "Enabled"
    DISABLING = "Disabling"
    DISABLED = "Disabled"
    UPDATING = "Updating"
    DELETING = "Deleting"


_SETTLED = frozenset({MappingState.ENABLED, MappingState.DISABLED})

MAPPING_TABLE: Table[MappingState] = {
    MappingState.CREATING: _SETTLED | {MappingState.DELETING},
    MappingState.ENABLING: _SETTLED | {MappingState.DELETING},
    MappingState.ENABLED: frozenset(
        {MappingState.DISABLING, MappingState.UPDATING, MappingState.DELETING}
    ),
    MappingState.DISABLING: frozenset({MappingState.DISABLED, MappingState.DELETING}),
    MappingState.DISABLED: frozenset(
        {MappingState.ENABLING, MappingState.UPDATING, MappingState.DELETING}
    ),
    MappingState.UPDATING: _SETTLED | {MappingState.DELETING},
    MappingState.DELETING: frozenset(),
}
"""From Deleting a mapping goes away altogether."""


class SourceKind(Enum):
    """What a mapping reads from; the value is what a person calls it."""

    SQS = "Amazon SQS"
    FIFO = "Amazon SQS FIFO"
    KINESIS = "Amazon Kinesis"
    DYNAMODB = "Amazon DynamoDB Streams"
    MSK = "Amazon MSK"
    KAFKA = "self-managed Apache Kafka"
    MQ = "Amazon MQ"
    DOCUMENTDB = "Amazon DocumentDB"

    @property
    def is_queue(self) -> bool:
        """Whether it is a queue of SQS."""
        return self in (SourceKind.SQS, SourceKind.FIFO)

    @property
    def is_stream(self) -> bool:
        """Whether it has shards."""
        return self in (SourceKind.KINESIS, SourceKind.DYNAMODB)


@dataclass(frozen=True, slots=True)
class EventSourceMapping:
    """One mapping.

    `settings` are the members of the API that it was given and their defaults, as answers show
    them, a timestamp as seconds since the epoch. `enabled` is what is wanted; `state` what is.
    `reason` is its `StateTransitionReason`, `result` its `LastProcessingResult`. The function may
    be gone.
    """

    uuid: str
    account: str
    region: str
    function: str
    qualifier: str | None
    source: SourceKind
    source_arn: str | None
    settings: Mapping[str, Any]
    enabled: bool
    state: MappingState
    modified: float
    reason: str | None = None
    result: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """Its own ARN."""
        return f"arn:aws:lambda:{self.region}:{self.account}:event-source-mapping:{self.uuid}"

    @property
    def function_arn(self) -> str:
        """The function's ARN, qualified if it was given so."""
        return function_arn(self.account, self.region, self.function, self.qualifier)

    @property
    def function_key(self) -> tuple[str, str, str]:
        """Account, region and name of the function."""
        return (self.account, self.region, self.function)

    @property
    def filter_patterns(self) -> list[str]:
        """The patterns of its `FilterCriteria`."""
        filters = (self.settings.get("FilterCriteria") or {}).get("Filters") or []
        return [each["Pattern"] for each in filters if each.get("Pattern")]

    @property
    def is_settled(self) -> bool:
        """Whether nothing is under way with it."""
        return self.state in _SETTLED

    @property
    def reads(self) -> tuple[str, ...]:
        """What it reads, so that two mappings of a function must not read the same.

        The brokers' addresses stand for a cluster without ARN; a cluster counts per topic or queue.
        """
        managed = self.settings.get("SelfManagedEventSource") or {}
        servers = (managed.get("Endpoints") or {}).get("KAFKA_BOOTSTRAP_SERVERS") or []
        parts = self.settings.get("Topics") or self.settings.get("Queues") or []
        database = self.settings.get("DocumentDBEventSourceConfig") or {}
        names = [database.get("DatabaseName", ""), database.get("CollectionName", "")]
        return (self.source_arn or ",".join(sorted(servers)), *parts, *filter(None, names))


def user_action(kind: SourceKind) -> str:
    """`StateTransitionReason` of what a client asked for."""
    return "USER_INITIATED" if kind.is_queue else "User action"


def moved(mapping: EventSourceMapping, to: MappingState, reason: str) -> EventSourceMapping:
    """The mapping in another state; IllegalMoveError if it cannot go there."""
    machine = Machine(MAPPING_TABLE, mapping.state)
    machine.move(to, reason)
    return replace(mapping, state=machine.state, reason=reason)


def rested(mapping: EventSourceMapping, *, is_polled: bool) -> EventSourceMapping:
    """The mapping once what was under way with it has come to its end.

    What nobody polls is Disabled, whatever is wanted, and says why.
    """
    if mapping.enabled and not is_polled:
        reason = (
            f"Emberbox does not poll {mapping.source.value} yet: the mapping is kept, and nothing "
            "is read."
        )
        return moved(mapping, MappingState.DISABLED, reason)
    to = MappingState.ENABLED if mapping.enabled else MappingState.DISABLED
    return moved(mapping, to, user_action(mapping.source))
