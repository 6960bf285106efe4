"""Sums of usage, and advice on memory sizes."""

from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.usage import Subject, Totals, Usage, advise

SUBJECT = Subject("1", "r", "f", "$LATEST", 512, 512, "x86_64")


def totals(runs=100, *, duration_ms=100.0, cpu_ms=50.0, peak_mb=100):
    """Sums of runs that are all alike."""
    return Totals(
        runs=runs,
        billed_ms=int(duration_ms) * runs,
        duration_ms=duration_ms * runs,
        peak_mb=peak_mb,
        cpu_ms=cpu_ms * runs,
        cpu_duration_ms=duration_ms * runs,
    )


RUNS = st.lists(
    st.builds(
        Usage,
        st.just(SUBJECT),
        st.just("id"),
        st.floats(0, 1e9),
        st.floats(0, 1e6),
        st.integers(1, 10**6),
        st.none() | st.floats(0, 1e4),
        st.integers(1, 512),
        st.just(-1.0) | st.floats(0, 1e5),
        st.sampled_from(["", "Unhandled"]),
        st.just(""),
        st.booleans(),
    ),
    max_size=20,
)


@given(RUNS, RUNS)
def test_sums_of_parts_are_the_sum_of_all(some, others):
    """Counts and times alike."""
    parts, rest, every = Totals(), Totals(), Totals()
    for usage in some:
        parts.add(usage)
        every.add(usage)
    for usage in others:
        rest.add(usage)
        every.add(usage)
    parts.merge(rest)

    assert (parts.runs, parts.errors, parts.cold) == (every.runs, every.errors, every.cold)
    assert (parts.billed_ms, parts.peak_mb) == (every.billed_ms, every.peak_mb)
    assert parts.provisioned_ms == every.provisioned_ms <= every.billed_ms
    assert abs(parts.duration_ms - every.duration_ms) < 1e-3


def test_a_function_that_only_waits_needs_less_memory():
    """As much as it used, and a quarter more."""
    advice = advise(1_024, totals(cpu_ms=1, peak_mb=100))

    assert advice is not None
    assert advice.memory_mb == 128


def test_a_function_short_of_the_processor_gets_more_for_the_same_money():
    """At most one whole processor."""
    advice = advise(512, totals(cpu_ms=28.5, peak_mb=60))

    assert advice is not None
    assert advice.memory_mb == 1_024


def test_no_advice_without_measurements():
    """Few runs, or no processor time counted."""
    assert advise(512, totals(runs=3)) is None
    assert advise(512, Totals(runs=100, duration_ms=100)) is None


@given(st.integers(128, 10_240), st.floats(0.1, 1_000), st.floats(0, 1_000), st.integers(1, 10_240))
def test_advice_never_takes_memory_that_was_used(memory_mb, duration_ms, cpu_ms, peak_mb):
    """And is another size than the present one, within AWS's limits."""
    advice = advise(
        memory_mb, totals(duration_ms=duration_ms, cpu_ms=cpu_ms, peak_mb=min(peak_mb, memory_mb))
    )

    if advice is not None:
        assert advice.memory_mb >= min(peak_mb, memory_mb)
        assert advice.memory_mb != memory_mb
        assert 128 <= advice.memory_mb <= 10_240
