"""Two ways to do the same thing to a server: the aws command line, and boto3.

A test that asks for `hands` runs once with each. Both take boto3's names and give boto3's answers,
so that one text of a test states what both kinds of client see.
"""

import base64
import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import boto3
import botocore.exceptions
from botocore import xform_name
from botocore.config import Config

_CLI_ERROR = re.compile(
    r"An error occurred \((\w+)\) when calling the \w+ operation[^:]*: (.*)", re.DOTALL
)


class ApiError(Exception):
    """The server refused: AWS's code and message."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Invoked:
    """The answer to an invocation. `log` is the decoded tail, "" if none came."""

    status: int
    error: str | None
    version: str | None
    payload: bytes
    log: str
    request_id: str = ""

    def json(self):
        """The payload as Python values."""
        return json.loads(self.payload)


class Hands(Protocol):
    """What a test may do. `call` raises ApiError."""

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]: ...
    def invoke(self, function: str, payload: bytes | None = None, **options: str) -> Invoked: ...
    def wait(self, service: str, waiter: str, **parameters: Any) -> None: ...


class Boto3Hands:
    """boto3, without retries; `careless` leaves all checking of parameters to the server."""

    def __init__(self, url, *, careless=False):
        self._url = url
        self._careless = careless
        self._clients = {}

    def client(self, service):
        """A client that lives until `close`."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self._url,
                region_name="us-east-1",
                aws_access_key_id="emberbox",
                aws_secret_access_key="emberbox",
                config=Config(
                    retries={"total_max_attempts": 1}, parameter_validation=not self._careless
                ),
            )
        return self._clients[service]

    def close(self):
        """Close all connections."""
        for client in self._clients.values():
            client.close()

    def call(self, service, operation, **parameters):
        """One operation."""
        try:
            answer = getattr(self.client(service), xform_name(operation))(**parameters)
        except botocore.exceptions.ClientError as error:
            told = error.response["Error"]
            raise ApiError(told["Code"], told["Message"]) from None
        answer.pop("ResponseMetadata")
        return answer

    def invoke(self, function, payload=None, **options):
        """One invocation."""
        if payload is not None:
            options["Payload"] = payload
        try:
            answer = self.client("lambda").invoke(FunctionName=function, **options)
        except botocore.exceptions.ClientError as error:
            told = error.response["Error"]
            raise ApiError(told["Code"], told["Message"]) from None
        return Invoked(
            answer["StatusCode"],
            answer.get("FunctionError"),
            answer.get("ExecutedVersion"),
            answer["Payload"].read(),
            base64.b64decode(answer.get("LogResult", "")).decode(),
            answer["ResponseMetadata"]["RequestId"],
        )

    def wait(self, service, waiter, **parameters):
        """A waiter, with the pauses its model gives it."""
        self.client(service).get_waiter(xform_name(waiter)).wait(**parameters)


class CliHands:
    """The aws command line of this environment, each call a process of its own."""

    def __init__(self, environment: Mapping[str, str], place: Path):
        self._environment = environment
        self._place = place
        self._count = 0

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """`aws WORDS...`, as it is; for SQS, version 1 takes its address only as an option."""
        if words[0] == "sqs":
            words = (*words, "--endpoint-url", self._environment["AWS_ENDPOINT_URL"])
        return subprocess.run(
            ["aws", *words],
            env=dict(self._environment),
            cwd=self._place,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )

    def call(self, service, operation, **parameters):
        """One operation; parameters become options. `aws s3` is for files, `aws s3api` for this."""
        service = "s3api" if service == "s3" else service
        done = self.run(service, _kebab(operation), *self._options(parameters), "--output", "json")
        self._check(done)
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def invoke(self, function, payload=None, **options):
        """`aws lambda invoke` with its output file."""
        out = self._file(b"")
        words = self._options(options)
        if payload is not None:
            words += ["--payload", f"fileb://{self._file(payload)}"]
        done = self.run("lambda", "invoke", "--function-name", function, *words, str(out))
        self._check(done)
        answer = json.loads(done.stdout)
        return Invoked(
            answer["StatusCode"],
            answer.get("FunctionError"),
            answer.get("ExecutedVersion"),
            out.read_bytes(),
            base64.b64decode(answer.get("LogResult", "")).decode(),
        )

    def wait(self, service, waiter, **parameters):
        """`aws SERVICE wait WAITER`."""
        self._check(self.run(service, "wait", _kebab(waiter), *self._options(parameters)))

    def _options(self, parameters):
        words = []
        for name, value in parameters.items():
            if name == "Code":
                words += ["--zip-file", f"fileb://{self._file(value['ZipFile'])}"]
            elif isinstance(value, bool):
                words.append(f"--{_kebab(name)}" if value else f"--no-{_kebab(name)}")
            elif isinstance(value, bytes):
                words += [f"--{_kebab(name)}", f"fileb://{self._file(value)}"]
            elif isinstance(value, dict | list):
                words += [f"--{_kebab(name)}", json.dumps(value)]
            else:
                words += [f"--{_kebab(name)}", str(value)]
        return words

    def _file(self, content):
        self._count += 1
        path = self._place / f"blob-{self._count}"
        path.write_bytes(content)
        return path

    @staticmethod
    def _check(done):
        if done.returncode == 0:
            return
        told = _CLI_ERROR.search(done.stderr)
        assert told is not None, f"aws failed otherwise: {done.stderr}"
        raise ApiError(told[1], told[2].strip())


def _kebab(name):
    return xform_name(name, "-")
