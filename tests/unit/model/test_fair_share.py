"""Fair queues: whose turn it is."""

from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.fair_share import fair_shares

_GROUPS = st.dictionaries(st.text("abcdef", min_size=1, max_size=2), st.integers(0, 12))


@given(_GROUPS, _GROUPS, st.integers(1, 10))
def test_every_turn_goes_to_a_group_that_has_least_in_flight(in_flight, ready, limit):
    """No turn is wasted, and none goes to a group while a quieter one has a message ready."""
    turns = fair_shares(in_flight, ready, limit)
    assert len(turns) == min(limit, sum(ready.values()))
    counts = {group: in_flight.get(group, 0) for group in ready}
    left = dict(ready)
    for group in turns:
        waiting = [counts[each] for each in left if left[each]]
        assert counts[group] == min(waiting)
        counts[group] += 1
        left[group] -= 1
