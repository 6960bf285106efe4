"""How often something may happen."""

from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.rates import Bucket
from emberbox.model.usefulness import Resting, usefulness

STEPS = st.lists(st.floats(min_value=0, max_value=5), min_size=1, max_size=200)


@given(STEPS, st.integers(1, 20), st.floats(min_value=0.5, max_value=50))
def test_no_stretch_of_time_has_more_than_it_may(steps, size, per_s):
    """What fits at once, and what was filled up since."""
    bucket, now, taken = Bucket(size, per_s, 0.0), 0.0, []
    for step in steps:
        now += step
        if bucket.take(now):
            taken.append(now)

    for first in range(len(taken)):
        for last in range(first, len(taken)):
            stretch = taken[last] - taken[first]
            assert last - first + 1 <= size + stretch * per_s + 1e-6


@given(st.integers(1, 20), st.floats(min_value=0.5, max_value=50))
def test_who_waits_as_long_as_told_gets_one(size, per_s):
    """And not before."""
    bucket = Bucket(size, per_s, 0.0)
    while bucket.take(0.0):
        pass
    wait_s = bucket.wait_s(0.0)

    assert not bucket.take(wait_s * 0.9)
    assert bucket.take(wait_s + 1e-9)


def test_nobody_is_told_to_wait_for_what_never_comes():
    """A bucket that is not filled up has no time to tell."""
    bucket = Bucket(0, 0, 0.0)

    assert not bucket.take(5.0)
    assert bucket.wait_s(5.0) == 0.0


def test_time_that_goes_back_fills_nothing():
    """Two who ask at once may come in any order."""
    bucket = Bucket(1, 1, 10.0)

    assert bucket.take(10.0)
    assert not bucket.take(9.0)
    assert not bucket.take(10.5)


def test_what_was_not_needed_is_given_back():
    """But never more than fits."""
    bucket = Bucket(1, 1, 0.0)
    bucket.give_back()

    assert bucket.take(0.0)
    assert not bucket.take(0.0)
    bucket.give_back()
    assert bucket.take(0.0)


def test_who_is_missed_least():
    """Rested long, one of many, quick to have again, large: each makes it less useful."""
    usual = Resting(init_ms=100, memory_mb=50, idle_s=10, peers=2)

    for less in (
        usual._replace(idle_s=20),
        usual._replace(peers=3),
        usual._replace(init_ms=50),
        usual._replace(memory_mb=60),
    ):
        assert usefulness(less) < usefulness(usual)
