"""What the texts of Action and Resource stand for."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.policy.patterns import Pattern, arn_glob, glob, template
from tests.unit.model.policy_cases import keyed

LOGS = "arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/hello:log-stream:2026/a"

RESOURCES = [
    ("*", "*", True),
    ("*", LOGS, True),
    ("arn:aws:s3:::box", "arn:aws:s3:::box", True),
    ("arn:aws:s3:::box", "arn:aws:s3:::Box", False),
    ("arn:aws:s3:::box", "arn:aws:s3:::box/a", False),
    ("arn:aws:s3:::box/*", "arn:aws:s3:::box/a/b/c", True),
    ("arn:aws:s3:::box/*", "arn:aws:s3:::box/", True),
    ("arn:aws:s3:::box/*", "arn:aws:s3:::box", False),
    ("arn:aws:s3:::box*", "arn:aws:s3:::boxing", True),
    ("arn:aws:s3:::*", "arn:aws:s3:::box/a", True),
    ("arn:aws:s3:::*/a", "arn:aws:s3:::box/x/a", True),
    ("arn:aws:s3:::b?x/a", "arn:aws:s3:::box/a", True),
    ("arn:aws:s3:::b?x/a", "arn:aws:s3:::bx/a", False),
    ("arn:*:s3:::box", "arn:aws:s3:::box", True),
    ("arn:aws:*:::box", "arn:aws:s3:::box", True),
    ("arn:aws:logs:*:*:*", LOGS, True),
    ("arn:aws:logs:us-east-1:111122223333:*", LOGS, True),
    ("arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/*", LOGS, True),
    ("arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/hello:*", LOGS, True),
    ("arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/other:*", LOGS, False),
    ("arn:aws:logs:eu-*:111122223333:*", LOGS, False),
    # A wildcard does not reach across a colon of the first five parts.
    ("arn:aws:logs:*:log-group:*", LOGS, False),
    ("arn:aws:l*:*", LOGS, True),
    # Parts left out at the end are wildcards.
    ("arn:aws:logs", LOGS, True),
    ("arn:aws:logs:us-east-1", LOGS, True),
    ("arn:aws:s3", LOGS, False),
    # Only `*` stands for a resource that is no ARN.
    ("arn:aws:s3:::*", "*", False),
    ("arn:*:*:*:*:*", "*", False),
    ("", "", True),
    ("", LOGS, False),
]


@pytest.mark.parametrize(("pattern", "resource", "expected"), RESOURCES)
def test_resource(pattern, resource, expected):
    """A pattern of an ARN covers what AWS says it covers."""
    assert Pattern(template(pattern), arn_glob).matches(resource, {}) is expected


VARIABLES = [
    ("arn:aws:s3:::box/${aws:username}/*", "arn:aws:s3:::box/ann/x", True),
    ("arn:aws:s3:::box/${aws:username}/*", "arn:aws:s3:::box/bob/x", False),
    ("arn:aws:s3:::box/${aws:username}", "arn:aws:s3:::box/ann", True),
    ("arn:aws:s3:::box/${none:such}/*", "arn:aws:s3:::box//x", False),
    ("arn:aws:s3:::box/${none:such, 'all'}/*", "arn:aws:s3:::box/all/x", True),
    ("arn:aws:s3:::${aws:PrincipalTag/team}-box/*", "arn:aws:s3:::red-box/x", True),
    ("arn:aws:s3:::box/${my:star}", "arn:aws:s3:::box/anything", False),
    ("arn:aws:s3:::box/${my:star}", "arn:aws:s3:::box/*", True),
    ("arn:aws:s3:::box/${*}", "arn:aws:s3:::box/*", True),
    ("arn:aws:s3:::box/${*}", "arn:aws:s3:::box/x", False),
    ("arn:aws:s3:::box/${?}", "arn:aws:s3:::box/?", True),
    ("arn:aws:s3:::box/${$}", "arn:aws:s3:::box/$", True),
    ("arn:aws:iam::${my:account}:role/*", "arn:aws:iam::111122223333:role/x", True),
    ("arn:aws:s3:::box/${unclosed", "arn:aws:s3:::box/${unclosed", True),
    # What a variable holds moves no part of the ARN to another place but the last.
    ("arn:aws:s3:::box/${my:colon}", "arn:aws:s3:::box/a:b", True),
]


@pytest.mark.parametrize(("pattern", "resource", "expected"), VARIABLES)
def test_variables_in_resources(pattern, resource, expected):
    """A variable stands for the request's value; one without value matches nothing."""
    context = keyed(
        {
            "aws__username": "ann",
            "aws__PrincipalTag/team": "red",
            "my__star": "*",
            "my__account": "111122223333",
            "my__colon": "a:b",
        }
    )
    assert Pattern(template(pattern), arn_glob).matches(resource, context) is expected


PARTS = st.text(alphabet="ab*?", max_size=10)


@given(PARTS, st.text(alphabet="ab", max_size=12))
def test_globs_are_regular(pattern, text):
    """Wildcards mean what they mean in a regular expression."""
    expression = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern)
    parts = template(pattern).bound({})
    assert glob(parts)(text) is (re.fullmatch(expression, text, re.DOTALL) is not None)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_a_pattern(pattern, text):
    """No text makes reading or matching fail, and every text matches itself unless it is wild."""
    read = Pattern(template(pattern), arn_glob)
    assert read.matches(text, {}) in {True, False}
    if not set(pattern) & set("*?$"):
        assert glob(template(pattern).bound({}))(pattern)


def test_hostile_pattern_is_quick():
    """A pattern of many stars against a long text takes steps in proportion, not in powers."""
    pattern = Pattern(template("arn:aws:s3:::" + "*a?" * 200 + "b"), arn_glob)
    assert not pattern.matches("arn:aws:s3:::" + "a" * 5_000, {})
