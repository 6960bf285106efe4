"""When an alarm goes off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.alarms import TREATMENTS, AlarmState, Rule, evaluate, reason

X, ZERO, NO = 5.0, 0.0, None
OK, ALARM, UNKNOWN = AlarmState.OK, AlarmState.ALARM, AlarmState.INSUFFICIENT_DATA
NOW = "as it was"


@pytest.mark.parametrize(
    ("datapoints", "points", "missing", "ignore", "breaching", "not_breaching"),
    [
        (3, [ZERO, NO, X, NO, X], OK, OK, OK, OK),
        (3, [NO, NO, NO, NO, ZERO], OK, OK, OK, OK),
        (3, [NO, NO, NO, NO, NO], UNKNOWN, NOW, ALARM, OK),
        (3, [ZERO, X, X, NO, X], ALARM, ALARM, ALARM, ALARM),
        (3, [NO, NO, X, NO, NO], ALARM, NOW, ALARM, OK),
        (2, [ZERO, NO, X, NO, X], ALARM, ALARM, ALARM, ALARM),
        (2, [ZERO, ZERO, X, ZERO, X], ALARM, ALARM, ALARM, ALARM),
        (2, [ZERO, NO, X, NO, NO], OK, OK, ALARM, OK),
        (2, [NO, NO, NO, X, NO], ALARM, NOW, ALARM, OK),
    ],
)
def test_missing_data_is_treated_as_asked(
    datapoints, points, missing, ignore, breaching, not_breaching
):
    """The tables of AWS's guide, for three periods of which so many must breach."""
    wanted = dict(zip(TREATMENTS, (breaching, not_breaching, ignore, missing), strict=True))
    for treatment, state in wanted.items():
        rule = Rule("GreaterThanThreshold", 1.0, 3, datapoints, treatment)
        for now in AlarmState:
            assert evaluate(rule, points, now) is (now if state is NOW else state), treatment


@given(
    st.sampled_from(TREATMENTS),
    st.integers(1, 5),
    st.lists(st.none() | st.floats(0, 10), min_size=5, max_size=7),
    st.sampled_from(AlarmState),
)
def test_enough_breaching_points_are_an_alarm(treatment, datapoints, points, now):
    """Whatever else is missing."""
    rule = Rule("GreaterThanOrEqualToThreshold", 5.0, 5, datapoints, treatment)
    there = [point for point in points if point is not None][-5:]

    if sum(point >= 5 for point in there) >= datapoints:
        assert evaluate(rule, points, now) is ALARM


def test_the_reason_names_points_and_threshold():
    """As CloudWatch words it."""
    rule = Rule("GreaterThanThreshold", 1.0, 2, 2)

    assert reason(rule, [3.0, 5.0], ALARM) == (
        "Threshold Crossed: 2 datapoints [5.0, 3.0] were greater than the threshold (1.0)."
    )
    assert "was not greater than" in reason(Rule("GreaterThanThreshold", 1, 1, 1), [0.5], OK)
    assert reason(rule, [None], UNKNOWN) == "Insufficient Data: 2 datapoints were unknown."
