"""`emberbox invoke`: run a function; its result goes to standard output, the facts beside it."""

import base64
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from emberbox.cli.client import Answer, Client, checked
from emberbox.cli.endpoint import Endpoint, client_options
from emberbox.cli.figures import figures

_NO_ID = "00000000-0000-0000-0000-000000000000"


@click.command(
    epilog='For instance: emberbox invoke hello -p \'{"name": "Ada"}\' | jq .body',
)
@client_options
@click.argument("name")
@click.option(
    "-p",
    "--payload",
    default="{}",
    show_default=True,
    help="The event: JSON, @FILE, or - for standard input.",
)
@click.option("--qualifier", metavar="VERSION|ALIAS", help="Run that version or alias.")
@click.option("--async", "is_async", is_flag=True, help="Queue the event and do not wait.")
@click.option("--logs", is_flag=True, help="Show the end of the invocation's log.")
@click.option(
    "--repeat", default=1, show_default=True, type=click.IntRange(1, 100_000), help="How often."
)
@click.option("--json", "as_json", is_flag=True, help="Result and facts as one JSON object a line.")
def invoke(
    name: str,
    payload: str,
    qualifier: str | None,
    is_async: bool,
    logs: bool,
    repeat: int,
    as_json: bool,
    endpoint_url: str,
    region: str,
    account: str | None,
) -> None:
    """Run a function and print what it returns.

    The exit status is 1 if the function failed, 3 if there is no such function, 4 if no server
    answers, 5 if it was throttled.
    """
    client = Client(Endpoint(endpoint_url, region, account))
    event = read_event(payload)
    failed = False
    for _ in range(repeat):
        answer = _run(client, name, event, qualifier, is_async=is_async)
        failed |= _has_failed(answer)
        if as_json:
            click.echo(json.dumps(_document(answer, logs=logs)))
        elif is_async:
            click.echo(f"queued  req {_request_id(answer)}", err=True)
        else:
            _show(answer, logs=logs)
    if failed:
        sys.exit(1)


def _run(
    client: Client, name: str, event: bytes, qualifier: str | None, *, is_async: bool
) -> Answer:
    headers = {"Content-Type": "application/json", "X-Amz-Log-Type": "Tail"}
    if is_async:
        headers = {**headers, "X-Amz-Invocation-Type": "Event", "X-Amz-Log-Type": "None"}
    path = f"/2015-03-31/functions/{quote(name, safe='')}/invocations"
    query = {"Qualifier": qualifier} if qualifier else None
    return checked(client.send("lambda", "POST", path, event, headers, query))


def read_event(payload: str) -> bytes:
    """The event that an option names: JSON, @FILE, or - for standard input."""
    if payload == "-":
        return sys.stdin.buffer.read()
    if payload.startswith("@"):
        try:
            return Path(payload[1:]).read_bytes()
        except OSError as error:
            raise click.BadParameter(f"{payload[1:]}: {error.strerror}") from None
    return payload.encode()


def _show(answer: Answer, *, logs: bool) -> None:
    sys.stdout.buffer.write(answer.body + b"\n")
    sys.stdout.flush()
    tail = _log(answer)
    if logs:
        click.echo(tail.rstrip("\n"), err=True)
    click.echo(facts(answer, tail), err=True)


def _document(answer: Answer, *, logs: bool) -> dict[str, Any]:
    """Result and facts for programs; a result that is no JSON is a string."""
    tail = _log(answer)
    found: dict[str, Any] = {
        "statusCode": answer.status,
        "failed": _has_failed(answer),
        "requestId": _request_id(answer),
        **figures(tail),
    }
    if "x-amz-executed-version" in answer.headers:
        found["version"] = answer.headers["x-amz-executed-version"]
    if answer.body:
        try:
            found["result"] = json.loads(answer.body)
        except ValueError:
            found["result"] = answer.body.decode("utf-8", "replace")
    return {**found, "log": tail} if logs else found


def facts(answer: Answer, tail: str) -> str:
    """One line: how it went, how long it took, what it used."""
    words = ["failed" if _has_failed(answer) else "ok"]
    found = figures(tail)
    if {"durationMs", "billedMs", "memoryMb", "maxMemoryMb"} <= found.keys():
        cold = f"  init {found['initMs']:.2f} ms cold" if "initMs" in found else ""
        words.append(
            f"{found['durationMs']:.2f} ms (billed {found['billedMs']} ms){cold}  "
            f"{found['maxMemoryMb']}/{found['memoryMb']} MB"
        )
    version = answer.headers.get("x-amz-executed-version", "")
    if version not in ("", "$LATEST"):
        words.append(f"version {version}")
    words.append(f"req {_request_id(answer)}")
    return "  ".join(words)


def _log(answer: Answer) -> str:
    tail = base64.b64decode(answer.headers.get("x-amz-log-result", ""))
    return tail.decode("utf-8", "replace")


def _has_failed(answer: Answer) -> bool:
    return "x-amz-function-error" in answer.headers


def _request_id(answer: Answer) -> str:
    return answer.headers.get("x-amzn-requestid", _NO_ID)
