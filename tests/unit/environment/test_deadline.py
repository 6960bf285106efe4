"""A time limit set again and again."""

import asyncio

import pytest

from emberbox.environment.deadline import Deadline


class Ear:
    """Hears what is called back, with the seconds since the beginning."""

    def __init__(self):
        self.loop = asyncio.get_running_loop()
        self.began = self.loop.time()
        self.heard = asyncio.Queue()

    def of(self, word):
        """A callback that says the word."""
        return lambda: self.heard.put_nowait((word, self.loop.time() - self.began))

    async def next(self):
        """What comes next."""
        return await asyncio.wait_for(self.heard.get(), 60)


async def test_it_calls_back_when_the_time_is_over_and_not_before():
    """Once."""
    ear, deadline = Ear(), Deadline()
    deadline.set(0.02, ear.of("over"))

    word, after_s = await ear.next()

    assert word == "over"
    assert after_s >= 0.0195
    assert ear.heard.empty()


async def test_what_is_set_last_counts():
    """A later limit is kept by the timer of an earlier one, an earlier one needs its own."""
    ear, deadline = Ear(), Deadline()
    deadline.set(0.01, ear.of("first"))
    deadline.set(0.04, ear.of("second"))
    second = await ear.next()
    deadline.set(60, ear.of("never"))
    deadline.set(0.001, ear.of("soon"))

    assert second[0] == "second"
    assert second[1] >= 0.0395
    assert (await ear.next())[0] == "soon"


@pytest.mark.parametrize("how", [Deadline.clear, Deadline.end])
async def test_what_is_cleared_is_not_called(how):
    """Nor is it called when something else is set afterwards."""
    ear, deadline = Ear(), Deadline()
    deadline.set(0.001, ear.of("cleared"))
    how(deadline)
    deadline.set(0.01, ear.of("set again"))

    assert (await ear.next())[0] == "set again"
