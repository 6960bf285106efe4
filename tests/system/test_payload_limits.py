"""Payloads of the greatest size pass, and one byte more does not: in both directions."""

import pytest
from hands import ApiError

REQUEST_MAX, RESPONSE_MAX, EVENT_MAX = 6_291_456, 6_291_556, 1_048_576
SOURCE = """
    def lambda_handler(event, context):
        return "x" * event if isinstance(event, int) else len(event)
"""


@pytest.fixture
def measurer(make_function):
    """Tells the length of a text, or makes one."""
    return make_function(SOURCE, MemorySize=512, Timeout=30)


def text(size):
    """A JSON text of that many bytes."""
    return b'"' + b"x" * (size - 2) + b'"'


def test_requests_have_an_exact_limit(boto, measurer):
    """6 MB for who waits, 1 MB for an event."""
    whole = boto.invoke(measurer, text(REQUEST_MAX))
    event = boto.invoke(measurer, text(EVENT_MAX), InvocationType="Event")
    refused = []
    for size, kind in ((REQUEST_MAX, "RequestResponse"), (EVENT_MAX, "Event")):
        with pytest.raises(ApiError) as caught:
            boto.invoke(measurer, text(size + 1), InvocationType=kind)
        refused.append(caught.value.code)

    assert whole.json() == REQUEST_MAX - 2
    assert event.status == 202
    assert refused == ["RequestTooLargeException"] * 2


def test_results_have_an_exact_limit(boto, measurer):
    """6 MB and 100 bytes, counted as JSON."""
    passed = boto.invoke(measurer, str(RESPONSE_MAX - 2).encode())
    refused = boto.invoke(measurer, str(RESPONSE_MAX - 1).encode())

    assert (passed.error, len(passed.payload)) == (None, RESPONSE_MAX)
    assert refused.error == "Unhandled"
    assert refused.json()["errorType"] == "Function.ResponseSizeTooLarge"
