"""How much capacity keeps a utilization near its target."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.target_tracking import Situation, Tracking, wanted

TRACKING = Tracking(0.7)
MINUTES = st.lists(st.floats(min_value=0, max_value=1), max_size=15)


def situation(minutes, current=10, low=1, high=100, last_out=-inf, last_in=-inf):
    return Situation(minutes, current, low, high, last_out, last_in)


def test_three_minutes_above_ask_for_what_they_need():
    """In one step, at once."""
    assert wanted(TRACKING, situation([0.1, 0.8, 0.9, 1.0]), 0.0) == 15
    assert wanted(TRACKING, situation([0.8, 0.9]), 0.0) == 10
    assert wanted(TRACKING, situation([0.8, 0.6, 0.9]), 0.0) == 10


def test_fifteen_minutes_below_give_back_what_the_busiest_did_not_need():
    """Unless the policy does not let go."""
    calm = [0.1] * 14 + [0.35]

    assert wanted(TRACKING, situation(calm), 0.0) == 5
    assert wanted(TRACKING, situation(calm[1:]), 0.0) == 10
    assert wanted(TRACKING, situation([0.1] * 14 + [0.65]), 0.0) == 10
    assert wanted(Tracking(0.7, may_scale_in=False), situation(calm), 0.0) == 10


def test_cooldowns_hold_changes_back():
    """Each its own kind."""
    slow = Tracking(0.7, out_cooldown_s=60, in_cooldown_s=300)

    assert wanted(slow, situation([1.0] * 3, last_out=0.0), 59.0) == 10
    assert wanted(slow, situation([1.0] * 3, last_out=0.0), 60.0) == 15
    assert wanted(slow, situation([0.0] * 15, last_in=0.0), 299.0) == 10
    assert wanted(slow, situation([0.0] * 15, last_in=0.0), 300.0) == 1


@given(MINUTES, st.integers(1, 200), st.integers(1, 50), st.integers(0, 100))
def test_no_capacity_is_outside_its_bounds(minutes, current, low, more):
    """Whatever happens; and what is outside is brought inside first."""
    found = wanted(TRACKING, situation(minutes, current, low, low + more), 0.0)

    assert low <= found <= low + more
