"""The context of spans in X-Ray's header, and what spans say of what they are about."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.errors import CallerError, PlatformError
from emberbox.model.async_deliveries import Delivery
from emberbox.model.async_invocation import Again, Condition, Over, QueuedEvent, Ran
from emberbox.model.function_errors import FunctionError
from emberbox.model.invocation import Invocation
from emberbox.model.report import Measurement, Restored
from emberbox.model.span_attributes import (
    Answered,
    Asked,
    beginning_of,
    error_of_attempt,
    error_of_invocation,
    error_of_request,
    of_attempt,
    of_batch,
    of_delivery,
    of_invocation,
    of_refusal,
    of_request,
    refusal_of,
    resource_of,
)
from emberbox.model.spans import (
    Context,
    Kind,
    Opened,
    context_of,
    continued,
    seen_by_function,
    traceparent_of,
)
from emberbox.model.trace import OWN, entered, from_traceparent, is_recorded, is_trace
from specimens import function_version

TRACE_ID = "5759e988bd862e3fe1be46a994272793"
ROOT = "1-5759e988-bd862e3fe1be46a994272793"
SPAN = "00f067aa0ba902b7"
FUNCTION = function_version(
    "seen",
    region="eu-west-1",
    version="7",
    memory_mb=256,
)
EVENT = QueuedEvent("123456789012", "r", "f", "", "id", b"{}", 100.0, 100.0, attempts=1)
hexadecimal = st.text("0123456789abcdef", min_size=1)


@pytest.mark.parametrize(
    ("trace", "context"),
    [
        (f"Root={ROOT};Parent={SPAN};Sampled=1", Context(TRACE_ID, SPAN, True)),
        (f"Root={ROOT};Parent={SPAN};Sampled=0", Context(TRACE_ID, SPAN, False)),
        (f"Sampled=?;Root={ROOT.upper()};Lineage=1:ab:0", Context(TRACE_ID, "", None)),
        (f"Root={ROOT};Parent=0000000000000000", Context(TRACE_ID, "", None)),
        (f"Root={ROOT};Parent=short;Sampled=1", Context(TRACE_ID, "", True)),
        ("Root=1-00000000-000000000000000000000000", None),
        ("Root=2-5759e988-bd862e3fe1be46a994272793", None),
        ("Parent=00f067aa0ba902b7", None),
        ("", None),
        (None, None),
    ],
)
def test_a_trace_header_holds_a_context(trace, context):
    """Where the root is none there is none; a parent that is none is left out."""
    assert context_of(trace) == context


@given(st.integers(1, 16**32 - 1), st.integers(1, 16**16 - 1), st.booleans())
def test_a_traceparent_is_the_same_after_the_way_through_our_header(trace, span, sampled):
    """Into X-Ray's form and back."""
    header = f"00-{trace:032x}-{span:016x}-{sampled:02d}"
    assert traceparent_of(from_traceparent(header)) == header


def test_a_span_goes_on_as_the_parent_in_its_trace():
    """The lineage stays; the header says that X-Ray is not to record it."""
    given_ = f"Root={ROOT};Parent=00000000000000aa;Sampled=0;Lineage=1:ab:0"
    on = continued(given_, TRACE_ID, SPAN)
    assert on == f"Root={ROOT};Parent={SPAN};Sampled=1;{OWN};Lineage=1:ab:0"
    assert is_trace(on)
    assert not is_recorded(on)
    assert entered(on, ("1", "r", "f"))[0].startswith(f"Root={ROOT};Parent={SPAN};Sampled=1;{OWN}")
    assert continued(None, TRACE_ID, SPAN) == f"Root={ROOT};Parent={SPAN};Sampled=1;{OWN}"


def test_a_trace_that_xray_records_keeps_its_segment_as_the_parent():
    """X-Ray would look for our span in vain."""
    given_ = f"Root={ROOT};Parent=00000000000000aa;Sampled=1"
    assert continued(given_, TRACE_ID, SPAN) == given_


