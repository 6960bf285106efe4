"""Which texts are IAM policies. The messages are those that clients of AWS see."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.policy_documents import (
    MalformedPolicyError,
    check_identity_policy,
    check_trust_policy,
    size_without_blanks,
)

STATEMENT = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
TRUST = {
    "Effect": "Allow",
    "Principal": {"Service": "lambda.amazonaws.com"},
    "Action": "sts:AssumeRole",
}
SYNTAX = "Syntax errors in policy."


def policy(*statements, **top):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)} | top)


def without(statement, *names, **more):
    return {key: value for key, value in statement.items() if key not in names} | more


@pytest.mark.parametrize(
    "statement",
    [
        STATEMENT,
        without(STATEMENT, "Action", NotAction=["iam:*"]),
        without(STATEMENT, "Resource", NotResource="*"),
        STATEMENT | {"Sid": "a1", "Effect": "Deny", "Action": "*", "Resource": ["*"]},
        STATEMENT | {"Condition": {"StringLike": {"s3:prefix": ["a*", "b"]}}},
        STATEMENT | {"Condition": {"ForAnyValue:StringEqualsIfExists": {"aws:TagKeys": "a"}}},
        STATEMENT | {"Condition": {"Bool": {"aws:SecureTransport": True}, "Null": {"a:b": "true"}}},
        STATEMENT | {"Resource": "arn:${aws:PartitionName}:s3:::b"},
    ],
)
def test_identity_policies(statement):
    """These are accepted, alone and in a list."""
    assert check_identity_policy(policy(statement))["Statement"] == [statement]
    alone = json.dumps({"Version": "2012-10-17", "Statement": statement})
    assert check_identity_policy(alone)["Statement"] == statement


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no json", SYNTAX),
        ("[]", SYNTAX),
        ("[" * 100_000, SYNTAX),
        (policy(), SYNTAX),
        (policy("x"), SYNTAX),
        ('{"Version":"2012-10-17"}', SYNTAX),
        ('{"Version":"2012-10-17","Version":"2012-10-17","Statement":[]}', SYNTAX),
        (policy(STATEMENT, Version="2013-10-17"), SYNTAX),
        (policy(STATEMENT, Other=1), SYNTAX),
        (policy(STATEMENT, Id=1), SYNTAX),
        (policy(STATEMENT | {"Other": 1}), SYNTAX),
        (policy(STATEMENT | {"Effect": "allow"}), SYNTAX),
        (policy(without(STATEMENT, "Effect")), SYNTAX),
        (policy(STATEMENT | {"Action": 1}), SYNTAX),
        (policy(STATEMENT | {"Action": [1]}), SYNTAX),
        (policy(STATEMENT | {"NotAction": "s3:*"}), SYNTAX),
        (policy(STATEMENT | {"NotResource": "*"}), SYNTAX),
        (policy(STATEMENT | {"Sid": 1}), SYNTAX),
        (policy(STATEMENT | {"Condition": "x"}), SYNTAX),
        (policy(STATEMENT | {"Condition": {"Like": {"a:b": "c"}}}), SYNTAX),
        (policy(STATEMENT | {"Condition": {"StringLike": "x"}}), SYNTAX),
        (policy(STATEMENT | {"Condition": {"StringLike": {"a:b": {}}}}), SYNTAX),
        (policy(STATEMENT, Version="2008-10-17"),
         "Policy document must be version 2012-10-17 or greater."),
        (json.dumps({"Statement": STATEMENT}),
         "Policy document must be version 2012-10-17 or greater."),
        (policy(STATEMENT | {"Sid": "a"}, STATEMENT | {"Sid": "a"}),
         "Statement IDs (SID) in a single policy must be unique."),
        (policy(STATEMENT | {"Sid": "a b"}),
         "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular "
         "expression [0-9A-Za-z]*"),
        (policy(without(STATEMENT, "Action")), "Policy statement must contain actions."),
        (policy(STATEMENT | {"Action": []}), "Policy statement must contain actions."),
        (policy(without(STATEMENT, "Resource")), "Policy statement must contain resources."),
        (policy(STATEMENT | {"Resource": []}), "Policy statement must contain resources."),
        (policy(STATEMENT | {"Resource": "b"}), 'Resource b must be in ARN format or "*".'),
        (policy(STATEMENT | {"Resource": "arn:aws:s3"}),
         'Resource arn:aws:s3 must be in ARN format or "*".'),
        (policy(STATEMENT | {"Resource": "arn:nobody:s3:::b"}),
         'Partition "nobody" is not valid for resource "arn:nobody:s3:::b".'),
        (policy(STATEMENT | {"Action": "GetObject"}),
         "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."),
        (policy(STATEMENT | {"Action": "s3:"}),
         "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."),
        (policy(STATEMENT | {"Action": "a a:Get"}), "Vendor a a is not valid"),
        (policy(STATEMENT | {"Principal": "*"}), "Policy document should not specify a principal."),
    ],
)  # fmt: skip
def test_no_identity_policies(text, message):
    """Each fault has its words."""
    with pytest.raises(MalformedPolicyError) as caught:
        check_identity_policy(text)

    assert str(caught.value) == message


@pytest.mark.parametrize(
    "statement",
    [
        TRUST,
        TRUST | {"Action": ["sts:AssumeRole", "sts:TagSession"], "Sid": ""},
        TRUST | {"Principal": {"AWS": ["arn:aws:iam::123456789012:root", "123456789012"]}},
        TRUST | {"Principal": {"AWS": "*"}, "Effect": "Deny"},
        TRUST | {"Principal": "*"},
        TRUST | {"Principal": {"Service": ["s3.amazonaws.com", "logs.us-east-1.amazonaws.com"]}},
        TRUST
        | {
            "Principal": {"Federated": "cognito-identity.amazonaws.com"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {"cognito-identity.amazonaws.com:aud": "x"}},
        },
    ],
)
def test_trust_policies(statement):
    """These are accepted, with either version or none."""
    for version in ({"Version": "2012-10-17"}, {"Version": "2008-10-17"}, {}):
        text = json.dumps(version | {"Statement": [statement]})
        assert check_trust_policy(text)["Statement"] == [statement]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "This policy contains invalid Json"),
        ("[]", "This policy contains invalid Json"),
        ("{}", "Could not parse the policy: Statement is empty!"),
        (policy(), "Could not parse the policy: Statement is empty!"),
        (policy(TRUST, Version="x"), "The policy must contain a valid version string"),
        (policy(TRUST, Version=[]), "The policy must contain a valid version string"),
        (policy(TRUST | {"Sid": "a"}, TRUST | {"Sid": "a"}),
         "The Statement Ids in the policy are not unique"),
        (policy(without(TRUST, "Effect")), "Missing required field Effect"),
        (policy(TRUST | {"Effect": "x"}), "Invalid effect: x"),
        (policy(TRUST | {"Other": 1}), SYNTAX),
        (policy(without(TRUST, "Principal")), "Missing required field Principal"),
        (policy(TRUST | {"Principal": {}}), "Missing required field Principal cannot be empty!"),
        (policy(TRUST | {"Principal": "x"}), "Principal must be a JSON object."),
        (policy(TRUST | {"Principal": {"User": "x"}}), 'Invalid principal in policy: "User"'),
        (policy(TRUST | {"Principal": {"Service": "lambda"}}),
         'Invalid principal in policy: "SERVICE":"lambda"'),
        (policy(TRUST | {"Principal": {"AWS": "arn:aws:iam::1:root"}}),
         'Invalid principal in policy: "AWS":"arn:aws:iam::1:root"'),
        (policy(TRUST | {"Principal": {"Federated": "cognito-identity.amazonaws.com"}}),
         "A condition block must be present for the Cognito provider"),
        (policy(TRUST | {"NotPrincipal": {"AWS": "*"}}), "Allow with NotPrincipal is not allowed."),
        (policy(TRUST | {"NotPrincipal": {"AWS": "*"}, "Effect": "Deny"}),
         "AssumeRole policy must not contain NotPrincipal field."),
        (policy(without(TRUST, "Action")), "Missing required field Action"),
        (policy(TRUST | {"Action": "lambda:Invoke"}),
         "AssumeRole policy may only specify STS AssumeRole actions."),
        (policy(TRUST | {"Resource": "*"}), "Has prohibited field Resource"),
        (policy(TRUST | {"NotResource": "*"}), "AssumeRole policy must not contain resources."),
    ],
)  # fmt: skip
def test_no_trust_policies(text, message):
    """Each fault has its words."""
    with pytest.raises(MalformedPolicyError) as caught:
        check_trust_policy(text)

    assert str(caught.value) == message


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.sampled_from(["Allow", "*"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "Version",
                    "Statement",
                    "Effect",
                    "Action",
                    "Resource",
                    "Principal",
                    "Condition",
                    "AWS",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_json_is_a_policy_or_malformed(value):
    """No input leads to another error."""
    for check in (check_identity_policy, check_trust_policy):
        with suppress(MalformedPolicyError):
            assert check(json.dumps(value)) == value


def test_white_space_is_free():
    """As IAM counts the size of a policy."""
    assert size_without_blanks(' { "a" :\n\t1 }\r\n') == len('{"a":1}')
