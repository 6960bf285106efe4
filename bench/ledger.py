"""What a server says of invocations, read as any user reads it: bill, metrics, logs."""

import json
import time
import urllib.request
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import boto3

_PAGE = 10_000


class Account(NamedTuple):
    """How often a function ran and failed, and what is billed for it, by one of the sources."""

    runs: int
    errors: int
    billed_ms: int | None


def client(url: str, service: str) -> Any:
    """A boto3 client of the server."""
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="emberbox",
        aws_secret_access_key="emberbox",
    )


def await_rest(url: str, functions: Iterable[str], patience_s: float = 60.0) -> None:
    """Wait until no environment of these functions is busy any more: all that ran is counted.

    An invocation is over when its runtime asks for the next, a moment after the answer.
    """
    names, deadline = set(functions), time.monotonic() + patience_s
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"{url}/_emberbox/now", timeout=60) as answer:
            rows = json.load(answer)["functions"]
        states = {s for row in rows if row["function"] in names for s in row["environments"]}
        if states <= {"IDLE", "EMPTY"}:
            return


def by_bill(url: str, function: str) -> Account:
    """What `emberbox cost` is made of."""
    with urllib.request.urlopen(f"{url}/_emberbox/usage", timeout=60) as answer:
        rows = [row for row in json.load(answer)["days"] if row["function"] == function]
    return Account(
        sum(row["runs"] for row in rows),
        sum(row["errors"] for row in rows),
        sum(row["billedMs"] for row in rows),
    )


def by_metrics(url: str, function: str) -> Account:
    """Invocations and Errors of AWS/Lambda."""
    cloudwatch, now = client(url, "cloudwatch"), datetime.now(UTC)

    def total(metric: str) -> int:
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName=metric,
            Dimensions=[{"Name": "FunctionName", "Value": function}],
            StartTime=now - timedelta(hours=6),
            EndTime=now + timedelta(hours=1),
            Period=86_400,
            Statistics=["Sum"],
        )["Datapoints"]
        return int(sum(point["Sum"] for point in points))

    return Account(total("Invocations"), total("Errors"), None)


def by_live(url: str, function: str) -> Account:
    """The counters that `emberbox top` shows."""
    with urllib.request.urlopen(f"{url}/_emberbox/now", timeout=60) as answer:
        rows = [row for row in json.load(answer)["functions"] if row["function"] == function]
    return Account(
        sum(row["runs"] for row in rows),
        sum(row["errors"] for row in rows),
        sum(row["billedMs"] for row in rows),
    )


def messages(url: str, function: str, pattern: str) -> Iterator[str]:
    """What the function's log holds, line by line."""
    logs = client(url, "logs")
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=f"/aws/lambda/{function}",
        filterPattern=pattern,
        PaginationConfig={"PageSize": _PAGE},
    )
    try:
        for page in pages:
            for event in page["events"]:
                yield event["message"]
    except logs.exceptions.ResourceNotFoundException:
        return


def by_log(url: str, function: str) -> Account:
    """REPORT lines; a log does not tell errors of a handler from success."""
    reports = list(messages(url, function, '"REPORT RequestId"'))
    billed = sum(int(line.split("Billed Duration: ")[1].split()[0]) for line in reports)
    return Account(len(reports), -1, billed)
