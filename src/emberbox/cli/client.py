"""A small client of a server's APIs: signed HTTP and nothing else, so that a command is quick.

Loading an AWS SDK takes longer than all the rest of a command.
"""

import hashlib
import hmac
import json
import os
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import click

from emberbox.cli.connection import Connection
from emberbox.cli.endpoint import ACCESS_KEY, Endpoint
from emberbox.records import dataclass

_TIMEOUT_S = 905.0
_NOT_FOUND, _UNREACHABLE, _CONFLICT, _FAILED = 3, 4, 5, 1


class Failed(click.ClickException):
    """A command cannot go on; `exit_code` says why in the way of all our commands."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        vars(self)["exit_code"] = exit_code


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; None if there is none."""
        return json.loads(self.body) if self.body else None


class Client:
    """Calls a server; one connection, opened when it is first needed.

    It signs with what AWS clients would find in the environment, or with the endpoint's own.
    """

    def __init__(
        self, endpoint: Endpoint, *, own_credentials: bool = False, timeout_s: float = _TIMEOUT_S
    ) -> None:
        self._endpoint = endpoint
        self._address = urlsplit(endpoint.url)
        self._timeout_s = timeout_s
        self._connection: Connection | None = None
        environment = endpoint.variables() if own_credentials else os.environ
        self._key = endpoint.account or environment.get("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        self._secret = environment.get("AWS_SECRET_ACCESS_KEY", ACCESS_KEY)
        self._token = None if endpoint.account else environment.get("AWS_SESSION_TOKEN")

    def send(
        self,
        service: str,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """One signed request; Failed if the server is out of reach."""
        data = self.request(service, method, path, body, headers, query)
        try:
            if self._connection is None or self._connection.is_over:
                self._connection = Connection(self._address, self._timeout_s)
            return Answer(*self._connection.ask(data))
        except OSError as error:
            raise Failed(
                f"no server answers at {self._endpoint.url}: {error}\n"
                "Start one with: emberbox serve    or name another with --endpoint-url",
                _UNREACHABLE,
            ) from None

    def request(
        self,
        service: str,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> bytes:
        """A signed request as it is sent; it can be sent again for some minutes."""
        text = "&".join(
            f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}"
            for k, v in sorted((query or {}).items())
        )
        signed = self._signed(service, method, path, text, body, headers or {})
        target = f"{path}?{text}" if text else path
        lines = [f"{method} {target} HTTP/1.1", *(f"{n}: {v}" for n, v in signed.items())]
        return "\r\n".join((*lines, f"Content-Length: {len(body)}\r\n\r\n")).encode() + body

    def call(self, service: str, target: str, **parameters: Any) -> Any:
        """One operation of a JSON service; `target` is its X-Amz-Target."""
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target}
        answer = self.send(service, "POST", "/", json.dumps(parameters).encode(), headers)
        return checked(answer).json()

    def get(
        self, path: str, query: Mapping[str, str] | None = None, service: str = "lambda"
    ) -> Any:
        """A GET that is answered with JSON."""
        return checked(self.send(service, "GET", path, query=query)).json()

    def _signed(
        self,
        service: str,
        method: str,
        path: str,
        query: str,
        body: bytes,
        headers: Mapping[str, str],
    ) -> dict[str, str]:
        """The headers with a signature of version 4 (AWS: "Signing AWS API requests")."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        day = stamp[:8]
        every = {**headers, "Host": self._address.netloc, "X-Amz-Date": stamp}
        if self._token:
            every["X-Amz-Security-Token"] = self._token
        lower = {name.lower(): " ".join(value.split()) for name, value in every.items()}
        names = ";".join(sorted(lower))
        lines = "".join(f"{name}:{lower[name]}\n" for name in sorted(lower))
        digest = hashlib.sha256(body).hexdigest()
        canonical = f"{method}\n{quote(path, safe='/-_.~')}\n{query}\n{lines}\n{names}\n{digest}"
        scope = f"{day}/{self._endpoint.region}/{service}/aws4_request"
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        key = f"AWS4{self._secret}".encode()
        for part in (day, self._endpoint.region, service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashed}"
        signature = hmac.new(key, to_sign.encode(), "sha256").hexdigest()
        every["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self._key}/{scope}, SignedHeaders={names}, "
            f"Signature={signature}"
        )
        return every


def checked(answer: Answer) -> Answer:
    """The answer, or Failed with what it says if it is an error."""
    if answer.status < 300:
        return answer
    name, message = said(answer)
    code = _FAILED
    if answer.status == 404 or "NotFound" in name:
        code = _NOT_FOUND
    elif answer.status in (409, 429):
        code = _CONFLICT
    raise Failed(f"{name}: {message}" if message else name, code)


def said(answer: Answer) -> tuple[str, str]:
    """Name and message of an error."""
    try:
        body = json.loads(answer.body)
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    name = answer.headers.get("x-amzn-errortype") or str(body.get("__type", ""))
    name = name.split(":")[0].rpartition("#")[2] or f"status {answer.status}"
    return name, str(body.get("message") or body.get("Message") or "")
