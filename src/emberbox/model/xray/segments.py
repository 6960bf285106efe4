"""Segments of traces: what a document must be, and how a trace is put together of its documents.

Source: "AWS X-Ray segment documents" of X-Ray's guide.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import orjson

from emberbox.records import dataclass

DOCUMENT_MAX_BYTES: Final = 64 * 1024
TRACE_MAX_BYTES: Final = 500 * 1024
"""What is kept of one trace."""

_TRACE_ID: Final = re.compile(r"1-[0-9a-fA-F]{8}-[0-9a-fA-F]{24}\Z")
_ID: Final = re.compile(r"[0-9a-fA-F]{16}\Z")
_NAME: Final = re.compile(r"[^\x00-\x1f]{1,200}\Z")
_DEPTH_MAX: Final = 60
"""Of subsegments in subsegments, also of those that come one by one."""

_NESTED_MAX: Final = 100
"""Of objects and lists in each other in one document: with what it may become a part of, these are
fewer than can be written as JSON."""

Document = dict[str, Any]


class BadSegmentError(Exception):
    """A document that is no segment: its id as far as it has one, and AWS's name for the fault."""

    def __init__(self, segment_id: str, code: str, text: str) -> None:
        super().__init__(text)
        self.segment_id = segment_id
        self.code = code


@dataclass(frozen=True, slots=True)
class Segment:
    """One document as it is kept. Times are seconds since the epoch; `end` of one that runs is 0.

    A subsegment that was sent by itself is one too, and has a parent.
    """

    trace_id: str
    id: str
    start: float
    end: float
    document: str

    @property
    def is_in_progress(self) -> bool:
        """Whether a later document will tell how it ended."""
        return not self.end


def read_segment(text: str | bytes) -> Segment:
    """The segment of a document; BadSegmentError if it is none."""
    raw = text.encode() if isinstance(text, str) else text
    if len(raw) > DOCUMENT_MAX_BYTES:
        raise BadSegmentError("", "SegmentTooLarge", "The segment document is larger than 64 KB.")
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise BadSegmentError("", "ParseError", "The segment document is not JSON.") from None
    if not isinstance(document, dict):
        raise BadSegmentError("", "ParseError", "The segment document is not an object.")
    return _checked(document, raw)


def segment_of(document: Document) -> Segment:
    """A document of our own as a segment."""
    return _checked(document, orjson.dumps(document))


def _checked(document: Document, raw: bytes) -> Segment:
    segment_id = document.get("id")
    if not isinstance(segment_id, str) or not _ID.match(segment_id):
        raise BadSegmentError(_shown(segment_id), "InvalidId", "The segment has no valid id.")
    trace_id = document.get("trace_id")
    if not isinstance(trace_id, str) or not _TRACE_ID.match(trace_id):
        raise BadSegmentError(segment_id, "InvalidTraceId", "The segment has no valid trace_id.")
    name = document.get("name")
    if not isinstance(name, str) or not _NAME.match(name):
        raise BadSegmentError(segment_id, "InvalidName", "The segment has no valid name.")
    if document.get("type") == "subsegment" and not _is_id(document.get("parent_id")):
        raise BadSegmentError(segment_id, "InvalidParentId", "The subsegment has no parent_id.")
    start, end = time_of(document.get("start_time")), document.get("end_time")
    if start is None:
        raise BadSegmentError(segment_id, "InvalidStartTime", "The segment has no start_time.")
    if end is None:
        if document.get("in_progress") is not True:
            text = "The segment has neither end_time nor in_progress."
            raise BadSegmentError(segment_id, "InvalidEndTime", text)
    elif time_of(end) is None:
        raise BadSegmentError(segment_id, "InvalidEndTime", "The end_time is no time.")
    if raw.count(b"{") + raw.count(b"[") > _NESTED_MAX:
        _check_depth(segment_id, document)
    return Segment(trace_id, segment_id.lower(), start, time_of(end) or 0.0, raw.decode())


