"""`emberbox bench`: how a function does under load, as its clients see it."""

import asyncio
import json
import sys
from typing import Any
from urllib.parse import quote, urlsplit

import click

from emberbox.cli.client import Client
from emberbox.cli.endpoint import Endpoint, client_options
from emberbox.cli.invoke import read_event
from emberbox.cli.load import Load, load
from emberbox.cli.logs import span_s

_LONGEST_S = 3_600.0


@click.command(epilog="For instance: emberbox bench hello -c 32 -d 10s")
@client_options
@click.argument("name")
@click.option(
    "-c",
    "--clients",
    default=8,
    show_default=True,
    type=click.IntRange(1, 1_000),
    help="How many wait for an answer at once.",
)
@click.option("-d", "--duration", default="10s", show_default=True, help="How long, up to 1h.")
@click.option(
    "-p",
    "--payload",
    default="{}",
    show_default=True,
    help="The event: JSON, @FILE, or - for standard input.",
)
@click.option("--qualifier", metavar="VERSION|ALIAS", help="Run that version or alias.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def bench(
    name: str,
    clients: int,
    duration: str,
    payload: str,
    qualifier: str | None,
    endpoint_url: str,
    region: str,
    account: str | None,
    *,
    as_json: bool,
) -> None:
    """Run a function over and over, and say how long it took.

    Each client sends the next request when it has its answer. The exit status is 1 if any
    invocation failed or was refused.
    """
    seconds = span_s(duration)
    if seconds > _LONGEST_S:
        raise click.BadParameter("at most 1h", param_hint="--duration")
    client = Client(Endpoint(endpoint_url, region, account))
    before = _counted(client, name)
    path = f"/2015-03-31/functions/{quote(name, safe='')}/invocations"
    query = {"Qualifier": qualifier} if qualifier else {}
    request = client.request("lambda", "POST", path, read_event(payload), _HEADERS, query)
    try:
        made = asyncio.run(load(urlsplit(endpoint_url), request, clients, seconds))
    except OSError as error:
        raise click.ClickException(f"the server is out of reach: {error}") from None
    found = _result(made, clients, before, _counted(client, name))
    click.echo(json.dumps(found) if as_json else _text(name, found, made))
    if made.answers != made.ok or made.broken:
        sys.exit(1)


_HEADERS = {"Content-Type": "application/json"}


def _counted(client: Client, name: str) -> dict[str, float]:
    """What the server has counted of the function until now."""
    client.get(f"/2015-03-31/functions/{quote(name, safe='')}/configuration")
    own = name.rpartition("function:")[2].partition(":")[0]
    rows = [row for row in client.get("/_emberbox/usage")["days"] if row["function"] == own]
    wanted = ("runs", "cold", "billedMs", "cost")
    return {word: sum(row[word] for row in rows) for word in wanted}


def _result(
    made: Load, clients: int, before: dict[str, float], after: dict[str, float]
) -> dict[str, Any]:
    ran = {word: after[word] - before[word] for word in after}
    runs = ran["runs"]
    return {
        "clients": clients,
        "seconds": round(made.seconds, 3),
        "invocations": made.ok + made.function_errors,
        "perSecond": round((made.ok + made.function_errors) / made.seconds, 1),
        "p50Ms": made.percentile_ms(0.5),
        "p95Ms": made.percentile_ms(0.95),
        "p99Ms": made.percentile_ms(0.99),
        "maxMs": made.percentile_ms(1.0),
        "functionErrors": made.function_errors,
        "throttled": made.throttled,
        "refused": made.refused,
        "brokenConnections": made.broken,
        "cold": int(ran["cold"]),
        "coldShare": round(ran["cold"] / runs, 6) if runs else 0.0,
        "billedMs": int(ran["billedMs"]),
        "cost": ran["cost"],
    }


def _text(name: str, found: dict[str, Any], made: Load) -> str:
    errors = [
        f"{found[word]} {text}"
        for word, text in (
            ("functionErrors", "failed"),
            ("throttled", "throttled"),
            ("refused", "refused"),
            ("brokenConnections", "connections broke"),
        )
        if found[word]
    ]
    trouble = f"  ({made.first_trouble})" if made.first_trouble else ""
    return "\n".join(
        (
            f"{name}: {found['invocations']:,} invocations in {found['seconds']} s "
            f"by {found['clients']} clients: {found['perSecond']:,} a second",
            f"  p50 {found['p50Ms']} ms  p95 {found['p95Ms']} ms  p99 {found['p99Ms']} ms  "
            f"max {found['maxMs']} ms",
            f"  cold {found['cold']} ({found['coldShare']:.2%})",
            f"  errors {', '.join(errors) if errors else 'none'}{trouble}",
        )
    )
