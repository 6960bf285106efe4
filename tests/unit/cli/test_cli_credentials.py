"""Whose credentials `emberbox env` and `emberbox aws` hand on."""

import pytest
from click.testing import CliRunner

from emberbox.cli.aws import environment
from emberbox.cli.credentials import Credentials, given
from emberbox.cli.endpoint import Endpoint
from emberbox.cli.main import main

NOWHERE = ["--endpoint-url", "http://127.0.0.1:1"]
SESSION = Credentials("ASIAX", "s", "t")


@pytest.fixture
def stored(tmp_path):
    """Variables that name a file with the profiles `ann` and `half`."""
    place = tmp_path / "credentials"
    place.write_text(
        "[default]\naws_access_key_id = AKIDREAL\naws_secret_access_key = real\n"
        "[ann]\naws_access_key_id = AKIAANN\naws_secret_access_key = a%s/b\n"
        "[half]\naws_access_key_id = AKIAHALF\n"
    )
    return {"AWS_SHARED_CREDENTIALS_FILE": str(place)}


def test_nothing_is_taken_that_nobody_has_named(stored):
    """Keys and default profile for AWS itself stay where they are."""
    assert given({**stored, "AWS_ACCESS_KEY_ID": "AKIDREAL"}, None) is None


def test_a_profile_or_variables_name_a_key(stored):
    """The profile counts more, since it is said on the spot."""
    variables = {
        **stored,
        "EMBERBOX_ACCESS_KEY_ID": "ASIAX",
        "EMBERBOX_SECRET_ACCESS_KEY": "s",
        "EMBERBOX_SESSION_TOKEN": "t",
    }

    assert given(variables, None) == SESSION
    assert given(variables, "ann") == Credentials("AKIAANN", "a%s/b")


def test_a_session_brings_its_token_along():
    """It is set, where without one whatever there was is unset."""
    inherited = {"AWS_SESSION_TOKEN": "real", "AWS_PROFILE": "work"}

    with_token = environment(Endpoint(credentials=SESSION), inherited)
    without = environment(Endpoint(credentials=Credentials("AKIAX", "s")), inherited)

    assert with_token["AWS_SESSION_TOKEN"] == "t"
    assert "AWS_SESSION_TOKEN" not in without
    assert "AWS_PROFILE" not in with_token


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (["--profile", "none"], {}, "has no profile none"),
        (["--profile", "half"], {}, "the profile half in"),
        (["--profile", "ann", "--account", "111122223333"], {}, "give one of them"),
        ([], {"EMBERBOX_ACCESS_KEY_ID": "A"}, "EMBERBOX_SECRET_ACCESS_KEY is not"),
        ([], {"EMBERBOX_SECRET_ACCESS_KEY": "S"}, "EMBERBOX_ACCESS_KEY_ID is not"),
    ],
)
def test_what_is_missing_is_said(stored, arguments, variables, said):
    """And nothing is printed that a shell would evaluate."""
    runner = CliRunner(env={**stored, **variables})

    shown = runner.invoke(main, ["env", *NOWHERE, *arguments])

    assert shown.exit_code != 0
    assert said in shown.stderr
    assert shown.stdout == ""


def test_secrets_are_not_in_what_is_printed_of_them():
    """Neither secret nor token."""
    shown = repr(Credentials("AKIA", "very secret", "very token"))

    assert shown == "Credentials(access_key='AKIA')"
