"""Each condition operator on the cases that AWS documents."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.policy.conditions import OperandError, conditions
from tests.unit.model.policy_cases import keyed


def holds(operator, operand, value=None, *, variables=True, **context):
    """Whether `operator {k: operand}` holds for a request whose k is `value`."""
    values = keyed(context)
    if value is not None:
        values["k"] = value if isinstance(value, list) else [value]
    (found,) = conditions({operator: {"k": operand}}, variables=variables)
    return found.holds(values)


ARN = "arn:aws:lambda:us-east-1:111122223333:function:hello"

CASES = [
    # Texts
    ("StringEquals", "abc", "abc", True),
    ("StringEquals", "abc", "ABC", False),
    ("StringEquals", "a*", "abc", False),
    ("StringEquals", "a*", "a*", True),
    ("StringEquals", ["x", "abc"], "abc", True),
    ("StringEquals", ["x", "y"], "abc", False),
    ("StringEquals", "", "", True),
    ("StringEquals", True, "true", True),
    ("StringEquals", 7, "7", True),
    ("stringequals", "abc", "abc", True),
    ("StringNotEquals", "abc", "abc", False),
    ("StringNotEquals", "abc", "abd", True),
    ("StringNotEquals", ["x", "abc"], "abc", False),
    ("StringNotEquals", ["x", "y"], "abc", True),
    ("StringEqualsIgnoreCase", "aBc", "AbC", True),
    ("StringEqualsIgnoreCase", "abc", "abd", False),
    ("StringNotEqualsIgnoreCase", "abc", "ABC", False),
    ("StringNotEqualsIgnoreCase", "abc", "x", True),
    ("StringLike", "a*c", "abbbc", True),
    ("StringLike", "a*c", "ac", True),
    ("StringLike", "a?c", "abc", True),
    ("StringLike", "a?c", "ac", False),
    ("StringLike", "A*", "abc", False),
    ("StringLike", "*", "", True),
    ("StringLike", "home/*/x", "home/a/b/x", True),
    ("StringLike", ["z*", "a*"], "abc", True),
    ("StringNotLike", "a*", "abc", False),
    ("StringNotLike", "a*", "xyz", True),
    # Numbers
    ("NumericEquals", "10", "10", True),
    ("NumericEquals", 10, "10.0", True),
    ("NumericEquals", "10", "11", False),
    ("NumericEquals", "10", "ten", False),
    ("NumericEquals", ["1", "2"], "2", True),
    ("NumericNotEquals", "10", "11", True),
    ("NumericNotEquals", "10", "10", False),
    ("NumericNotEquals", "10", "ten", True),
    ("NumericLessThan", "10", "9", True),
    ("NumericLessThan", "10", "10", False),
    ("NumericLessThan", "10", "9.99", True),
    ("NumericLessThanEquals", "10", "10", True),
    ("NumericLessThanEquals", "10", "10.01", False),
    ("NumericGreaterThan", "10", "11", True),
    ("NumericGreaterThan", "10", "10", False),
    ("NumericGreaterThanEquals", "10", "10", True),
    ("NumericGreaterThanEquals", "-1", "-2", False),
    # Dates
    ("DateEquals", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", True),
    ("DateEquals", "2026-01-01", "2026-01-01T00:00:00Z", True),
    ("DateEquals", "0", "1970-01-01T00:00:00Z", True),
    ("DateNotEquals", "2026-01-01", "2026-01-02", True),
    ("DateNotEquals", "2026-01-01", "2026-01-01", False),
    ("DateLessThan", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z", True),
    ("DateLessThan", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", False),
    ("DateLessThanEquals", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", True),
    ("DateGreaterThan", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", True),
    ("DateGreaterThan", "1767225600", "1767225601", True),
    ("DateGreaterThanEquals", "2026-01-01T00:00:00Z", "2025-12-31T00:00:00Z", False),
    ("DateLessThan", "2026-01-01T00:00:00Z", "no date", False),
    # Booleans, bytes
    ("Bool", "true", "true", True),
    ("Bool", True, "true", True),
    ("Bool", "True", "true", True),
    ("Bool", "true", "false", False),
    ("Bool", "false", "false", True),
    ("Bool", "true", "yes", False),
    ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", True),
    ("BinaryEquals", "QmluYXJ5", "QmluYXJ6", False),
    ("BinaryEquals", "QmluYXJ5", "%", False),
    # Addresses
    ("IpAddress", "203.0.113.0/24", "203.0.113.9", True),
    ("IpAddress", "203.0.113.0/24", "203.0.114.9", False),
    ("IpAddress", "203.0.113.7", "203.0.113.7", True),
    ("IpAddress", "2001:db8::/32", "2001:db8::1", True),
    ("IpAddress", "2001:db8::/32", "203.0.113.9", False),
    ("IpAddress", "203.0.113.0/24", "nowhere", False),
    ("IpAddress", ["10.0.0.0/8", "203.0.113.0/24"], "203.0.113.9", True),
    ("NotIpAddress", "203.0.113.0/24", "203.0.113.9", False),
    ("NotIpAddress", "203.0.113.0/24", "198.51.100.1", True),
    ("NotIpAddress", ["10.0.0.0/8", "203.0.113.0/24"], "203.0.113.9", False),
    # ARNs
    ("ArnEquals", ARN, ARN, True),
    ("ArnEquals", "arn:aws:lambda:*:*:function:h*", ARN, True),
    ("ArnLike", "arn:aws:lambda:*:111122223333:function:*", ARN, True),
    ("ArnLike", "arn:aws:lambda:*:function:*", ARN, False),
    ("ArnLike", "arn:aws:s3:::box", ARN, False),
    ("ArnLike", "arn:*:lambda:*:*:*", ARN, True),
    ("ArnLike", "*", ARN, True),
    ("ArnNotEquals", ARN, ARN, False),
    ("ArnNotLike", "arn:aws:s3:::*", ARN, True),
    ("ArnNotLike", "arn:aws:lambda:*:*:*", ARN, False),
    # A key without a value
    ("StringEquals", "abc", None, False),
    ("StringNotEquals", "abc", None, True),
    ("StringLike", "*", None, False),
    ("StringNotLike", "*", None, True),
    ("NumericLessThan", "5", None, False),
    ("NumericNotEquals", "5", None, True),
    ("DateNotEquals", "2026-01-01", None, True),
    ("Bool", "false", None, False),
    ("IpAddress", "0.0.0.0/0", None, False),
    ("NotIpAddress", "0.0.0.0/0", None, True),
    ("ArnLike", "*", None, False),
    ("ArnNotLike", "*", None, True),
    # IfExists
    ("StringEqualsIfExists", "abc", None, True),
    ("StringEqualsIfExists", "abc", "abc", True),
    ("StringEqualsIfExists", "abc", "x", False),
    ("StringLikeIfExists", "a*", None, True),
    ("BoolIfExists", "true", None, True),
    ("BoolIfExists", "true", "false", False),
    ("NumericLessThanIfExists", "5", "6", False),
    ("IpAddressIfExists", "10.0.0.0/8", None, True),
    ("ArnEqualsIfExists", ARN, None, True),
    ("ArnEqualsIfExists", ARN, "arn:aws:s3:::box", False),
    # Null
    ("Null", "true", None, True),
    ("Null", True, None, True),
    ("Null", "false", None, False),
    ("Null", "true", "x", False),
    ("Null", "false", "x", True),
    ("Null", ["true", "false"], "x", True),
    # Several values in the request
    ("ForAllValues:StringEquals", ["a", "b"], ["a", "b"], True),
    ("ForAllValues:StringEquals", ["a", "b"], ["a"], True),
    ("ForAllValues:StringEquals", ["a", "b"], ["a", "c"], False),
    ("ForAllValues:StringEquals", ["a", "b"], None, True),
    ("ForAllValues:StringEquals", ["a", "b"], [], True),
    ("ForAllValues:StringLike", "a*", ["ab", "ac"], True),
    ("ForAllValues:StringNotEquals", ["a", "b"], ["c", "d"], True),
    ("ForAllValues:StringNotEquals", ["a", "b"], ["a", "d"], False),
    ("ForAnyValue:StringEquals", ["a", "b"], ["x", "b"], True),
    ("ForAnyValue:StringEquals", ["a", "b"], ["x", "y"], False),
    ("ForAnyValue:StringEquals", ["a", "b"], None, False),
    ("ForAnyValue:StringEqualsIfExists", ["a", "b"], None, True),
    ("ForAnyValue:StringNotEquals", ["a", "b"], ["a", "c"], True),
    ("ForAnyValue:StringNotEquals", ["a", "b"], ["a", "b"], False),
    ("ForAnyValue:StringNotEquals", ["a", "b"], None, False),
    ("ForAnyValue:NumericGreaterThan", "5", ["1", "6"], True),
    ("ForAllValues:ArnLike", "arn:aws:lambda:*:*:*", [ARN], True),
]


@pytest.mark.parametrize(("operator", "operand", "value", "expected"), CASES)
def test_operator(operator, operand, value, expected):
    """Each operator holds where AWS says so, and nowhere else."""
    assert holds(operator, operand, value) is expected


@pytest.mark.parametrize(
    ("operator", "operand", "value", "expected"),
    [
        ("StringEquals", "${aws:username}", "ann", True),
        ("StringEquals", "${aws:username}", "bob", False),
        ("StringLike", "home/${aws:username}/*", "home/ann/x", True),
        ("StringLike", "home/${aws:username}/*", "home/bob/x", False),
        ("StringEquals", "${AWS:UserName}", "ann", True),
        ("StringEquals", "${none:such}", "ann", False),
        ("StringNotEquals", "${none:such}", "ann", True),
        ("StringEquals", "${none:such, 'ann'}", "ann", True),
        ("StringEquals", "${aws:username, 'bob'}", "ann", True),
        ("StringLike", "a${*}c", "a*c", True),
        ("StringLike", "a${*}c", "abc", False),
        ("StringLike", "a${?}c", "abc", False),
        ("StringLike", "${$}{x}", "${x}", True),
        ("ArnEquals", "${my:arn}", "arn:aws:s3:::box", True),
        ("StringEqualsIgnoreCase", "${aws:username}", "ANN", True),
        ("StringLike", "${my:wild}", "anything", False),
        ("StringLike", "${my:wild}", "*", True),
        ("StringEquals", "${my:two}", "a", False),
    ],
)
def test_variables(operator, operand, value, expected):
    """A policy variable stands for the request's own value, taken to the letter."""
    context = {
        "aws__username": "ann",
        "my__arn": "arn:aws:s3:::box",
        "my__wild": "*",
        "my__two": ["a", "b"],
    }
    assert holds(operator, operand, value, **context) is expected


