"""`emberbox logs`: what functions have written, and what they go on to write."""

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import click

from emberbox.cli.client import Client, Failed
from emberbox.cli.endpoint import Endpoint, client_options

_TARGET = "Logs_20140328.FilterLogEvents"
_GROUPS = "Logs_20140328.DescribeLogGroups"
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"(\d{1,9})([smhdw])\Z")
_LOOK_S = 0.3
_SEEN_MAX = 10_000
_ERRORS = (
    *("ERROR", "Error:", "Task timed out", "Status: error", "Status: timeout"),
    *('"status":"error"', '"status":"failure"', '"status":"timeout"'),
)


def span_s(text: str) -> int:
    """Seconds of a span like 10m or 2d."""
    found = _SPAN.match(text)
    if found is None:
        raise click.BadParameter(f"{text!r} is no span: write it like 30s, 10m, 2h, 7d or 1w")
    return int(found[1]) * _UNITS[found[2]]


@click.command(epilog="For instance: emberbox logs hello -f --errors")
@client_options
@click.argument("names", nargs=-1, required=True)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("--since", default="10m", show_default=True, help="How far back, like 30s, 10m, 2h.")
@click.option("--filter", "pattern", default="", help="Only lines that match a filter pattern.")
@click.option("--errors", is_flag=True, help="Only lines that tell of errors.")
@click.option("--request-id", default="", help="Only lines of one invocation.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def logs(
    names: tuple[str, ...],
    follow: bool,
    since: str,
    pattern: str,
    errors: bool,
    request_id: str,
    as_json: bool,
    endpoint_url: str,
    region: str,
    account: str | None,
) -> None:
    """Show the logs of functions, of several together in the order of time."""
    client = Client(Endpoint(endpoint_url, region, account))
    start = int((time.time() - span_s(since)) * 1000)
    seen: dict[str, None] = {}
    groups = {name: _group(client, name) for name in names}
    while True:
        events = [
            {**event, "function": name}
            for name, group in groups.items()
            for event in _events(client, group, start, pattern)
        ]
        for event in sorted(events, key=lambda e: (e["timestamp"], e["eventId"])):
            if event["eventId"] not in seen and _is_wanted(event, request_id, errors=errors):
                click.echo(_line(event, many=len(names) > 1, as_json=as_json))
            seen[event["eventId"]] = None
        if not follow:
            return
        while len(seen) > _SEEN_MAX:
            del seen[next(iter(seen))]
        start = max([start, *(event["timestamp"] - 2_000 for event in events)])
        time.sleep(_LOOK_S)


def _group(client: Client, name: str) -> str:
    """Where a function's log is: in a group of its own choice, or in the one named after it.

    A function that has written nothing is no mistake, nor is the log of one that is gone.
    """
    try:
        configuration = client.get(f"/2015-03-31/functions/{name}/configuration")
    except Failed as failed:
        group = f"/aws/lambda/{name}"
        if "ResourceNotFoundException" in failed.message and _exists(client, group):
            return group
        raise
    return str(configuration["LoggingConfig"]["LogGroup"])


def _exists(client: Client, group: str) -> bool:
    found = client.call("logs", _GROUPS, logGroupNamePrefix=group)["logGroups"]
    return any(each["logGroupName"] == group for each in found)


def _events(client: Client, group: str, start: int, pattern: str) -> Iterator[dict[str, Any]]:
    token: dict[str, str] = {}
    while True:
        try:
            page = client.call(
                "logs",
                _TARGET,
                logGroupName=group,
                startTime=start,
                filterPattern=pattern,
                **token,
            )
        except Failed as failed:
            if "ResourceNotFoundException" not in failed.message:
                raise
            return
        yield from page["events"]
        if "nextToken" not in page:
            return
        token = {"nextToken": page["nextToken"]}


def _is_wanted(event: dict[str, Any], request_id: str, *, errors: bool) -> bool:
    message = event["message"]
    if request_id and request_id not in message:
        return False
    return not errors or any(word in message for word in _ERRORS)


def _line(event: dict[str, Any], *, many: bool, as_json: bool) -> str:
    if as_json:
        return json.dumps(event)
    moment = event["timestamp"] / 1000
    stamp = time.strftime("%H:%M:%S", time.localtime(moment)) + f".{int(moment * 1000) % 1000:03d}"
    name = click.style(event["function"], bold=True) + "  " if many else ""
    message = event["message"].rstrip("\n").replace("\r", "\n")
    if message.startswith(("START ", "END ", "REPORT ", "INIT_START ")):
        message = click.style(message, dim=True)
    elif "[ERROR]" in message or "Task timed out" in message:
        message = click.style(message, fg="red")
    return f"{stamp}  {name}{message}"
