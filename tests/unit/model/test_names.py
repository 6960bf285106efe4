"""Names of functions, in the forms that requests give them."""

import re

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.names import (
    BadNameError,
    FunctionReference,
    parse_function_arn,
    parse_function_name,
)

MODEL = botocore.session.get_session().get_service_model("lambda")
PATTERN = MODEL.shape_for("FunctionName").metadata["pattern"]
"""AWS's own, of the operations whose names may not have dots."""

PIECES = st.lists(
    st.sampled_from(
        ["arn:aws:lambda:", "arn:aws-cn:lambda:", "arn:aws:s3:", "us-east-1:", "us-gov-west-1:",
         "123456789012:", "function:", "f", "my_F-1", "$LATEST", ":", ":1", ":live", "", "é", " "]
    ),
    max_size=7,
).map("".join)  # fmt: skip


@given(PIECES)
def test_a_name_is_what_the_models_pattern_takes(text):
    """No more and no less; `$LATEST.PUBLISHED` aside, which other operations know."""
    try:
        parse_function_name(text)
        taken = True
    except BadNameError:
        taken = False

    assert taken is (re.fullmatch(PATTERN, text) is not None)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("function:f", FunctionReference("f")),
        ("function:f:live", FunctionReference("f", "live")),
        ("123456789012:f", FunctionReference("f", account="123456789012")),
        ("us-east-1:f", FunctionReference("f", region="us-east-1")),
        ("arn:aws:lambda:us-east-1:function:f", FunctionReference("f", region="us-east-1")),
        ("123456789012", FunctionReference("123456789012")),
        ("function", FunctionReference("function")),
    ],
)
def test_parts_before_the_name_may_be_left_out(text, found):
    """What is not said is the caller's own."""
    assert parse_function_name(text) == found


@given(
    st.from_regex(
        r"arn:aws:lambda:us-east-1:\d{12}:function:[a-z]{1,9}(:[a-z]{1,9})?", fullmatch=True
    )
)
def test_a_whole_arn_means_the_same_everywhere(arn):
    """Where any name will do, and where only an ARN does."""
    assert parse_function_name(arn) == parse_function_arn(arn)


@pytest.mark.parametrize("text", ["arn:aws:lambda:us-east-1:f", "function:f", "us-east-1:f"])
def test_an_arn_that_leaves_something_out_is_none(text):
    """Destinations and the like are whole ARNs."""
    with pytest.raises(BadNameError):
        parse_function_arn(text)
