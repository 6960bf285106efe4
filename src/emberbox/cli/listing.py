"""`emberbox ls` and `emberbox show`: functions at a glance."""

import json
from typing import Any
from urllib.parse import quote

import click

from emberbox.cli.client import Client
from emberbox.cli.endpoint import Endpoint, client_options
from emberbox.cli.table import money, table

_BASE = "/2015-03-31/functions"


@click.command()
@client_options
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def ls(endpoint_url: str, region: str, account: str | None, *, as_json: bool) -> None:
    """List functions, one line each."""
    client = Client(Endpoint(endpoint_url, region, account))
    functions = _all_functions(client)
    now = {row["function"]: row for row in client.get("/_emberbox/now")["functions"]}
    if as_json:
        click.echo(json.dumps(functions))
        return
    if not functions:
        click.echo("no functions yet", err=True)
        return
    rows = []
    for function in functions:
        name = function["FunctionName"]
        live = now.get(name, {})
        rows.append(
            (
                name,
                function.get("Runtime", function["PackageType"]),
                function["MemorySize"],
                function["LastModified"][:19].replace("T", " "),
                live.get("runs", 0),
                live.get("errors", 0),
                sum(live.get("environments", {}).values()),
            )
        )
    head = ("FUNCTION", "RUNTIME", "MB", "CHANGED", "RUNS", "ERRORS", "ENVIRONMENTS")
    click.echo(table(head, rows, "llrlrrr"))


@click.command()
@client_options
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show(name: str, endpoint_url: str, region: str, account: str | None, *, as_json: bool) -> None:
    """Show a function: its configuration, what it did since the start, this month's cost."""
    client = Client(Endpoint(endpoint_url, region, account))
    configuration = client.get(f"{_BASE}/{quote(name, safe='')}/configuration")
    own = configuration["FunctionName"]
    live = [r for r in client.get("/_emberbox/now")["functions"] if r["function"] == own]
    used = client.get("/_emberbox/usage")
    days = [row for row in used["days"] if row["function"] == own]
    advice = [each for each in used["advice"] if each["function"] == own]
    if as_json:
        every = {"configuration": configuration, "now": live, "days": days, "advice": advice}
        click.echo(json.dumps(every))
        return
    for label in ("FunctionArn", "Runtime", "Handler", "MemorySize", "Timeout", "State", "Role"):
        if label in configuration:
            click.echo(f"{label:<14} {configuration[label]}")
    for row in live:
        click.echo(_since_start(row))
    runs = sum(row["runs"] for row in days)
    cost = sum(row["cost"] for row in days)
    click.echo(f"{'This month':<14} {runs} runs, {money(cost)} on AWS before the free tier")
    for each in advice:
        click.echo(f"{'Advice':<14} {each['betterMb']} MB: {each['why']}")


def _since_start(row: dict[str, Any]) -> str:
    environments = ", ".join(f"{n} {state.lower()}" for state, n in row["environments"].items())
    times = f", p50 {row['p50Ms']} ms, p99 {row['p99Ms']} ms" if row["runs"] else ""
    return (
        f"{'Since start':<14} {row['runs']} runs ({row['cold']} cold, {row['errors']} failed, "
        f"{row['throttles']} throttled){times}\n{'Environments':<14} {environments or 'none'}"
    )


def _all_functions(client: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    query: dict[str, str] = {}
    while True:
        page = client.get(f"{_BASE}/", query)
        found += page["Functions"]
        if not page.get("NextMarker"):
            return found
        query = {"Marker": page["NextMarker"]}
