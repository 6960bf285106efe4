"""What a sandbox writes becomes log events."""

import struct
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from emberbox.environment.output import OutputParser
from emberbox.model.limits import LOG_LINE_MAX_BYTES

LINES = st.lists(st.binary(max_size=50).map(lambda b: b.replace(b"\n", b"").replace(b"\xa5", b"")))


def frame(text: bytes) -> bytes:
    return struct.pack(">IIQ", 0xA55A0003, len(text), 1) + text


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(p % (len(data) + 1) for p in places)})
    return [data[a:b] for a, b in pairwise(edges)]


def feed(parser: OutputParser, parts: list[bytes]) -> list[bytes]:
    return [event for part in parts for event in parser.feed(part)]


def test_lines_become_events() -> None:
    """Each complete line is an event without its line end."""
    parser = OutputParser()

    events = feed(parser, [b"one\ntwo\r\nthr", b"ee\n"])

    assert events == [b"one", b"two", b"three"]


def test_a_frame_is_one_event() -> None:
    """A record of several lines stays whole."""
    parser = OutputParser()

    events = feed(parser, [b"plain\n" + frame(b"first\nsecond\n") + b"after\n"])

    assert events == [b"plain", b"first\nsecond", b"after"]


def test_a_frame_ends_an_unfinished_line() -> None:
    """Text without a line end before a record is an event of its own."""
    parser = OutputParser()

    assert feed(parser, [b"no end" + frame(b"record")]) == [b"no end", b"record"]


def test_rest_gives_an_unfinished_line_once() -> None:
    """What has no line end is given out when asked for, and not again."""
    parser = OutputParser()
    feed(parser, [b"unfinished"])

    assert list(parser.rest()) == [b"unfinished"]
    assert list(parser.rest()) == []


def test_an_endless_line_is_split() -> None:
    """A line without end is cut at the size limit of a log event."""
    parser = OutputParser()

    events = feed(parser, [b"x" * (LOG_LINE_MAX_BYTES + 10)])

    assert [len(e) for e in events] == [LOG_LINE_MAX_BYTES]
    assert list(parser.rest()) == [b"x" * 10]


def test_an_absurd_frame_length_is_bounded() -> None:
    """A forged length does not make the parser keep data without bound."""
    parser = OutputParser()
    forged = struct.pack(">IIQ", 0xA55A0003, 0xFFFFFFFF, 1)

    events = feed(parser, [forged] + [b"y" * LOG_LINE_MAX_BYTES] * 4)

    assert sum(len(e) for e in events) == 4 * LOG_LINE_MAX_BYTES


@given(LINES, st.lists(st.integers(0, 10_000), max_size=8))
def test_cuts_do_not_matter(lines: list[bytes], places: list[int]) -> None:
    """However the bytes arrive, the events are the lines."""
    data = b"".join(line + b"\n" for line in lines)

    events = feed(OutputParser(), cut(data, places))

    assert events == [line.rstrip(b"\r") for line in lines]


@given(st.lists(st.binary(max_size=60)), st.lists(st.integers(0, 10_000), max_size=8))
def test_frames_survive_cuts(records: list[bytes], places: list[int]) -> None:
    """However the bytes arrive, each frame is one event."""
    data = b"".join(frame(record) for record in records)

    assert feed(OutputParser(), cut(data, places)) == [r.rstrip(b"\n") for r in records]


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_garbage_never_raises(parts: list[bytes]) -> None:
    """Any bytes at all are taken, and nothing is kept beyond its bound."""
    parser = OutputParser()

    events = feed(parser, parts) + list(parser.rest())

    assert sum(len(e) for e in events) <= sum(len(p) for p in parts)
