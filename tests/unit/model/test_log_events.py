"""Packing, slicing and joining of log events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.log_events import (
    CHUNK_MAX_BYTES,
    CHUNK_MAX_EVENTS,
    LATEST_MS,
    SPAN_MS,
    Cut,
    StreamKey,
    chunks,
    pack,
    slices,
    unpack,
)

KEY = StreamKey("123456789012", "us-east-1", "/aws/lambda/f", "2026/11/21/[$LATEST]0")
events = st.lists(st.tuples(st.integers(0, 10 * SPAN_MS), st.binary(max_size=40)), max_size=60)


@given(events)
def test_unpacking_gives_what_was_packed(made):
    """unpack is the inverse of pack."""
    assert unpack(pack(made)) == made


@given(events.filter(bool), st.data())
def test_cut_bytes_are_refused_or_end_at_an_event(made, data):
    """A packed text that ends within an event is an error, never a wrong event."""
    whole = pack(made)
    end = data.draw(st.integers(0, len(whole)))

    try:
        found = unpack(whole[:end])
    except ValueError:
        return

    assert found == made[: len(found)]


@given(st.lists(events, max_size=6))
def test_chunks_hold_all_events_within_their_bounds(turns):
    """Joining loses nothing; a chunk is ordered by time and spans at most SPAN_MS."""
    parts = [part for turn in turns for part in slices(KEY, turn)]

    made = chunks(parts)

    everything = [event for turn in turns for event in turn]
    assert sorted(e for chunk in made for e in unpack(chunk.payload)) == sorted(everything)
    for chunk in made:
        times = [when for when, _ in unpack(chunk.payload)]
        assert times == sorted(times)
        assert (chunk.first_ms, chunk.last_ms, chunk.count) == (times[0], times[-1], len(times))
        assert chunk.last_ms - chunk.first_ms <= SPAN_MS
        assert chunk.size_bytes == sum(len(m) + 26 for _, m in unpack(chunk.payload))


def test_many_and_large_events_are_cut_up():
    """A turn beyond a chunk's size or count becomes several slices."""
    large = [(0, b"x" * (CHUNK_MAX_BYTES // 3))] * 7
    many = [(0, b"")] * (CHUNK_MAX_EVENTS + 1)

    assert [part.count for part in slices(KEY, large)] == [3, 3, 1]
    assert [part.count for part in slices(KEY, many)] == [CHUNK_MAX_EVENTS, 1]


def test_events_of_one_millisecond_keep_their_order():
    """Sorting by time is stable."""
    (part,) = slices(KEY, [(5, b"b"), (5, b"a"), (4, b"c")])

    assert unpack(part.payload) == [(4, b"c"), (5, b"b"), (5, b"a")]


def test_times_out_of_range_are_moved_to_its_ends():
    """A time that cannot be stored does not stop the stream."""
    parts = slices(KEY, [(-3, b"a"), (2**63, b"b")])

    assert [unpack(part.payload) for part in parts] == [[(0, b"a")], [(LATEST_MS, b"b")]]


def test_no_events_give_a_slice_that_names_the_stream():
    """An empty turn is still a sign that the stream exists."""
    (part,) = slices(KEY, [])

    assert (part.stream, part.count, chunks([part])) == (KEY, 0, [])


cuts = st.builds(
    Cut, st.integers(0, LATEST_MS), st.integers(0, LATEST_MS), st.integers(0, 10**16 - 1)
)


@given(cuts, cuts)
def test_the_text_of_cuts_has_their_order(one, other):
    """A cut's text is 56 digits, reads back, and sorts as the cut does."""
    assert len(one.text) == 56
    assert Cut.parse(one.text) == one
    assert (one < other) == (one.text < other.text)


@pytest.mark.parametrize(
    "text", ["", "1" * 55, "9" * 56, "x" * 56, "1" * 57, "\N{ARABIC-INDIC DIGIT ONE}" * 56]
)
def test_other_texts_are_not_cuts(text):
    """Anything but the 56 digits of a possible cut is refused."""
    with pytest.raises(ValueError):
        Cut.parse(text)
