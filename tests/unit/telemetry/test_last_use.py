"""When a version was used last."""

import pytest

from emberbox.clock import ManualClock
from emberbox.model.function import State
from emberbox.model.usage import Subject, Usage
from emberbox.telemetry.last_use import LastUse
from specimens import function_version

ACTIVE = function_version("f", state=State.ACTIVE)
PLACE = (*ACTIVE.key, "$LATEST")
DAY_S = 86_400.0


@pytest.fixture
def clock():
    clock = ManualClock()
    clock.advance(100 * DAY_S - clock.now() % DAY_S)
    return clock


def day(clock, ago):
    """A day as usage is kept by, so many before now."""
    from emberbox.clock import utc

    return f"{utc(clock.now() - ago * DAY_S):%Y-%m-%d}"


def test_an_invocation_counts_when_it_ended(clock):
    """The last one of those that are told together."""
    use = LastUse({}, clock)
    use.ran([Usage(Subject.of(ACTIVE), "id", at, 1.0, 1, None, 1) for at in (5.0, 7.0)])

    assert use.at(PLACE) == 7.0


def test_a_change_counts_but_for_becoming_inactive(clock):
    """What is made, updated or woken has its whole time again."""
    use, inactive = LastUse({}, clock), function_version("f", state=State.INACTIVE)
    use.function_changed(None, ACTIVE)
    made = clock.now()
    clock.advance(50)
    use.function_changed(ACTIVE, inactive)
    assert use.at(PLACE) == made
    use.function_changed(inactive, ACTIVE)

    assert use.at(PLACE) == made + 50


def test_what_never_ran_counts_from_the_start_of_the_server(clock):
    """Nothing else is known of it; so does one that was deleted."""
    began, use = clock.now(), LastUse({}, clock)
    clock.advance(50)
    use.function_changed(None, ACTIVE)
    use.function_changed(ACTIVE, None)

    assert use.at(PLACE) == began


def test_of_the_time_before_the_end_of_the_day_counts(clock):
    """Today has not ended yet."""
    began = clock.now()
    use = LastUse({PLACE: day(clock, 3), (*PLACE[:3], "1"): day(clock, 0)}, clock)

    assert use.at(PLACE) == began - 2 * DAY_S
    assert use.at((*PLACE[:3], "1")) == began