def read_datagram(data: bytes) -> Segment:
    """The segment that an SDK has sent to X-Ray's daemon: a line that says so, and the document.

    BadSegmentError if it is none.
    """
    head, line_end, body = data.partition(b"\n")
    try:
        header = orjson.loads(head)
    except orjson.JSONDecodeError:
        header = None
    if not line_end or not isinstance(header, dict) or header.get("format") != "json":
        raise BadSegmentError("", "ParseError", "The datagram has no header that can be read.")
    return read_segment(body)


def assembled(documents: Iterable[str]) -> list[Document]:
    """The segments of one trace: subsegments that came by themselves are put where they belong.

    Those whose parent has not come stand beside the segments.
    """
    parsed = [_parsed(text) for text in documents]
    above = _above(parsed)
    roots = []
    for number, document in enumerate(parsed):
        if number in above:
            above[number].parent.setdefault("subsegments", []).append(document)
        else:
            roots.append(document)
    return sorted(roots, key=lambda document: document["start_time"])


class _Place(NamedTuple):
    """Where a document belongs: in which other, how deep in that, and below which of its parts."""

    owner: int
    depth: int
    parent: Document


def _above(parsed: list[Document]) -> dict[int, _Place]:
    """The places of those that have one. Documents that are parts of each other in a circle, or too
    deep, are cut loose."""
    places = {
        _id(each): _Place(number, depth, each)
        for number, document in enumerate(parsed)
        for depth, each in _levels(document)
    }
    above = {}
    for number, document in enumerate(parsed):
        place = places.get(str(document.get("parent_id", "")).lower())
        if document.get("type") == "subsegment" and place is not None:
            above[number] = place
    depths: dict[int, int] = {}
    for number in range(len(parsed)):
        way: dict[int, None] = {}
        while number not in depths and number in above and number not in way:
            way[number] = None
            number = above[number].owner  # noqa: PLW2901 - the walk goes up
        if number in way:
            del above[number]
        depths.setdefault(number, 0)
        for each in reversed(way):
            if each in above:
                place = above[each]
                depths[each] = depths[place.owner] + place.depth + 1
                if depths[each] > _DEPTH_MAX:
                    del above[each]
            if each not in above:
                depths[each] = 0
    return above


def moment(epoch_s: float) -> datetime:
    """Seconds since the epoch as answers have them."""
    return datetime.fromtimestamp(epoch_s, UTC)


def walk(document: Document) -> Iterator[Document]:
    """A segment and all its subsegments."""
    waiting = [document]
    while waiting:
        found = waiting.pop()
        yield found
        waiting += subsegments(found)


def subsegments(document: Document) -> list[Document]:
    """The subsegments of one, but for what is none."""
    found = document.get("subsegments")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _levels(document: Document) -> Iterator[tuple[int, Document]]:
    """A segment and all its subsegments, each with how deep it is."""
    waiting = [(0, document)]
    while waiting:
        depth, found = waiting.pop()
        yield depth, found
        waiting += [(depth + 1, each) for each in subsegments(found)]


def _parsed(text: str) -> Document:
    document: Document = orjson.loads(text)
    return document


def _check_depth(segment_id: str, document: Document) -> None:
    level: list[Any] = [document]
    for _ in range(_NESTED_MAX):
        level = [
            below
            for each in level
            for below in (each.values() if isinstance(each, dict) else each)
            if isinstance(below, dict | list)
        ]
        if not level:
            return
    raise BadSegmentError(segment_id, "ParseError", "The segment is nested too deeply.")


def _is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.match(value) is not None


def time_of(value: object) -> float | None:
    """Seconds since the epoch, within the calendar; None for what is no time."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 2e11:
        return None
    return float(value)


def _id(document: Document) -> str:
    return str(document.get("id", "")).lower()


def _shown(value: object) -> str:
    return value[:64] if isinstance(value, str) else ""
