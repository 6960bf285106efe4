"""One mapping of a queue at work: real queues, and a function that answers as the test says."""

import asyncio
from contextlib import AsyncExitStack
from types import SimpleNamespace

import orjson
import pytest

from emberbox import rounds
from emberbox.clock import ManualClock, SystemClock
from emberbox.errors import CallerError
from emberbox.invoke.frontdoor import InvokeAnswer
from emberbox.model.limits import INVOKE_PAYLOAD_MAX_BYTES
from emberbox.model.mapping import EventSourceMapping, MappingState, SourceKind
from emberbox.model.poller_pace import Pace, limits_of
from emberbox.model.queue_settings import new_attributes
from emberbox.model.throttling import throttled
from emberbox.services.sqs.port import LocalQueues
from emberbox.services.sqs.service import SqsService
from emberbox.sources import worker
from emberbox.sources.counting import counting
from emberbox.sources.feed import SourceMissingError
from emberbox.sources.invoking import FunctionWatch, Invoker
from emberbox.sources.queue_feed import QueueFeed
from emberbox.sources.worker import Worker
from emberbox.storage.queue_records import NewMessage, QueueKey

ACCOUNT, REGION = "123456789012", "us-east-1"
ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:fed"


class Function:
    """What is invoked, and what the control plane has of it."""

    def __init__(self):
        self.batches, self.listeners = [], []
        self.answer = lambda bodies: InvokeAnswer(200, b"null")
        self.role_may = True
        self.ran = asyncio.Queue()

    def version(self, _key, _version):
        return SimpleNamespace(role="role")

    def has_qualifier(self, _key, _qualifier):
        return True

    async def rights(self, _role, _action, _resource):
        return self.role_may

    def changed(self):
        for listener in self.listeners:
            listener(None, SimpleNamespace(key=(ACCOUNT, REGION, "f")))

    async def invoke(self, request):
        assert len(request.payload) <= INVOKE_PAYLOAD_MAX_BYTES
        bodies = [record["body"] for record in orjson.loads(request.payload)["Records"]]
        self.batches.append(bodies)
        self.ran.put_nowait(bodies)
        answer = self.answer(bodies)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Fed:
    """A queue, its mapping's worker, and all that can be seen of them."""

    def __init__(self, service, stack):
        self.broker, self.stack = service.broker, stack
        self.function, self.counts = Function(), {}
        self.told = asyncio.Queue()
        self.clock = SystemClock()
        self.queue = None

    async def make_queue(self, **attributes):
        if self.queue is not None:
            await self.broker.queues.delete(self.queue)
        key = QueueKey(ACCOUNT, REGION, "fed")
        self.queue = await self.broker.queues.create(key, new_attributes(attributes), {}, 0)

    async def start(self, **settings):
        clock = self.clock
        mapping = EventSourceMapping(
            "uuid",
            ACCOUNT,
            REGION,
            "f",
            None,
            SourceKind.SQS,
            ARN,
            {"BatchSize": 10, "MetricsConfig": {"Metrics": ["EventCount"]}} | settings,
            True,
            MappingState.ENABLED,
            0.0,
        )
        count = counting(mapping, self.add)
        function = self.function
        self.pace = Pace(limits_of(mapping.settings), clock.monotonic())
        self.worker = Worker(
            QueueFeed(mapping, LocalQueues(self.broker), clock, count),
            Invoker(
                mapping,
                function,
                FunctionWatch(function),
                function.rights,
                ("sqs:X",),
                clock,
                count,
            ),
            self.pace,
            clock,
            self.tell,
        )
        self.worker.start()
        self.stack.push_async_callback(self.worker.ended, 60.0)
        self.stack.push_async_callback(self.worker.retire)

    def add(self, key, value):
        assert key.namespace == "AWS/Lambda"
        assert dict(key.dimensions) == {"EventSourceMappingUUID": "uuid"}
        self.counts[key.name] = self.counts.get(key.name, 0) + value

    async def tell(self, problem):
        self.told.put_nowait(problem)

    async def until_told(self, text):
        while await self.told.get() != text:
            pass

    async def send(self, *bodies):
        messages = [NewMessage(f"id{body[:9]}", body, None, "{}") for body in bodies]
        await self.broker.send(self.queue, messages)

    async def settled(self):
        """Until no batch is with the function."""
        await self.worker.ended(60.0)


@pytest.fixture
async def fed(tmp_path):
    async with AsyncExitStack() as stack:
        service = await SqsService.start(tmp_path / "queues.db", SystemClock(), stack)
        fed = Fed(service, stack)
        await fed.make_queue()
        yield fed


async def test_a_batch_is_cut_where_the_event_would_be_too_large(fed):
    """Eight messages of a megabyte are two events of 6 MB at most, in order, long before the
    batch is full or its window is over."""
    bodies = [f"{n}" + "x" * 1_000_000 for n in range(8)]
    for body in bodies:
        await fed.send(body)
    await fed.start(BatchSize=10_000, MaximumBatchingWindowInSeconds=300)
    first = await fed.function.ran.get()
    second = await fed.function.ran.get()
    assert 5 <= len(first) <= 6
    assert first + second == bodies[: len(first) + len(second)]


