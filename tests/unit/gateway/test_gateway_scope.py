"""Credential scopes and request ids."""

import re

import pytest
from gateway_asgi import authorization
from gateway_samples import untimed
from hypothesis import given
from hypothesis import strategies as st

from emberbox.gateway.request_ids import RequestIds
from emberbox.gateway.sigv4_scope import ScopeReader

READER = ScopeReader("000000000000", "us-east-1")


def test_a_header_gives_region_service_and_access_key():
    """An ordinary access key belongs to the default account."""
    scope = READER.of_header(authorization("lambda", "AKIAEXAMPLE", "ap-south-1").encode())

    assert (scope.account, scope.region) == ("000000000000", "ap-south-1")
    assert (scope.access_key, scope.service, scope.is_signed) == ("AKIAEXAMPLE", "lambda", True)


def test_an_access_key_of_twelve_digits_is_the_account():
    """That is how a client picks an account."""
    scope = READER.of_header(authorization("sqs", "210987654321").encode())

    assert scope.account == "210987654321"


@pytest.mark.parametrize("key", ["12345678901", "1234567890123", "12345678901a"])
def test_other_digits_are_an_ordinary_key(key):
    """Only exactly twelve digits are an account."""
    assert READER.of_header(authorization("sqs", key).encode()).account == "000000000000"


@pytest.mark.parametrize(
    "header",
    [None, b"", b"Basic dXNlcjpwYXNz", b"AWS4-HMAC-SHA256 Credential=a/b/c", b"Bearer x", b"\xff"],
)
def test_anything_else_is_unsigned(header):
    """Defaults stand in, and nothing is signed."""
    scope = READER.of_header(header)

    assert scope is READER.unsigned
    assert not scope.is_signed


def test_a_presigned_query_is_read_like_a_header():
    """X-Amz-Credential holds the same scope."""
    query = [("X-Amz-Credential", "123456789012/20260101/eu-west-1/s3/aws4_request")]

    scope = READER.of_request({}, query)

    assert (scope.account, scope.region, scope.service) == ("123456789012", "eu-west-1", "s3")


def test_equal_scopes_are_read_once():
    """The signature differs with each request, the scope does not."""
    first = READER.of_header(authorization("lambda").encode() + b"1")
    second = READER.of_header(authorization("lambda").encode() + b"2")

    assert first is second


@untimed
@given(st.binary(max_size=300))
def test_no_header_is_too_odd(header):
    """Whatever bytes come, there is a scope."""
    assert READER.of_header(b"AWS4-HMAC-SHA256 Credential=" + header).account


def test_request_ids_are_random_uuids():
    """Version 4, variant 1, no two alike."""
    ids = RequestIds()

    made = [ids.next() for _ in range(1_000)]

    pattern = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    assert len(set(made)) == 1_000
    assert all(pattern.fullmatch(each) for each in made)
