"""`emberbox cost`: what AWS would have charged for what has run here."""

import json
import time
from collections.abc import Callable
from typing import Any

import click

from emberbox.cli.client import Client
from emberbox.cli.endpoint import Endpoint, client_options
from emberbox.cli.logs import span_s
from emberbox.cli.table import money, table
from emberbox.model.pricing import month_of_machine

_KEYS: dict[str, Callable[[dict[str, Any]], str]] = {
    "function": lambda row: row["function"],
    "day": lambda row: row["day"],
    "version": lambda row: f"{row['function']}:{row['version']}",
}


@click.command()
@client_options
@click.option("--since", default="30d", show_default=True, help="How far back, like 7d or 4w.")
@click.option(
    "--by", type=click.Choice(list(_KEYS)), default="function", show_default=True, help="Sums of."
)
@click.option(
    "--always-on",
    type=click.FloatRange(0),
    metavar="PRICE",
    help="Compare with a machine that costs so many dollars an hour.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def cost(
    since: str,
    by: str,
    always_on: float | None,
    endpoint_url: str,
    region: str,
    account: str | None,
    *,
    as_json: bool,
) -> None:
    """Say what AWS would have charged for what has run here.

    Idle environments cost nothing: invocations and their initialisation are counted, and the
    environments that provisioned concurrency keeps.
    """
    client = Client(Endpoint(endpoint_url, region, account))
    first = time.strftime("%Y-%m-%d", time.gmtime(time.time() - span_s(since)))
    used = client.get("/_emberbox/usage", {"since": first})
    if as_json:
        click.echo(json.dumps(used))
        return
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in used["days"]:
        groups.setdefault(_KEYS[by](row), []).append(row)
    if not groups:
        click.echo("nothing has run: nothing to pay")
        return
    click.echo(_groups(by, groups))
    for month in used["months"]:
        total, free = month["cost"]["total"], month["free"]["total"]
        click.echo(
            f"{month['month']}: {money(total)}, of which {money(min(free, total))} are free each "
            f"month: {money(max(0.0, total - free))} to pay"
        )
        if month["cost"]["provisioned"]:
            click.echo(
                f"{month['month']}: {money(month['cost']['provisioned'])} of it are for "
                "provisioned concurrency, which is never free"
            )
    for each in used["advice"]:
        click.echo(
            f"{each['function']} has {each['memoryMb']} MB, better {each['betterMb']} MB: "
            f"{each['why']}"
        )
    if always_on is not None:
        click.echo(_comparison(used, always_on))


def _groups(by: str, groups: dict[str, list[dict[str, Any]]]) -> str:
    rows = [
        (
            name,
            sum(r["runs"] for r in rows),
            sum(r["errors"] for r in rows),
            sum(r["cold"] for r in rows),
            f"{sum(r['gbSeconds'] for r in rows):.3f}",
            money(sum(r["cost"] for r in rows)),
        )
        for name, rows in groups.items()
    ]
    return table((by.upper(), "RUNS", "ERRORS", "COLD", "GB-S", "COST"), rows, "lrrrrr")


def _comparison(used: dict[str, Any], price: float) -> str:
    days = {row["day"] for row in used["days"]}
    spent = sum(row["cost"] for row in used["days"])
    month = spent / len(days) * 30 if days else 0.0
    machine = month_of_machine(price)
    runs = sum(row["runs"] for row in used["days"])
    each = spent / runs if runs else 0.0
    even = f", even at {machine / each:,.0f} runs a month" if each else ""
    cheaper = "Lambda" if month < machine else "the machine"
    return (
        f"At this rate a month of Lambda costs {money(month)} before the free tier, a machine "
        f"that is always on {money(machine)}: {cheaper} is cheaper{even}"
    )
