"""Spans of requests at the gateway: whose trace they go on with, and which are told of."""

import pytest

from emberbox.clock import ManualClock
from emberbox.gateway.request_spans import RequestSpans, given_trace
from emberbox.model.span_attributes import Asked, invoked_by_name
from emberbox.telemetry.spans import Spans

ROOT = "1-5759e988-bd862e3fe1be46a994272793"
XRAY = f"Root={ROOT};Parent=00f067aa0ba902b7;Sampled=1"
W3C = "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-01"
OF_W3C = "Root=1-aaaaaaaa-aaaaaaaaaaaaaaaaaaaaaaaa;Parent=bbbbbbbbbbbbbbbb;Sampled=1;Otel=1"
ASKED = Asked("POST", "/path", "http", "id", "127.0.0.1", "agent")


class Export:
    """Keeps what is sent."""

    def __init__(self):
        self.sent = []

    def wants(self, *_asked):
        return True

    def send(self, span):
        self.sent.append(span)


@pytest.fixture
def export():
    return Export()


@pytest.fixture
def spans(export):
    return RequestSpans(Spans(export, ManualClock()))


@pytest.mark.parametrize(
    ("xray", "w3c", "trace"),
    [
        (XRAY, None, XRAY),
        (XRAY, W3C, XRAY),
        (None, W3C, OF_W3C),
        ("no trace", W3C, OF_W3C),
        ("no trace", "nor this", None),
        (None, None, None),
    ],
)
def test_xrays_header_counts_before_w3cs(xray, w3c, trace):
    """What is in neither form is no trace; W3C's is not one that X-Ray records."""
    assert given_trace(xray, w3c) == trace


def test_a_request_that_asks_for_nothing_we_know_is_not_told_of(spans, export):
    """Health checks and the like."""
    spans.end(spans.begin(ASKED, None, None), 200)
    assert export.sent == []


def test_a_request_is_named_by_its_operation_or_its_page(spans, export):
    """Which is found out after it has begun."""
    for operation, page in (("sqs/SendMessage", ""), ("", "GET f")):
        span = spans.begin(ASKED, None, None)
        span.operation, span.page = operation, page
        spans.end(span, 200)
    assert [each.name for each in export.sent] == ["sqs/SendMessage", "GET f"]
    assert [each.said().get("rpc.method") for each in export.sent] == ["sqs/SendMessage", None]


@pytest.mark.parametrize(
    "name",
    [
        "f",
        "123456789012:function:f",
        "arn:aws:lambda:eu-west-1:123456789012:function:f:live",
        "arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Af",
    ],
)
def test_the_invoked_function_is_named_however_the_request_names_it(name):
    """By name, in part, or by ARN."""
    found = invoked_by_name(name, None, "123456789012", "eu-west-1")
    assert found["faas.invoked_name"] == "f"
    assert found["aws.lambda.invoked_arn"].endswith(":123456789012:function:f")