def test_variables_are_texts_in_older_policies():
    """Before version 2012-10-17 there are no variables."""
    assert holds("StringEquals", "${aws:username}", "${aws:username}", variables=False)


@pytest.mark.parametrize(
    ("operator", "operand"),
    [
        ("NumericEquals", "many"),
        ("NumericEquals", "1e9"),
        ("DateLessThan", "tomorrow"),
        ("Bool", "perhaps"),
        ("IpAddress", "home"),
        ("IpAddress", "300.1.1.1/8"),
        ("BinaryEquals", "*"),
        ("Null", "maybe"),
        ("StringAlike", "x"),
        ("ForAllValues:StringAlike", "x"),
    ],
)
def test_values_without_sense(operator, operand):
    """A value that is none of its operator's kind makes the policy unreadable."""
    with pytest.raises(OperandError):
        conditions({operator: {"k": operand}}, variables=True)


def test_all_keys_and_operators_must_hold():
    """Several operators, and several keys of one, are all needed; values of one key are not."""
    block = {"StringEquals": {"a": ["1", "2"], "b": "3"}, "Bool": {"c": "true"}}
    found = conditions(block, variables=True)
    full = {"a": ["2"], "b": ["3"], "c": ["true"]}
    assert all(each.holds(full) for each in found)
    for key in full:
        assert not all(each.holds({**full, key: ["other"]}) for each in found)


