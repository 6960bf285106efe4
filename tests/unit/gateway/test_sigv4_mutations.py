"""A request that was signed is never accepted as another one, whichever part of it is changed."""

import datetime as dt
from posixpath import normpath
from unittest.mock import patch
from urllib.parse import parse_qsl

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from emberbox.gateway.sigv4_payload import stand_in
from emberbox.gateway.sigv4_request import (
    SignatureError,
    check_fresh,
    check_signature,
    claim_of_header,
    claim_of_query,
)

SECRETS = {"AKIAMUTATED": "the secret", "AKIAANOTHER": "another secret"}
KEY = "AKIAMUTATED"
NOW = dt.datetime(2026, 3, 1, 12, 0, 0, tzinfo=dt.UTC)
HOST = "http://127.0.0.1:4566"
TARGET = "/2015-03-31/functions/a-b%2Fc/invocations?Qualifier=a%20b%2Bc&x=1&x=0"
HEADERS = {"X-Amz-Invocation-Type": "Event", "X-Amz-Meta": "a  b", "Content-Type": "text/plain"}
BODY = b'{"amount": 1}'


def signed(*, is_presigned, token, service):
    """(method, target, headers, body), as botocore signs it."""
    in_header, in_query = auth.SigV4Auth, auth.SigV4QueryAuth
    if service == "s3":
        in_header, in_query = auth.S3SigV4Auth, auth.S3SigV4QueryAuth
    signer = in_query if is_presigned else in_header
    body = b"" if is_presigned else BODY
    request = AWSRequest("POST", HOST + TARGET, headers=HEADERS, data=body)
    with patch.object(auth, "get_current_datetime", lambda *_a: NOW.replace(tzinfo=None)):
        signer(Credentials(KEY, SECRETS[KEY], token), service, "us-east-1").add_auth(request)
    target = request.prepare().url.removeprefix(HOST).encode()
    lines = {
        name.lower().encode(): value if isinstance(value, bytes) else str(value).encode()
        for name, value in request.headers.items()
    }
    return [b"POST", target, {b"host": b"127.0.0.1:4566", **lines}, body]


FORMS = [
    pytest.param({"is_presigned": is_presigned, "token": token, "service": service}, id=name)
    for name, is_presigned, token, service in [
        ("header", False, None, "lambda"),
        ("header of a session", False, "tok/en==", "lambda"),
        ("presigned", True, None, "lambda"),
        ("presigned by a session", True, "tok/en==", "lambda"),
        ("header for s3", False, None, "s3"),
        ("presigned for s3", True, None, "s3"),
    ]
]


def accepted(method, target, headers, body):
    """The claim of a request, or None if it is refused; nothing else may come of it."""
    query = target.partition(b"?")[2]
    try:
        is_presigned = b"authorization" not in headers and b"X-Amz-Signature=" in query
        claim = claim_of_query(query) if is_presigned else claim_of_header(headers)
        check_fresh(claim, NOW.timestamp(), 300)
        secret = SECRETS.get(claim.access_key)
        if secret is None:
            return None
        payload = stand_in(claim, headers, body)
        check_signature(claim, secret, method, target, headers, payload)
    except SignatureError:
        return None
    return claim


def meaning(claim, method, target, headers, body):
    """All that a server may act on; two requests with the same meaning are one."""
    path, _, query = target.decode("latin-1").partition("?")
    fields = [
        pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "X-Amz-Signature"
    ]
    own = {
        name: value.split()
        for name, value in headers.items()
        if name in claim.signed_headers or name.startswith(b"x-amz-")
    }
    where = path if claim.service == b"s3" else "/" + normpath(path).lstrip("/")
    who = (claim.access_key, claim.scope, claim.timestamp, claim.token, claim.expires_s)
    return who, method, where, sorted(fields), own, body


def _escape(byte):
    return b"".join(b"%%%02X" % each for each in byte)


CHANGES = {
    "replace": lambda text, at, byte: text[:at] + byte + text[at + 1 :],
    "remove": lambda text, at, _: text[:at] + text[at + 1 :],
    "double": lambda text, at, _: text[:at] + text[at : at + 1] + text[at:],
    "add": lambda text, at, byte: text[:at] + byte + text[at:],
    "cut": lambda text, at, _: text[at:],
    "shorten": lambda text, at, _: text[:at],
    "case": lambda text, at, _: text[:at] + text[at : at + 1].swapcase() + text[at + 1 :],
    "encode": lambda text, at, _: text[:at] + _escape(text[at : at + 1]) + text[at + 1 :],
}
BYTES = st.binary(min_size=1, max_size=2) | st.sampled_from(
    [bytes([each]) for each in b"+%&=/.,; \t\n\0aA"]
)


@st.composite
def changes(draw, text):
    """The bytes with one of them replaced, removed, doubled, added or encoded, or with a part."""
    change = CHANGES[draw(st.sampled_from(sorted(CHANGES)))]
    return change(text, draw(st.integers(0, max(0, len(text) - 1))), draw(BYTES))


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=300)
@given(data=st.data())
def test_no_change_of_one_part_makes_another_request(form, data):
    """It is refused, unless it means the very same."""
    method, target, headers, body = original = signed(**form)
    claim = accepted(*original)
    assert claim is not None
    parts = ["method", "target", "body", "added", "dropped", *headers]
    match data.draw(st.sampled_from(parts)):
        case "method":
            method = data.draw(changes(method))
        case "target":
            target = b"/" + data.draw(changes(target[1:]))
        case "body":
            body = data.draw(changes(body))
        case "added":
            name = data.draw(st.sampled_from([b"x-amz-log-type", b"x-amz-target", b"x-amz-acl"]))
            headers = {**headers, name: b"Tail"}
        case "dropped":
            gone = data.draw(st.sampled_from(sorted(headers)))
            headers = {name: value for name, value in headers.items() if name != gone}
        case name:
            headers = {**headers, name: data.draw(changes(headers[name]))}

    again = accepted(method, target, headers, body)

    if again is not None:
        if form["is_presigned"] and form["service"] == "s3":
            body = original[3]  # which a presigned request to S3 leaves open
        assert meaning(again, method, target, headers, body) == meaning(claim, *original)


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"a%20b%2Bc", b"a%20b+c"), (b"a%20b%2Bc", b"a%2Bb%2Bc"), (b"x=1&x=0", b"x=1"),
     (b"a-b%2Fc", b"a-b/c"), (b"a-b%2Fc", b"a-b%252Fc")],
)  # fmt: skip
def test_what_reads_differently_is_refused(before, after):
    """A plus is a space to whoever reads a query, and an encoded slash is none in a path."""
    method, target, headers, body = signed(is_presigned=False, token=None, service="lambda")

    assert before in target
    assert accepted(method, target.replace(before, after), headers, body) is None
    assert accepted(method, target.replace(b"a%20b", b"a+b"), headers, body) is not None
