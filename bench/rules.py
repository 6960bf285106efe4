"""`python -m bench.rules`: rules, schedules, and how soon a handler hears of an event."""

import argparse
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from bench import processes
from bench.subjects import package
from tools.running import RunningServer, running

_EVENTS = 100
_RULES = 10_000
_CREATORS = 8
_MADE = 400
_AHEAD_S = 60
_LEFT_OUT = "schedules left out"
_ROLE = "arn:aws:iam::123456789012:role/bench"
_FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:heard"
_QUEUE = "arn:aws:sqs:us-east-1:123456789012:fired"
_HANDLER = (
    "import time\n"
    "def handler(event, context):\n"
    "    print('LATENCY', time.time() - event['detail']['at'])\n"
)


def main() -> int:
    """Measure, print a table; status 1 if a schedule was left out."""
    parser = argparse.ArgumentParser(prog="python -m bench.rules", description=__doc__)
    parser.add_argument("--rules", type=int, default=_RULES, help="rules beside the one hit")
    parser.add_argument("--schedules", type=int, default=100_000, help="due within one minute")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="emberbox-bench-") as place:
        data, log = Path(place) / "data", Path(place) / "log"
        with running(data, log) as server:
            _set_up(server.url)
            figures = {"server start, nothing there, ms": server.ready_s * 1_000}
            figures |= _made(server.url)
            figures |= _heard(server, 0)
        _copy_rules(data / "buses.db", arguments.rules)
        with running(data, log) as server:
            name = f"server start, {arguments.rules:,} rules, ms"
            figures[name] = server.ready_s * 1_000
            figures |= _heard(server, arguments.rules)
        first = int(time.time()) + _AHEAD_S
        _copy_schedules(data / "schedules.db", arguments.schedules, first)
        with running(data, log) as server:
            name = (
                f"server start, {arguments.rules:,} rules and {arguments.schedules:,} schedules, ms"
            )
            figures[name] = server.ready_s * 1_000
            _await_fired(server.url, arguments.schedules)
        fired = _fired(data / "queues.db", arguments.schedules)
    print("| measured | value |\n|---|---:|")
    for name, value in (figures | fired).items():
        print(f"| {name} | {value:,.2f} |")
    return 1 if fired[_LEFT_OUT] else 0


def _client(service: str, url: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="emberbox",
        aws_secret_access_key="emberbox",
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=_CREATORS),
    )


def _set_up(url: str) -> None:
    """A function that a rule invokes, and a queue for schedules."""
    events, functions = _client("events", url), _client("lambda", url)
    functions.create_function(
        FunctionName="heard",
        Runtime="python3.12",
        Role=_ROLE,
        Handler="subject.handler",
        Code={"ZipFile": package(_HANDLER)},
        MemorySize=1769,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="heard")
    events.put_rule(Name="heard", EventPattern='{"source": ["bench"]}')
    events.put_targets(Rule="heard", Targets=[{"Id": "f", "Arn": _FUNCTION}])
    _client("sqs", url).create_queue(QueueName="fired")


def _made(url: str) -> dict[str, float]:
    """How many rules and schedules clients make a second."""
    events, scheduler = _client("events", url), _client("scheduler", url)

    def rule(number: int) -> None:
        events.put_rule(Name=f"made-{number}", EventPattern='{"source": ["nobody else"]}')

    def schedule(number: int) -> None:
        scheduler.create_schedule(
            Name=f"made-{number}",
            ScheduleExpression="at(2099-01-01T00:00:00)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": _QUEUE, "RoleArn": _ROLE, "Input": "x"},
        )

    return {"rules made, per second": _rate(rule), "schedules made, per second": _rate(schedule)}


def _rate(make: Callable[[int], None]) -> float:
    began = time.perf_counter()
    with ThreadPoolExecutor(_CREATORS) as pool:
        list(pool.map(make, range(_MADE)))
    return _MADE / (time.perf_counter() - began)


def _copy_rules(path: Path, count: int) -> None:
    """Rules for other values of the same field, made of one in the database of a server that is
    down."""
    with closing(sqlite3.connect(path)) as database:
        where = "kind = 'rule' AND name = 'default/made-0'"
        kind, account, region, _, text = database.execute(
            f"SELECT kind, account, region, name, value FROM documents WHERE {where}"
        ).fetchone()
        rows = []
        for number in range(count):
            pattern = {
                "source": ["bench"],
                "detail-type": ["beat"],
                "detail": {"kind": [f"k{number}"]},
            }
            value = json.loads(text) | {"name": f"other-{number}", "pattern": json.dumps(pattern)}
            rows.append((kind, account, region, f"default/other-{number}", json.dumps(value)))
        database.executemany("INSERT INTO documents VALUES (?, ?, ?, ?, ?)", rows)
        database.commit()


