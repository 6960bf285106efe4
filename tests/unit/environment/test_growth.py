"""Whether there may be one more environment, and whose turn it is to start."""

import asyncio
from collections import OrderedDict
from types import SimpleNamespace

import pytest

from emberbox.clock import ManualClock
from emberbox.environment.growth import Growth
from emberbox.environment.provision import Provision
from emberbox.environment.room import Room
from emberbox.environment.starting_line import StartingLine
from emberbox.errors import CallerError


class Memory:
    """A machine's memory, as told."""

    total_mb = 1_000.0

    def __init__(self, available=1_000.0):
        self.available = available

    def available_mb(self):
        return self.available


class Idle:
    """An idle environment that notes its end, which comes later: its extensions end first."""

    def __init__(self, pool, idle_since):
        self.idle_since = idle_since
        self.ended = ""
        pool.idle[self] = None

    @property
    def is_available(self):
        return not self.ended

    def stop(self, reason):
        assert not self.ended
        self.ended = reason


def pool(name, peak_mb=100.0, init_ms=10.0):
    function = SimpleNamespace(key=("1", "r", name), name=name, memory_mb=128)
    return SimpleNamespace(
        plan=SimpleNamespace(function=function),
        idle=OrderedDict(),
        all=set(),
        starting=0,
        peak_mb=peak_mb,
        init_ms=init_ms,
    )


def growth(memory, clock, reserve=100.0):
    return Growth(clock, Room(memory, clock, reserve))


def test_a_function_grows_by_a_thousand_and_then_by_a_hundred_a_second():
    """Each function by itself."""
    clock = ManualClock()
    grows, f, g = growth(Memory(1e9), clock), pool("f"), pool("g")
    for _ in range(1_000):
        grows.allow(f)

    with pytest.raises(CallerError) as refused:
        grows.allow(f)
    grows.allow(g)
    clock.advance(1.0)
    for _ in range(100):
        grows.allow(f)
    with pytest.raises(CallerError):
        grows.allow(f)

    assert refused.value.status == 429
    assert refused.value.fields["Reason"] == "ConcurrentInvocationLimitExceeded"


def test_room_is_made_by_those_who_are_missed_least():
    """No more of them than it takes; who is busy stays."""
    clock = ManualClock()
    small, large = pool("small", peak_mb=10, init_ms=500), pool("large", peak_mb=80)
    old, new = Idle(large, clock.monotonic() - 60), Idle(large, clock.monotonic() - 1)
    precious = Idle(small, clock.monotonic() - 60)

    growth(Memory(150.0), clock).make_room(pool("wanting"), [small, large])

    assert (old.ended, new.ended, precious.ended) == ("its memory is needed", "", "")


def test_without_room_the_answer_is_a_throttle_that_says_so():
    """And nothing was promised to who was refused."""
    clock = ManualClock()
    memory = Memory(150.0)
    grows = growth(memory, clock)

    with pytest.raises(CallerError, match="no memory for another environment of wanting"):
        grows.make_room(pool("wanting"), [])
    memory.available = 200.0
    clock.advance(0.1)
    grows.make_room(pool("wanting"), [])


def test_a_function_that_fills_the_machine_leaves_room_for_the_first_of_another():
    """Of the last fiftieth of the memory nobody has a second environment, of whatever version."""
    clock = ManualClock()
    grows = growth(Memory(210.0), clock)
    busy, other_version, quiet = pool("busy"), pool("busy"), pool("quiet")
    busy.all.add(object())

    for wanting in (busy, other_version):
        with pytest.raises(CallerError, match="no memory for another environment of busy"):
            grows.make_room(wanting, [busy, other_version])
    grows.make_room(quiet, [busy, other_version])


def test_what_is_starting_counts_before_it_shows():
    """For a second; then the kernel knows of it."""
    clock = ManualClock()
    grows = growth(Memory(320.0), clock)
    grows.make_room(pool("f"), [])
    grows.make_room(pool("f"), [])

    with pytest.raises(CallerError):
        grows.make_room(pool("f"), [])
    clock.advance(1.5)
    grows.make_room(pool("f"), [])


def test_many_that_begin_at_once_are_measured_by_the_first():
    """A thousand small ones fit where a thousand of which nothing is known would not."""
    many = pool("many", peak_mb=0.0)
    grows = growth(Memory(3_500.0), ManualClock())
    for _ in range(1_000):
        grows.allow(many)

    grows.make_room(many, [])
    many.peak_mb = 3.0
    for _ in range(999):
        grows.make_room(many, [])


def test_what_has_grown_into_the_reserve_costs_the_idle():
    """Looked at now and then."""
    clock = ManualClock()
    idle = pool("idle")
    resting = Idle(idle, clock.monotonic())

    growth(Memory(99.0), clock).look([idle])

    assert resting.ended


