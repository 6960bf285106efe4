"""`python -m bench.queues`: rates of queues, and of a function that is fed by one.

With `--url` another SQS-compatible server is measured, as far as it needs no function.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from bench import processes
from bench.client import Answer, Connection, connect, plain_request
from bench.subjects import package
from tools.running import RunningServer, running

_CLIENTS = 16
_SECONDS = 4.0
_BODY = "x" * 100
_BACKLOG = 20_000
_MESSAGES = 100
_MAPPINGS = 100
_ARN = "arn:aws:sqs:us-east-1:123456789012:"
_HANDLER = (
    "import time\n"
    "def handler(event, context):\n"
    "    for record in event['Records']:\n"
    "        if record['body'].startswith('at '):\n"
    "            print('LATENCY', record['body'][3:], time.time())\n"
)


def main() -> None:
    """Measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="another server to measure, without functions")
    parser.add_argument("--backlog", type=int, default=_BACKLOG, help="messages to drain")
    arguments = parser.parse_args()
    if arguments.url:
        print(_table(asyncio.run(rates(arguments.url))))
        return
    with (
        tempfile.TemporaryDirectory(prefix="emberbox-bench-") as place,
        running(Path(place) / "data", Path(place) / "log") as server,
    ):
        figures = asyncio.run(rates(server.url))
        figures |= _fed(server, arguments.backlog)
    print(_table(figures))


def _table(figures: dict[str, float]) -> str:
    lines = ["| measured | value |", "|---|---:|"]
    lines += [f"| {name} | {value:,.2f} |" for name, value in figures.items()]
    return "\n".join(lines)


def client(service: str, url: str) -> Any:
    """A client of boto3 that does not try again."""
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="emberbox",
        aws_secret_access_key="emberbox",
        config=Config(retries={"total_max_attempts": 1}),
    )


def request(url: str, operation: str, **members: Any) -> bytes:
    """The bytes of a signed request to SQS."""
    body = json.dumps(members).encode()
    host = url.removeprefix("http://").rstrip("/")
    headers = {
        "Host": host,
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": f"AmazonSQS.{operation}",
    }
    request = AWSRequest("POST", f"http://{host}/", data=body, headers=headers)
    SigV4Auth(Credentials("emberbox", "emberbox"), "sqs", "us-east-1").add_auth(request)
    return plain_request("/", dict(request.headers.items()), body)


async def rates(url: str) -> dict[str, float]:
    """What any server that speaks SQS can do in a second."""
    sqs = client("sqs", url)
    queue = sqs.create_queue(QueueName="bench")["QueueUrl"]
    figures = {}
    send = request(url, "SendMessage", QueueUrl=queue, MessageBody=_BODY)
    figures["SendMessage, one client, per second"] = await _per_second(url, send, 1)
    figures[f"SendMessage, {_CLIENTS} clients, per second"] = await _per_second(url, send, _CLIENTS)
    figures[f"receive and delete one, {_CLIENTS} clients, per second"] = await _received(url, queue)
    entries = [{"Id": str(n), "MessageBody": _BODY} for n in range(10)]
    batch = request(url, "SendMessageBatch", QueueUrl=queue, Entries=entries)
    rate = await _per_second(url, batch, _CLIENTS)
    figures[f"messages in batches of ten, {_CLIENTS} clients, per second"] = rate * 10
    sqs.delete_queue(QueueUrl=queue)
    return figures


class _Client:
    """One client; a server may close a connection after so many requests, and be asked again."""

    def __init__(self, url: str, connection: Connection) -> None:
        self._url = url
        self._connection = connection

    async def call(self, request: bytes) -> Answer:
        """A good answer, or SystemExit."""
        answer = await self._connection.call(request)
        if not answer.status:
            self._connection = await connect(self._url)
            answer = await self._connection.call(request)
        if answer.status != 200:
            raise SystemExit(f"the server refused: {answer.status} {answer.body[:120]!r}")
        return answer


async def _per_second(url: str, request: bytes, clients: int) -> float:
    end = time.perf_counter() + _SECONDS
    done = 0

    async def work(client: _Client) -> None:
        nonlocal done
        while time.perf_counter() < end:
            await client.call(request)
            done += 1

    per_second = await _timed(url, clients, work)
    return per_second * done


async def _timed(url: str, clients: int, work: Callable[[_Client], Awaitable[None]]) -> float:
    """Let clients work, each on its connection; how much of a second they took, inverted."""
    made = [_Client(url, await connect(url)) for _ in range(clients)]
    began = time.perf_counter()
    await asyncio.gather(*map(work, made))
    return 1 / (time.perf_counter() - began)


