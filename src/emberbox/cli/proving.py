"""Whether a server takes the credentials that a command is about to hand on."""

import re
from collections.abc import Mapping
from typing import Final

import click

from emberbox.cli.client import Client, Failed
from emberbox.cli.credentials import ID_VARIABLE, SECRET_VARIABLE
from emberbox.cli.endpoint import Endpoint

_QUESTION: Final = b"Action=GetCallerIdentity&Version=2011-06-15"
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
_CODE: Final = re.compile(rb"<Code>(\w+)</Code>")
_PATIENCE_S: Final = 2.0
_REFUSED: Final = 403

_WANTED: Final = f"""it knows its callers, and needs an access key of its own. Either
  set {ID_VARIABLE} and {SECRET_VARIABLE}, or
  name a profile of ~/.aws/credentials that has one: --profile NAME
The root's key was shown when the server first started; `emberbox serve --new-root-credentials`
makes another. With it, users get keys: aws iam create-access-key --user-name NAME"""

_FAULTS: Final[Mapping[str, str]] = {
    "InvalidClientTokenId": "it has no active access key {key} with this session token, if there "
    "is one",
    "SignatureDoesNotMatch": "the secret is not that of the access key {key}, or the clocks differ",
    "ExpiredToken": "the session of the access key {key} has expired",
}


def prove(endpoint: Endpoint) -> None:
    """ClickException that says what is missing, if the server refuses the credentials.

    A server that does not answer, or says something else, is left to whoever calls it next.
    """
    client = Client(endpoint, own_credentials=True, timeout_s=_PATIENCE_S)
    try:
        answer = client.send("sts", "POST", "/", _QUESTION, _FORM)
    except Failed:
        return
    if answer.status != _REFUSED:
        return
    if endpoint.credentials is None:
        raise click.ClickException(f"{endpoint.url} refuses: {_WANTED}")
    found = _CODE.search(answer.body)
    code = "" if found is None else found[1].decode()
    why = _FAULTS.get(code, code).format(key=endpoint.credentials.access_key)
    raise click.ClickException(f"{endpoint.url} refuses: {why}")
