"""Rules of asynchronous invocation: retries, ages, records, dead letters."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.async_deliveries import bus_entry, deliveries_of
from emberbox.model.async_invocation import (
    RECORD_MAX_BYTES,
    Again,
    AsyncPolicy,
    Condition,
    Over,
    QueuedEvent,
    Ran,
    after_refusal,
    after_run,
    before_run,
    dead_letter_attributes,
    destination_record,
    fitted,
    may_start,
)

ARN = "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST"
FAILED = Ran(b'{"errorMessage":"no","errorType":"E"}', "$LATEST", failed=True)
SUCCEEDED = Ran(b'{"ok":1}', "$LATEST", failed=False)


def event(**changes):
    """An event that was accepted at second 1000."""
    values = {
        "account": "123456789012",
        "region": "us-east-1",
        "name": "f",
        "qualifier": "",
        "request_id": "r1",
        "payload": b'{"a":1}',
        "accepted": 1_000.0,
        "due": 1_000.0,
    }
    return QueuedEvent(**{**values, **changes})


def test_a_failed_event_is_tried_again_after_one_minute_and_after_two():
    """Three attempts by default, then the retries are exhausted."""
    first = after_run(event(), AsyncPolicy(), 1_001.0, failed=True)
    second = after_run(event(attempts=1), AsyncPolicy(), 1_062.0, failed=True)
    third = after_run(event(attempts=2), AsyncPolicy(), 1_183.0, failed=True)

    assert first == Again(1_061.0, 1, 0)
    assert second == Again(1_182.0, 2, 0)
    assert third == Over(Condition.RETRIES_EXHAUSTED, 3)


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_as_many_retries_as_configured(retries):
    """MaximumRetryAttempts counts the attempts after the first."""
    over = after_run(event(attempts=retries), AsyncPolicy(retries=retries), 1_000.0, failed=True)

    assert over == Over(Condition.RETRIES_EXHAUSTED, retries + 1)


def test_a_retry_beyond_the_age_limit_is_not_waited_for():
    """The event is too old at once if its next try would be."""
    over = after_run(event(), AsyncPolicy(age_max_s=60), 1_001.0, failed=True)

    assert over == Over(Condition.EVENT_AGE_EXCEEDED, 1)


def test_an_event_older_than_allowed_is_not_run():
    """Its age counts from when it was accepted."""
    assert before_run(event(), AsyncPolicy(age_max_s=60), 1_060.0) is None
    assert before_run(event(), AsyncPolicy(age_max_s=60), 1_060.1) == Over(
        Condition.EVENT_AGE_EXCEEDED, 0
    )


def test_a_function_that_is_switched_off_is_not_run():
    """Reserved concurrency 0 ends its events at once."""
    over = before_run(event(), AsyncPolicy(is_switched_off=True), 1_000.0)

    assert over == Over(Condition.ZERO_RESERVED_CONCURRENCY, 0)


@given(st.integers(0, 200), st.floats(0, 21_600))
def test_refusals_cost_no_attempt_and_wait_at_most_five_minutes(refusals, age):
    """From one second, doubling, until the age limit."""
    now = 1_000.0 + age
    verdict = after_refusal(event(refusals=refusals), AsyncPolicy(), now)

    if isinstance(verdict, Again):
        assert verdict.attempts == 0
        assert verdict.refusals == refusals + 1
        assert 1 <= round(verdict.due - now, 6) <= 300
        assert verdict.due <= 1_000.0 + 21_600
    else:
        assert verdict.condition is Condition.EVENT_AGE_EXCEEDED
        assert now + 300 > 1_000.0 + 21_600


def test_a_record_of_a_success():
    """As AWS writes it."""
    record = destination_record(event(), ARN, Over(Condition.SUCCESS, 1), SUCCEEDED, 1_767_225_600)

    assert record == {
        "version": "1.0",
        "timestamp": "2026-01-01T00:00:00.000Z",
        "requestContext": {
            "requestId": "r1",
            "functionArn": ARN,
            "condition": "Success",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"a": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
        "responsePayload": {"ok": 1},
    }


def test_a_record_of_a_failure_names_the_kind_of_error():
    """functionError stands only in records of failures."""
    record = destination_record(event(), ARN, Over(Condition.RETRIES_EXHAUSTED, 3), FAILED, 0.0)

    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorMessage"] == "no"


def test_a_record_of_an_event_that_never_ran_has_no_response():
    """There is none."""
    over = Over(Condition.ZERO_RESERVED_CONCURRENCY, 0)

    record = destination_record(event(), ARN, over, None, 0.0)

    assert "responseContext" not in record
    assert "responsePayload" not in record


def test_a_record_of_an_event_that_was_only_refused_has_no_response_either():
    """Though its dead letter names the refusal."""
    over = Over(Condition.EVENT_AGE_EXCEEDED, 0)
    refused = Ran(b'{"errorMessage":"Rate Exceeded."}', "", failed=True, status=429)

    record = destination_record(event(), ARN, over, refused, 0.0)

    assert record.keys() == {"version", "timestamp", "requestContext", "requestPayload"}
    assert dead_letter_attributes(event(), refused)["ErrorCode"] == ("Number", "429")


@given(st.integers(0, RECORD_MAX_BYTES * 2))
def test_a_record_fits_into_a_message(size):
    """Payloads are left out if they would make it too large; the rest stays."""
    record = destination_record(
        event(payload=json.dumps("x" * size).encode()),
        ARN,
        Over(Condition.SUCCESS, 1),
        SUCCEEDED,
        0.0,
    )

    text = fitted(record)

    assert len(text) <= RECORD_MAX_BYTES
    assert json.loads(text)["requestContext"] == record["requestContext"]


def test_a_dead_letter_tells_of_the_last_error():
    """Request id, status, and the first kilobyte of the message."""
    ran = Ran(json.dumps({"errorMessage": "x" * 2_000}).encode(), "$LATEST", failed=True)

    attributes = dead_letter_attributes(event(), ran)

    assert attributes["RequestID"] == ("String", "r1")
    assert attributes["ErrorCode"] == ("Number", "200")
    assert attributes["ErrorMessage"] == ("String", "x" * 1_024)


def test_a_failure_goes_to_its_destination_and_to_the_dead_letters():
    """Both, if both are configured; the dead letter is the event itself."""
    policy = AsyncPolicy(on_success="a:s", on_failure="a:f", dead_letters="a:d", role="r")

    found = deliveries_of(event(), policy, Over(Condition.RETRIES_EXHAUSTED, 3), FAILED, 0.0)

    assert [(each.kind, each.target) for each in found] == [
        ("destination", "a:f"),
        ("dead-letter", "a:d"),
    ]
    assert found[1].body == b'{"a":1}'


def test_a_success_goes_to_its_own_destination_only():
    """No dead letter, no failure destination."""
    policy = AsyncPolicy(on_success="a:s", on_failure="a:f", dead_letters="a:d")

    found = deliveries_of(event(), policy, Over(Condition.SUCCESS, 1), SUCCEEDED, 0.0)

    assert [each.target for each in found] == ["a:s"]


def test_a_bus_gets_the_record_as_an_event_of_lambda():
    """Source, detail type and resources as AWS sets them."""
    policy = AsyncPolicy(on_failure="arn:aws:events:us-east-1:123456789012:event-bus/b")
    over = Over(Condition.RETRIES_EXHAUSTED, 3)
    [delivery] = deliveries_of(event(qualifier="live"), policy, over, FAILED, 0.0)

    entry = bus_entry(delivery)

    assert entry["DetailType"] == "Lambda Function Invocation Result - Failure"
    assert entry["Resources"] == [
        "arn:aws:events:us-east-1:123456789012:event-bus/b",
        "arn:aws:lambda:us-east-1:123456789012:function:f:live",
    ]


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 40))
def test_slots_are_never_exceeded_and_a_quarter_is_for_the_others(running, own, slots):
    """A function with something running leaves room for those that have nothing."""
    allowed = may_start(running, own, slots)

    assert not (allowed and running >= slots)
    if own == 0 and running < slots:
        assert allowed
    if own and slots >= 4 and running >= slots - slots // 4:
        assert not allowed
