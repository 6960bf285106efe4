"""What waits for a subscriber is bounded, keeps its order, and tells of what was given up."""

from hypothesis import given
from hypothesis import strategies as st

from emberbox.environment.telemetry_buffer import TelemetryBuffer
from emberbox.model.telemetry import Subscription


def subscription(max_items: int, max_bytes: int) -> Subscription:
    return Subscription(
        types=frozenset({"platform"}),
        port=4242,
        path="/",
        host="sandbox",
        max_items=max_items,
        max_bytes=max_bytes,
        timeout_ms=25,
        is_legacy=False,
    )


@given(
    st.lists(st.binary(max_size=40), max_size=60),
    st.integers(min_value=1, max_value=10),
    st.integers(min_value=1, max_value=100),
)
def test_nothing_is_lost_unseen(events: list[bytes], max_items: int, max_bytes: int) -> None:
    """What goes in comes out in order, in batches within bounds, or is counted."""
    buffer = TelemetryBuffer(subscription(max_items, max_bytes))
    for event in events:
        buffer.add(event)
    dropped = buffer.take_dropped()
    batches = []
    while batch := buffer.take():
        batches.append(batch)
    taken = [event for batch in batches for event in batch]

    assert taken == events[: len(taken)]
    assert len(taken) + (dropped.records if dropped else 0) == len(events)
    assert all(len(batch) <= max_items for batch in batches)
    assert all(len(b) == 1 or sum(len(e) + 1 for e in b) <= max_bytes for b in batches)
    assert sum(len(event) + 1 for event in taken) <= 2 * max_bytes + 41
    assert buffer.take_dropped() is None
