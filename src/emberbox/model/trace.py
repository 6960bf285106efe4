"""The X-Amzn-Trace-Id of an invocation, and the lineage in it, by which loops are found.

Source: X-Ray's guide, "Tracing header"; Lambda's guide, "Use Lambda recursive loop detection to
prevent infinite loops"; W3C Trace Context for `traceparent`. How AWS writes a lineage is not
documented, and nobody should rely on it: here it is the number of functions passed, then each of
them by a short name with how often it has been passed before.
"""

import re
import zlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

LOOPS_MAX: Final = 16
"""How often a chain of requests may come back to a function."""

SAMPLED: Final = "Sampled=1"
"""What a trace says that is recorded."""

OWN: Final = "Otel=1"
"""What a trace says that is sampled for OpenTelemetry alone, and so not to be kept for X-Ray."""

_TRACE: Final = re.compile(r"[\x21-\x7e]{1,512}\Z")
_PARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{8})([0-9a-f]{24})-([0-9a-f]{16})-([0-9a-f]{2})")
_LINEAGE: Final = re.compile(r";?Lineage=(\d{1,5}):([0-9a-f:+]{1,400})(?=;|\Z)")
_BETWEEN: Final = "+"
"""SDKs quote some characters when they send a trace on, and this is none of them."""

_BAD_LINEAGE: Final = re.compile(r";?Lineage=[^;]*")
_PASSED_MAX: Final = 24
_NAMES: Final = 8_192


def trace_of(given: str | None, now: float, random: str, *, sampled: bool) -> str:
    """The caller's trace header if it is one, else a new root, sampled or not.

    `random` are 40 hexadecimal digits.
    """
    if given and is_trace(given):
        return given
    return f"Root=1-{int(now):08x}-{random[:24]};Parent={random[24:]};Sampled={sampled:d}"


def from_traceparent(header: str | None) -> str | None:
    """The same trace as X-Ray writes it, from W3C's header; None if it is none."""
    found = _PARENT.match(header) if header else None
    if found is None:
        return None
    begun, rest, parent, flags = found.groups()
    return f"Root=1-{begun}-{rest};Parent={parent};Sampled={int(flags, 16) & 1}"


def entered(trace: str, function: tuple[str, str, str]) -> tuple[str, int]:
    """The trace with a function in its lineage; how often the chain has come back to it."""
    name = _name(function)
    if "Lineage=" not in trace:
        return f"{trace};Lineage=1:{name}:0", 0
    found = _LINEAGE.search(trace)
    if found is None:
        return f"{_BAD_LINEAGE.sub('', trace)};Lineage=1:{name}:0", 0
    passed = dict(_passed(found[2]))
    loops = passed.pop(name, -1) + 1
    passed[name] = loops
    listed = list(passed.items())[-_PASSED_MAX:]
    lineage = _BETWEEN.join(f"{each}:{count}" for each, count in listed)
    rest = trace[: found.start()] + trace[found.end() :]
    return f"{rest};Lineage={min(99_999, int(found[1]) + 1)}:{lineage}", loops


def is_recorded(trace: str) -> bool:
    """Whether a trace is to be recorded for X-Ray."""
    return SAMPLED in trace and OWN not in trace


def is_decided(trace: str) -> bool:
    """Whether whoever made a trace has said if it is to be recorded."""
    return SAMPLED in trace or "Sampled=0" in trace


def furthest(traces: Iterable[str]) -> str | None:
    """Of the traces of a batch the one with the longest lineage; None if there are none.

    A batch has one trace, though its messages may come of many.
    """
    return max(traces, key=_length, default=None)


def is_trace(text: str) -> bool:
    """Whether a text may be a trace header: it goes into headers and attributes as it is."""
    return _TRACE.match(text) is not None and "Root=" in text


def _length(trace: str) -> int:
    found = _LINEAGE.search(trace)
    return int(found[1]) if found is not None else 0


def _passed(text: str) -> Iterable[tuple[str, int]]:
    for each in text.split(_BETWEEN):
        name, _, count = each.partition(":")
        if count.isdecimal() and len(count) <= 5:
            yield name, int(count)


@lru_cache(_NAMES)
def _name(function: tuple[str, str, str]) -> str:
    return f"{zlib.crc32(':'.join(function).encode()):08x}"
