"""Metric math."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.metric_math import MathError, evaluate

KNOWN = {"m1": {0: 1.0, 60: 2.0, 120: 4.0}, "m2": {0: 10.0, 60: 0.0}}
PERIODS = {"m1": 60, "m2": 60}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("m1 + m2", {0: 11.0, 60: 2.0}),
        ("100 * m1 / m2", {0: 10.0}),
        ("-m1", {0: -1.0, 60: -2.0, 120: -4.0}),
        ("m1 ^ 2", {0: 1.0, 60: 4.0, 120: 16.0}),
        ("SUM(m1)", 7.0),
        ("AVG(m2)", 5.0),
        ("MAX([m1, m2])", {0: 10.0, 60: 2.0, 120: 4.0}),
        ("SUM(METRICS())", {0: 11.0, 60: 2.0, 120: 4.0}),
        ('SUM(METRICS("m2"))', {0: 10.0, 60: 0.0}),
        ("FILL(m2, 7)", {0: 10.0, 60: 0.0, 120: 7.0}),
        ("FILL(m2, REPEAT)", {0: 10.0, 60: 0.0, 120: 0.0}),
        ("m1 / PERIOD(m1)", {0: 1 / 60, 60: 2 / 60, 120: 4 / 60}),
        ("DIFF(m1)", {60: 1.0, 120: 2.0}),
        ("RATE(m1)", {60: 1 / 60, 120: 2 / 60}),
        ("IF(m1 > 1, m1, 0)", {0: 0.0, 60: 2.0, 120: 4.0}),
        ("CEIL(m1 / 3)", {0: 1.0, 60: 1.0, 120: 2.0}),
        ("2 * (3 + 4)", 14.0),
    ],
)
def test_expressions(expression, value):
    """Point by point where both sides have one; what cannot be computed is left out."""
    assert evaluate(expression, KNOWN, PERIODS) == value


@pytest.mark.parametrize(
    "expression",
    ["m9", "m1 +", "__import__('os')", "m1.x", "SEARCH('x')", "lambda: 1", "[1]", "1/0", "m1[0]"],
)
def test_what_is_refused(expression):
    """Names nobody knows, Python that is no metric math, numbers that are none."""
    with pytest.raises(MathError):
        evaluate(expression, KNOWN, PERIODS)


@given(st.text(max_size=80))
def test_nothing_else_is_ever_raised(expression):
    """Whatever is sent."""
    found = 0.0
    with suppress(MathError):
        found = evaluate(expression, KNOWN, PERIODS)
    assert isinstance(found, float | int | dict | list)


def test_deep_nesting_is_refused():
    """Before it costs anything."""
    with pytest.raises(MathError):
        evaluate("(" * 500 + "1" + ")" * 500 + "+ABS(" * 300, KNOWN, PERIODS)
