"""What a bucket's lifecycle does to its objects and uploads, as pure rules.

Times are seconds since the epoch. Days end at midnight UTC: what is due within a day is due at its
end. Source: S3 user guide, "Lifecycle configuration elements" and "Managing object lifecycle".
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any, Final

from emberbox.records import dataclass

_DAY_S: Final = 86_400

Rule = Mapping[str, Any]


class Act(Enum):
    """What is done to a version."""

    EXPIRE = auto()
    """The object is deleted, as by a client that names no version."""
    REMOVE = auto()
    """The version, or a marker with nothing behind it, is removed for good."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What rules look at. `newer` is how many noncurrent versions of the key are newer, and
    `since` when the version became noncurrent."""

    key: str
    size: int
    tags: Mapping[str, str]
    modified: float
    is_latest: bool
    is_marker: bool
    is_alone: bool
    since: float = 0.0
    newer: int = 0


def prefix_of(rule: Rule) -> str:
    """The prefix of the keys that a rule is about."""
    found = rule.get("Filter")
    if found is None:
        return str(rule.get("Prefix") or "")
    return str(found.get("Prefix") or (found.get("And") or {}).get("Prefix") or "")


def is_about(rule: Rule, facts: Facts) -> bool:
    """Whether a rule that is switched on is about an object."""
    if rule.get("Status") != "Enabled" or not facts.key.startswith(prefix_of(rule)):
        return False
    found = rule.get("Filter") or {}
    both = found.get("And") or {}
    tags = list(both.get("Tags") or ()) + ([found["Tag"]] if found.get("Tag") else [])
    over = found.get("ObjectSizeGreaterThan", both.get("ObjectSizeGreaterThan"))
    under = found.get("ObjectSizeLessThan", both.get("ObjectSizeLessThan"))
    return (
        all(facts.tags.get(tag["Key"]) == tag["Value"] for tag in tags)
        and (over is None or facts.size > over)
        and (under is None or facts.size < under)
    )


def expiry(rules: Sequence[Rule], facts: Facts) -> tuple[float, str] | None:
    """When an object expires that is the latest version, and by which rule; the earliest."""
    dates = sorted(_expiries(rules, facts))
    return dates[0] if dates else None


def act(rules: Sequence[Rule], facts: Facts, now: float) -> Act | None:
    """What is due for a version."""
    if facts.is_latest and facts.is_marker:
        return Act.REMOVE if _marker_is_due(rules, facts, now) else None
    if facts.is_latest:
        due = expiry(rules, facts)
        return Act.EXPIRE if due is not None and due[0] <= now else None
    return Act.REMOVE if any(_noncurrent_is_due(rule, facts, now) for rule in rules) else None


def upload_is_due(rules: Sequence[Rule], key: str, begun: float, now: float) -> bool:
    """Whether an upload that is not complete is to be aborted."""
    for rule in rules:
        days = (rule.get("AbortIncompleteMultipartUpload") or {}).get("DaysAfterInitiation")
        is_meant = rule.get("Status") == "Enabled" and key.startswith(prefix_of(rule))
        if days and is_meant and _midnight(begun, days) <= now:
            return True
    return False


def expiry_header(due: tuple[float, str]) -> str:
    """The value of x-amz-expiration."""
    date = datetime.fromtimestamp(due[0], UTC)
    return f'expiry-date="{date:%a, %d %b %Y %H:%M:%S} GMT", rule-id="{due[1]}"'


def _expiries(rules: Sequence[Rule], facts: Facts) -> Iterator[tuple[float, str]]:
    for rule in rules:
        given = rule.get("Expiration") or {}
        if not is_about(rule, facts):
            continue
        if given.get("Days"):
            yield _midnight(facts.modified, given["Days"]), str(rule["ID"])
        elif given.get("Date"):
            yield datetime.fromisoformat(given["Date"]).timestamp(), str(rule["ID"])


def _marker_is_due(rules: Sequence[Rule], facts: Facts, now: float) -> bool:
    """A marker with nothing behind it goes where that is asked for, or by its own age."""
    if not facts.is_alone:
        return False
    for rule in rules:
        given = rule.get("Expiration") or {}
        if not is_about(rule, facts):
            continue
        if given.get("ExpiredObjectDeleteMarker"):
            return True
        if given.get("Days") and _midnight(facts.modified, given["Days"]) <= now:
            return True
    return False


def _noncurrent_is_due(rule: Rule, facts: Facts, now: float) -> bool:
    given = rule.get("NoncurrentVersionExpiration") or {}
    days = int(given.get("NoncurrentDays") or 0)
    return (
        days > 0
        and is_about(rule, facts)
        and facts.newer >= (given.get("NewerNoncurrentVersions") or 0)
        and _midnight(facts.since, days) <= now
    )


def _midnight(start: float, days: int) -> float:
    """The first midnight that is at least so many days later."""
    return float(math.ceil((start + days * _DAY_S) / _DAY_S) * _DAY_S)
