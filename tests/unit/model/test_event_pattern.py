"""Event patterns: every operator, how they combine, and what is refused."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.event_pattern import (
    EVENTS,
    MAPPING,
    SUBSCRIPTION,
    AnyOf,
    EventPattern,
    has_many,
)
from emberbox.model.event_tests import PatternError

YES, NO = True, False


def matches(pattern, event, dialect=EVENTS):
    return EventPattern(json.dumps(pattern), dialect).matches(event)


@pytest.mark.parametrize(
    ("alternative", "value", "expected"),
    [
        ("a", "a", YES),
        ("a", "A", NO),
        ("", "", YES),
        (1, 1, YES),
        (1, "1", NO),
        (300, 300.0, NO),
        (True, True, YES),
        (True, 1, NO),
        (1, True, NO),
        (None, None, YES),
        (None, "", NO),
        ("a", ["b", "a"], YES),
        ("a", ["b", ["a"]], YES),
        ("a", [], NO),
        ("a", {"b": "a"}, NO),
        ({"prefix": "us-"}, "us-east-1", YES),
        ({"prefix": "us-"}, "eu-us-", NO),
        ({"prefix": "us-"}, 5, NO),
        ({"prefix": {"equals-ignore-case": "US-"}}, "us-east-1", YES),
        ({"suffix": ".png"}, "a.png", YES),
        ({"suffix": ".png"}, "a.PNG", NO),
        ({"suffix": {"equals-ignore-case": ".Png"}}, "a.PNG", YES),
        ({"equals-ignore-case": "Alice"}, "aLICE", YES),
        ({"equals-ignore-case": "Alice"}, "Alic", NO),
        ({"wildcard": "a*c*"}, "abcd", YES),
        ({"wildcard": "a*c*"}, "abd", NO),
        ({"wildcard": "*.x"}, ".x", YES),
        ({"wildcard": "a*a"}, "a", NO),
        ({"wildcard": "a\\*b"}, "a*b", YES),
        ({"wildcard": "a\\*b"}, "axb", NO),
        ({"wildcard": "a\\\\*"}, "a\\xyz", YES),
        ({"wildcard": "none"}, "none", YES),
        ({"anything-but": "a"}, "b", YES),
        ({"anything-but": "a"}, "a", NO),
        ({"anything-but": ["a", "b"]}, "b", NO),
        ({"anything-but": [1, 2]}, 3, YES),
        ({"anything-but": 5}, "x", YES),
        ({"anything-but": {"prefix": "a"}}, "ab", NO),
        ({"anything-but": {"prefix": ["a", "b"]}}, "ca", YES),
        ({"anything-but": {"suffix": "b"}}, "ab", NO),
        ({"anything-but": {"equals-ignore-case": "AB"}}, "ab", NO),
        ({"anything-but": {"wildcard": "*x*"}}, "axb", NO),
        ({"numeric": ["=", 3.0]}, 3, YES),
        ({"numeric": ["=", 0.1]}, 0.1, YES),
        ({"numeric": [">", 0, "<=", 5]}, 5, YES),
        ({"numeric": [">", 0, "<=", 5]}, 0, NO),
        ({"numeric": ["<", 10]}, "5", NO),
        ({"numeric": [">=", -1]}, float("nan"), NO),
        ({"numeric": [">=", 0]}, True, NO),
        ({"exists": True}, None, YES),
        ({"exists": True}, {"b": 1}, NO),
        ({"exists": False}, "", NO),
        ({"exists": False}, [], YES),
        ({"cidr": "10.0.0.0/24"}, "10.0.0.255", YES),
        ({"cidr": "10.0.0.0/24"}, "10.0.1.0", NO),
        ({"cidr": "2001:db8::/32"}, "2001:db8::1", YES),
        ({"cidr": "10.0.0.0/24"}, "no address", NO),
    ],
)
def test_each_alternative_matches_what_it_says(alternative, value, expected):
    """Plain values by type and form, operators by their meaning, lists by any element."""
    assert matches({"k": [alternative]}, {"k": value}) is expected


@pytest.mark.parametrize("alternative", ["a", {"prefix": ""}, {"anything-but": "a"}, None])
def test_what_is_absent_matches_nothing_but_its_absence(alternative):
    """Even anything-but wants a value."""
    assert not matches({"k": [alternative]}, {})
    assert matches({"k": [{"exists": False}]}, {})
    assert matches({"k": {"l": [{"exists": False}]}}, {"k": "a leaf"})


def test_keys_are_anded_and_alternatives_are_ored():
    """At every level."""
    pattern = {"source": ["a", "b"], "detail": {"state": ["on"], "n": [{"numeric": [">", 1]}]}}

    assert matches(pattern, {"source": "b", "detail": {"state": "on", "n": 2}, "more": 1})
    assert not matches(pattern, {"source": "b", "detail": {"state": "on", "n": 1}})
    assert not matches(pattern, {"source": "c", "detail": {"state": "on", "n": 2}})


def test_or_needs_one_of_its_objects():
    """Beside other keys, and nested."""
    pattern = {
        "source": ["s"],
        "$or": [{"a": [1]}, {"b": {"$or": [{"c": [2]}, {"d": [3]}]}}],
    }

    assert matches(pattern, {"source": "s", "a": 1})
    assert matches(pattern, {"source": "s", "b": {"d": 3}})
    assert not matches(pattern, {"source": "s", "b": {"c": 3}})
    assert not matches(pattern, {"a": 1})


def test_or_that_holds_no_objects_is_a_key_like_others():
    """As it was before there was such a thing."""
    assert matches({"$or": ["x"]}, {"$or": "x"})
    assert matches({"$or": [{"prefix": "x"}, {"prefix": "y"}]}, {"$or": "yes"})


def test_a_list_of_objects_matches_if_one_of_them_does_alone():
    """What two of them have together does not count."""
    pattern = {"r": {"a": [1], "b": [2]}}

    assert matches(pattern, {"r": [{"a": 0}, {"a": 1, "b": 2}]})
    assert not matches(pattern, {"r": [{"a": 1}, {"b": 2}]})


def test_the_last_of_two_equal_keys_counts():
    """As EventBridge has it."""
    assert EventPattern('{"a": ["x"], "a": ["y"]}').matches({"a": "y"})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        "1",
        "{}",
        '{"a": 1}',
        '{"a": "x"}',
        '{"a": {}}',
        '{"a": []}',
        '{"a": [["x"]]}',
        '{"a": [{}]}',
        '{"a": [NaN]}',
        '{"a": [{"prefix": "x", "suffix": "y"}]}',
        '{"a": [{"unknown": "x"}]}',
        '{"a": [{"prefix": 1}]}',
        '{"a": [{"prefix": {"suffix": "x"}}]}',
        '{"a": [{"suffix": null}]}',
        '{"a": [{"equals-ignore-case": ["x"]}]}',
        '{"a": [{"wildcard": "a**b"}]}',
        '{"a": [{"wildcard": "a\\\\b"}]}',
        '{"a": [{"wildcard": "a\\\\"}]}',
        '{"a": [{"anything-but": []}]}',
        '{"a": [{"anything-but": ["x", 1]}]}',
        '{"a": [{"anything-but": null}]}',
        '{"a": [{"anything-but": {"numeric": ["=", 1]}}]}',
        '{"a": [{"anything-but": {"prefix": ""}}]}',
        '{"a": [{"numeric": []}]}',
        '{"a": [{"numeric": ["="]}]}',
        '{"a": [{"numeric": ["!", 1]}]}',
        '{"a": [{"numeric": ["=", "1"]}]}',
        '{"a": [{"numeric": ["<", 1, ">", 0]}]}',
        '{"a": [{"numeric": [">", 5, "<", 5]}]}',
        '{"a": [{"numeric": [[], 1]}]}',
        '{"a": [{"exists": "true"}]}',
        '{"a": [{"cidr": "10.0.0"}]}',
        '{"a": [{"cidr": 5}]}',
        '{"$or": [{"a": [1]}, {}]}',
        '{"a":' * 200 + "[1]" + "}" * 200,
        "[" * 100_000,
    ],
)
def test_what_is_no_pattern_is_refused(text):
    """With a reason."""
    with pytest.raises(PatternError, match=r"\w"):
        EventPattern(text)


@pytest.mark.parametrize("operator", ["wildcard", "cidr"])
def test_mappings_have_fewer_operators(operator):
    """Those that are documented for event filtering."""
    text = json.dumps({"a": [{operator: "10.0.0.0/8"}]})

    EventPattern(text, EVENTS)
    with pytest.raises(PatternError):
        EventPattern(text, MAPPING)


def test_subscriptions_compare_numbers_by_their_value():
    """300 is 300.0 there."""
    assert matches({"a": [300]}, {"a": 300.0}, SUBSCRIPTION)
    assert not matches({"a": [{"anything-but": [300]}]}, {"a": 300.0}, SUBSCRIPTION)


def test_filters_are_ored_and_none_lets_everything_through():
    """FilterCriteria of a mapping."""
    filters = AnyOf(['{"a": [1]}', '{"b": [2]}'])

    assert filters.matches({"b": 2})
    assert not filters.matches({"a": 2})
    assert AnyOf([]).matches({})
    assert [len(filters), len(AnyOf([]))] == [2, 0]


def test_a_pattern_tells_whether_it_looks_inside():
    """Pollers parse the content of a record only then."""
    assert EventPattern('{"body": {"a": [1]}}').looks_inside("body")
    assert EventPattern('{"$or": [{"body": {"a": [1]}}, {"x": [1]}]}').looks_inside("body")
    assert not EventPattern('{"body": ["text"]}').looks_inside("body")


SCALARS = st.none() | st.booleans() | st.integers() | st.text()
EVENT = st.recursive(
    st.dictionaries(st.text(), SCALARS, max_size=3),
    lambda inner: st.dictionaries(st.text(), SCALARS | inner, max_size=3),
    max_leaves=8,
)


def exactly(event):
    """The pattern of all leaves of an event; {} if it has none."""
    found = {key: exactly(v) if isinstance(v, dict) else [v] for key, v in event.items()}
    return {key: value for key, value in found.items() if value}


@given(EVENT)
def test_an_event_matches_the_pattern_of_its_own_leaves(event):
    """And fails it as soon as one of them is wanted to be absent."""
    pattern = exactly(event)
    if not pattern:
        return

    assert matches(pattern, event)
    assert not matches({**pattern, "no such key": ["x"]}, {**event, "no such key": "y"})


@given(
    st.text(alphabet="ab*", max_size=12).filter(lambda t: "**" not in t), st.text("ab", max_size=12)
)
def test_wildcards_agree_with_a_regular_expression(pattern, value):
    """For every star."""

    wanted = re.fullmatch(pattern.replace("*", ".*"), value) is not None
    assert matches({"k": [{"wildcard": pattern}]}, {"k": value}) is wanted


@pytest.mark.parametrize(
    ("event", "many"),
    [
        ({}, False),
        ({"detail": {"a": [1, 2, {"b": "x" * 100_000}]}}, False),
        ({"detail": {"a": list(range(2_000))}}, True),
        ({"detail": [{"a": {"b": [number]}} for number in range(1_000)]}, True),
    ],
)
def test_many_values_are_counted_wherever_they_are(event, many):
    """What is long is one value; what is nested counts with what is in it."""
    assert has_many(event) is many


def test_a_known_pattern_is_read_when_an_event_comes():
    """It lets through what the same text read at once does."""
    pattern = EventPattern('{"a": [{"prefix": "x"}], "b": {"c": [1]}}', is_known=True)

    assert pattern.matches({"a": "xy", "b": {"c": 1}})
    assert not pattern.matches({"a": "yx", "b": {"c": 1}})
    assert pattern.looks_inside("b")


def test_nothing_is_read_of_a_known_pattern_before_an_event_comes():
    """Thousands of rules are loaded at a start that few events come to: a text that is none is
    found out by the first event."""
    pattern = EventPattern("no pattern", is_known=True)

    with pytest.raises(PatternError):
        pattern.matches({})
