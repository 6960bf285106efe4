"""`python -m bench.message_crash`: queues and topics outlive a server that is killed.

Clients send to a standard and a FIFO queue, publish to a FIFO topic that feeds a FIFO queue,
receive and delete, while the server is killed with SIGKILL and started again on the same data.
Who sends to a FIFO queue or topic repeats a message, under its deduplication id, until it is
acknowledged. In the end everything is received: what was acknowledged must be there; in FIFO queues
once, and in the order in which each group was sent.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import uvloop
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bench.client import Connection, connect, plain_request
from bench.queues import client, request
from tools.running import RunningServer, start

_ACCOUNT = "123456789012"
_TOPIC = f"arn:aws:sns:us-east-1:{_ACCOUNT}:news.fifo"
_QUEUE_ARN = f"arn:aws:sqs:us-east-1:{_ACCOUNT}:"
_GROUPS = 3
_SENDERS = 3
_RECEIVERS = 2
_EMPTY_IN_A_ROW = 3
_PATIENCE_S = 60.0
_IN_FLIGHT_S = "2"


@dataclass
class Story:
    """What was acknowledged and what came out, over all lives of the server.

    `next_of` is the message that each sender of a group has not had acknowledged yet, by what it
    sends to and its group.
    """

    numbers: "count[int]" = field(default_factory=count)
    sent: set[int] = field(default_factory=set)
    received: set[int] = field(default_factory=set)
    next_of: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    ordered: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(list))

    @property
    def acknowledged(self) -> int:
        """How many messages in all."""
        return len(self.sent) + sum(self.next_of.values())

    def is_whole(self, queue: str) -> bool:
        """Whether all that was acknowledged for a queue has come."""
        if queue == "plain":
            return self.sent <= self.received
        groups = [group for name, group in self.next_of if name == queue]
        return all(len(self.ordered[queue, g]) >= self.next_of[queue, g] for g in groups)

    def plain(self, message: dict[str, Any]) -> None:
        """A message of the standard queue has come."""
        self.received.add(int(message["Body"]))

    def in_order(self, queue: str, message: dict[str, Any]) -> None:
        """A message of a FIFO queue has come."""
        group = message["Attributes"]["MessageGroupId"]
        self.ordered[queue, group].append(int(message["Body"]))


def _queue(url: str, name: str) -> str:
    return f"{url}/{_ACCOUNT}/{name}"


def _publish(url: str, group: str, number: int) -> bytes:
    """The bytes of a signed request to publish a message."""
    members = {
        "Action": "Publish",
        "Version": "2010-03-31",
        "TopicArn": _TOPIC,
        "Message": str(number),
        "MessageGroupId": group,
        "MessageDeduplicationId": f"{group}-{number}",
    }
    body = urlencode(members).encode()
    headers = {
        "Host": urlsplit(url).netloc,
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
    }
    signed = AWSRequest("POST", f"{url}/", data=body, headers=headers)
    SigV4Auth(Credentials("emberbox", "emberbox"), "sns", "us-east-1").add_auth(signed)
    return plain_request("/", dict(signed.headers.items()), body)


def _send_ordered(url: str, group: str, number: int) -> bytes:
    return request(
        url,
        "SendMessage",
        QueueUrl=_queue(url, "ordered.fifo"),
        MessageBody=str(number),
        MessageGroupId=group,
        MessageDeduplicationId=f"{group}-{number}",
    )


_MAKE = {"ordered.fifo": _send_ordered, "fed.fifo": _publish}
"""How a message gets into each FIFO queue."""


class Life:
    """The clients of one life of the server, which ends when so much was acknowledged."""

    def __init__(self, server: RunningServer, story: Story, until: int) -> None:
        self._server = server
        self._story = story
        self._until = until

    async def live(self) -> None:
        """Until the server is dead."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_SENDERS):
                group.create_task(self._while_there(self._send))
            for _ in range(_RECEIVERS):
                group.create_task(self._while_there(self._receive))
            for name in _MAKE:
                for number in range(_GROUPS):
                    group.create_task(self._while_there(self._in_order, name, f"g{number}"))

    async def _while_there(self, step: Callable[..., Awaitable[int]], *values: str) -> None:
        try:
            connection = await connect(self._server.url)
        except OSError:
            return
        while await step(connection, *values):
            if self._story.acknowledged >= self._until and self._server.process.poll() is None:
                self._server.process.kill()
        connection.close()

    async def _send(self, connection: Connection) -> int:
        url, number = self._server.url, next(self._story.numbers)
        where = _queue(url, "plain")
        answer = await connection.call(
            request(url, "SendMessage", QueueUrl=where, MessageBody=str(number))
        )
        if answer.status == 200:
            self._story.sent.add(number)
        return answer.status

    async def _in_order(self, connection: Connection, queue: str, group: str) -> int:
        number = self._story.next_of[queue, group]
        answer = await connection.call(_MAKE[queue](self._server.url, group, number))
        if answer.status == 200:
            self._story.next_of[queue, group] = number + 1
        return answer.status

    async def _receive(self, connection: Connection) -> int:
        found = await receive(connection, self._server.url, "plain", self._story.plain)
        return found is not None


