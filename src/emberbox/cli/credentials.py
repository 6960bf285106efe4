"""Whose credentials a command hands on, where somebody has named some.

An open server takes any; one that knows its callers takes keys of its own. Those are named on
purpose, by variables of ours or by a profile: what somebody has for AWS is never used by itself.
"""

import configparser
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Final

import click

from emberbox.records import dataclass

ID_VARIABLE: Final = "EMBERBOX_ACCESS_KEY_ID"
SECRET_VARIABLE: Final = "EMBERBOX_SECRET_ACCESS_KEY"  # noqa: S105 - the name of a variable
_TOKEN: Final = "EMBERBOX_SESSION_TOKEN"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key, its secret, and for a session its token."""

    access_key: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


def given(variables: Mapping[str, str], profile: str | None) -> Credentials | None:
    """What the caller has named; None for nothing. ClickException for what is named but not there.

    A profile that is an argument counts more than variables.
    """
    if profile is not None:
        return _of_profile(variables, profile)
    key, secret = variables.get(ID_VARIABLE), variables.get(SECRET_VARIABLE)
    if bool(key) is not bool(secret):
        missing, there = (SECRET_VARIABLE, ID_VARIABLE) if key else (ID_VARIABLE, SECRET_VARIABLE)
        raise click.ClickException(f"{there} is set, and {missing} is not: both are needed")
    if not key or not secret:
        return None
    return Credentials(key, secret, variables.get(_TOKEN) or None)


def _of_profile(variables: Mapping[str, str], profile: str) -> Credentials:
    named = variables.get("AWS_SHARED_CREDENTIALS_FILE")
    place = Path(named).expanduser() if named else Path("~/.aws/credentials").expanduser()
    parser = configparser.RawConfigParser()
    try:
        with place.open(encoding="utf-8") as file:
            parser.read_file(file)
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise click.ClickException(f"{place} cannot be read: {error}") from None
    if not parser.has_section(profile):
        raise click.ClickException(f"{place} has no profile {profile}")
    found = dict(parser.items(profile))
    for wanted in ("aws_access_key_id", "aws_secret_access_key"):
        if not found.get(wanted):
            raise click.ClickException(f"the profile {profile} in {place} has no {wanted}")
    return Credentials(
        found["aws_access_key_id"],
        found["aws_secret_access_key"],
        found.get("aws_session_token") or None,
    )