async def test_events_are_counted_where_the_mapping_asks_for_it(fed):
    """Polled, filtered out, invoked, failed and deleted, each message once for what happens."""
    failures = {"batchItemFailures": [{"itemIdentifier": "idbad"}]}
    fed.function.answer = lambda _bodies: InvokeAnswer(200, orjson.dumps(failures))
    await fed.send('{"a":1}', "bad", "good")
    await fed.start(
        FilterCriteria={"Filters": [{"Pattern": '{"body": [{"anything-but": "skipped"}]}'}]},
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    await fed.function.ran.get()
    await fed.settled()
    fed.function.answer = lambda _bodies: InvokeAnswer(200, b"{}", failed=True)
    await fed.send("skipped", "fails")
    await fed.function.ran.get()
    await fed.settled()
    assert fed.counts == {
        "PolledEventCount": 5,
        "FilteredOutEventCount": 1,
        "InvokedEventCount": 4,
        "FailedInvokeEventCount": 2,
        "DeletedEventCount": 2,
    }


async def test_a_mapping_that_asks_for_no_metrics_has_none(fed):
    """Nothing is counted."""
    await fed.send("1")
    await fed.start(MetricsConfig={"Metrics": []})
    await fed.function.ran.get()
    await fed.settled()
    assert fed.counts == {}


async def test_a_function_that_fails_gets_fewer_batches_at_once(fed):
    """Each failed batch lowers what may run, down to the least, though no time goes by."""
    clock = fed.clock = ManualClock()
    await fed.start()
    before = fed.pace.allowed(clock.monotonic(), 0)
    fed.function.answer = lambda _bodies: InvokeAnswer(200, b"{}", failed=True)
    for number in range(6):
        await fed.send(str(number))
        await fed.function.ran.get()
    await fed.settled()
    assert before == 5
    assert fed.pace.allowed(clock.monotonic(), 0) == 2


async def test_a_role_that_loses_its_rights_stops_the_reading_and_is_named(fed):
    """The problem is told; after the function has changed, and the rights are back, it goes on."""
    await fed.start()
    await fed.send("1")
    await fed.function.ran.get()
    fed.function.role_may = False
    await fed.send("2")
    await fed.until_told("PROBLEM: The execution role is not authorized to perform: sqs:X.")
    await fed.send("3")
    assert fed.function.batches == [["1"], ["2"]]
    fed.function.role_may = True
    fed.function.changed()
    assert await fed.function.ran.get() == ["2"]
    assert await fed.function.ran.get() == ["3"]


async def test_rights_that_come_back_are_seen_though_the_function_is_as_it_was(fed, monkeypatch):
    """A policy of the role has changed, of which no function tells."""
    monkeypatch.setattr(worker, "_LOOK_AGAIN_S", 0.01)
    fed.function.role_may = False
    await fed.start()
    await fed.until_told("PROBLEM: The execution role is not authorized to perform: sqs:X.")
    await fed.send("1")

    fed.function.role_may = True

    assert await asyncio.wait_for(fed.function.ran.get(), 60) == ["1"]


async def test_a_fault_that_nobody_foresaw_does_not_end_the_reading(fed, monkeypatch):
    """It is told, and the source is read again."""
    monkeypatch.setattr(rounds, "_FIRST_PAUSE_S", 0.01)
    rights = fed.function.rights

    async def faulty(*_asked):
        fed.function.rights = rights
        fed.worker._invoker._rights = rights
        raise RuntimeError("a fault of ours")

    fed.function.rights = faulty
    await fed.start()
    await fed.until_told("PROBLEM: a fault of ours")
    await fed.send("1")

    assert await asyncio.wait_for(fed.function.ran.get(), 60) == ["1"]


async def test_a_worker_ends_though_its_messages_cannot_be_given_back(fed):
    """Their queue takes nothing any more: they come back after their time."""
    await fed.start(MaximumBatchingWindowInSeconds=300)
    feed, gave_back, gathering = fed.worker._feed, [], asyncio.Event()

    class Port:
        async def release(self, arn, receipts):
            gave_back.append(len(receipts))
            raise SourceMissingError("The queue does not exist.")

        async def receive(self, arn, limit, wait_s):
            if wait_s is not None:
                gathering.set()
            return await port.receive(arn, limit, wait_s)

        def __getattr__(self, name):
            return getattr(port, name)

    port, feed._port = feed._port, Port()
    await fed.send("1")
    await gathering.wait()

    await asyncio.wait_for(fed.worker.retire(), 60)

    assert gave_back == [1]
    assert fed.worker._reader.cancelled()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (throttled("ConcurrentInvocationLimitExceeded"), "PROBLEM: Lambda was throttled."),
        (
            CallerError("ResourceNotFoundException", "gone", status=404),
            "PROBLEM: Function does not exist.",
        ),
    ],
)
async def test_what_keeps_a_batch_from_its_function_is_told_and_over_when_it_runs(fed, error, told):
    """The sentence stands until a batch has run again; the messages come back."""
    await fed.make_queue(VisibilityTimeout="0")
    fed.function.answer = lambda _bodies: error
    await fed.start()
    await fed.send("1")
    await fed.until_told(told)
    fed.function.answer = lambda _bodies: InvokeAnswer(200, b"null")
    await fed.until_told(None)
