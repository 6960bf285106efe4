"""`python -m bench.crash_push`: uploads, events and schedules outlive a server that is killed again
and again.

Clients put objects, in one piece and in parts, put events, and make schedules for the next seconds.
The server is killed with SIGKILL while they do, and started again on the same data directory. At
the end every object that was acknowledged must be there byte for byte and its queue told of it,
every event and every schedule must have come to its queue, and no object may be half.
"""

import argparse
import hashlib
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tools.running import start

_QUEUES = ("objects", "events", "schedules")
_ARN = "arn:aws:sqs:us-east-1:123456789012:"
_ROLE = "arn:aws:iam::123456789012:role/crash"
_PART = 5 << 20
_SIZES = (0, 100, 60_000, _PART + 1)
_UPLOADERS = 2
_LIFE_S = (0.5, 2.5)
_AHEAD_S = (2, 8)
_PATIENCE_S = 120.0


@dataclass
class Ledger:
    """What was acknowledged: digests of objects by key, numbers of events and schedules."""

    objects: dict[str, str] = field(default_factory=dict)
    events: set[str] = field(default_factory=set)
    schedules: set[str] = field(default_factory=set)

    @property
    def is_begun(self) -> bool:
        """Whether there is some of each."""
        return bool(self.objects and self.events and self.schedules)


