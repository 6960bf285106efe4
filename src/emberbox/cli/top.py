"""`emberbox top`: what runs now, anew each second."""

import sys
import time
from typing import Any

import click

from emberbox.cli.client import Client
from emberbox.cli.endpoint import Endpoint, client_options
from emberbox.cli.table import table

_HEAD = (
    *("FUNCTION", "RUN/S", "P50 MS", "P99 MS", "ERR %", "COLD", "THROTTLED"),
    *("BUSY", "IDLE", "GB-S/H"),
)
_CLEAR = "\x1b[H\x1b[2J"


@click.command()
@client_options
@click.option(
    "--interval", default=1.0, show_default=True, type=click.FloatRange(0.1), help="Seconds."
)
@click.option(
    "--count", type=click.IntRange(1), help="How often, then end. [default: until Ctrl-C]"
)
def top(
    interval: float, count: int | None, endpoint_url: str, region: str, account: str | None
) -> None:
    """Watch functions: rates, times, errors, environments."""
    client = Client(Endpoint(endpoint_url, region, account))
    before = client.get("/_emberbox/now")
    shown = 0
    while count is None or shown < count:
        time.sleep(interval)
        now = client.get("/_emberbox/now")
        text = table(_HEAD, _rows(before, now), "lrrrrrrrrr")
        click.echo(f"{_CLEAR if sys.stdout.isatty() else ''}{text}")
        before = now
        shown += 1


def _rows(before: dict[str, Any], now: dict[str, Any]) -> list[tuple[object, ...]]:
    seconds = max(now["at"] - before["at"], 1e-9)
    earlier = {_key(row): row for row in before["functions"]}
    rows = []
    for row in now["functions"]:
        was = earlier.get(_key(row), {})
        runs = row["runs"] - was.get("runs", 0)
        errors = row["errors"] - was.get("errors", 0)
        spent = row["gbSeconds"] - was.get("gbSeconds", 0.0)
        states = row["environments"]
        rows.append(
            (
                row["function"],
                f"{runs / seconds:.1f}",
                row["p50Ms"] if row["p50Ms"] is not None else "-",
                row["p99Ms"] if row["p99Ms"] is not None else "-",
                f"{100 * errors / runs:.1f}" if runs else "-",
                row["cold"] - was.get("cold", 0),
                row["throttles"] - was.get("throttles", 0),
                states.get("BUSY", 0),
                states.get("IDLE", 0),
                f"{spent / seconds * 3_600:.2f}",
            )
        )
    return sorted(rows, key=lambda row: -float(str(row[1])))


def _key(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["account"], row["region"], row["function"]
