"""`python -m bench.rules`: rules, schedules, and how soon a handler hears of an event."""

import argparse
import json
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from bench.subjects import package
from tools.running import RunningServer, running

_EVENTS = 100
_RULES = 10_000
_CREATORS = 8
_ROLE = "arn:aws:iam::123456789012:role/bench"
_FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:heard"
_QUEUE = "arn:aws:sqs:us-east-1:123456789012:fired"
_HANDLER = (
    "import time\n"
    "def handler(event, context):\n"
    "    print('LATENCY', time.time() - event['detail']['at'])\n"
)


def main() -> None:
    """Measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", type=int, default=_RULES, help="rules beside the one hit")
    parser.add_argument("--schedules", type=int, default=100_000, help="due within one minute")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="emberbox-bench-") as place,
        running(Path(place) / "data", Path(place) / "log") as server,
    ):
        figures = _heard(server, 0)
        figures |= _heard(server, arguments.rules)
        figures |= _fired(server, arguments.schedules)
    print("| measured | value |\n|---|---:|")
    for name, value in figures.items():
        print(f"| {name} | {value:,.2f} |")


def _client(service: str, url: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="emberbox",
        aws_secret_access_key="emberbox",
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=_CREATORS),
    )


def _heard(server: RunningServer, rules: int) -> dict[str, float]:
    """From the call of PutEvents to the first line of the handler, with so many other rules."""
    events, functions = _client("events", server.url), _client("lambda", server.url)
    if not rules:
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
    _many(rules, lambda n: _rule(events, n))
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
    count = 0
    while time.perf_counter() < until:
        events.put_events(Entries=entries)
        count += 10
    return {
        f"PutEvents to handler, {rules:,} other rules, p50, ms": statistics.median(found),
        f"PutEvents to handler, {rules:,} other rules, p95, ms": found[int(len(found) * 0.95)],
        f"events matched, {rules:,} other rules, one client, per second": count / 4,
    }


def _rule(events: Any, number: int) -> None:
    pattern = {"source": ["bench"], "detail-type": ["beat"], "detail": {"kind": [f"k{number}"]}}
    events.put_rule(Name=f"other-{number}", EventPattern=json.dumps(pattern))


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


def _fired(server: RunningServer, count: int) -> dict[str, float]:
    """How late schedules send that are spread over one minute."""
    sqs, scheduler = _client("sqs", server.url), _client("scheduler", server.url)
    queue = sqs.create_queue(QueueName="fired")["QueueUrl"]
    first = datetime.now(UTC) + timedelta(seconds=30 + count / 400)
    began = time.perf_counter()
    _many(count, lambda n: _schedule(scheduler, n, first + timedelta(seconds=n % 60)))
    made_per_s = count / (time.perf_counter() - began)
    time.sleep(max(0.0, first.timestamp() - time.time()))
    late: list[float] = []
    deadline = time.monotonic() + 600
    while len(late) < count and time.monotonic() < deadline:
        late += _received(sqs, queue)
    late.sort()
    return {
        "schedules made, per second": made_per_s,
        f"{count:,} schedules in one minute: sent": float(len(late)),
        f"{count:,} schedules in one minute: late, p50, s": statistics.median(late),
        f"{count:,} schedules in one minute: late, p99, s": late[int(len(late) * 0.99)],
    }


def _schedule(scheduler: Any, number: int, at: datetime) -> None:
    scheduler.create_schedule(
        Name=f"s{number}",
        ScheduleExpression=at.strftime("at(%Y-%m-%dT%H:%M:%S)"),
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": _QUEUE, "RoleArn": _ROLE, "Input": "<aws.scheduler.scheduled-time>"},
    )


def _received(sqs: Any, queue: str) -> list[float]:
    got = sqs.receive_message(
        QueueUrl=queue,
        MaxNumberOfMessages=10,
        WaitTimeSeconds=1,
        MessageSystemAttributeNames=["SentTimestamp"],
    ).get("Messages", [])
    if got:
        entries = [
            {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]}
            for n, message in enumerate(got)
        ]
        sqs.delete_message_batch(QueueUrl=queue, Entries=entries)
    return [
        int(message["Attributes"]["SentTimestamp"]) / 1_000
        - datetime.fromisoformat(message["Body"]).timestamp()
        for message in got
    ]


def _many(count: int, make: Any) -> None:
    with ThreadPoolExecutor(_CREATORS) as pool:
        list(pool.map(make, range(count)))


if __name__ == "__main__":
    main()
