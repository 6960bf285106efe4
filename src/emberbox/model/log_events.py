"""How log events are packed, split into chunks and addressed. Pure: bytes in, bytes out.

Events travel in slices (what one stream said in one turn of the event loop), are stored in chunks
(several slices of one stream), and are addressed by cuts: points between two events.
"""

import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

from emberbox.records import dataclass

SPAN_MS = 60_000
"""No chunk holds events further apart than this, which bounds what a read must look at."""

CHUNK_MAX_BYTES = 1_048_576
CHUNK_MAX_EVENTS = 10_000
OVERHEAD_BYTES = 26
"""What AWS adds to the bytes of each message when it counts the size of events."""

LATEST_MS = 2**63 - 1

_HEADER = struct.Struct("<qI")
_CUT = re.compile(r"\d{56}\Z", re.ASCII)
_ORDINAL_MAX = 10**16 - 1
_by_time = itemgetter(0)

Event = tuple[int, bytes]
"""Milliseconds since the epoch, and the message in UTF-8."""


class StreamKey(NamedTuple):
    """The full name of a log stream."""

    account: str
    region: str
    group: str
    name: str


class Cut(NamedTuple):
    """A point between two events of a stream or group; events have the order of their cuts.

    The cut of an event is the point just before it.
    """

    timestamp_ms: int
    chunk: int
    ordinal: int

    @property
    def text(self) -> str:
        """The cut as 56 digits, whose order is that of the cuts."""
        return f"{self.timestamp_ms:020d}{self.chunk:020d}{self.ordinal:016d}"

    @classmethod
    def parse(cls, text: str) -> "Cut":
        """Read 56 digits back; ValueError for anything else."""
        if _CUT.match(text) is None:
            raise ValueError(text)
        cut = cls(int(text[:20]), int(text[20:40]), int(text[40:]))
        if cut.timestamp_ms > LATEST_MS or cut.chunk > LATEST_MS:
            raise ValueError(text)
        return cut

    @classmethod
    def before(cls, timestamp_ms: int) -> "Cut":
        """The point before every event of that millisecond."""
        return cls(min(max(timestamp_ms, 0), LATEST_MS), 0, 0)

    @classmethod
    def behind_chunk(cls, last_ms: int, chunk: int) -> "Cut":
        """The point after every event of a chunk that ends at `last_ms`."""
        return cls(last_ms, chunk, _ORDINAL_MAX)


FIRST = Cut(0, 0, 0)
LAST = Cut(LATEST_MS, LATEST_MS, _ORDINAL_MAX)


@dataclass(slots=True)
class Slice:
    """Events of one stream in the order of time, none further than SPAN_MS from the first.

    A slice without events says only that the stream exists. Nobody changes one: it is not frozen
    because each invocation makes two, and a frozen one takes four times as long to make.
    """

    stream: StreamKey
    payload: bytes
    count: int
    first_ms: int
    last_ms: int

    @property
    def size_bytes(self) -> int:
        """The size as AWS counts it: messages, and 26 bytes for each event."""
        return len(self.payload) + self.count * (OVERHEAD_BYTES - _HEADER.size)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive slices of one stream as they are stored."""

    payload: bytes
    count: int
    first_ms: int
    last_ms: int
    size_bytes: int


def pack(events: Iterable[Event]) -> bytes:
    """Events as bytes, in the order given."""
    parts: list[bytes] = []
    for timestamp_ms, message in events:
        parts.append(_HEADER.pack(timestamp_ms, len(message)))
        parts.append(message)
    return b"".join(parts)


def unpack(payload: bytes) -> list[Event]:
    """The events of packed bytes; ValueError if the bytes end within an event."""
    events: list[Event] = []
    offset = 0
    end = len(payload)
    while offset < end:
        start = offset + _HEADER.size
        if start > end:
            raise ValueError("a packed event has no header")
        timestamp_ms, length = _HEADER.unpack_from(payload, offset)
        offset = start + length
        if offset > end:
            raise ValueError("a packed event is cut short")
        events.append((timestamp_ms, payload[start:offset]))
    return events


def slices(stream: StreamKey, events: Sequence[Event]) -> list[Slice]:
    """Events as they came, sorted by time (stable) and cut where a chunk must end.

    Times out of range are moved to its ends. No events give one slice that names the stream.
    """
    if not events:
        return [Slice(stream, b"", 0, 0, 0)]
    ordered = sorted(events, key=_by_time)
    if ordered[0][0] < 0 or ordered[-1][0] > LATEST_MS:
        ordered = [(min(max(when, 0), LATEST_MS), message) for when, message in ordered]
    if len(ordered) <= CHUNK_MAX_EVENTS and ordered[-1][0] - ordered[0][0] <= SPAN_MS:
        whole = _slice(stream, ordered)
        if len(whole.payload) <= CHUNK_MAX_BYTES:
            return [whole]
    return [_slice(stream, part) for part in _cut_up(ordered)]


def _cut_up(ordered: Sequence[Event]) -> Iterator[Sequence[Event]]:
    start = 0
    size = 0
    for index, (when, message) in enumerate(ordered):
        too_far = when - ordered[start][0] > SPAN_MS
        too_big = size + len(message) > CHUNK_MAX_BYTES or index - start >= CHUNK_MAX_EVENTS
        if index > start and (too_far or too_big):
            yield ordered[start:index]
            start, size = index, 0
        size += len(message)
    yield ordered[start:]


def _slice(stream: StreamKey, ordered: Sequence[Event]) -> Slice:
    return Slice(stream, pack(ordered), len(ordered), ordered[0][0], ordered[-1][0])


def chunks(parts: Iterable[Slice]) -> list[Chunk]:
    """Join the slices of one stream; within a chunk time never goes back and bounds hold."""
    made: list[Chunk] = []
    run: list[Slice] = []
    size = count = 0
    for part in parts:
        if part.count == 0:
            continue
        if run and not (
            run[-1].last_ms <= part.first_ms
            and part.last_ms - run[0].first_ms <= SPAN_MS
            and size + len(part.payload) <= CHUNK_MAX_BYTES
            and count + part.count <= CHUNK_MAX_EVENTS
        ):
            made.append(_chunk(run))
            run, size, count = [], 0, 0
        run.append(part)
        size += len(part.payload)
        count += part.count
    if run:
        made.append(_chunk(run))
    return made


def _chunk(run: Sequence[Slice]) -> Chunk:
    return Chunk(
        payload=b"".join(part.payload for part in run),
        count=sum(part.count for part in run),
        first_ms=run[0].first_ms,
        last_ms=run[-1].last_ms,
        size_bytes=sum(part.size_bytes for part in run),
    )
