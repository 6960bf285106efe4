"""Reads log events in the order of time out of chunks that may overlap, a bounded page at a time.

Chunks come from the database in the order of their nearest edge. A page is complete once its worst
event is nearer than the edge of the next chunk. Where the budget ends first, the page is cut at
that edge, so that the next page loses nothing and repeats nothing.
"""

import sqlite3
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from json import dumps
from typing import Any

from emberbox.model.log_events import FIRST, LAST, LATEST_MS, SPAN_MS, Cut, unpack
from emberbox.records import dataclass
from emberbox.storage.database import Transaction
from emberbox.storage.log_records import ABOVE_ALL

_FETCH = 16
_BUDGET_BYTES = 4_194_304
_BUDGET_CHUNKS = 4_000
_PAGE_CHARACTERS = 1_048_576

Predicate = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One event; `cut` is the point just before it, `stream` None when one stream was read."""

    cut: Cut
    message: str
    ingested_ms: int
    stream: str | None

    @property
    def timestamp_ms(self) -> int:
        """When it happened, in milliseconds since the epoch."""
        return self.cut.timestamp_ms

    @property
    def behind(self) -> Cut:
        """The point just after it."""
        return self.cut._replace(ordinal=self.cut.ordinal + 1)


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """Events from cut `low` to cut `high`, the nearest first: oldest, or newest if `newest_first`.

    `streams` empty means the whole group, of which `prefix` chooses streams by name. `single` says
    that one stream is read by its own index. `matches`, if given, chooses events by their message.
    """

    limit: int
    low: Cut = FIRST
    high: Cut = LAST
    newest_first: bool = False
    streams: Sequence[str] = ()
    single: bool = False
    prefix: str = ""
    matches: Predicate | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Events from oldest to newest unless read newest first, and where to go on.

    `rest` is the cut at which the next page begins, None if nothing was left when this was read.
    """

    events: Sequence[LogEvent]
    rest: Cut | None


def read_page(
    tx: Transaction, group_id: int, stream_ids: Sequence[int], request: ReadRequest, oldest_ms: int
) -> Page:
    """The next page of a request; events before `oldest_ms` do not exist."""
    low = max(request.low, Cut.before(oldest_ms))
    window = _Window(request, low)
    spent_bytes = spent_chunks = 0
    for row in _Chunks(tx, group_id, stream_ids, request, low).rows():
        edge = _edge(row, request)
        if window.is_final(edge) or spent_bytes > _BUDGET_BYTES or spent_chunks > _BUDGET_CHUNKS:
            return window.page(edge)
        if low <= edge <= request.high:
            spent_bytes += row["size_bytes"]
            spent_chunks += 1
        window.add(row)
    return window.page(None)


def _edge(row: sqlite3.Row, request: ReadRequest) -> Cut:
    if request.newest_first:
        return Cut.behind_chunk(row["last_ms"], row["id"])
    return Cut(row["first_ms"], row["id"], 0)


class _Chunks:
    """Chunks that may hold what is asked for, by their nearest edge, fetched a few at a time."""

    def __init__(
        self,
        tx: Transaction,
        group_id: int,
        stream_ids: Sequence[int],
        request: ReadRequest,
        low: Cut,
    ) -> None:
        down = request.newest_first
        self._tx = tx
        self._down = down
        self._query = "log_chunks_of_{}_{}".format(
            "stream" if request.single else "group", "down" if down else "up"
        )
        self._values: dict[str, Any] = {
            "scope": stream_ids[0] if request.single else group_id,
            "low_ms": low.timestamp_ms,
            "high_ms": request.high.timestamp_ms,
            "near_ms": (
                min(request.high.timestamp_ms + SPAN_MS, LATEST_MS)
                if down
                else low.timestamp_ms - SPAN_MS
            ),
        }
        if not request.single:
            self._values["streams"] = dumps(list(stream_ids)) if stream_ids else None
            self._values["name_low"] = request.prefix
            self._values["name_high"] = request.prefix + ABOVE_ALL

    def rows(self) -> Iterator[sqlite3.Row]:
        after_ms, after_id = (LATEST_MS, LATEST_MS) if self._down else (-1, 0)
        edge = "last_ms" if self._down else "first_ms"
        while rows := self._tx.all(
            self._query, **self._values, after_ms=after_ms, after_id=after_id, limit=_FETCH
        ):
            yield from rows
            after_ms, after_id = rows[-1][edge], rows[-1]["id"]
            self._values["near_ms"] = after_ms


@dataclass(slots=True)
class _Window:
    """The nearest events found so far, never many more than a page holds."""

    request: ReadRequest
    low: Cut
    events: list[LogEvent] = field(default_factory=list)
    size: int = 0
    is_full: bool = False
    has_dropped: bool = False

    def add(self, row: sqlite3.Row) -> None:
        """Take what a chunk has to offer."""
        low, high, matches = self.low, self.request.high, self.request.matches
        worst = self.events[-1].cut if self.is_full else None
        for ordinal, (when, raw) in enumerate(unpack(zlib.decompress(row["blob"]))):
            cut = Cut(when, row["id"], ordinal)
            if not low <= cut < high:
                continue
            if worst is not None and self._is_worse(cut, worst):
                self.has_dropped = True
                continue
            message = raw.decode("utf-8", "replace")
            if matches is None or matches(message):
                self.events.append(LogEvent(cut, message, row["ingested_ms"], row["stream"]))
                self.size += len(message)
        if len(self.events) >= self.request.limit or self.size >= _PAGE_CHARACTERS:
            self._trim()

    def _is_worse(self, cut: Cut, than: Cut) -> bool:
        return cut < than if self.request.newest_first else cut > than

    def _trim(self) -> None:
        self._sort()
        self.is_full = True
        size = 0
        for count, event in enumerate(self.events, start=1):
            size += len(event.message)
            if count >= self.request.limit or size >= _PAGE_CHARACTERS:
                self.has_dropped = self.has_dropped or count < len(self.events)
                del self.events[count:]
                self.size = size
                return

    def _sort(self) -> None:
        self.events.sort(key=lambda event: event.cut, reverse=self.request.newest_first)

    def is_final(self, edge: Cut) -> bool:
        """Whether the page is full of events nearer than everything from `edge` on."""
        return self.is_full and not self._is_worse(self.events[-1].cut, edge)

    def page(self, edge: Cut | None) -> Page:
        """What is certain when everything nearer than `edge` was looked at (None: everything)."""
        self._sort()
        if edge is not None and not self.is_final(edge):
            events = [event for event in self.events if not self._is_worse(event.cut, edge)]
            return Page(events, edge)
        if edge is None and not self.has_dropped:
            return Page(self.events, None)
        last = self.events[-1]
        return Page(self.events, last.cut if self.request.newest_first else last.behind)
