"""Buses of EventBridge and what belongs to them: names, records, and the envelope of an event.

The records are JSON values throughout. Times are seconds since the epoch. Source: the API reference
of Amazon EventBridge, and "Events" of its guide.
"""

import json
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import Any, Final

from emberbox.errors import CallerError
from emberbox.records import dataclass

DEFAULT: Final = "default"
ENTRIES_MAX_BYTES: Final = 1_048_576
"""All entries of one PutEvents together."""

TARGETS_MAX: Final = 5
ENABLED: Final = "ENABLED"
DISABLED: Final = "DISABLED"


@dataclass(frozen=True, slots=True)
class Bus:
    """An event bus. `policy` is JSON text, or empty."""

    account: str
    region: str
    name: str
    created: float
    modified: float
    description: str = ""
    policy: str = ""
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """Its ARN."""
        return bus_arn(self.account, self.region, self.name)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule with its targets by their ids, which are as the wire has them."""

    account: str
    region: str
    bus: str
    name: str
    begun: float
    pattern: str = ""
    schedule: str = ""
    state: str = ENABLED
    description: str = ""
    role: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    targets: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """Its ARN."""
        prefix = "" if self.bus == DEFAULT else f"{self.bus}/"
        return f"arn:aws:events:{self.region}:{self.account}:rule/{prefix}{self.name}"

    @property
    def is_enabled(self) -> bool:
        """Whether it does anything."""
        return self.state != DISABLED


@dataclass(frozen=True, slots=True)
class Archive:
    """Events of a bus that are kept, those that match the pattern; `days` 0 is for ever."""

    account: str
    region: str
    name: str
    source: str
    created: float
    description: str = ""
    pattern: str = ""
    days: int = 0

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:events:{self.region}:{self.account}:archive/{self.name}"


@dataclass(frozen=True, slots=True)
class Replay:
    """Archived events of a time that are sent to their bus again; how far that has come."""

    account: str
    region: str
    name: str
    archive: str
    bus: str
    filters: list[str]
    start: float
    end: float
    begun: float
    description: str = ""
    state: str = "STARTING"
    reason: str = ""
    ended: float = 0.0
    last: float = 0.0
    last_id: int = 0

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:events:{self.region}:{self.account}:replay/{self.name}"


@dataclass(frozen=True, slots=True)
class Connection:
    """How to be let in by a server. `sealed` are all parameters as JSON, sealed, in hex; `shown`
    the same without what is secret."""

    account: str
    region: str
    name: str
    token: str
    kind: str
    sealed: str
    shown: dict[str, Any]
    created: float
    modified: float
    description: str = ""
    state: str = "AUTHORIZED"
    authorized: float = 0.0

    @property
    def arn(self) -> str:
        """Its ARN."""
        place = f"{self.region}:{self.account}"
        return f"arn:aws:events:{place}:connection/{self.name}/{self.token}"


@dataclass(frozen=True, slots=True)
class Destination:
    """An API destination: an HTTP endpoint that events are sent to."""

    account: str
    region: str
    name: str
    token: str
    connection: str
    endpoint: str
    method: str
    rate: int
    created: float
    modified: float
    description: str = ""

    @property
    def arn(self) -> str:
        """Its ARN."""
        place = f"{self.region}:{self.account}"
        return f"arn:aws:events:{place}:api-destination/{self.name}/{self.token}"


def bus_arn(account: str, region: str, name: str) -> str:
    """The ARN of a bus."""
    return f"arn:aws:events:{region}:{account}:event-bus/{name}"


def envelope(
    entry: Mapping[str, Any], id_: str, account: str, region: str, now: float
) -> dict[str, Any]:
    """The event that an entry of PutEvents stands for; its detail must be JSON."""
    at = entry.get("Time")
    moment = at if isinstance(at, datetime) else datetime.fromtimestamp(now, UTC)
    return {
        "version": "0",
        "id": id_,
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "account": account,
        "time": wire_time(moment.timestamp()),
        "region": region,
        "resources": list(entry.get("Resources") or []),
        "detail": json.loads(entry["Detail"]),
    }


def wire_time(moment: float) -> str:
    """A time as events have it: whole seconds, in UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def scheduled_event(rule: Rule, id_: str, moment: float) -> dict[str, Any]:
    """The event of a rule that is due."""
    return {
        "version": "0",
        "id": id_,
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": rule.account,
        "time": wire_time(moment),
        "region": rule.region,
        "resources": [rule.arn],
        "detail": {},
    }


def entry_error(entry: Mapping[str, Any], *, is_ours: bool = False) -> tuple[str, str] | None:
    """What is wrong with an entry: code and message, or None. `is_ours`: from AWS itself."""
    for member in ("Source", "DetailType", "Detail"):
        if not entry.get(member):
            return (
                "InvalidArgument",
                f"Parameter {member} is not valid. Reason: {member} is a required argument.",
            )
    if entry["Source"].startswith("aws.") and not is_ours:
        return "NotAuthorizedForSourceException", "Not authorized for the source."
    try:
        detail = json.loads(entry["Detail"], parse_constant=_refused)
    except (ValueError, RecursionError):
        return "MalformedDetail", "Detail is malformed."
    return None if isinstance(detail, dict) else ("MalformedDetail", "Detail is malformed.")


def _refused(text: str) -> Any:
    raise ValueError(text)


def entry_bytes(entry: Mapping[str, Any]) -> int:
    """The size of an entry as AWS counts it."""
    texts = [entry.get(member) or "" for member in ("Source", "DetailType", "Detail")]
    texts += entry.get("Resources") or []
    return sum(len(text.encode()) for text in texts) + (14 if entry.get("Time") else 0)


def invalid(message: str) -> CallerError:
    """The error for what a request must not say."""
    return CallerError("ValidationException", message, status=400)


def not_found(message: str) -> CallerError:
    """The error for what is not there."""
    return CallerError("ResourceNotFoundException", message, status=400)