async def _received(url: str, queue: str) -> float:
    """Messages received and deleted per second, while there are some."""
    receive = request(url, "ReceiveMessage", QueueUrl=queue)
    end = time.perf_counter() + _SECONDS
    done = 0

    async def work(client: _Client) -> None:
        nonlocal done
        while time.perf_counter() < end:
            answer = await client.call(receive)
            messages = json.loads(answer.body).get("Messages", [])
            if not messages:
                return
            handle = messages[0]["ReceiptHandle"]
            await client.call(request(url, "DeleteMessage", QueueUrl=queue, ReceiptHandle=handle))
            done += 1

    per_second = await _timed(url, _CLIENTS, work)
    return per_second * done


def _fed(server: RunningServer, backlog: int) -> dict[str, float]:
    """What a function sees: latency, a drained backlog, and what a hundred mappings cost idle."""
    made = client("lambda", server.url).create_function(
        FunctionName="fed",
        Runtime="python3.12",
        Role="arn:aws:iam::123456789012:role/bench",
        Handler="subject.handler",
        Code={"ZipFile": package(_HANDLER)},
        MemorySize=1769,
    )
    client("lambda", server.url).get_waiter("function_active_v2").wait(
        FunctionName=made["FunctionName"]
    )
    sqs = client("sqs", server.url)
    queue = sqs.create_queue(QueueName="fed")["QueueUrl"]
    _map(server.url, "fed")
    return {
        **_latency(server.url, queue),
        **_drained(server.url, sqs, backlog),
        **_idle(server, sqs),
    }


def _map(url: str, queue: str, **settings: Any) -> str:
    made = client("lambda", url).create_event_source_mapping(
        FunctionName="fed", EventSourceArn=_ARN + queue, **settings
    )
    client("lambda", url).get_event_source_mapping(UUID=made["UUID"])
    return str(made["UUID"])


def _latency(url: str, queue: str) -> dict[str, float]:
    """From the first byte of SendMessage to the first line of the handler, one at a time."""
    sent = asyncio.run(_sent_singly(url, queue))
    logs = client("logs", url)
    found: list[float] = []
    deadline = time.monotonic() + 20
    while len(found) < _MESSAGES and time.monotonic() < deadline:
        events = logs.filter_log_events(
            logGroupName="/aws/lambda/fed", filterPattern="LATENCY", limit=1_000
        )["events"]
        lines = [event["message"].split() for event in events]
        found = [(float(at) - sent[int(number)]) * 1_000 for _, number, at in lines]
    warm = sorted(found)[:-1]
    return {
        "SendMessage to handler, p50, ms": statistics.median(warm),
        "SendMessage to handler, p95, ms": warm[int(len(warm) * 0.95)],
    }


async def _sent_singly(url: str, queue: str) -> list[float]:
    """When each message was sent. Requests are signed before: it is the server that is measured."""
    connection, sent = await connect(url), []
    for number in range(_MESSAGES):
        message = request(url, "SendMessage", QueueUrl=queue, MessageBody=f"at {number}")
        sent.append(time.time())
        await connection.call(message)
        await asyncio.sleep(0.05)
    connection.close()
    return sent


def _drained(url: str, sqs: Any, backlog: int) -> dict[str, float]:
    """Messages per second from a queue that was full before its mapping came."""
    queue = sqs.create_queue(QueueName="backlog")["QueueUrl"]
    entries = [{"Id": str(n), "MessageBody": _BODY} for n in range(10)]
    for _ in range(backlog // 10):
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    began = time.perf_counter()
    _map(url, "backlog")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    while any(
        int(value)
        for value in sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)[
            "Attributes"
        ].values()
    ):
        time.sleep(0.1)
    seconds = time.perf_counter() - began
    return {f"backlog of {backlog} drained into a function, messages per second": backlog / seconds}


def _idle(server: RunningServer, sqs: Any) -> dict[str, float]:
    """Processor time of the server with a hundred mappings of empty queues."""
    for number in range(_MAPPINGS):
        sqs.create_queue(QueueName=f"idle{number}")
        _map(server.url, f"idle{number}")
    time.sleep(3)
    before = processes.cpu_seconds(server.pid)
    time.sleep(10)
    used = processes.cpu_seconds(server.pid) - before
    return {f"{_MAPPINGS} idle mappings, percent of a processor": used * 10}


if __name__ == "__main__":
    main()
