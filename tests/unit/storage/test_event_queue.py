"""The queue of events on disk."""

import asyncio

import pytest

from emberbox.model.async_deliveries import Delivery
from emberbox.model.async_invocation import Again, QueuedEvent
from emberbox.storage.database import Database
from emberbox.storage.event_queue import EventQueue, Room

LANE = ("1", "r", "f")
ROOM = Room(100, 1 << 20)
DELIVERY = Delivery("destination", "arn:t", "role", *LANE, b"{}", {"A": ("String", "v")})


def event(number=0, *, due=0.0, payload=b"{}", name="f"):
    """An event that was accepted when it is due."""
    return QueuedEvent("1", "r", name, "", f"id-{number}", payload, due, due)


async def added(queue, wanted):
    """The number of an event that is on disk."""
    number, done = queue.add(wanted)
    await done
    return number


@pytest.fixture
async def queue(tmp_path):
    database = await Database.open(tmp_path / "events.db", "events")
    yield await EventQueue.open(database)
    await database.close()


async def test_what_was_added_is_there_after_reopening(tmp_path):
    """With all its members."""
    database = await Database.open(tmp_path / "events.db", "events")
    await added(await EventQueue.open(database), event(7))
    await database.close()
    database = await Database.open(tmp_path / "events.db", "events")
    queue = await EventQueue.open(database)

    assert await queue.lanes() == [LANE]
    [stored] = (await queue.due(LANE, 0.0, set(), ROOM)).events

    assert stored.event == event(7)
    await database.close()


async def test_events_come_in_the_order_they_are_due(queue):
    """Those of the same moment in the order they were added; later ones not at all."""
    for number, due in ((0, 5.0), (1, 1.0), (2, 1.0), (3, 9.0)):
        await added(queue, event(number, due=due))

    page = await queue.due(LANE, 5.0, set(), ROOM)

    assert [stored.event.request_id for stored in page.events] == ["id-1", "id-2", "id-0"]
    assert page.later == 9.0
    assert not page.is_cut


async def test_known_events_are_left_out_and_do_not_hide_the_rest(queue):
    """However many of the first are known."""
    numbers = [await added(queue, event(n)) for n in range(5)]

    page = await queue.due(LANE, 0.0, set(numbers[:4]), Room(1, 1 << 20))

    assert [stored.number for stored in page.events] == numbers[4:]


async def test_no_more_is_loaded_than_there_is_room_for(queue):
    """By count and by bytes; the first always fits."""
    for number in range(4):
        await added(queue, event(number, payload=b"x" * 100))

    by_count = await queue.due(LANE, 0.0, set(), Room(3, 1_000))
    by_bytes = await queue.due(LANE, 0.0, set(), Room(100, 250))
    tiny = await queue.due(LANE, 0.0, set(), Room(100, 1))

    assert [len(p.events) for p in (by_count, by_bytes, tiny)] == [3, 2, 1]
    assert by_count.is_cut
    assert by_bytes.is_cut
    assert tiny.is_cut


async def test_an_event_that_is_tried_again_waits(queue):
    """Until its new time, with what is known of its attempts."""
    number = await added(queue, event())

    await queue.again(number, Again(60.0, 1, 2))

    assert (await queue.due(LANE, 59.0, set(), ROOM)).events == []
    [stored] = (await queue.due(LANE, 60.0, set(), ROOM)).events
    assert (stored.event.attempts, stored.event.refusals) == (1, 2)


async def test_what_is_to_be_told_takes_the_place_of_the_event(queue):
    """In one commit."""
    number = await added(queue, event())

    await queue.finish(number, [DELIVERY], 3.0)

    assert await queue.waiting() == 0
    due, later = await queue.deliveries(3.0, 10)
    assert [each.delivery for each in due] == [DELIVERY]
    assert later is None


async def test_an_event_that_is_gone_tells_nothing(queue):
    """It was dropped with its function while it ran."""
    number = await added(queue, event())
    await queue.forget(LANE)

    await queue.finish(number, [DELIVERY], 3.0)

    assert (await queue.deliveries(3.0, 10))[0] == []


async def test_a_delivery_waits_and_goes(queue):
    """Tried again later, then done."""
    await queue.finish(await added(queue, event()), [DELIVERY], 0.0)
    [stored] = (await queue.deliveries(0.0, 10))[0]

    await queue.delivery_again(stored.number, 8.0)

    assert await queue.deliveries(7.0, 10) == ([], 8.0)
    [again] = (await queue.deliveries(8.0, 10))[0]
    assert again.attempts == 1
    await queue.delivered(again.number)
    assert await queue.deliveries(8.0, 10) == ([], None)


async def test_only_the_events_of_a_deleted_function_go(queue):
    """Other functions keep theirs."""
    await added(queue, event())
    await added(queue, event(name="g"))

    assert await queue.forget(LANE) == 1

    assert await queue.lanes() == [("1", "r", "g")]


async def test_each_lane_is_found_once(queue):
    """Of all accounts and regions, however many events each has."""
    places = {(a, r, n) for a in ("1", "2") for r in ("eu", "us") for n in ("f", "g", "h")}
    places -= {("1", "us", "f"), ("2", "eu", "h")}
    for account, region, name in sorted(places, reverse=True):
        for number in range(3):
            await added(queue, event(number)._replace(account=account, region=region, name=name))

    assert await queue.lanes() == sorted(places)


async def test_events_added_together_have_numbers_in_their_order(queue):
    """Also after the queue has been empty: no number comes twice."""
    first = await asyncio.gather(*(added(queue, event(n)) for n in range(50)))
    await asyncio.gather(*(queue.finish(number, [], 0.0) for number in first))
    second = await asyncio.gather(*(added(queue, event(n)) for n in range(50)))

    assert sorted({*first, *second}) == first + second
    page = await queue.due(LANE, 0.0, set(), ROOM)
    assert [each.event.request_id for each in page.events] == [f"id-{n}" for n in range(50)]


async def test_changes_of_an_event_happen_in_the_order_they_were_made(queue):
    """Also if the event is not on disk yet: nothing of one that is over comes back."""
    put_off, _ = queue.add(event(0))
    queue.again(put_off, Again(60.0, 1, 0))
    over, _ = queue.add(event(1))
    await queue.finish(over, [], 0.0)

    page = await queue.due(LANE, 0.0, set(), ROOM)

    assert (page.events, page.later) == ([], 60.0)
    assert await queue.waiting() == 1


async def test_no_number_comes_twice_after_reopening(tmp_path):
    """Though no event is left."""
    numbers = []
    for _ in range(2):
        database = await Database.open(tmp_path / "events.db", "events")
        queue = await EventQueue.open(database)
        numbers.append(await added(queue, event()))
        await queue.finish(numbers[-1], [], 0.0)
        await database.close()

    assert numbers[1] > numbers[0]
