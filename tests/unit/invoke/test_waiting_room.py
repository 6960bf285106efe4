"""Requests that wait for concurrency instead of being refused."""

import asyncio

import pytest

from emberbox.errors import CallerError
from emberbox.invoke.admission import Admission
from emberbox.invoke.waiting_room import WaitingRoom

F, G, H = (("1", "r", name) for name in "fgh")
LONG = 30.0


class Reservations:
    """What is set aside, by function."""

    def __init__(self, **reserved):
        self.by_name = reserved

    def reserved(self, key):
        return self.by_name.get(key[2])

    def reserved_in(self, _account, _region):
        return sum(self.by_name.values())


def room(limit=2, wait_s=LONG, room_max=1_000, **reserved):
    return room_of(Reservations(**reserved), limit, wait_s, room_max)


def room_of(reservations, limit, wait_s=LONG, room_max=1_000):
    admission = Admission(reservations, limit)
    return WaitingRoom(admission, wait_s, room_max), admission


async def started(*work):
    """Tasks that have come to where they wait."""
    tasks = [asyncio.ensure_future(each) for each in work]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_who_waits_comes_in_when_another_leaves():
    """In the order in which they came."""
    waiting, admission = room(1)
    held = await waiting.admit(F, 0.0)
    first, second = await started(waiting.admit(F, 0.0), waiting.admit(F, 0.0))
    assert (len(waiting), first.done()) == (2, False)

    admission.release(held)
    waiting.vacated()
    await asyncio.sleep(0)

    assert (await first).key == F
    assert not second.done()
    assert admission.total == 1
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    assert len(waiting) == 0


async def test_functions_take_turns():
    """One with a long line lets the others in between."""
    waiting, admission = room(1)
    held = await waiting.admit(F, 0.0)
    tasks = await started(*(waiting.admit(key, 0.0) for key in (F, F, F, G, H)))
    order = []
    for _ in range(5):
        admission.release(held)
        waiting.vacated()
        await asyncio.sleep(0)
        (done,) = (task for task in tasks if task.done())
        tasks.remove(done)
        held = await done
        order.append(held.key[2])

    assert order == ["f", "g", "h", "f", "f"]


async def test_who_has_waited_too_long_hears_why():
    """The same as without a room."""
    waiting, _ = room(1, wait_s=0.001)
    await waiting.admit(F, 0.0)

    with pytest.raises(CallerError) as refused:
        await waiting.admit(F, 0.0)

    assert refused.value.fields["Reason"] == "ConcurrentInvocationLimitExceeded"
    assert len(waiting) == 0


async def test_a_function_that_is_switched_off_waits_for_nothing():
    """Nobody of it runs who could make room."""
    waiting, _ = room(1, f=0)

    with pytest.raises(CallerError):
        await waiting.admit(F, 0.0)


async def test_a_function_switched_off_while_it_has_a_line_keeps_nobody_else_waiting():
    """All of its line are refused, as are new requests; the next function's turn has come."""
    reservations = Reservations()
    waiting, admission = room_of(reservations, 1)
    held = await waiting.admit(G, 0.0)
    first, second, other = await started(*(waiting.admit(key, 0.0) for key in (F, F, G)))

    reservations.by_name["f"] = 0
    with pytest.raises(CallerError) as refused:
        await waiting.admit(F, 0.0)
    admission.release(held)
    waiting.vacated()

    reason = "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert refused.value.fields["Reason"] == reason
    for turn in (first, second):
        with pytest.raises(CallerError) as refused:
            await turn
        assert refused.value.fields["Reason"] == reason
    assert (await other).key == G
    assert len(waiting) == 0


async def test_the_turn_of_who_is_leaving_goes_to_the_next_of_his_line():
    """He has not yet been taken out of it."""
    waiting, admission = room(1)
    held = await waiting.admit(F, 0.0)
    first, second = await started(waiting.admit(F, 0.0), waiting.admit(F, 0.0))

    first.cancel()
    admission.release(held)
    waiting.vacated()

    assert admission.total == 1
    assert (await second).key == F
    assert len(waiting) == 0


async def test_who_leaves_the_line_gives_back_what_he_was_given():
    """Even at the moment in which he was let in."""
    waiting, admission = room(1)
    held = await waiting.admit(F, 0.0)
    first, second = await started(waiting.admit(F, 0.0), waiting.admit(F, 0.0))

    admission.release(held)
    waiting.vacated()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)

    assert (await second).key == F
    assert admission.total == 1
    assert len(waiting) == 0


async def test_without_waiting_nobody_waits():
    """The room is closed unless it was opened."""
    waiting, _ = room(1, wait_s=0.0)
    await waiting.admit(F, 0.0)

    assert not waiting.must_wait(F)


async def test_one_function_cannot_fill_the_room():
    """The last of the longest line has to leave it to others; its own newcomer is refused."""
    waiting, admission = room(1, room_max=4)
    held = await waiting.admit(F, 0.0)
    noisy = await started(*(waiting.admit(F, 0.0) for _ in range(4)))
    with pytest.raises(CallerError):
        await waiting.admit(F, 0.0)

    quiet = await started(waiting.admit(G, 0.0), waiting.admit(G, 0.0))
    with pytest.raises(CallerError):
        await waiting.admit(G, 0.0)

    assert len(waiting) == 4
    assert [task.done() for task in noisy] == [False, False, True, True]
    reasons = {task.exception().fields["Reason"] for task in noisy[2:]}
    assert reasons == {"ConcurrentInvocationLimitExceeded"}
    order = []
    tasks = noisy[:2] + quiet
    for _ in range(4):
        admission.release(held)
        waiting.vacated()
        await asyncio.sleep(0)
        (done,) = (task for task in tasks if task.done())
        tasks.remove(done)
        held = await done
        order.append(held.key[2])
    assert order == ["f", "g", "f", "g"]


async def test_who_has_left_the_room_for_another_may_leave_once_more():
    """Its client went away at the same moment."""
    waiting, _ = room(1, room_max=2)
    await waiting.admit(F, 0.0)
    first, second = await started(waiting.admit(F, 0.0), waiting.admit(F, 0.0))
    second.cancel()
    (other,) = await started(waiting.admit(G, 0.0))
    assert second.cancelled()
    assert len(waiting) == 2
    for task in (first, other):
        task.cancel()
    await asyncio.gather(first, other, return_exceptions=True)
    assert len(waiting) == 0
