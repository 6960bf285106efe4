"""When an invocation that had to wait for its environment is over."""

import asyncio

import pytest

from emberbox.clock import ManualClock
from emberbox.environment.fleet import StaleFunctionError
from emberbox.errors import CallerError
from emberbox.invoke.admission import Limits
from emberbox.invoke.frontdoor import FrontDoor, InvokeRequest
from emberbox.model.function import State
from emberbox.model.invocation import Outcome
from emberbox.storage.catalog import Delta, FunctionCatalog
from specimens import function_version

FUNCTION = function_version("f", state=State.ACTIVE)
REQUEST = InvokeRequest(FUNCTION.account, FUNCTION.region, "id", "f", b"{}")


class Fleet:
    """No environment is idle; `error` is why none can be had, once."""

    def __init__(self):
        self.error, self.finish = None, None
        self.given = asyncio.Event()

    async def give(self, _function, _invocation, done):
        error, self.error = self.error, None
        if error is not None:
            raise error
        self.finish = done
        self.given.set()

    def notice(self, _function):
        return ""


@pytest.fixture
def fleet():
    return Fleet()


@pytest.fixture
async def door(fleet):
    """The front door of a server with one function."""
    catalog = FunctionCatalog()
    catalog.apply(FUNCTION.key, Delta.of(FUNCTION))
    return FrontDoor(catalog, fleet, ManualClock(), Limits(1))


async def test_an_answer_goes_out_before_anything_else_happens(door, fleet):
    """Whoever ends an invocation has called the caller back, and made its place free, at once."""
    answers = []
    await door.serve(REQUEST, answers.append)
    counted = door.in_flight

    fleet.finish(Outcome(b"1"))

    assert counted == 1
    assert (door.in_flight, [answer.payload for answer in answers]) == (0, [b"1"])


async def test_a_refusal_is_raised_and_leaves_the_place(door, fleet):
    """The caller is not called back then."""
    fleet.error = CallerError("TooManyRequestsException", "no", status=429)
    throttled = []
    door.throttled = lambda key, qualifier: throttled.append((key, qualifier))

    with pytest.raises(CallerError, match="no"):
        await door.serve(REQUEST, lambda _answer: pytest.fail("it was refused"))

    assert (door.in_flight, throttled) == (0, [(FUNCTION.key, None)])


async def test_a_function_that_changed_meanwhile_is_asked_for_again(door, fleet):
    """The same request is answered all the same."""
    fleet.error = StaleFunctionError("f")
    asked = asyncio.ensure_future(door.invoke(REQUEST))
    await asyncio.wait_for(fleet.given.wait(), 5)

    fleet.finish(Outcome(b"2"))

    assert (await asked).payload == b"2"
