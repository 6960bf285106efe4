"""The asynchronous invoker on a real queue and a clock that moves when told."""

import asyncio
from collections import Counter

import pytest

from emberbox.clock import ManualClock
from emberbox.errors import CallerError, PlatformError
from emberbox.invoke.asynchronous import AsyncInvoker
from emberbox.invoke.deliveries import Deliveries
from emberbox.invoke.event_spans import EventSpans
from emberbox.invoke.lanes import WINDOW_EVENTS
from emberbox.model.async_invocation import AsyncPolicy, QueuedEvent, Ran
from emberbox.model.spans import Kind
from emberbox.storage.database import Database
from emberbox.storage.event_queue import EventQueue
from emberbox.telemetry.spans import Spans

GOOD = Ran(b"{}", "$LATEST", failed=False)
BAD = Ran(b'{"errorMessage":"no"}', "$LATEST", failed=True)
THROTTLED = CallerError("TooManyRequestsException", "Rate Exceeded.", status=429)


class Place:
    """An invoker whose functions do what the test says."""

    def __init__(self, queue, *, slots=8):
        self.clock = ManualClock()
        self.queue = queue
        self.policy_of = {}
        self.ran = []
        self.metrics = Counter()
        self.behaviour = {}
        self.delivered = []
        self.refuse_delivery = None
        self.deliveries = Deliveries(
            queue, {"sqs": self._deliver}, self.clock, lambda m, d: self.metrics.update([m])
        )
        self.invoker = AsyncInvoker(
            queue,
            self._run,
            self,
            self.clock,
            lambda metric, event, value: self.metrics.update([metric]),
            self.deliveries.soon,
            slots=slots,
        )

    def policy(self, event):
        """Policies of the invoker."""
        return self.policy_of.get(event.name, AsyncPolicy())

    async def _run(self, event, _span=None):
        self.ran.append(event)
        done = self.behaviour.get(event.name, GOOD)
        if callable(done):
            done = await done(event)
        if isinstance(done, Exception):
            raise done
        return done

    async def _deliver(self, delivery):
        if self.refuse_delivery is not None:
            raise self.refuse_delivery
        self.delivered.append(delivery)

    def event(self, name="f", number=0, payload=b"{}"):
        """An event of now."""
        now = self.clock.now()
        return QueuedEvent("1", "r", name, "", f"{name}-{number}", payload, now, now)

    async def pass_time(self, seconds):
        """Move the clock and let everything happen that is then due."""
        self.clock.advance(seconds)
        self.invoker.poke()
        await self.invoker.idle()


@pytest.fixture
async def place(tmp_path):
    database = await Database.open(tmp_path / "events.db", "events")
    place = Place(EventQueue(database))
    await place.invoker.open()
    yield place
    await place.invoker.close()
    await place.deliveries.close()
    await database.close()


async def test_an_accepted_event_is_run_and_leaves_the_queue(place):
    """With the id and the payload it came with."""
    await place.invoker.accept(place.event(payload=b'{"n":1}'))
    await place.invoker.idle()

    assert [(e.request_id, e.payload) for e in place.ran] == [("f-0", b'{"n":1}')]
    assert await place.queue.waiting() == 0
    assert place.metrics == {"AsyncEventsReceived": 1, "AsyncEventAge": 1}


async def test_a_fault_of_ours_does_not_swallow_an_event(place, caplog):
    """What nobody expected is logged, and the event is tried again like one that was refused."""
    place.behaviour["f"] = KeyError("odd")
    await place.invoker.accept(place.event())
    await place.invoker.idle()
    assert (len(place.ran), place.invoker.running) == (1, 0)
    assert caplog.records[0].exc_info
    del place.behaviour["f"]
    await place.pass_time(60)
    assert len(place.ran) == 2
    assert await place.queue.waiting() == 0


async def test_a_failing_event_runs_three_times_over_three_minutes(place):
    """One minute, two minutes, then it is dropped."""
    place.behaviour["f"] = BAD
    await place.invoker.accept(place.event())
    await place.invoker.idle()
    counts = [len(place.ran)]

    for seconds in (59, 1, 119, 1, 3_600):
        await place.pass_time(seconds)
        counts.append(len(place.ran))

    assert counts == [1, 1, 2, 2, 3, 3]
    assert len({e.request_id for e in place.ran}) == 1
    assert place.metrics["AsyncEventsDropped"] == 1
    assert await place.queue.waiting() == 0


