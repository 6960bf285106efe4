"""`emberbox aws -- …`: the installed aws command line, pointed at a server here.

The address goes in as an argument as well as a variable: version 1 of the aws command line heeds
only the argument for some services (SQS is one).
"""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from emberbox.cli.endpoint import Endpoint, handed_on, options
from emberbox.cli.proving import prove

_MISSING = """the aws command line is not installed; one of these gives it to you:
  pip install awscli
  pipx install awscli"""
_OWN_ENDPOINT = "--endpoint-url"


def command(program: str, endpoint: Endpoint, arguments: Sequence[str]) -> list[str]:
    """What to run; an address among the arguments is refused, so that nothing reaches AWS."""
    if any(a == _OWN_ENDPOINT or a.startswith(f"{_OWN_ENDPOINT}=") for a in arguments):
        raise click.UsageError(
            f"give {_OWN_ENDPOINT} to emberbox, before the `--`: "
            f"emberbox aws {_OWN_ENDPOINT} {endpoint.url} -- …"
        )
    return [program, _OWN_ENDPOINT, endpoint.url, *arguments]


def environment(endpoint: Endpoint, inherited: Mapping[str, str]) -> dict[str, str]:
    """The inherited environment with our address and credentials in place of any other."""
    kept = {name: value for name, value in inherited.items() if name not in endpoint.cleared()}
    return {**kept, **endpoint.variables(), "AWS_EC2_METADATA_DISABLED": "true"}


@click.command(
    context_settings={"allow_interspersed_args": False},
    epilog="For instance: emberbox aws -- lambda list-functions",
)
@options
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="-- ARGUMENTS...")
def aws(
    arguments: tuple[str, ...],
    endpoint_url: str,
    region: str,
    account: str | None,
    profile: str | None,
) -> None:
    """Run the aws command line against a server."""
    beside = Path(sys.executable).parent / "aws"
    program = shutil.which("aws") or (str(beside) if beside.is_file() else None)
    if program is None:
        raise click.ClickException(_MISSING)
    endpoint = handed_on(endpoint_url, region, account, profile)
    prove(endpoint)
    line = command(program, endpoint, arguments)
    sys.stdout.flush()
    os.execve(program, line, environment(endpoint, os.environ))  # noqa: S606 - the very purpose
