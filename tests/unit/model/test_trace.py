"""Traces, and the loops in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.trace import entered, from_traceparent, furthest, is_trace, trace_of

F, G = ("1", "r", "f"), ("1", "r", "g")
ROOT = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
KEYS = st.tuples(st.just("1"), st.just("r"), st.text("abcdefghijklmnop", min_size=1, max_size=3))


def through(keys, trace=ROOT):
    """The trace after a chain of functions, and how often each was entered before."""
    counts = []
    for key in keys:
        trace, loops = entered(trace, key)
        counts.append(loops)
    return trace, counts


def test_a_chain_that_comes_back_is_counted():
    """For each function by itself."""
    assert through([F, G, F, F, G])[1] == [0, 0, 1, 2, 1]


@given(st.lists(KEYS, max_size=40))
def test_what_was_in_a_trace_stays(keys):
    """And it stays fit for a header, however long the chain."""
    trace, _ = through(keys)

    assert trace.startswith(ROOT)
    assert trace.count("Lineage=") <= 1
    assert is_trace(trace)


@given(st.lists(KEYS, min_size=1, max_size=24, unique=True), st.integers(1, 20))
def test_a_loop_of_two_dozen_functions_is_found(keys, rounds):
    """More are too many to remember."""
    trace, _ = through(keys * rounds)

    assert entered(trace, keys[0])[1] == rounds


@pytest.mark.parametrize("lineage", ["x", "1:", "1:zz:1", "-1:00:1", "1:00:" + "9" * 600])
def test_a_lineage_that_is_none_begins_anew(lineage):
    """What others write there breaks nothing."""
    trace, loops = entered(f"{ROOT};Lineage={lineage}", F)

    assert loops == 0
    assert trace == entered(ROOT, F)[0]


def test_other_parts_of_a_trace_stay_where_they_are():
    """Also behind the lineage."""
    trace, loops = entered(entered(f"{ROOT}", F)[0] + ";Self=1-2-3", F)

    assert loops == 1
    assert "Self=1-2-3" in trace


def test_a_traceparent_is_the_same_trace():
    """W3C's header in X-Ray's form."""
    header = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01"

    assert from_traceparent(header) == ROOT
    assert from_traceparent(header[:-2] + "00") == ROOT[:-1] + "0"
    assert from_traceparent("00-xyz") is None
    assert from_traceparent(None) is None


def test_of_a_batch_the_longest_lineage_counts():
    """A loop is not hidden by a fresh message beside it."""
    long, _ = through([F, F, F])
    short, _ = through([F])

    assert furthest([ROOT, long, short]) == long
    assert furthest([]) is None


@pytest.mark.parametrize("given_", [None, "", "x", "Root=1-2-3 4", "Root=" + "x" * 600])
def test_what_is_no_trace_is_replaced(given_):
    """By a new root."""
    assert trace_of(given_, 1_000_000.0, "0" * 40, sampled=True) == (
        f"Root=1-000f4240-{'0' * 24};Parent={'0' * 16};Sampled=1"
    )
