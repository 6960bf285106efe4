"""The asynchronous invoker on a real queue and a clock that moves when told."""

import asyncio
from collections import Counter
from itertools import pairwise

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
        self.ready = set()
        self.answers = []
        self.metrics = Counter()
        self.behaviour = {}
        self.delivered = []
        self.refuse_delivery = None
        self.deliveries = Deliveries(
            queue, {"sqs": self._deliver}, self.clock, lambda m, d: self.metrics.update([m])
        )
        self.invoker = AsyncInvoker(
            queue,
            self,
            self,
            self.clock,
            lambda metric, event, value: self.metrics.update([metric]),
            self.deliveries.soon,
            slots=slots,
        )

    def policy(self, event):
        """Policies of the invoker."""
        return self.policy_of.get(event.name, AsyncPolicy())

    def begin(self, event, _span, done):
        """Runner of the invoker: the functions in `ready` have an idle environment."""
        if event.name not in self.ready:
            return False
        self.ran.append(event)
        self.answers.append(done)
        return True

    async def run(self, event, _span):
        """Runner of the invoker."""
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


async def _until(reached):
    """Let everything happen until it is so."""
    async with asyncio.timeout(60):
        while not reached():  # noqa: ASYNC110 - everything is nobody's event
            await asyncio.sleep(0)


@pytest.fixture
async def place(tmp_path):
    database = await Database.open(tmp_path / "events.db", "events")
    place = Place(await EventQueue.open(database))
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
    await asyncio.gather(*(place.invoker.accept(place.event(number=n)) for n in range(total)))
    in_memory = len(place.invoker._rotation.lane(("1", "r", "f")).ready)

    held.set()
    await place.invoker.idle()

    assert 0 < in_memory <= WINDOW_EVENTS
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


async def test_an_idle_environment_runs_an_event_without_a_task(place):
    """What it answers is the end of the event."""
    place.ready.add("f")
    await place.invoker.accept(place.event())
    await _until(lambda: place.answers)
    assert place.invoker.running == 1

    place.answers.pop()(GOOD)
    await place.invoker.idle()

    assert (len(place.ran), place.invoker.running) == (1, 0)
    assert await place.queue.waiting() == 0


async def test_the_next_event_does_not_wait_until_the_last_is_noted(place, monkeypatch):
    """An environment that has answered works on while that is written."""
    place.ready.add("f")
    noted = asyncio.get_running_loop().create_future()
    monkeypatch.setattr(place.queue, "finish", lambda *_: noted)
    for number in range(9):
        await place.invoker.accept(place.event(number=number))
    await _until(lambda: len(place.answers) == 6)

    for answer in place.answers[:6]:
        answer(GOOD)
    await _until(lambda: len(place.answers) == 9)

    assert not noted.done()
    noted.set_result(None)


async def test_no_more_is_run_while_too_much_is_not_noted(place, monkeypatch):
    """A crash, and a disk that is full, have many run again, but not all."""
    noted = []

    def finish(*_):
        noted.append(asyncio.get_running_loop().create_future())
        return noted[-1]

    monkeypatch.setattr(place.queue, "finish", finish)
    await asyncio.gather(*(place.invoker.accept(place.event(number=n)) for n in range(256)))
    await _until(lambda: len(noted) == 256)
    await asyncio.gather(*(place.invoker.accept(place.event(number=n)) for n in range(9)))
    for _ in range(50):
        await asyncio.sleep(0)
    full = len(place.ran)

    noted[0].set_result(None)
    await _until(lambda: len(place.ran) > 256)

    assert full == 256


async def test_what_cannot_be_noted_is_noted_later_and_not_run_again(place, monkeypatch, caplog):
    """The disk was full for a while."""
    trouble = [PlatformError("full")]
    write = place.queue._database.write

    async def full_once(work):
        if trouble:
            raise trouble.pop()
        return await write(work)

    await place.invoker.accept(place.event())
    monkeypatch.setattr(place.queue._database, "write", full_once)
    await place.invoker.idle()

    assert (len(place.ran), trouble) == (1, [])
    assert await place.queue.waiting() == 0


