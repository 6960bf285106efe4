"""`emberbox top`: what runs now, anew each second."""

import json
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
@click.option("--json", "as_json", is_flag=True, help="One JSON array a look.")
def top(
    interval: float,
    count: int | None,
    as_json: bool,
    endpoint_url: str,
    region: str,
    account: str | None,
) -> None:
    """Watch functions: rates, times, errors, environments."""
    client = Client(Endpoint(endpoint_url, region, account))
    before = client.get("/_emberbox/now")
    shown = 0
    while count is None or shown < count:
        time.sleep(interval)
        now = client.get("/_emberbox/now")
        rows = _rows(before, now)
        if as_json:
            click.echo(json.dumps(rows))
        else:
            text = table(_HEAD, [_shown(row) for row in rows], "lrrrrrrrrr")
            click.echo(f"{_CLEAR if sys.stdout.isatty() else ''}{text}")
        before = now
        shown += 1


def _rows(before: dict[str, Any], now: dict[str, Any]) -> list[dict[str, Any]]:
    """What each function did between two looks, the busiest first."""
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
            {
                **{name: row[name] for name in ("account", "region", "function")},
                "perSecond": round(runs / seconds, 3),
                "p50Ms": row["p50Ms"],
                "p99Ms": row["p99Ms"],
                "errorShare": round(errors / runs, 6) if runs else None,
                "cold": row["cold"] - was.get("cold", 0),
                "throttled": row["throttles"] - was.get("throttles", 0),
                "busy": states.get("BUSY", 0),
                "idle": states.get("IDLE", 0),
                "gbSecondsPerHour": round(spent / seconds * 3_600, 3),
            }
        )
    return sorted(rows, key=lambda row: -row["perSecond"])


def _shown(row: dict[str, Any]) -> tuple[object, ...]:
    share = row["errorShare"]
    return (
        row["function"],
        f"{row['perSecond']:.1f}",
        row["p50Ms"] if row["p50Ms"] is not None else "-",
        row["p99Ms"] if row["p99Ms"] is not None else "-",
        f"{100 * share:.1f}" if share is not None else "-",
        row["cold"],
        row["throttled"],
        row["busy"],
        row["idle"],
        f"{row['gbSecondsPerHour']:.2f}",
    )


def _key(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["account"], row["region"], row["function"]
