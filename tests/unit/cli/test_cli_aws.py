"""`emberbox aws`: the aws command line, led to our server and nowhere else."""

import os
import stat

import click
import pytest
from click.testing import CliRunner

from emberbox.cli.aws import command, environment
from emberbox.cli.endpoint import Endpoint
from emberbox.cli.main import main


def test_address_goes_in_as_an_argument():
    """The aws command line heeds only the argument for some services."""
    line = command("/bin/aws", Endpoint(), ["sqs", "list-queues"])

    assert line == ["/bin/aws", "--endpoint-url", "http://127.0.0.1:4566", "sqs", "list-queues"]


@pytest.mark.parametrize("spelling", [["--endpoint-url", "x"], ["--endpoint-url=x"]])
def test_another_address_among_the_arguments_is_refused(spelling):
    """Two addresses would leave it open where the request goes."""
    with pytest.raises(click.UsageError, match="before the `--`"):
        command("/bin/aws", Endpoint(), ["lambda", "list-functions", *spelling])


def test_real_credentials_do_not_leak_in():
    """Profile, session token and keys of the caller are replaced or dropped; the rest stays."""
    inherited = {
        "AWS_PROFILE": "work",
        "AWS_SESSION_TOKEN": "secret",
        "AWS_ACCESS_KEY_ID": "AKIDREAL",
        "HOME": "/home/someone",
    }

    made = environment(Endpoint(account="111122223333"), inherited)

    assert made["AWS_ACCESS_KEY_ID"] == "111122223333"
    assert made["HOME"] == "/home/someone"
    assert "secret" not in made.values()
    assert "work" not in made.values()


def test_missing_program_says_how_to_get_it(monkeypatch, tmp_path):
    """Without an aws command line the message has the command that installs one."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))

    shown = CliRunner().invoke(main, ["aws", "--", "sts", "get-caller-identity"])

    assert shown.exit_code == 1
    assert "pip install awscli" in shown.output


def test_arguments_reach_the_program_unchanged(monkeypatch, tmp_path):
    """Options after the first word belong to aws, with or without `--`."""
    program = tmp_path / "aws"
    program.write_text("#!/bin/sh\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = []
    monkeypatch.setattr(os, "execve", lambda *call: ran.append(call))

    for dashes in ([], ["--"]):
        CliRunner().invoke(main, ["aws", *dashes, "lambda", "list-functions", "--region", "eu-1"])

    assert [line[3:] for _, line, _ in ran] == [
        ["lambda", "list-functions", "--region", "eu-1"],
        ["lambda", "list-functions", "--region", "eu-1"],
    ]
    assert {name for name, _, _ in ran} == {str(program)}
