"""`python -m bench.conservation`: the client, the bill, the metrics and the logs agree exactly.

Functions that work, print, fail, exit, run too long or do not import are invoked by several clients
at once; then everybody is asked how often each ran, failed, and for how long it is billed.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import uvloop

from bench.ledger import Account, await_rest, by_bill, by_live, by_log, by_metrics
from bench.soak import KINDS, work
from bench.subjects import Subjects
from tools.running import running


def seen_by_client(results: Counter[str]) -> dict[str, Account]:
    """By kind of function."""
    return {
        kind: Account(count, count if KINDS[kind].failure else 0, None)
        for kind, count in results.items()
        if kind in KINDS
    }


def disagreements(url: str, names: dict[str, str], seen: dict[str, Account]) -> list[str]:
    """Where somebody counts otherwise than the client, in words."""
    found = []
    for kind, client in seen.items():
        name = names[kind]
        told = {
            "bill": by_bill(url, name),
            "metrics": by_metrics(url, name),
            "counters": by_live(url, name),
            "log": by_log(url, name),
        }
        billed_ms = told["bill"].billed_ms
        for who, account in told.items():
            if account.runs != client.runs:
                found.append(f"{kind}: {who} has {account.runs} runs, the client {client.runs}")
            if account.errors not in (client.errors, -1):
                found.append(f"{kind}: {who} has {account.errors} errors, not {client.errors}")
            if account.billed_ms not in (billed_ms, None):
                found.append(f"{kind}: {who} bills {account.billed_ms} ms, the bill {billed_ms}")
    return found


def main() -> int:
    """Status 1 if anybody disagrees."""
    parser = argparse.ArgumentParser(prog="python -m bench.conservation", description=__doc__)
    parser.add_argument("--invocations", type=int, default=50_000, help="default: 50000")
    parser.add_argument("--seed", type=int, default=1, help="of the random order (default: 1)")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="emberbox-conservation-") as place,
        running(Path(place) / "data", Path(place) / "log") as server,
    ):
        subjects = Subjects(server.url)
        names = {
            kind: subjects.create(kind, timeout_s=how.timeout_s)[0] for kind, how in KINDS.items()
        }
        began = time.monotonic()
        results: Counter[str] = uvloop.run(
            work(server.url, names, arguments.invocations, arguments.seed)
        )
        took = time.monotonic() - began
        await_rest(server.url, names.values())
        found = disagreements(server.url, names, seen_by_client(results))
        subjects.close()
    wrong = {text: count for text, count in results.items() if text not in KINDS}
    report = {
        "invocations": results.total(),
        "seconds": round(took, 1),
        "kinds": {kind: results[kind] for kind in KINDS},
        "wrong": wrong,
        "disagreements": found,
    }
    print(json.dumps(report, indent=2))
    return 1 if wrong or found else 0


if __name__ == "__main__":
    sys.exit(main())
