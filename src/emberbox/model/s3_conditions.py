"""Conditions of S3 requests and ranges of bytes, as pure rules.

Source: S3 API reference, GetObject ("Additional considerations about request headers") and S3 user
guide, "Conditional requests"; RFC 9110 for the order and for ranges.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Final, NamedTuple

_RANGE: Final = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")


class Verdict(Enum):
    """What conditions say of a request."""

    PASS = "pass"  # noqa: S105
    NOT_MODIFIED = "304"
    FAILED = "412"


class Judged(NamedTuple):
    """A verdict, and the header that it is for."""

    verdict: Verdict
    condition: str = ""


_PASS: Final = Judged(Verdict.PASS)


def judge_read(conditions: Mapping[str, Any], etag: str, modified: datetime) -> Judged:
    """What the conditions of a read say; members IfMatch, IfNoneMatch, IfModifiedSince and
    IfUnmodifiedSince. `etag` is without quotes, `modified` of whole seconds."""
    if "IfMatch" in conditions:
        if not etag_matches(conditions["IfMatch"], etag):
            return Judged(Verdict.FAILED, "If-Match")
    elif "IfUnmodifiedSince" in conditions and modified > conditions["IfUnmodifiedSince"]:
        return Judged(Verdict.FAILED, "If-Unmodified-Since")
    if "IfNoneMatch" in conditions:
        if etag_matches(conditions["IfNoneMatch"], etag):
            return Judged(Verdict.NOT_MODIFIED, "If-None-Match")
    elif "IfModifiedSince" in conditions and modified <= conditions["IfModifiedSince"]:
        return Judged(Verdict.NOT_MODIFIED, "If-Modified-Since")
    return _PASS


def etag_matches(listed: str, etag: str) -> bool:
    """Whether a list of entity tags, quoted or not, has this one or `*`."""
    tags = [each.strip().removeprefix("W/").strip('"') for each in listed.split(",")]
    return "*" in tags or etag in tags


class Span(NamedTuple):
    """Bytes from `start` up to `end`, which is behind the last one."""

    start: int
    end: int


class UnsatisfiableError(ValueError):
    """A range that begins behind the end."""


def read_range(text: str | None, size: int) -> Span | None:
    """The span a Range header asks for; None for none, and for what is no single range of bytes.

    UnsatisfiableError if there is no byte in it.
    """
    found = _RANGE.fullmatch(text.strip()) if text else None
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        wanted = int(found[2])
        if not wanted or not size:
            raise UnsatisfiableError
        return Span(max(0, size - wanted), size)
    start = int(found[1])
    end = int(found[2]) + 1 if found[2] else size
    if end <= start:
        if found[2]:
            return None
        raise UnsatisfiableError
    if start >= size:
        raise UnsatisfiableError
    return Span(start, min(end, size))
