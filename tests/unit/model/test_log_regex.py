"""Regular expressions of filter patterns: as documented, and never slow."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.log_regex import LogRegex, RegexError


@pytest.mark.parametrize(
    ("expression", "matching", "others"),
    [
        ("AUTHORIZED", ["UNAUTHORIZED REQUEST"], ["authorized", ""]),
        ("^[hc]at", ["hat", "cats"], ["that", " hat"]),
        ("[hc]at$", ["that", "that\n"], ["hats", "hat\n\n"]),
        ("colou?r", ["color", "colour"], ["colouur"]),
        ("[abcx-z]$", ["a", "b", "c", "x", "y", "z"], ["d", "w", "-"]),
        ("^a{3,5}$", ["aaa", "aaaa", "aaaaa"], ["aa", "aaaaaa"]),
        ("^a{2,}$", ["aa", "aaaaaaa"], ["a"]),
        ("^a{,2}$", ["", "aa"], ["aaa"]),
        ("^a{2}$", ["aa"], ["a", "aaa"]),
        ("gray|grey", ["gray", "grey"], ["gry"]),
        ("^starting|^shutting down", ["starting ...", "shutting down"], ["not starting"]),
        ("abcc|ab[^c]$", ["abcc ...", "aba"], ["aac", "abc"]),
        (r"\[.\]", ["[a]", "[]]", "[ ]"], ["[]", "[ab]"]),
        (r"10\.10\.0\.1", ["10.10.0.1"], ["10010,051"]),
        ("ab*c", ["ac", "abbbc"], ["adc"]),
        ("ab+c", ["abc", "abbbc"], ["ac"]),
        (".at", ["hat", " at", "#at"], ["at", "\nat"]),
        (r"^\d\D$", ["1a"], ["11", "aa"]),
        (r"^\s\S$", [" a", "\ta"], ["aa"]),
        (r"^\w\W$", ["_-", "A "], ["aa", "--"]),
        (r"\x3A\x28", [":("], [":"]),
        ("[]]", ["]"], ["["]),
        ("[a-]", ["a", "-"], ["b"]),
        (r"[\d\-]", ["1", "-"], ["a"]),
        ("caf.", ["caf\N{LATIN SMALL LETTER E WITH ACUTE}"], ["caf"]),
        ("a|", ["", "b"], []),
    ],
)  # fmt: skip
def test_documented_syntax(expression, matching, others):
    """Each operator does what the user guide says."""
    regex = LogRegex(expression)

    assert [text for text in matching if not regex.search(text)] == []
    assert [text for text in others if regex.search(text)] == []


@pytest.mark.parametrize(
    "expression",
    ["", "a!", "(a)", "a**", "a{2}{3}", "*a", "a|+", "[a", "[z-a]", r"[\d-z]", "a{3,2}", "a{}",
     "a{,}", "a{x}", "\\", r"\q", r"\x80", r"\xZZ", "a{9999}", "a$b", "b^a",
     "a{500}b{500}", "\N{SNOWMAN}"],
)  # fmt: skip
def test_what_is_not_supported(expression):
    """Is refused, not guessed at."""
    with pytest.raises(RegexError):
        LogRegex(expression)


@pytest.mark.parametrize(
    "expression",
    ["a*a*a*a*a*a*a*c", "^.*.*.*.*.*x$", "a{0,99}a{0,99}c|[^c]*d|x*y", "a[ab]{20}c", "[ab]{400}c"],
)
def test_nothing_takes_long(expression):
    """Messages over which backtracking would need years are done in a moment."""
    regex = LogRegex(expression)
    mixed = "".join("ab"[number * number % 7 % 2] for number in range(30_000))

    assert not regex.search("a" * 100_000)
    assert not regex.search(mixed)


atoms = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", r"\W", r"\.", "-"])
counts = st.sampled_from(["", "?", "*", "+", "{2}", "{1,3}", "{2,}"])
runs = st.tuples(
    st.sampled_from(["", "^"]),
    st.lists(st.tuples(atoms, counts), max_size=4),
    st.sampled_from(["", "$"]),
).map(lambda run: run[0] + "".join(atom + count for atom, count in run[1]) + run[2])
expressions = st.lists(runs, min_size=1, max_size=3).map("|".join).filter(bool)


@given(expressions, st.text(alphabet="ab1.- \n\N{SNOWMAN}", max_size=12))
def test_agrees_with_the_usual_engine(expression, text):
    """On what both understand, the automaton finds what backtracking finds."""
    assert LogRegex(expression).search(text) == bool(re.search(expression, text, re.ASCII))
