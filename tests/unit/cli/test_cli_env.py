"""`emberbox env`: exports that a shell can evaluate."""

import shutil
import subprocess

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from emberbox.cli.endpoint import CLEARED, Endpoint
from emberbox.cli.env import lines
from emberbox.cli.main import main

VARIABLES = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
    "AWS_ACCESS_KEY_ID": "emberbox",
    "AWS_SECRET_ACCESS_KEY": "emberbox",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
}


def test_bash_exports_everything_a_client_needs():
    """Endpoint, credentials and region are set; what would lead elsewhere is unset."""
    shown = CliRunner().invoke(main, ["env"])

    expected = [f"export {name}={value}" for name, value in VARIABLES.items()]
    assert shown.output.splitlines() == [*expected, *(f"unset {name}" for name in CLEARED)]


def test_account_becomes_the_access_key():
    """Twelve digits as the access key choose the account."""
    shown = CliRunner().invoke(main, ["env", "--account", "111122223333"])

    assert "export AWS_ACCESS_KEY_ID=111122223333\n" in shown.output


def test_endpoint_comes_from_option_or_variable():
    """The option wins over EMBERBOX_ENDPOINT_URL; a trailing slash is dropped."""
    runner = CliRunner(env={"EMBERBOX_ENDPOINT_URL": "http://127.0.0.1:1/"})

    from_variable = runner.invoke(main, ["env"])
    from_option = runner.invoke(main, ["env", "--endpoint-url", "http://[::1]:2"])

    assert "export AWS_ENDPOINT_URL=http://127.0.0.1:1\n" in from_variable.output
    assert "export AWS_ENDPOINT_URL='http://[::1]:2'\n" in from_option.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["--endpoint-url", "127.0.0.1:4566"],
        ["--endpoint-url", "ftp://127.0.0.1"],
        ["--account", "1234"],
        ["--shell", "tcsh"],
    ],
)
def test_wrong_options_are_refused(arguments):
    """What cannot be meant ends with status 2 and prints no export."""
    shown = CliRunner().invoke(main, ["env", *arguments])

    assert shown.exit_code == 2
    assert "export" not in shown.stdout


def test_other_shells_have_their_own_words():
    """fish and PowerShell set and forget variables in their own way."""
    fish = lines(Endpoint(), "fish")
    pwsh = lines(Endpoint(), "pwsh")

    assert fish[0] == "set -gx AWS_ENDPOINT_URL 'http://127.0.0.1:4566'"
    assert "set -e AWS_PROFILE" in fish
    assert pwsh[0] == "$env:AWS_ENDPOINT_URL = 'http://127.0.0.1:4566'"
    assert "Remove-Item Env:AWS_PROFILE -ErrorAction SilentlyContinue" in pwsh


@given(st.text(st.characters(exclude_categories=["C"]), max_size=30))
def test_values_stay_one_word_in_every_shell(value):
    """No value can end its own quoting: quotes inside it are escaped as the shell does."""
    endpoint = Endpoint(url=value)

    fish = lines(endpoint, "fish")[0].removeprefix("set -gx AWS_ENDPOINT_URL ")
    pwsh = lines(endpoint, "pwsh")[0].removeprefix("$env:AWS_ENDPOINT_URL = ")

    assert fish[1:-1].replace("\\\\", "").replace("\\'", "").count("'") == 0
    assert pwsh[1:-1].replace("''", "").count("'") == 0


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_evaluates_them_to_the_very_values():
    """A hostile value arrives as it is and runs nothing."""
    hostile = "http://127.0.0.1/'$(echo no)\"`echo no`\\"
    script = "\n".join([*lines(Endpoint(url=hostile), "bash"), 'printf %s "$AWS_ENDPOINT_URL"'])

    shown = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)

    assert shown.stdout == hostile