def test_a_function_sees_its_own_span_as_the_parent():
    """All else stays, the lineage that came since too."""
    trace = continued(f"Root={ROOT};Parent=00000000000000aa", TRACE_ID, SPAN)
    caller = Opened("s", Kind.SERVER, TRACE_ID, SPAN, "", 1.0, trace)
    seen = seen_by_function(caller, f"{trace};Lineage=1:ab:0", "00000000000000bb")
    assert seen == f"Root={ROOT};Parent=00000000000000bb;Sampled=1;{OWN};Lineage=1:ab:0"


def test_a_trace_without_a_parent_is_no_traceparent():
    """W3C's form cannot do without."""
    assert traceparent_of("Root=odd") is None
    assert traceparent_of(f"Root={ROOT};Sampled=1") is None


@pytest.mark.parametrize(
    ("answered", "kind", "error"),
    [
        (Answered(200), None, None),
        (Answered(200, failed=True), None, "the function failed"),
        (Answered(404, "ResourceNotFoundException"), "ResourceNotFoundException", None),
        (Answered(403), "403", None),
        (Answered(500, "ServiceException"), "ServiceException", "ServiceException"),
        (Answered(502), "502", "the server failed"),
    ],
)
def test_a_request_is_an_error_when_the_server_or_a_function_failed(answered, kind, error):
    """A caller's mistake is named by `error.type`, as the conventions have it for servers."""
    attributes = of_request(Asked("GET", "/", "http", "id"), answered, "lambda/Invoke")
    assert attributes.get("error.type") == kind
    assert error_of_request(answered) == error


def test_what_a_client_sends_is_bounded_in_a_span():
    """Nobody fills a collector with a path."""
    asked = Asked("GET", "/" + "x" * 5_000, "http", "id", user_agent="y" * 5_000)
    attributes = of_request(asked, Answered(200), "")
    assert max(len(str(value)) for value in attributes.values()) == 1_024
    assert "rpc.method" not in attributes


def test_a_function_is_a_service_of_its_own():
    """With the attributes that the conventions give a function."""
    assert dict(resource_of(FUNCTION)) == {
        "service.name": "seen",
        "faas.name": "seen",
        "faas.version": "7",
        "faas.max_memory": 256 << 20,
        "cloud.provider": "emberbox",
        "cloud.region": "eu-west-1",
        "cloud.account.id": "123456789012",
        "cloud.resource_id": "arn:aws:lambda:eu-west-1:123456789012:function:seen:7",
    }
    assert resource_of(replace(FUNCTION, tags={"a": "b"})) == resource_of(FUNCTION)


def test_an_invocation_says_what_it_was_and_what_it_used():
    """By the conventions' names, and ours where they have none."""
    invocation = Invocation("id", b"", 3.0, "arn:x", "t", tenant="blue")
    measured = Measurement("id", 10.2, 256, 1 << 20, init_ms=5.0, cpu_ms=3.0)
    assert of_invocation(invocation, measured, "http") == {
        "faas.invocation_id": "id",
        "faas.trigger": "http",
        "faas.coldstart": True,
        "aws.lambda.invoked_arn": "arn:x",
        "aws.request_id": "id",
        "emberbox.billed_duration_ms": 16,
        "emberbox.max_memory_used": 1 << 20,
        "emberbox.cpu_ms": 3.0,
        "emberbox.tenant_id": "blue",
    }


@pytest.mark.parametrize(
    ("more", "phase"),
    [
        ({}, None),
        ({"init_ms": 5.0}, ("INIT", 5.0)),
        ({"init_ms": 5.0, "is_init_billed": False}, None),
        ({"restored": Restored(7.0, 2.0)}, ("RESTORE", 7.0)),
    ],
)
def test_a_cold_start_is_what_the_caller_waited_for(more, phase):
    """What was initialised ahead of need is warm when it is needed."""
    measured = Measurement("id", 10.0, 128, 0, **more)
    assert beginning_of(measured) == phase
    invocation = Invocation("id", b"", 3.0, "arn:x", "t")
    assert of_invocation(invocation, measured, "other")["faas.coldstart"] is (phase is not None)


