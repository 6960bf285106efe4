"""Statistics of metric points."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.metrics import (
    DISTINCT_MAX,
    Point,
    by_period,
    is_statistic,
    statistic,
    statistic_set,
)

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300)


def point_of(*values):
    """A point with these values."""
    point = Point()
    for value in values:
        point.add(value)
    return point


@given(VALUES)
def test_basic_statistics_are_exact(values):
    """However many values there are."""
    point = point_of(*values)

    assert statistic(point, "SampleCount") == len(values)
    assert statistic(point, "Minimum") == min(values)
    assert statistic(point, "Maximum") == max(values)
    assert math.isclose(statistic(point, "Sum"), math.fsum(values), abs_tol=1e-3)


@given(VALUES, st.floats(1, 100))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(values, percent):
    """To half a percent where values had to be rounded."""
    found = statistic(point_of(*values), f"p{percent:.2f}")

    within = sum(value <= found + abs(found) * 0.01 for value in values)
    assert within >= len(values) * float(f"{percent:.2f}") / 100 - 1e-6


@given(VALUES, VALUES)
def test_merging_is_adding_all(left, right):
    """Two points together have the statistics of their values together."""
    merged = point_of(*left)
    merged.merge(point_of(*right))

    assert merged.count == len(left) + len(right)
    assert (merged.low, merged.high) == (min(left + right), max(left + right))
    assert math.isclose(sum(merged.values.values()), merged.count)


def test_what_a_point_keeps_is_bounded():
    """Three digits of each value, beyond a number of distinct ones."""
    dice = random.Random(7)
    point = point_of(*(dice.uniform(1, 10) for _ in range(20_000)))

    assert len(point.values) <= DISTINCT_MAX + 901
    assert point.count == 20_000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("p50", 5),
        ("p100", 10),
        ("IQM", 5.5),
        ("tm90", 5),
        ("tc(3:7)", 5),
        ("ts(3:7)", 25),
        ("PR(:5)", 50),
        ("tm(2:4)", 3),
        ("wm(3:8)", 5.5),
    ],
)
def test_statistics_of_the_numbers_from_one_to_ten(name, value):
    """As CloudWatch defines them."""
    assert is_statistic(name)
    assert statistic(point_of(*range(1, 11)), name) == value


@pytest.mark.parametrize("name", ["p", "average", "p1000", "tm()", "x(1:2)", ""])
def test_what_is_no_statistic(name):
    """Names are as they are written."""
    assert not is_statistic(name)


def test_a_set_of_statistics_has_no_percentiles():
    """Unless it is of one value only."""
    assert statistic(statistic_set(3, 6, 1, 3), "p50") is None
    assert statistic(statistic_set(3, 6, 1, 3), "Average") == 2
    assert statistic(statistic_set(1, 7, 7, 7), "p50") == 7


def test_points_are_merged_into_their_periods():
    """A period is named by its start."""
    merged = by_period([(60, point_of(1)), (240, point_of(2)), (299, point_of(4))], 120)

    assert {at: point.total for at, point in merged.items()} == {0: 1, 240: 6}