def _copy_schedules(path: Path, count: int, first: int) -> None:
    """Schedules that are spread over one minute, in the same way."""
    with closing(sqlite3.connect(path)) as database:
        account, region, group, state, text = database.execute(
            "SELECT account, region, grp, state, value FROM schedules WHERE name = 'made-0'"
        ).fetchone()
        rows = []
        for number in range(count):
            at = first + number % 60
            value = json.loads(text)
            value["name"] = name = f"s{number}"
            value["expression"] = f"at({datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S})"
            value["target"]["Input"] = f"{at} {number}"
            rows.append((account, region, group, name, state, json.dumps(value), at, at))
        database.executemany("INSERT INTO schedules VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        database.commit()


def _heard(server: RunningServer, rules: int) -> dict[str, float]:
    """From the call of PutEvents to the first line of the handler, with so many other rules."""
    events = _client("events", server.url)
    began = time.time()
    for _ in range(_EVENTS):
        entry = {
            "Source": "bench",
            "DetailType": "beat",
            "Detail": json.dumps({"at": time.time(), "kind": "none"}),
        }
        events.put_events(Entries=[entry])
        time.sleep(0.02)
    found = sorted(_latencies(server.url, began))[:-1]
    entries = [{"Source": "nobody", "DetailType": "beat", "Detail": '{"kind": "none"}'}] * 10
    until = time.perf_counter() + 4
    count, used_s = 0, processes.cpu_seconds(server.pid)
    while time.perf_counter() < until:
        events.put_events(Entries=entries)
        count += 10
    return {
        f"PutEvents to handler, {rules:,} other rules, p50, ms": statistics.median(found),
        f"PutEvents to handler, {rules:,} other rules, p95, ms": found[int(len(found) * 0.95)],
        f"events matched, {rules:,} other rules, one client, per second": count / 4,
        f"server's processor time for an event, {rules:,} other rules, ms": (
            (processes.cpu_seconds(server.pid) - used_s) / count * 1_000
        ),
    }


def _latencies(url: str, began: float) -> list[float]:
    logs = _client("logs", url)
    deadline = time.monotonic() + 30
    found: list[float] = []
    while len(found) < _EVENTS and time.monotonic() < deadline:
        told = logs.filter_log_events(
            logGroupName="/aws/lambda/heard",
            filterPattern="LATENCY",
            startTime=int(began * 1_000),
        )["events"]
        found = [float(event["message"].split()[1]) * 1_000 for event in told]
    return found


def _await_fired(url: str, count: int) -> None:
    """Until so many messages are in the queue, or no more come for long."""
    sqs = _client("sqs", url)
    queue = sqs.get_queue_url(QueueName="fired")["QueueUrl"]
    there, deadline = 0, time.monotonic() + 2 * _AHEAD_S
    while there < count and time.monotonic() < deadline:
        time.sleep(1)
        asked = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
        now = int(asked["ApproximateNumberOfMessages"])
        if now > there:
            there, deadline = now, time.monotonic() + 2 * _AHEAD_S


def _fired(path: Path, count: int) -> dict[str, float]:
    """How late each was sent: what the queue holds, read from its database."""
    late: list[float] = []
    seen: set[str] = set()
    with closing(sqlite3.connect(path)) as database:
        for body, sent in database.execute(
            "SELECT body, sent_ms / 1000.0 FROM messages JOIN message_contents USING (id)"
        ):
            at, number = body.split()
            seen.add(number)
            late.append(sent - int(at))
    late.sort()
    name = f"{count:,} schedules in one minute"
    return {
        f"{name}: late, p50, s": statistics.median(late),
        f"{name}: late, p99, s": late[int(len(late) * 0.99)],
        f"{name}: late, most, s": late[-1],
        f"{name}: sent before their time": float(sum(each < 0 for each in late)),
        f"{name}: sent twice": float(len(late) - len(seen)),
        _LEFT_OUT: float(count - len(seen)),
    }


if __name__ == "__main__":
    sys.exit(main())
