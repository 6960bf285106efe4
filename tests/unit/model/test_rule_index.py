"""The index of rules finds what trying each of them would find."""

import json

from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.event_pattern import EventPattern
from emberbox.model.rule_index import RuleIndex

TEXT = st.sampled_from(["a", "b", "c"])
LEAF = st.one_of(
    st.lists(TEXT, min_size=1, max_size=2),
    st.just([{"prefix": "a"}]),
    st.just([{"exists": False}]),
    st.just([{"anything-but": "b"}]),
    st.just(["a", {"exists": False}]),
)
DETAIL = st.dictionaries(
    st.sampled_from(["x", "y"]),
    st.one_of(LEAF, st.dictionaries(st.sampled_from(["z"]), LEAF, min_size=1)),
    min_size=1,
)
PATTERN = st.dictionaries(st.sampled_from(["source", "detail-type", "account"]), LEAF).flatmap(
    lambda d: st.one_of(st.just(d), DETAIL.map(lambda inner: {**d, "detail": inner}))
)
VALUE = st.one_of(TEXT, st.lists(TEXT, max_size=2), st.just({"z": "a"}), st.just([{"z": "b"}]))
EVENT = st.fixed_dictionaries(
    {"source": TEXT, "detail-type": TEXT},
    optional={
        "account": TEXT,
        "detail": st.dictionaries(st.sampled_from(["x", "y"]), VALUE),
    },
)


@given(st.lists(PATTERN.filter(bool), max_size=12), st.lists(EVENT, max_size=6))
def test_finds_what_trying_each_would(patterns, events):
    """The index leaves out no rule that matches, and adds none."""
    read = {n: EventPattern(json.dumps(pattern)) for n, pattern in enumerate(patterns)}
    index = RuleIndex()
    for number, pattern in read.items():
        index.put(number, pattern)
    for event in events:
        wanted = {number for number, pattern in read.items() if pattern.matches(event)}
        assert set(index.matching(event)) == wanted


@given(st.lists(PATTERN.filter(bool), min_size=1, max_size=8), EVENT)
def test_forgets(patterns, event):
    """What is removed or replaced matches no more."""
    index = RuleIndex()
    for pattern in patterns:
        index.put("one", EventPattern(json.dumps(pattern)))
    last = EventPattern(json.dumps(patterns[-1]))
    assert index.matching(event) == (["one"] if last.matches(event) else [])
    index.remove("one")
    assert index.matching(event) == []
    assert len(index) == 0


def test_or_in_a_pattern_is_no_exact_value():
    """Alternatives of `$or` do not narrow where a rule is kept."""
    pattern = {"$or": [{"source": ["a"]}, {"detail": {"x": ["1"]}}]}
    index = RuleIndex()
    index.put("one", EventPattern(json.dumps(pattern)))
    assert index.matching({"source": "b", "detail-type": "t", "detail": {"x": "1"}}) == ["one"]