def test_what_takes_a_while_to_end_frees_its_memory_once():
    """Also where somebody else ends it: another is refused, and not let in without memory."""
    clock = ManualClock()
    now = clock.monotonic()
    idle, wanting = pool("idle"), pool("wanting", peak_mb=250.0)
    ending, resting = Idle(idle, now - 60), Idle(idle, now - 1)
    ending.stop("idle")

    with pytest.raises(CallerError):
        growth(Memory(100.0), clock).make_room(wanting, [idle])

    assert (ending.ended, resting.ended) == ("idle", "its memory is needed")


async def test_functions_start_in_turn():
    """The first of one does not stand behind the hundreds of another."""
    line, order = StartingLine(1), []

    async def start(key):
        places.append(await line.turn(key))
        order.append(key)

    places = [await line.turn("many")]
    tasks = [asyncio.ensure_future(start(key)) for key in ("many", "many", "many", "one")]
    await asyncio.sleep(0)
    for _ in range(4):
        places.pop().leave()
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)

    assert order == ["many", "one", "many", "many"]


async def test_who_does_not_start_after_all_gives_up_its_place():
    """The place goes to the next."""
    line = StartingLine(1, lambda: False)
    held = await line.turn("a")
    first, second = (asyncio.ensure_future(line.turn(key)) for key in "ab")
    await asyncio.sleep(0)
    held.leave()
    held.leave()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)

    (await second).leave()
    (await line.turn("c")).leave_after(lambda: False)
    await line.turn("d")
    after = asyncio.ensure_future(line.turn("e"))
    await asyncio.sleep(0)

    assert not after.done(), "one place was given up twice"
    after.cancel()


async def test_on_a_busy_machine_a_place_is_kept_until_init_has_ended():
    """What initialises is not joined by ever more; where processors are free it is."""
    is_busy = True
    line = StartingLine(1, lambda: is_busy)
    first = await line.turn("a")
    second = asyncio.ensure_future(line.turn("b"))
    first.look(lambda: True)
    await asyncio.sleep(0)
    assert not second.done()
    first.leave()
    third = asyncio.ensure_future(line.turn("c"))
    place = await second
    place.look(lambda: True)
    await asyncio.sleep(0)
    assert not third.done()
    is_busy = False
    place.look(lambda: True)
    (await third).leave()
    place.look(lambda: True)


async def test_a_place_is_for_init_and_nothing_else():
    """Where INIT has failed, or an invocation goes on after it, others start on a busy machine."""
    line = StartingLine(1, lambda: True)
    place = await line.turn("a")
    waiting = asyncio.ensure_future(line.turn("b"))

    place.look(lambda: False)
    await asyncio.sleep(0)

    assert waiting.done()


async def test_slow_starts_make_the_places_fewer_and_quick_ones_more_again():
    """Never fewer than two, never more than there are; slow ones of one moment count once."""
    line = StartingLine(8, lambda: True)

    async def room():
        """How many may start now."""
        tasks = [asyncio.ensure_future(line.turn(n)) for n in range(20)]
        await asyncio.sleep(0)
        started = [task.result() for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in started:
            line._taken -= 1
        line._held.clear()
        return len(started)

    def slow(count):
        for number in range(count):
            line._take(number)
            line.vacate(number, 9.0)

    assert await room() == 8
    slow(3)
    assert await room() == 5
    for _ in range(20):
        line._lessened = 0.0
        slow(1)
    assert await room() == 2
    for number in range(60):
        line._take(number)
        line.vacate(number, 0.1)
    assert await room() == 8


async def test_places_that_have_become_more_are_taken_by_who_stands_in_line():
    """Also where all who stand there are of one function."""
    line = StartingLine(8, lambda: True)
    line._now = 3.0
    held = [await line.turn("many") for _ in range(2)]
    tasks = [asyncio.ensure_future(line.turn("many")) for _ in range(9)]
    await asyncio.sleep(0)
    line._now = 8.0

    held.pop().leave()
    await asyncio.sleep(0)

    assert sum(task.done() for task in tasks) == 6
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_no_function_has_all_places():
    """However long it initialises, another can start beside it."""
    line = StartingLine(3, lambda: True)
    places = [await line.turn("slow") for _ in range(2)]
    waiting = asyncio.ensure_future(line.turn("slow"))
    await asyncio.sleep(0)
    other = await line.turn("other")
    assert not waiting.done()
    other.leave()
    await asyncio.sleep(0)
    assert not waiting.done()
    places.pop().leave()
    assert await waiting


def test_provisioned_environments_take_ten_requests_a_second_each():
    """What is over that spills over."""
    provision = Provision(10)
    provision.ready = {object(), object()}

    assert [provision.may_take(1.0) for _ in range(21)] == [True] * 20 + [False]
    assert provision.may_take(1.1)
    assert Provision(0).may_take(1.0)
