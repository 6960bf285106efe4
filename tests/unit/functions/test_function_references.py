"""Which function a request means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.errors import CallerError
from emberbox.functions.references import latest_of, target_of
from emberbox.model.request import RequestContext

ACCOUNT = "123456789012"
REGION = "us-gov-west-1"
CONTEXT = RequestContext(ACCOUNT, REGION, "id", "lambda", "GetFunction", "AKIA", "http://x")
NAMES = st.from_regex(r"[a-zA-Z0-9-_]{1,64}", fullmatch=True)
QUALIFIERS = st.none() | st.just("$LATEST") | st.from_regex(r"[a-zA-Z0-9-_]{1,128}", fullmatch=True)
PREFIXES = st.sampled_from(
    [
        "",
        "function:",
        f"{ACCOUNT}:",
        f"{ACCOUNT}:function:",
        f"{REGION}:function:",
        f"{REGION}:{ACCOUNT}:function:",
        f"arn:aws:lambda:{REGION}:function:",
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:",
        f"arn:aws-us-gov:lambda:{REGION}:{ACCOUNT}:function:",
    ]
)


@given(PREFIXES, NAMES, QUALIFIERS, QUALIFIERS)
def test_every_form_means_the_same_function(prefix, name, inside, beside):
    """Name and qualifier come out as they went in, wherever the qualifier stood."""
    params = {"FunctionName": f"{prefix}{name}" + (f":{inside}" if inside else "")}
    if beside:
        params["Qualifier"] = beside

    if inside and beside and inside != beside:
        with pytest.raises(CallerError) as caught:
            target_of(CONTEXT, params)
        assert caught.value.code == "InvalidParameterValueException"
        return
    target = target_of(CONTEXT, params)

    assert target.key == (ACCOUNT, REGION, name)
    assert target.qualifier == (inside or beside)
    assert target.is_latest == (target.qualifier in {None, "$LATEST"})


@given(st.text(max_size=200))
def test_any_text_is_a_function_or_a_clients_error(text):
    """Nothing a client can send as a name breaks the server or leaves its account."""
    try:
        target = latest_of(CONTEXT, {"FunctionName": text})
    except CallerError as error:
        found = error.status
    else:
        found = target.key

    assert found in {400, 403, 404} or found[:2] == (ACCOUNT, REGION)
