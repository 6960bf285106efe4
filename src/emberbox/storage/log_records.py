"""Log groups and streams as values: their names, their rows, and what may be asked of them."""

import sqlite3
from collections.abc import Mapping, Sequence
from json import loads
from typing import NamedTuple

from emberbox.records import dataclass
from emberbox.storage.database import Transaction

ABOVE_ALL = "\U0010ffff"
"""Text that sorts behind every name."""


def just_above(name: str) -> str:
    """The lowest text that is above a name; the lowest of all if there is no name."""
    return name and name + "\0"


class MissingGroupError(LookupError):
    """There is no such log group."""


class MissingStreamError(LookupError):
    """The group is there, the stream is not."""


class AlreadyThereError(Exception):
    """A group or stream of that name exists; `kind` says which of the two."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class ProtectedGroupError(Exception):
    """The group was created with protection against deletion."""


class TooManyTagsError(Exception):
    """The group would have more tags than allowed."""


class GroupKey(NamedTuple):
    """The full name of a log group."""

    account: str
    region: str
    name: str


@dataclass(frozen=True, slots=True)
class LogGroup:
    """A log group as it is stored; `retention_days` None means for ever."""

    id: int
    key: GroupKey
    created_ms: int
    group_class: str
    is_protected: bool
    retention_days: int | None
    tags: Mapping[str, str]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class StoredStream:
    """A log stream as it is stored; times are None until its first event."""

    id: int
    name: str
    created_ms: int
    first_event_ms: int | None
    last_event_ms: int | None
    last_ingested_ms: int | None


@dataclass(frozen=True, slots=True)
class GroupQuery:
    """Which groups to list: with a prefix, holding a pattern, of some classes, after a name."""

    account: str
    region: str
    limit: int
    after: str = ""
    prefix: str = ""
    pattern: str | None = None
    classes: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class StreamQuery:
    """Which streams of a group to list, in which order, after which one."""

    limit: int
    prefix: str = ""
    by_time: bool = False
    descending: bool = False
    after: tuple[int, str] | None = None


def group_of(row: sqlite3.Row) -> LogGroup:
    """The group in a row of log_groups."""
    return LogGroup(
        id=row["id"],
        key=GroupKey(row["account"], row["region"], row["name"]),
        created_ms=row["created_ms"],
        group_class=row["class"],
        is_protected=bool(row["is_protected"]),
        retention_days=row["retention_days"],
        tags=loads(row["tags"]),
        size_bytes=row["size_bytes"],
    )


def find_group(tx: Transaction, key: GroupKey) -> LogGroup:
    """One group, or MissingGroupError."""
    row = tx.one("log_group", account=key.account, region=key.region, name=key.name)
    if row is None:
        raise MissingGroupError(key.name)
    return group_of(row)


def stream_of(row: sqlite3.Row) -> StoredStream:
    """The stream in a row of log_streams."""
    return StoredStream(
        id=row["id"],
        name=row["name"],
        created_ms=row["created_ms"],
        first_event_ms=row["first_event_ms"],
        last_event_ms=row["last_event_ms"],
        last_ingested_ms=row["last_ingested_ms"],
    )
