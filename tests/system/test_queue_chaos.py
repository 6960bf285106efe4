"""Queues and their functions when things go wrong: nothing is lost, and the server stays up."""

import itertools
import os
import subprocess
import time
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError
from material import ROLE, make_zip
from test_message_recovery import client, drained

from tools.running import running, start

ARN = "arn:aws:sqs:us-east-1:123456789012:"
_WAIT_S = 100

# Without an SDK, whose import takes long on a busy machine.
FORWARD = """
    import http.client, os, random, urllib.parse

    HOST = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc

    def lambda_handler(event, context):
        if random.random() < float(os.environ.get("FAILS", "0")):
            raise ValueError("now and then")
        for record in event["Records"]:
            form = {"Action": "SendMessage", "Version": "2012-11-05"}
            form = urllib.parse.urlencode(form | {"MessageBody": record["body"]})
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            sqs = http.client.HTTPConnection(HOST)
            sqs.request("POST", f"/123456789012/{os.environ['TO']}", form, kind)
            answer = sqs.getresponse()
            assert answer.status == 200, answer.read()
"""


class Chain:
    """A queue that feeds a function that sends to another queue, on one server."""

    def __init__(self, url, name):
        self.sqs, self.functions = client("sqs", url), client("lambda", url)
        self.name = name

    def make(self, fails="0", **settings):
        """Queues, function and mapping; the mapping's UUID."""
        visibility = {"VisibilityTimeout": "4"}
        self.sqs.create_queue(QueueName=f"{self.name}-in", Attributes=visibility)
        self.sqs.create_queue(QueueName=f"{self.name}-out")
        self.deploy(fails)
        return self.functions.create_event_source_mapping(
            FunctionName=self.name,
            EventSourceArn=f"{ARN}{self.name}-in",
            ScalingConfig={"MaximumConcurrency": 2},
            **settings,
        )["UUID"]

    def deploy(self, fails="0"):
        """The function alone."""
        self.functions.create_function(
            FunctionName=self.name,
            Runtime="python3.12",
            Role=ROLE,
            Handler="lambda_function.lambda_handler",
            Code={"ZipFile": make_zip(lambda_function=FORWARD)},
            Timeout=4,
            MemorySize=1769,
            Environment={"Variables": {"TO": f"{self.name}-out", "FAILS": fails}},
        )
        self.functions.get_waiter("function_active_v2").wait(FunctionName=self.name)

    def url(self, which):
        return self.sqs.get_queue_url(QueueName=f"{self.name}-{which}")["QueueUrl"]

    def send(self, numbers):
        for number in numbers:
            self.sqs.send_message(QueueUrl=self.url("in"), MessageBody=str(number))

    def came_through(self, numbers):
        """Whether all of the numbers came out, however often."""
        return set(numbers) <= set(drained(self.sqs, self.url("out"), set(numbers), _WAIT_S))

    def result(self, uuid, words):
        """Whether the mapping comes to say this of its last result."""
        deadline = time.monotonic() + _WAIT_S
        while time.monotonic() < deadline:
            shown = self.functions.get_event_source_mapping(UUID=uuid)
            if words in shown.get("LastProcessingResult", ""):
                return True
            time.sleep(0.05)
        return False


@pytest.fixture(scope="module")
def chaotic(tmp_path_factory):
    """One server for all of them; at the end it has not stumbled."""
    place = tmp_path_factory.mktemp("chaos")
    with running(place / "data", place / "log") as server:
        yield server
    assert "Traceback" not in (place / "log").read_text("utf-8", "replace")


def test_a_function_that_fails_half_the_time_gets_everything_in_the_end(chaotic):
    """What failed comes back after the visibility timeout."""
    chain = Chain(chaotic.url, "half")
    chain.make(fails="0.5", BatchSize=2)
    chain.send(range(12))
    assert chain.came_through(range(12))


def test_a_function_that_is_deleted_leaves_its_messages_in_the_queue(chaotic):
    """The mapping says so, and goes on when there is a function of that name again."""
    chain = Chain(chaotic.url, "gone")
    uuid = chain.make()
    chain.functions.delete_function(FunctionName="gone")
    chain.send(range(5))
    assert chain.result(uuid, "Function does not exist")
    chain.deploy()
    assert chain.came_through(range(5))


def test_a_function_that_is_throttled_loses_nothing(chaotic):
    """Without concurrency it gets nothing, the mapping says so; with some, everything."""
    chain = Chain(chaotic.url, "throttled")
    uuid = chain.make()
    chain.functions.put_function_concurrency(
        FunctionName="throttled", ReservedConcurrentExecutions=0
    )
    chain.send(range(5))
    assert chain.result(uuid, "throttled")
    chain.functions.delete_function_concurrency(FunctionName="throttled")
    assert chain.came_through(range(5))


@contextmanager
def small_disk(place, megabytes):
    """A directory on a file system of its own that is soon full."""
    place.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place)], check=True
    )
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts file systems")
def test_a_full_disk_refuses_messages_and_keeps_those_it_has(tmp_path):
    """500 while it is full, and no exit; what was acknowledged is there, and room helps."""
    with (
        small_disk(tmp_path / "data", 32) as data,
        running(data, tmp_path / "log") as server,
    ):
        sqs = client("sqs", server.url)
        queue = sqs.create_queue(QueueName="full")["QueueUrl"]
        sent = []

        def send_on():
            for number in range(200):
                sqs.send_message(QueueUrl=queue, MessageBody=str(number).ljust(500_000))
                sent.append(number)

        with pytest.raises(ClientError) as caught:
            send_on()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
        assert sent
        subprocess.run(["mount", "-o", "remount,size=128m", str(data)], check=True)
        found = drained(sqs, queue, set(sent))
        assert set(sent) <= set(found)
        sqs.send_message(QueueUrl=queue, MessageBody="7")
        assert drained(sqs, queue, {7}) == [7]


@pytest.mark.slow
def test_no_message_is_lost_while_it_is_delivered_to_a_function(tmp_path):
    """Servers are killed while a function is fed; every message comes through, once or more."""
    numbers = itertools.count()
    sent = []
    for round_ in range(3):
        server = start(tmp_path / "data", tmp_path / f"log{round_}")
        chain = Chain(server.url, "killed")
        if not sent:
            chain.make(BatchSize=1)
        batch = list(itertools.islice(numbers, 15))
        chain.send(batch)
        sent += batch
        out, deadline = chain.url("out"), time.monotonic() + _WAIT_S
        while time.monotonic() < deadline:
            shown = chain.sqs.get_queue_attributes(QueueUrl=out, AttributeNames=["All"])
            if int(shown["Attributes"]["ApproximateNumberOfMessages"]) >= len(sent) - 12:
                break
            time.sleep(0.02)
        server.kill()
    with running(tmp_path / "data", tmp_path / "last") as server:
        assert Chain(server.url, "killed").came_through(sent)
