"""When deliveries of rules and schedules are tried again, and when they are given up."""

from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.parcels import (
    Exhausted,
    Parcel,
    after_failure,
    dead_letter_attributes,
    is_too_old,
)

RULE = "arn:aws:events:us-east-1:123456789012:rule/r"


def parcel(**changes):
    return Parcel("arn:t", "{}", RULE, "events.amazonaws.com", 1_000.0, **changes)


def test_attempts_are_counted():
    """With two retries the third failure is the last."""
    mine = parcel(retries=2)
    assert isinstance(after_failure(mine, 1, 1_000.0, 0.5), float)
    assert isinstance(after_failure(mine, 2, 1_000.0, 0.5), float)
    assert after_failure(mine, 3, 1_000.0, 0.5) is Exhausted.ATTEMPTS


@given(st.integers(1, 185), st.floats(0, 1), st.floats(0, 86_400))
def test_never_beyond_its_age(attempts, jitter, passed):
    """A retry is later than now, and never after the event's age."""
    now = 1_000.0 + passed
    due = after_failure(parcel(), attempts, now, jitter)
    if isinstance(due, float):
        assert now < due <= 1_000.0 + 86_400
    else:
        assert due is Exhausted.AGE


def test_age_ends_it():
    """What is too old is not tried."""
    assert not is_too_old(parcel(age_s=60), 1_060.0)
    assert is_too_old(parcel(age_s=60), 1_061.0)


def test_dead_letters_tell_why():
    """A dead letter names rule, target, error, and what was exhausted."""
    told = dead_letter_attributes(parcel(), "X", "no", 3, Exhausted.ATTEMPTS)
    assert told == {
        "RULE_ARN": RULE,
        "TARGET_ARN": "arn:t",
        "ERROR_CODE": "X",
        "ERROR_MESSAGE": "no",
        "RETRY_ATTEMPTS": "2",
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
    }
