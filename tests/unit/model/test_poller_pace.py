"""How many batches of a mapping may be with its function at once."""

from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.poller_pace import Pace, limits_of


def grown(pace, seconds):
    """The pace after so long a time in which all that was allowed was running."""
    now, allowed = 0.0, pace.allowed(0.0, 0)
    while now < seconds:
        now += 1.0
        allowed = pace.allowed(now, allowed)
    return allowed


def test_a_backlog_raises_the_pace_by_three_hundred_a_minute():
    """From five at once up to 1250."""
    assert Pace(limits_of({}), 0.0).allowed(0.0, 0) == 5
    assert grown(Pace(limits_of({}), 0.0), 60) in range(300, 307)
    assert grown(Pace(limits_of({}), 0.0), 600) == 1250


def test_an_idle_mapping_comes_down_to_two():
    """And begins again from there."""
    pace = Pace(limits_of({}), 0.0)
    grown(pace, 60)
    assert pace.allowed(1_000.0, 0) == 2


def test_maximum_concurrency_is_never_passed():
    """Not even while there is a backlog."""
    limits = limits_of({"ScalingConfig": {"MaximumConcurrency": 3}})
    assert grown(Pace(limits, 0.0), 600) == 3
    assert Pace(limits, 0.0).until_more() is None


def test_provisioned_pollers_start_high_and_grow_fast():
    """Ten batches for each poller, between the least and the most."""
    settings = {"ProvisionedPollerConfig": {"MinimumPollers": 5, "MaximumPollers": 20}}
    pace = Pace(limits_of(settings), 0.0)
    assert pace.allowed(0.0, 0) == 50
    assert grown(pace, 60) == 200
    assert pace.allowed(10_000.0, 0) == 50


@given(st.lists(st.tuples(st.floats(0, 60), st.integers(0, 2_000), st.booleans()), max_size=40))
def test_the_pace_stays_within_its_limits(steps):
    """Whatever happens, and errors only ever lower it."""
    limits = limits_of({})
    pace, now = Pace(limits, 0.0), 0.0
    for seconds, running, fails in steps:
        now += seconds
        before = pace.allowed(now, running)
        assert limits.least <= before <= limits.most
        if fails:
            pace.failed()
            assert pace.allowed(now, before + 1) <= before
