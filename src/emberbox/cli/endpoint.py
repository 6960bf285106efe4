"""Where a server is, and what an AWS client needs in order to reach it."""

import os
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import urlsplit

import click

from emberbox.cli.credentials import Credentials, given
from emberbox.records import dataclass
from emberbox.settings import DEFAULT_HOST, DEFAULT_PORT, DEFAULT_REGION

DEFAULT_URL = f"http://{DEFAULT_HOST}:{DEFAULT_PORT}"
# Any key that is not twelve digits stands for the server's default account. It is a word of our
# own, not a common one such as `test`: some tools remember an account for each key they have met.
ACCESS_KEY = "emberbox"

F = TypeVar("F", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server's address, and the region and account to speak of.

    Without `credentials` there are some that only an open server takes.
    """

    url: str = DEFAULT_URL
    region: str = DEFAULT_REGION
    account: str | None = None
    credentials: Credentials | None = None

    def variables(self) -> Mapping[str, str]:
        """The environment variables that every AWS SDK and the aws command line read."""
        own = self.credentials or Credentials(self.account or ACCESS_KEY, ACCESS_KEY)
        token = {} if own.token is None else {"AWS_SESSION_TOKEN": own.token}
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": own.access_key,
            "AWS_SECRET_ACCESS_KEY": own.secret,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
            **token,
        }

    def cleared(self) -> list[str]:
        """Variables that would make a client mix our address with somebody's real credentials."""
        return [name for name in CLEARED if name not in self.variables()]


CLEARED = ("AWS_PROFILE", "AWS_SESSION_TOKEN")
"""What `Endpoint.cleared` names, unless it is among our own."""


def options(command: F) -> F:
    """The options that name a server and a caller, for commands that hand both on."""
    profile = click.option(
        "--profile",
        metavar="NAME",
        envvar="EMBERBOX_PROFILE",
        show_envvar=True,
        help="Profile of ~/.aws/credentials with an access key of the server.",
    )
    return _with_options(profile(command), ["EMBERBOX_ENDPOINT_URL"])


def handed_on(url: str, region: str, account: str | None, profile: str | None) -> Endpoint:
    """What `options` have named; ClickException for credentials that are not whole."""
    if account is not None and profile is not None:
        raise click.UsageError("--account and --profile both say who calls: give one of them.")
    own = None if account is not None else given(os.environ, profile)
    return Endpoint(url, region, account, own)


def client_options(command: F) -> F:
    """The same for commands that call a server: what AWS clients heed counts for them too."""
    return _with_options(command, ["EMBERBOX_ENDPOINT_URL", "AWS_ENDPOINT_URL"])


def _with_options(command: F, variables: list[str]) -> F:
    for option in (
        click.option(
            "--account",
            metavar="DIGITS",
            callback=_account,
            help="Twelve digits: act in that account. [default: the server's own]",
        ),
        click.option(
            "--region", default=DEFAULT_REGION, show_default=True, help="Region to act in."
        ),
        click.option(
            "--endpoint-url",
            metavar="URL",
            default=DEFAULT_URL,
            show_default=True,
            envvar=variables,
            show_envvar=True,
            callback=_url,
            help="Address of the server.",
        ),
    ):
        command = option(command)
    return command


def _url(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise click.BadParameter(f"{value!r} is not of the form {DEFAULT_URL}")
    return value.rstrip("/")


def _account(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not (value.isascii() and value.isdigit() and len(value) == 12):
        raise click.BadParameter(f"{value!r} is not twelve digits")
    return value