async def test_throttles_do_not_use_up_the_retries(place):
    """However many there are, within the age of the event."""
    place.behaviour["f"] = THROTTLED
    await place.invoker.accept(place.event())
    await place.invoker.idle()
    for _ in range(12):
        await place.pass_time(300)
    place.behaviour["f"] = BAD
    refused = len(place.ran)

    for _ in range(4):
        await place.pass_time(300)

    assert refused > 10
    assert len(place.ran) - refused == 3


async def test_a_fault_of_the_platform_is_tried_again(place):
    """It costs no attempt either."""
    place.behaviour["f"] = PlatformError("out of order")
    await place.invoker.accept(place.event())
    await place.invoker.idle()
    place.behaviour["f"] = GOOD

    await place.pass_time(1)

    assert [e.attempts for e in place.ran] == [0, 0]
    assert await place.queue.waiting() == 0


async def test_an_event_too_old_is_told_of_and_not_run(place):
    """EventAgeExceeded goes to the failure destination."""
    place.deliveries.open()
    place.policy_of["f"] = AsyncPolicy(age_max_s=60, on_failure="arn:aws:sqs:r:1:q")
    place.behaviour["f"] = THROTTLED
    await place.invoker.accept(place.event())
    await place.invoker.idle()

    await place.pass_time(61)
    await place.deliveries.rested()

    assert len(place.ran) == 1
    assert b'"condition":"EventAgeExceeded"' in place.delivered[0].body


async def test_a_backlog_larger_than_the_window_is_run_completely_and_once(place):
    """In memory is never more than the window."""
    total = WINDOW_EVENTS * 3
    held = asyncio.Event()

    async def wait(_event):
        await held.wait()
        return GOOD

    place.behaviour["f"] = wait
    for number in range(total):
        await place.invoker.accept(place.event(number=number))
    in_memory = len(place.invoker._rotation.lane(("1", "r", "f")).ready)

    held.set()
    await place.invoker.idle()

    assert in_memory <= WINDOW_EVENTS
    assert Counter(e.request_id for e in place.ran) == Counter(f"f-{n}" for n in range(total))
    assert await place.queue.waiting() == 0


async def test_a_backlog_of_one_function_does_not_keep_another_waiting(place):
    """The other's event is run while the backlog still waits."""
    held = asyncio.Event()

    async def wait(_event):
        await held.wait()
        return GOOD

    place.behaviour["slow"] = wait
    for number in range(50):
        await place.invoker.accept(place.event("slow", number))

    await place.invoker.accept(place.event("quick"))
    for _ in range(200):
        await asyncio.sleep(0)

    assert [e.name for e in place.ran].count("slow") < 50
    assert "quick" in [e.name for e in place.ran]
    held.set()
    await place.invoker.idle()


async def test_a_throttled_function_goes_on_as_its_own_runs_end(place):
    """With a limit of two, no more than two run, none waits for a pause, all are run."""
    running = most = 0
    turn = asyncio.Event()

    async def limited(_event):
        nonlocal running, most
        if running >= 2:
            return THROTTLED
        running += 1
        most = max(most, running)
        await turn.wait()
        running -= 1
        return GOOD

    place.behaviour["f"] = limited
    for number in range(20):
        await place.invoker.accept(place.event(number=number))
    turn.set()

    await place.invoker.idle()

    assert most == 2
    assert await place.queue.waiting() == 0


async def test_events_survive_the_end_of_the_server(tmp_path):
    """Those that ran when it ended are run again, and all others for the first time."""
    database = await Database.open(tmp_path / "events.db", "events")
    before = Place(EventQueue(database), slots=4)
    await before.invoker.open()

    async def forever(_event):
        await asyncio.Event().wait()

    before.behaviour["f"] = forever
    for number in range(10):
        await before.invoker.accept(before.event(number=number))
    await before.invoker.close()
    await database.close()

    database = await Database.open(tmp_path / "events.db", "events")
    after = Place(EventQueue(database))
    await after.invoker.open()
    await after.invoker.idle()

    assert {e.request_id for e in after.ran} == {f"f-{n}" for n in range(10)}
    assert await after.queue.waiting() == 0
    await after.invoker.close()
    await database.close()