async def receive(
    connection: Connection, url: str, queue: str, heard: Callable[[dict[str, Any]], None]
) -> int | None:
    """How many messages of a queue were heard of and deleted; None if the server is gone."""
    where = _queue(url, queue)
    asked = {"QueueUrl": where, "MaxNumberOfMessages": 10, "AttributeNames": ["MessageGroupId"]}
    answer = await connection.call(request(url, "ReceiveMessage", **asked, WaitTimeSeconds=1))
    if answer.status != 200:
        return None
    found: list[dict[str, Any]] = json.loads(answer.body).get("Messages", [])
    for message in found:
        heard(message)
    if found:
        entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(found)]
        gone = await connection.call(
            request(url, "DeleteMessageBatch", QueueUrl=where, Entries=entries)
        )
        return len(found) if gone.status == 200 else None
    return 0


async def drain(url: str, story: Story) -> None:
    """Receive what is left, until all queues have been empty for a while.

    What a topic or a killed receiver still has gets its time to come.
    """
    connection = await connect(url)
    for queue in ("plain", *_MAKE):
        empty, end = 0, time.monotonic() + _PATIENCE_S
        while empty < _EMPTY_IN_A_ROW or not (story.is_whole(queue) or time.monotonic() > end):
            heard = story.plain if queue == "plain" else partial(story.in_order, queue)
            found = await receive(connection, url, queue, heard)
            if found is None:
                raise SystemExit(f"the server refused to give out {queue}")
            empty = 0 if found else empty + 1
    connection.close()


def prepare(url: str) -> None:
    """The queues, the topic, and its subscription."""
    sqs, sns = client("sqs", url), client("sns", url)
    sqs.create_queue(QueueName="plain", Attributes={"VisibilityTimeout": _IN_FLIGHT_S})
    for name in _MAKE:
        sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"})
    sns.create_topic(Name="news.fifo", Attributes={"FifoTopic": "true"})
    sns.subscribe(
        TopicArn=_TOPIC,
        Protocol="sqs",
        Endpoint=_QUEUE_ARN + "fed.fifo",
        Attributes={"RawMessageDelivery": "true"},
    )


def verdict(story: Story) -> dict[str, Any]:
    """What is wrong, by what it is; all empty if nothing is.

    The last message of a group may be there without having been acknowledged.
    """
    wrong: dict[str, Any] = {"lost": sorted(story.sent - story.received)[:10]}
    for (queue, group), acknowledged in sorted(story.next_of.items()):
        got = story.ordered[queue, group]
        if got not in (list(range(acknowledged)), list(range(acknowledged + 1))):
            wrong[f"{queue} {group}"] = f"{acknowledged} acknowledged, received {got[:50]}"
    return {name: value for name, value in wrong.items() if value}


def main() -> int:
    """Status 1 if anything was lost, doubled or out of order, or the server has met a fault."""
    parser = argparse.ArgumentParser(prog="python -m bench.message_crash", description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000, help="default: 20000")
    parser.add_argument("--kills", type=int, default=20, help="default: 20")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (default: 1)")
    arguments = parser.parse_args()
    choice, story = random.Random(arguments.seed), Story()
    mean = arguments.messages / arguments.kills
    with tempfile.TemporaryDirectory(prefix="emberbox-crash-") as place:
        data, log = Path(place) / "data", Path(place) / "log"
        server = start(data, log)
        prepare(server.url)
        for _ in range(arguments.kills):
            life = max(1, int(mean * choice.uniform(0.5, 1.5)))
            uvloop.run(Life(server, story, story.acknowledged + life).live())
            server.kill()
            server = start(data, log)
        uvloop.run(drain(server.url, story))
        status = server.stop()
        said = log.read_text("utf-8", "replace")
    wrong = verdict(story)
    report = {
        "kills": arguments.kills,
        "acknowledged": story.acknowledged,
        "wrong": wrong,
        "tracebacks_in_the_server_log": said.count("Traceback"),
    }
    print(json.dumps(report, indent=2))
    return 1 if wrong or status or "Traceback" in said else 0


if __name__ == "__main__":
    sys.exit(main())
