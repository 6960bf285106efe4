"""Aliases: whose turn it is, and what may be routed."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.errors import CallerError
from emberbox.model.alias import Alias, check_routing

WEIGHTS = st.integers(0, 1_000).map(lambda share: share / 1_000)


def alias(weight):
    """An alias for version 1 that sends a share to version 2."""
    return Alias("1", "r", "f", "live", "1", "x", weights={"2": weight})


@given(WEIGHTS, st.integers(0, 3_000))
def test_shares_are_exact_at_every_moment(weight, count):
    """Of the first n invocations the additional version gets its share, rounded down."""
    ran = sum(alias(weight).nth_version(n) == "2" for n in range(count))

    assert ran == int(count * round(weight * 1_000_000) // 1_000_000)


@given(st.integers(2, 50))
def test_turns_are_spread_evenly(period):
    """One in n comes every n-th time, not in a row."""
    turns = [n for n in range(period * 10) if alias(1 / period).nth_version(n) == "2"]

    assert all(period <= later - earlier <= period + 1 for earlier, later in pairwise(turns))


@given(st.integers(0, 1_000))
def test_an_alias_without_weights_always_runs_its_version(count):
    """There is nothing to choose."""
    assert Alias("1", "r", "f", "live", "7", "x").nth_version(count) == "7"


@pytest.mark.parametrize(
    ("version", "weights", "text"),
    [
        (
            "1",
            {"2": 0.1, "3": 0.1},
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ),
        (
            "1",
            {"1": 0.5},
            "Invalid function version 1. Function version 1 is already included in routing "
            "configuration.",
        ),
        (
            "$LATEST",
            {"1": 0.5},
            "$LATEST is not supported for an alias pointing to more than 1 version",
        ),
        (
            "1",
            {"2": 1.5},
            "1 validation error detected: Value '{2=1.5}' at 'routingConfig."
            "additionalVersionWeights' failed to satisfy constraint: Map value must satisfy "
            "constraint: [Member must have value less than or equal to 1.0, Member must have value "
            "greater than or equal to 0.0, Member must not be null]",
        ),
        (
            "1",
            {"$LATEST": 0.5},
            "1 validation error detected: Value '{$LATEST=0.5}' at 'routingConfig."
            "additionalVersionWeights' failed to satisfy constraint: Map keys must satisfy "
            "constraint: [Member must have length less than or equal to 1024, Member must have "
            "length greater than or equal to 1, Member must satisfy regular expression pattern: "
            "[0-9]+, Member must not be null]",
        ),
    ],
)
def test_bad_routing_is_refused_in_awss_words(version, weights, text):
    """Recorded from the service."""
    with pytest.raises(CallerError) as caught:
        check_routing(version, weights)

    assert caught.value.message == text


@given(WEIGHTS)
def test_one_other_version_may_have_any_share(weight):
    """From nothing to everything."""
    check_routing("1", {"2": weight})
