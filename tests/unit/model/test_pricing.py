"""What invocations would cost on AWS."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.pricing import (
    Amount,
    cost_of,
    ephemeral_gb_seconds,
    free_part,
    gb_seconds,
    invocation_cost,
    month_of_machine,
    price_table,
)

AMOUNTS = st.lists(
    st.builds(
        Amount,
        st.integers(0, 10**9),
        st.floats(0, 1e10),
        st.floats(0, 1e6),
        st.sampled_from(["x86_64", "arm64"]),
        st.floats(0, 1e6),
        st.floats(0, 1e6),
    ),
    max_size=5,
)


def test_a_million_requests_of_100_ms_with_128_mb():
    """The example that AWS's price page has in another form: requests and time."""
    used = Amount(1_000_000, gb_seconds(128, 100) * 1_000_000)

    cost = cost_of([used])

    assert cost.requests == pytest.approx(0.20)
    assert cost.duration == pytest.approx(12_500 * 0.0000166667)


def test_provisioned_concurrency_has_prices_of_its_own():
    """For keeping environments, and for what runs on them; nothing of it is free."""
    used = Amount(0, 0.0, provisioned_gb_seconds=10.0, kept_gb_seconds=100.0)

    cost = cost_of([used])

    assert cost.total == cost.provisioned == pytest.approx(0.000097222 + 0.00041667)
    assert free_part([used]).total == 0


def test_one_invocation():
    """A request and its time, /tmp beyond 512 MB counted too."""
    plain = invocation_cost(1_024, 512, 1_000, "x86_64")
    with_disk = invocation_cost(1_024, 1_536, 1_000, "x86_64")

    assert plain == pytest.approx(0.0000002 + 0.0000166667)
    assert with_disk - plain == pytest.approx(0.0000000309)
    assert ephemeral_gb_seconds(512, 1_000) == 0


def test_what_is_used_beyond_a_tier_is_cheaper():
    """The first six billion GB-seconds at one price, the rest at others."""
    tiers = price_table()["gb_second"]["x86_64"]
    first, second = tiers[0], tiers[1]

    cost = cost_of([Amount(0, first[0] + 10.0)])

    assert cost.duration == pytest.approx(first[0] * first[1] + 10 * second[1])


@given(AMOUNTS)
def test_never_more_is_free_than_is_paid_for(amounts):
    """In each part and together, but for tiers, which are only beyond what is free."""
    cost, free = cost_of(amounts), free_part(amounts)

    assert 0 <= free.requests <= cost.requests + 1e-9
    assert 0 <= free.duration <= cost.duration + 1e-6
    assert free.requests <= 0.2 + 1e-9


@given(AMOUNTS, AMOUNTS)
def test_more_use_never_costs_less(some, more):
    """Whatever the tiers."""
    assert cost_of(some + more).total >= cost_of(some).total - 1e-6


def test_a_month_of_a_machine():
    """730 hours."""
    assert month_of_machine(0.01) == pytest.approx(7.3)
