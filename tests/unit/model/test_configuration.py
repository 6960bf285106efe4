"""Rules on environment variables and on updates."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.errors import CallerError
from emberbox.model.configuration import RESERVED_VARIABLES, check_environment

NAMES = st.from_regex(r"K[A-Z0-9_]{1,20}", fullmatch=True)
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=1_500)


@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_an_environment_is_measured_as_json_in_bytes(variables: dict[str, str]) -> None:
    """4,096 bytes of compact JSON pass, one more does not, and the text echoes it."""
    measured = json.dumps(variables, separators=(",", ":"), ensure_ascii=False)

    if len(measured.encode()) <= 4_096:
        check_environment(variables)
    else:
        with pytest.raises(CallerError) as caught:
            check_environment(variables)
        assert caught.value.code == "InvalidParameterValueException"
        assert caught.value.message == (
            "Lambda was unable to configure your environment variables because the environment "
            "variables you have provided exceeded the 4KB limit. String measured: " + measured
        )


@pytest.mark.parametrize("size", [4_096, 4_097])
def test_the_limit_of_an_environment_is_exact(size: int) -> None:
    """Braces, quotes and colon count."""
    variables = {"KEY": "x" * (size - len('{"KEY":""}'))}

    if size > 4_096:
        with pytest.raises(CallerError):
            check_environment(variables)
    else:
        check_environment(variables)


def test_reserved_variables_are_refused_by_name() -> None:
    """All that a request names are in the text."""
    with pytest.raises(CallerError) as caught:
        check_environment({"AWS_REGION": "x", "MINE": "y", "_HANDLER": "z"})

    assert caught.value.message == (
        "Lambda was unable to configure your environment variables because the environment "
        "variables you have provided contains reserved keys that are currently not supported for "
        "modification. Reserved keys used in this request: AWS_REGION, _HANDLER"
    )


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "LD_LIBRARY_PATH",
        "PYTHONPATH",
        "TZ",
        "LANG",
        "AWS_XRAY_CONTEXT_MISSING",
        "AWS_ENDPOINT_URL",
        "AWS_LAMBDA_EXEC_WRAPPER",
    ],
)
def test_what_may_be_overridden_is_not_reserved(name: str) -> None:
    """AWS names these as free to set, and the endpoint is one of ours."""
    check_environment({name: "x"})

    assert name not in RESERVED_VARIABLES


def test_a_value_with_nul_is_refused() -> None:
    """No process could be given it."""
    with pytest.raises(CallerError):
        check_environment({"KEY": "a\0b"})
