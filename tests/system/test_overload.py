"""More requests than may run: exactly as many run, the others hear why, and all are counted."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from material import ROLE, await_environments, await_rest, make_zip

from tools.running import running

SOURCE = """
    import time

    def lambda_handler(event, context):
        began = time.monotonic()
        time.sleep(event.get("s", 0))
        return [began, time.monotonic()]
"""
RESERVED = 3
QUEUES = "arn:aws:sqs:us-east-1:123456789012:"
CLIENTS = 4 * RESERVED


class Caller:
    """A client that tries once; what it got."""

    def __init__(self, url):
        self.client = boto3.client(
            "lambda",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="123456789012",
            aws_secret_access_key="x",
            config=Config(retries={"total_max_attempts": 1}, max_pool_connections=CLIENTS),
        )

    def service(self, name):
        """A client of another service."""
        meta = self.client.meta
        return boto3.client(
            name,
            endpoint_url=meta.endpoint_url,
            region_name=meta.region_name,
            aws_access_key_id="123456789012",
            aws_secret_access_key="x",
        )

    def create(self, name, **more):
        self.client.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role=ROLE,
            Handler="lambda_function.lambda_handler",
            Code={"ZipFile": make_zip(lambda_function=SOURCE)},
            Timeout=30,
            MemorySize=1_769,
            **more,
        )
        self.client.get_waiter("function_active_v2").wait(FunctionName=name)
        return name

    def invoke(self, name, seconds=0.0):
        """The interval in which it ran, or the error."""
        try:
            answer = self.client.invoke(FunctionName=name, Payload=json.dumps({"s": seconds}))
        except ClientError as error:
            return error.response
        return json.load(answer["Payload"])


def overlap(intervals):
    """How many ran at the same time at most."""
    moves = sorted([(t, 1) for t, _ in intervals] + [(t, -1) for _, t in intervals])
    running_now = most = 0
    for _, move in moves:
        running_now += move
        most = max(most, running_now)
    return most


def test_four_times_too_many(server, boto, make_function):
    """A reservation is used to the full and never passed; metrics know each run and refusal."""
    caller = Caller(server.url)
    name = make_function(SOURCE, Timeout=30, MemorySize=1_769)
    caller.client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=RESERVED)

    ran, refused = [], []
    with ThreadPoolExecutor(CLIENTS) as clients:
        # At first the environments may be so slow to start that they run one after the other.
        for _ in range(10):
            answers = list(clients.map(lambda _: caller.invoke(name, 0.15), range(CLIENTS * 8)))
            ran += [each for each in answers if isinstance(each, list)]
            refused += [each for each in answers if isinstance(each, dict)]
            if overlap(ran) >= RESERVED:
                break

    assert overlap(ran) == RESERVED
    assert len(refused) > len(ran)
    for error in refused:
        assert error["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
        assert error["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "1"
    await_rest(server.url, name)
    assert total(boto, name, "Invocations") == len(ran)
    assert total(boto, name, "Throttles") == len(refused)


def total(boto, name, metric):
    """The sum of a metric of a function."""
    now = datetime.now(UTC)
    points = boto.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName=metric,
        Dimensions=[{"Name": "FunctionName", "Value": name}],
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=10),
        Period=3600,
        Statistics=["Sum"],
    )
    return sum(point["Sum"] for point in points["Datapoints"])


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """A server on which two invocations may run, and others may wait for it."""
    place = tmp_path_factory.mktemp("narrow")
    options = ("--max-concurrency", "2", "--admission-wait", "20", "--request-rate", "7")
    with running(place / "data", place / "log", *options) as server:
        yield Caller(server.url)


def test_a_burst_may_wait(narrow):
    """Where the server is told so, nobody of a short burst is refused."""
    name = narrow.create("burst")

    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = list(clients.map(lambda _: narrow.invoke(name, 0.3), range(CLIENTS)))

    assert all(isinstance(each, list) for each in answers), answers
    assert overlap(answers) == 2


def test_an_event_has_its_turn_among_requests_that_wait(narrow):
    """One function keeps all busy and has a line that never ends; another's event is run."""
    noisy, quiet = narrow.create("noisy"), narrow.create("quiet")
    queue = narrow.service("sqs").create_queue(QueueName="told")["QueueUrl"]
    narrow.client.put_function_event_invoke_config(
        FunctionName=quiet,
        DestinationConfig={"OnSuccess": {"Destination": f"{QUEUES}told"}},
    )
    is_over = threading.Event()
    answers = []

    def go_on(_):
        while not is_over.is_set():
            answers.append(narrow.invoke(noisy, 0.2))

    with ThreadPoolExecutor(CLIENTS) as clients:
        loops = [clients.submit(go_on, number) for number in range(CLIENTS)]
        try:
            url = narrow.client.meta.endpoint_url
            await_environments(url, noisy, lambda states: states.get("BUSY") == 2)
            narrow.client.invoke(FunctionName=quiet, InvocationType="Event", Payload=b"{}")
            told = narrow.service("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=20)
        finally:
            is_over.set()
    for loop in loops:
        loop.result()
    assert len(told.get("Messages", ())) == 1
    assert all(isinstance(each, list) for each in answers)
    assert overlap(answers) == 2


def test_requests_have_a_rate(narrow):
    """Short ones meet it before they meet the limit of concurrency."""
    name = narrow.create("quick")
    narrow.invoke(name)

    def refused():
        answers = (narrow.invoke(name) for _ in range(2_000))
        return next(each for each in answers if isinstance(each, dict))

    with ThreadPoolExecutor(2) as clients:
        answers = [each.result(30) for each in [clients.submit(refused) for _ in range(2)]]

    assert {each["Reason"] for each in answers} == {"FunctionInvocationRateLimitExceeded"}
    assert answers[0]["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "1"


def test_a_machine_that_is_full_refuses(tmp_path):
    """Before it swaps: here, all of its memory is to be kept free."""
    with running(tmp_path / "d", tmp_path / "log", "--memory-reserve", "99999999") as server:
        caller = Caller(server.url)
        answer = caller.invoke(caller.create("crowded"))

    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert answer["Reason"] == "ConcurrentInvocationLimitExceeded"
    assert "no memory for another environment of crowded" in answer["Error"]["Message"]
