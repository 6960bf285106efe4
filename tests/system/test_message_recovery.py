"""What was acknowledged is there after kill -9: messages sent, received and published."""

import itertools
import threading
import time

import boto3
import pytest
from botocore.config import Config

from tools.running import running, start

ROUNDS = 4


def client(service, url):
    """A client that neither waits nor tries again."""
    config = Config(
        retries={"total_max_attempts": 1},
        connect_timeout=20,
        read_timeout=30,
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


class Sender(threading.Thread):
    """Sends numbered messages until the server is gone; `sent` are those that were answered."""

    def __init__(self, send, numbers):
        super().__init__()
        self._send = send
        self._numbers = numbers
        self.sent = []

    def run(self):
        try:
            while True:
                number = next(self._numbers)
                self._send(str(number))
                self.sent.append(number)
        except Exception:  # noqa: BLE001 - the server was killed
            return


def crashed(place, data, make_sends):
    """Numbers that were acknowledged by servers that were killed amid sending."""
    numbers, sent = itertools.count(), []
    for round_ in range(ROUNDS):
        server = start(data, place / f"log{round_}")
        senders = [Sender(send, numbers) for send in make_sends(server.url)]
        for sender in senders:
            sender.start()
        deadline = time.monotonic() + 60
        while sum(len(s.sent) for s in senders) < 50 and time.monotonic() < deadline:
            senders[0].join(0.01)
        server.kill()
        for sender in senders:
            sender.join()
            sent += sender.sent
    assert len(sent) >= ROUNDS * 50
    return sent


def drained(sqs, url, want, wait_s=60):
    """The bodies in a queue as they come, until all that are wanted have."""
    found = []
    deadline = time.monotonic() + wait_s
    while not want <= set(found) and time.monotonic() < deadline:
        got = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, VisibilityTimeout=600
        )
        found += [int(message["Body"]) for message in got.get("Messages", [])]
        entries = [
            {"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]}
            for n, m in enumerate(got.get("Messages", []))
        ]
        if entries:
            sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    return found


@pytest.mark.slow
def test_no_message_that_was_acknowledged_is_lost_by_a_crash(tmp_path):
    """Four servers are killed while four clients send to a queue."""

    def sends(url):
        for _ in range(4):
            sqs = client("sqs", url)
            queue = sqs.create_queue(QueueName="crash")["QueueUrl"]
            yield lambda body, sqs=sqs, queue=queue: sqs.send_message(
                QueueUrl=queue, MessageBody=body
            )

    sent = set(crashed(tmp_path, tmp_path / "data", sends))
    with running(tmp_path / "data", tmp_path / "last") as server:
        sqs = client("sqs", server.url)
        found = drained(sqs, sqs.get_queue_url(QueueName="crash")["QueueUrl"], sent)
    assert sent <= set(found)


@pytest.mark.slow
def test_a_fifo_queue_keeps_order_and_ids_through_crashes(tmp_path):
    """One client; what it has sent comes in its order, each message once."""

    def sends(url):
        sqs = client("sqs", url)
        attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        queue = sqs.create_queue(QueueName="crash.fifo", Attributes=attributes)["QueueUrl"]
        yield lambda body: sqs.send_message(QueueUrl=queue, MessageBody=body, MessageGroupId="g")

    sent = set(crashed(tmp_path, tmp_path / "data", sends))
    with running(tmp_path / "data", tmp_path / "last") as server:
        sqs = client("sqs", server.url)
        queue = sqs.get_queue_url(QueueName="crash.fifo")["QueueUrl"]
        again = str(max(sent))
        sqs.send_message(QueueUrl=queue, MessageBody=again, MessageGroupId="g")
        found = drained(sqs, queue, sent)
    assert sent <= set(found)
    assert found == sorted(set(found))


@pytest.mark.slow
def test_no_message_that_was_published_is_lost_by_a_crash(tmp_path):
    """Servers are killed between publishing and delivery; the queue has everything in the end."""

    def sends(url):
        sns, sqs = client("sns", url), client("sqs", url)
        sqs.create_queue(QueueName="crash")
        topic = sns.create_topic(Name="crash")["TopicArn"]
        sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint="arn:aws:sqs:us-east-1:123456789012:crash",
            Attributes={"RawMessageDelivery": "true"},
        )
        for _ in range(3):
            own = client("sns", url)
            yield lambda body, own=own: own.publish(TopicArn=topic, Message=body)

    sent = set(crashed(tmp_path, tmp_path / "data", sends))
    with running(tmp_path / "data", tmp_path / "last") as server:
        sqs = client("sqs", server.url)
        found = drained(sqs, sqs.get_queue_url(QueueName="crash")["QueueUrl"], sent)
    assert sent <= set(found)


@pytest.mark.slow
def test_a_message_in_flight_comes_back_though_the_server_was_killed(tmp_path):
    """Not before its visibility timeout is over, and not much later."""
    server = start(tmp_path / "data", tmp_path / "log")
    sqs = client("sqs", server.url)
    queue = sqs.create_queue(QueueName="flight")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="1")
    got = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=6)
    received = time.monotonic()
    assert len(got["Messages"]) == 1
    server.kill()
    with running(tmp_path / "data", tmp_path / "log2") as server:
        sqs = client("sqs", server.url)
        queue = sqs.get_queue_url(QueueName="flight")["QueueUrl"]
        got = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=9)
        waited = time.monotonic() - received
        assert [m["Body"] for m in got["Messages"]] == ["1"]
        assert waited >= 5.9