async def test_an_event_that_cannot_be_kept_is_not_run(place, monkeypatch):
    """The caller hears of it, and nothing is left behind."""

    async def full(_work):
        raise PlatformError("full")

    monkeypatch.setattr(place.queue._database, "write", full)
    with pytest.raises(PlatformError, match="full"):
        await place.invoker.accept(place.event())

    assert (place.ran, place.invoker.arriving) == ([], 0)
    assert place.metrics == {}


async def test_a_caller_that_leaves_does_not_take_its_event_along(place):
    """It is written and run."""
    leaving = asyncio.create_task(place.invoker.accept(place.event()))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving

    await _until(lambda: place.ran)
    await place.invoker.idle()

    assert [event.request_id for event in place.ran] == ["f-0"]


@pytest.mark.parametrize(("is_arriving", "at_once"), [(False, 4), (True, 1)])
async def test_events_that_arrive_come_before_events_that_run(place, is_arriving, at_once):
    """While one is being written, others are started one a turn of the loop; else all together."""
    place.ready.add("f")
    written = asyncio.get_running_loop().create_future()
    if is_arriving:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(place.queue, "add", lambda _event: (0, written))
            place.invoker.keep(place.event("other"))
    for number in range(4):
        place.invoker.keep(place.event(number=number))

    seen = [0]
    async with asyncio.timeout(60):
        while seen[-1] < 4:
            await asyncio.sleep(0)
            seen.append(len(place.ran))

    assert max(after - before for before, after in pairwise(seen)) == at_once
    written.set_result(None)


async def test_an_event_that_is_safe_elsewhere_runs_while_it_is_written(place, monkeypatch):
    """Once, and its end is written after it."""
    free, write = asyncio.Event(), place.queue._database.write

    async def slowly(work):
        await free.wait()
        return await write(work)

    monkeypatch.setattr(place.queue._database, "write", slowly)
    accepting = asyncio.create_task(place.invoker.accept(place.event(), is_safe=True))
    await _until(lambda: place.ran and not place.invoker.running)
    early = accepting.done()

    free.set()
    await accepting
    await place.invoker.idle()

    assert not early
    assert len(place.ran) == 1
    assert await place.queue.waiting() == 0
    assert place.metrics == {"AsyncEventsReceived": 1, "AsyncEventAge": 1}


async def test_an_event_that_fails_while_it_is_written_is_tried_again_in_time(place):
    """What is noted of its attempt is not lost."""
    place.behaviour["f"] = BAD
    await place.invoker.accept(place.event(), is_safe=True)
    await place.invoker.idle()
    at_once = len(place.ran)

    await place.pass_time(60)

    assert (at_once, [event.attempts for event in place.ran]) == (1, [0, 1])


async def test_events_survive_the_end_of_the_server(tmp_path):
    """Those that ran when it ended are run again, and all others for the first time."""
    database = await Database.open(tmp_path / "events.db", "events")
    before = Place(await EventQueue.open(database), slots=4)
    await before.invoker.open()

    async def forever(_event):
        await asyncio.Event().wait()

    before.behaviour["f"] = forever
    for number in range(10):
        await before.invoker.accept(before.event(number=number))
    await before.invoker.close()
    await database.close()

    database = await Database.open(tmp_path / "events.db", "events")
    after = Place(await EventQueue.open(database))
    await after.invoker.open()
    await after.invoker.idle()

    assert {e.request_id for e in after.ran} == {f"f-{n}" for n in range(10)}
    assert await after.queue.waiting() == 0
    await after.invoker.close()
    await database.close()


async def test_what_has_run_when_a_server_stops_is_not_run_by_the_next(tmp_path):
    """The ends of its events are written before it goes."""
    database = await Database.open(tmp_path / "events.db", "events")
    before = Place(await EventQueue.open(database))
    before.ready.add("f")
    await before.invoker.open()
    await asyncio.gather(*(before.invoker.accept(before.event(number=n)) for n in range(6)))
    await _until(lambda: len(before.answers) == 6)
    before.answers[0](GOOD)
    await _until(lambda: before.invoker.running == 5)
    for answer in before.answers[1:]:
        answer(GOOD)
    await _until(lambda: before.invoker.running == 0)

    await before.invoker.close()

    assert await before.queue.waiting() == 0
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
