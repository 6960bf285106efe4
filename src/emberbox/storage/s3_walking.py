"""Walks through keys in their order, with what has a prefix in common shown once.

A common prefix costs one look into the index, however many keys are behind it.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import field
from typing import Final

from emberbox.model.s3_keys import after_prefix, common_prefix
from emberbox.records import dataclass

_FETCHED: Final = 1_001
BEHIND_ALL: Final = b""
"""Any text sorts before a blob, so this is a bound behind all keys."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a walk begins: at a key, and for its rows at an order number, both included."""

    key: str
    number: int | str | None = None


@dataclass(slots=True)
class Walk:
    """What was found: rows and common prefixes, each in order. `next` is None at the end."""

    rows: list[sqlite3.Row] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    last: str | sqlite3.Row | None = None
    is_truncated: bool = False

    @property
    def count(self) -> int:
        """How many there are of both."""
        return len(self.rows) + len(self.prefixes)


Fetch = Callable[[Place, str | bytes, int], list[sqlite3.Row]]
"""Rows by start, end, and at most how many."""


def walk(
    fetch: Fetch,
    after: Callable[[sqlite3.Row], Place],
    *,
    prefix: str,
    delimiter: str,
    start: Place,
    limit: int,
) -> Walk:
    """Up to `limit` rows and prefixes; `after` is the place behind a row."""
    found = Walk()
    stop: str | bytes = after_prefix(prefix) or BEHIND_ALL
    position: Place | None = start if start.key >= prefix else Place(prefix)
    step = 1 if delimiter else _FETCHED
    while position is not None:
        asked = min(limit + 1 - found.count, step)
        step = min(2 * step, _FETCHED)
        rows = fetch(position, stop, asked)
        position = None if len(rows) < asked else position
        for row in rows:
            if found.count >= limit:
                found.is_truncated = True
                return found
            common = common_prefix(row["key"], prefix, delimiter)
            if common is not None:
                found.prefixes.append(common)
                found.last = common
                behind = after_prefix(common)
                position = None if behind is None else Place(behind)
                step = 1  # where one prefix ends, another may begin
                break
            found.rows.append(row)
            found.last = row
            if position is not None:
                position = after(row)
    return found
