"""What a load is told as: percentiles, and what counts as an invocation."""

from hypothesis import given
from hypothesis import strategies as st

from emberbox.cli.load import Load, rounded


@given(st.floats(0, 1e10))
def test_times_keep_three_digits(value):
    """No time is off by more than half a percent, and few numbers stand for all."""
    kept = rounded(value)
    assert abs(kept - value) <= max(1, value * 0.005)
    assert len(str(kept).rstrip("0")) <= 3


@given(st.lists(st.integers(1, 999), min_size=1, max_size=60), st.floats(0.01, 1))
def test_a_percentile_is_a_time_that_so_many_did_not_exceed(times_us, share):
    """It is one of the times, and the least that will do."""
    made = Load()
    for time_us in times_us:
        made.add(time_us / 1e6, 200, failed=False)
    found = round(made.percentile_ms(share) * 1000)
    assert found in times_us
    assert sum(t <= found for t in times_us) >= share * len(times_us) - 1e-9
    assert sum(t < found for t in times_us) < share * len(times_us)


def test_refusals_are_counted_apart():
    """Their times are no times of the function."""
    made = Load()
    for status, failed in ((200, False), (200, True), (429, False), (500, False)):
        made.add(0.01, status, failed=failed)
    assert (made.ok, made.function_errors, made.throttled, made.refused) == (1, 1, 1, 1)
    assert made.times_us.total() == 2
    assert made.first_trouble == "status 500"