@pytest.mark.parametrize(
    ("more", "kind", "error"),
    [
        ({}, None, None),
        ({"failed": True}, "Unhandled", "Unhandled"),
        ({"failed": True, "status": "timeout"}, "timeout", "timeout"),
        (
            {"failed": True, "status": "error", "error_type": "Runtime.ExitError"},
            "Runtime.ExitError",
            "Runtime.ExitError",
        ),
    ],
)
def test_a_function_that_fails_is_an_error(more, kind, error):
    """In whatever way it did."""
    measured = Measurement("id", 10.0, 128, 0, **more)
    assert error_of_invocation(measured) == error
    invocation = Invocation("id", b"", 3.0, "arn:x", "t")
    assert of_invocation(invocation, measured, "other").get("error.type") == kind


def test_a_failure_is_told_in_the_functions_own_words():
    """Where it has some."""
    measured = Measurement("id", 10.0, 128, 0, failed=True)
    failure = FunctionError("ValueError", "no such thing")
    invocation = Invocation("id", b"", 3.0, "arn:x", "t")
    assert of_invocation(invocation, measured, "other", failure)["error.type"] == "ValueError"
    assert error_of_invocation(measured, failure) == "no such thing"
    assert error_of_invocation(measured, FunctionError("ValueError")) == "ValueError"
    assert error_of_invocation(Measurement("id", 10.0, 128, 0), failure) is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (CallerError("TooManyRequestsException", "Rate Exceeded."), "TooManyRequestsException"),
        (PlatformError("no room"), "PlatformError"),
    ],
)
def test_what_could_not_be_run_says_why(error, kind):
    """Refused for its caller's sake, or for want of something here."""
    assert refusal_of(error) == (kind, str(error))
    assert of_refusal("id", kind, "other")["error.type"] == kind


@pytest.mark.parametrize(
    ("verdict", "ran", "outcome", "error"),
    [
        (Over(Condition.SUCCESS, 2), Ran(b"", "1", failed=False), "Success", None),
        (Again(160.0, 2, 0), Ran(b"", "1", failed=True), "Retry", "the function failed"),
        (Again(111.0, 1, 1), Ran(b"", "", True, 429), "Retry", "the function could not be run"),
        (
            Over(Condition.EVENT_AGE_EXCEEDED, 1),
            None,
            "EventAgeExceeded",
            "EventAgeExceeded",
        ),
        (None, None, "FunctionDeleted", None),
    ],
)
def test_an_attempt_says_which_it_is_and_what_follows(verdict, ran, outcome, error):
    """A retry says when."""
    attributes = of_attempt(EVENT, verdict, 110.0)
    assert attributes["emberbox.event.attempt"] == 2
    assert attributes["emberbox.event.age_s"] == 10.0
    assert attributes["emberbox.event.outcome"] == outcome
    retry = verdict.due - 110.0 if isinstance(verdict, Again) else None
    assert attributes.get("emberbox.event.retry_in_s") == retry
    assert error_of_attempt(verdict, ran) == error


@pytest.mark.parametrize(
    ("arn", "system", "name"),
    [
        ("arn:aws:sqs:us-east-1:123456789012:q", "aws_sqs", "q"),
        ("arn:aws:sns:us-east-1:123456789012:t", "aws.sns", "t"),
        ("arn:aws:events:us-east-1:123456789012:event-bus/b", "aws_eventbridge", "b"),
        ("arn:aws:lambda:us-east-1:123456789012:function:f:live", "aws_lambda", "f:live"),
        ("arn:aws:s3:::bucket", "aws_s3", "bucket"),
        ("", "aws_unknown", ""),
    ],
)
def test_what_messages_go_to_has_its_name(arn, system, name):
    """By the conventions' name of the system, where they have one."""
    delivery = Delivery("destination", arn, "role", "1", "r", "f", b"1234", {})
    sent, processed = of_delivery(delivery, 4, 3), of_batch(arn, 4)
    for attributes in (sent, processed):
        assert attributes["messaging.system"] == system
        assert attributes["messaging.destination.name"] == name
    assert sent["emberbox.delivery.attempt"] == 3
    assert sent["messaging.message.body.size"] == processed["messaging.batch.message_count"] == 4