TEXTS = st.text(alphabet="ab*?:$ {}/1.-", max_size=12)
NEGATABLE = ["String#Equals", "String#EqualsIgnoreCase", "String#Like", "Arn#Like", "Arn#Equals"]


@given(st.sampled_from(NEGATABLE), st.lists(TEXTS, min_size=1, max_size=3), TEXTS)
def test_negation(operator, operands, value):
    """A negated operator holds exactly where the plain one does not."""
    plain = holds(operator.replace("#", ""), operands, [value])
    assert holds(operator.replace("#", "Not"), operands, [value]) is not plain


@given(st.lists(TEXTS, min_size=1, max_size=3), st.lists(TEXTS, min_size=1, max_size=4))
def test_quantifiers(operands, values):
    """ForAllValues is a conjunction over the request's values, ForAnyValue a disjunction."""
    one_by_one = [holds("StringLike", operands, [value]) for value in values]
    assert holds("ForAllValues:StringLike", operands, values) is all(one_by_one)
    assert holds("ForAnyValue:StringLike", operands, values) is any(one_by_one)


@given(
    st.sampled_from(["NumericEquals", "DateLessThan", "Bool", "IpAddress", "BinaryEquals"]),
    st.text(max_size=40),
)
def test_hostile_values(operator, value):
    """No value of a request makes an operator fail."""
    operand = {"Date": "2026-01-01", "Bool": "true", "IpAd": "10.0.0.0/8", "Bina": "QQ=="}
    assert holds(operator, operand.get(operator[:4], "1"), [value]) in {True, False}