async def test_events_of_a_deleted_function_are_dropped(place):
    """Nothing is told of them, and nothing is counted as dropped by failure."""
    place.behaviour["f"] = CallerError(
        "ResourceNotFoundException", "Function not found", status=404
    )
    await place.invoker.accept(place.event())
    await place.invoker.idle()

    assert await place.queue.waiting() == 0
    assert "AsyncEventsDropped" not in place.metrics


async def test_a_target_that_is_away_gets_its_delivery_later(place):
    """It stays on disk until it has been taken."""
    place.policy_of["f"] = AsyncPolicy(on_success="arn:aws:sqs:r:1:q")
    place.refuse_delivery = PlatformError("away")
    place.deliveries.open()
    await place.invoker.accept(place.event())
    await place.invoker.idle()
    await place.deliveries.rested()
    not_yet = list(place.delivered)

    place.refuse_delivery = None
    place.clock.advance(2)
    place.deliveries.soon()
    await place.deliveries.rested()

    assert not_yet == []
    assert place.delivered[0].target == "arn:aws:sqs:r:1:q"


async def test_a_target_that_does_not_exist_is_given_up(place):
    """And counted."""
    place.policy_of["f"] = AsyncPolicy(on_success="arn:aws:sqs:r:1:q")
    place.refuse_delivery = CallerError("QueueDoesNotExist", "no such queue")
    place.deliveries.open()
    await place.invoker.accept(place.event())
    await place.invoker.idle()
    await place.deliveries.rested()

    assert (await place.queue.deliveries(place.clock.now() + 1e6, 9))[0] == []
    assert place.metrics["DestinationDeliveryFailures"] == 1


class _Export:
    """Keeps the spans that are exported."""

    def __init__(self):
        self.sent = []

    def wants(self, *_asked):
        return True

    def send(self, span):
        self.sent.append(span)


async def test_all_attempts_of_an_event_and_its_record_are_spans_of_one_trace(place):
    """Also of an event that came without a trace; each says which attempt it was."""
    export = _Export()
    place.invoker.spans = place.deliveries.spans = EventSpans(
        Spans(export, place.clock), place.clock
    )
    place.behaviour["f"] = BAD
    place.policy_of["f"] = AsyncPolicy(on_failure="arn:aws:sqs:r:1:q")
    await place.invoker.accept(place.event())
    await place.invoker.idle()
    for seconds in (60, 120):
        await place.pass_time(seconds)
    place.deliveries.open()
    await place.deliveries.rested()
    kinds = [(each.kind, each.said().get("emberbox.event.attempt")) for each in export.sent]
    assert kinds == [
        (Kind.CONSUMER, 1),
        (Kind.CONSUMER, 2),
        (Kind.CONSUMER, 3),
        (Kind.PRODUCER, None),
    ]
    assert len({each.trace_id for each in export.sent}) == 1
    outcomes = [each.said().get("emberbox.event.outcome") for each in export.sent]
    assert outcomes == ["Retry", "Retry", "RetriesExhausted", None]
    (delivered,) = place.delivered
    assert f"Parent={export.sent[-1].span_id}" in delivered.trace


async def test_a_delivery_that_fails_is_an_error_of_its_span(place):
    """Each try has one."""
    export = _Export()
    place.deliveries.spans = EventSpans(Spans(export, place.clock), place.clock)
    place.policy_of["f"] = AsyncPolicy(on_success="arn:aws:sqs:r:1:q")
    place.refuse_delivery = CallerError("AccessDenied", "not yours")
    await place.invoker.accept(place.event())
    await place.invoker.idle()
    place.deliveries.open()
    await place.deliveries.rested()
    assert [(each.kind, each.error) for each in export.sent] == [(Kind.PRODUCER, "not yours")]