class Clients:
    """One server's clients, each in a thread, until the server is gone."""

    def __init__(self, url: str, ledger: Ledger, numbers: Any, seed: int) -> None:
        self._s3, self._events = client("s3", url), client("events", url)
        self._scheduler = client("scheduler", url)
        self._ledger, self._numbers = ledger, numbers
        self._choice = random.Random(seed)
        works = [self._upload] * _UPLOADERS + [self._tell, self._schedule]
        self._threads = [threading.Thread(target=_until_gone, args=(work,)) for work in works]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Until all have seen the end of the server."""
        for thread in self._threads:
            thread.join()

    def _upload(self) -> None:
        key = f"object {next(self._numbers)}"
        data = self._choice.randbytes(self._choice.choice(_SIZES))
        if len(data) > _PART:
            where = {"Bucket": "crash", "Key": key}
            upload = self._s3.create_multipart_upload(**where)["UploadId"]
            parts = []
            for number, part in enumerate((data[:_PART], data[_PART:]), start=1):
                put = self._s3.upload_part(**where, UploadId=upload, PartNumber=number, Body=part)
                parts.append({"PartNumber": number, "ETag": put["ETag"]})
            self._s3.complete_multipart_upload(
                **where, UploadId=upload, MultipartUpload={"Parts": parts}
            )
        else:
            self._s3.put_object(Bucket="crash", Key=key, Body=data)
        self._ledger.objects[key] = hashlib.sha256(data).hexdigest()

    def _tell(self) -> None:
        number = str(next(self._numbers))
        entry = {"Source": "crash", "DetailType": "n", "Detail": json.dumps({"n": number})}
        told = self._events.put_events(Entries=[entry])
        if not told["FailedEntryCount"]:
            self._ledger.events.add(number)

    def _schedule(self) -> None:
        number = str(next(self._numbers))
        ahead = timedelta(seconds=self._choice.randint(*_AHEAD_S))
        at = (datetime.now(UTC) + ahead).replace(microsecond=0)
        self._scheduler.create_schedule(
            Name=f"s{number}",
            ScheduleExpression=at.strftime("at(%Y-%m-%dT%H:%M:%S)"),
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": f"{_ARN}schedules", "RoleArn": _ROLE, "Input": json.dumps(number)},
        )
        if datetime.now(UTC) < at:  # one whose moment has passed when it is made never runs
            self._ledger.schedules.add(number)


def _until_gone(work: Callable[[], None]) -> None:
    while True:
        try:
            work()
        except (BotoCoreError, ClientError, OSError):
            return


def client(service: str, url: str) -> Any:
    """A client that neither waits long nor tries again."""
    config = Config(
        retries={"total_max_attempts": 1},
        connect_timeout=20,
        read_timeout=20,
        max_pool_connections=8,
    )
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="emberbox",
        aws_secret_access_key="emberbox",
        config=config,
    )


def set_up(url: str) -> None:
    """A bucket that tells a queue, a rule that leads to another one, one for schedules."""
    sqs, s3, events = client("sqs", url), client("s3", url), client("events", url)
    for name in _QUEUES:
        sqs.create_queue(QueueName=name)
    s3.create_bucket(Bucket="crash")
    told = {"QueueArn": f"{_ARN}objects", "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket="crash", NotificationConfiguration={"QueueConfigurations": [told]}
    )
    events.put_rule(Name="crash", EventPattern='{"source": ["crash"]}')
    target = {"Id": "q", "Arn": f"{_ARN}events", "InputPath": "$.detail.n"}
    events.put_targets(Rule="crash", Targets=[target])


def drain(url: str, name: str, wanted: set[str], read: Callable[[str], str]) -> Counter[str]:
    """What came into a queue, once all that is wanted has or the time is over."""
    sqs = client("sqs", url)
    queue = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    found: Counter[str] = Counter()
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        got = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        messages = got.get("Messages", [])
        found.update(each for each in (read(message["Body"]) for message in messages) if each)
        for message in messages:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        if not messages and wanted <= found.keys():
            break
    return found


def _told_key(body: str) -> str:
    """The key that a notification is of; empty for the test event."""
    records = json.loads(body).get("Records", [])
    return records[0]["s3"]["object"]["key"].replace("+", " ") if records else ""


def kept(url: str) -> tuple[dict[str, str], int]:
    """Digests of all objects that are listed, and how many are not as long as they say."""
    s3, found, halves = client("s3", url), {}, 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="crash"):
        for each in page.get("Contents", []):
            body = s3.get_object(Bucket="crash", Key=each["Key"])["Body"].read()
            found[each["Key"]] = hashlib.sha256(body).hexdigest()
            halves += len(body) != each["Size"]
    return found, halves


def main() -> int:
    """Status 1 if anything that was acknowledged is lost, or anything is half."""
    parser = argparse.ArgumentParser(prog="python -m bench.crash_push", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="default: 20")
    parser.add_argument("--seed", type=int, default=1, help="of sizes and moments (default: 1)")
    arguments = parser.parse_args()
    choice, numbers, ledger = random.Random(arguments.seed), count(), Ledger()
    with tempfile.TemporaryDirectory(prefix="emberbox-crash-") as place:
        data, log = Path(place) / "data", Path(place) / "log"
        server = start(data, log)
        set_up(server.url)
        for life in range(arguments.kills):
            clients = Clients(server.url, ledger, numbers, arguments.seed + life)
            clients.start()
            begun = time.monotonic()
            time.sleep(choice.uniform(*_LIFE_S))
            while not ledger.is_begun and time.monotonic() < begun + _PATIENCE_S:
                time.sleep(0.05)
            server.kill()
            clients.join()
            server = start(data, log)
        there, halves = kept(server.url)
        told = drain(server.url, "objects", set(ledger.objects), _told_key)
        events = drain(server.url, "events", ledger.events, json.loads)
        schedules = drain(server.url, "schedules", ledger.schedules, json.loads)
        status = server.stop()
        said = log.read_text("utf-8", "replace")
    lost = {
        "objects": sum(there.get(key) != digest for key, digest in ledger.objects.items()),
        "notifications": len(ledger.objects.keys() - told.keys()),
        "events": len(ledger.events - events.keys()),
        "schedules": len(ledger.schedules - schedules.keys()),
    }
    report = {
        "kills": arguments.kills,
        "acknowledged": {
            "objects": len(ledger.objects),
            "events": len(ledger.events),
            "schedules": len(ledger.schedules),
        },
        "lost": lost,
        "half_objects": halves,
        "came_more_than_once": {
            name: sum(1 for times in found.values() if times > 1)
            for name, found in (
                ("notifications", told),
                ("events", events),
                ("schedules", schedules),
            )
        },
        "tracebacks_in_the_server_log": said.count("Traceback"),
    }
    print(json.dumps(report, indent=2))
    return 1 if any(lost.values()) or halves or status or "Traceback" in said else 0


if __name__ == "__main__":
    sys.exit(main())
