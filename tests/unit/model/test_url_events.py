"""What a function hears of a request to its URL, and what its response means."""

import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.url_event import BadQueryError, Signer, UrlRequest, event_of
from emberbox.model.url_response import BadResponseError, answer_of, prelude_of

REQUEST = UrlRequest(
    url_id="a" * 32,
    method="POST",
    raw_path="/a%20b",
    query="",
    headers=[("host", "x.lambda-url.us-east-1.localhost:4566"), ("connection", "close")],
    body=b"",
    client="192.0.2.7",
    scheme="http",
    domain="x.lambda-url.us-east-1.localhost:4566",
    request_id="r-1",
    received=1_584_040_743.639,
    trace="Root=1-5e6a8927-000000000000000000000000",
)


def event(signer=None, **changes):
    return json.loads(event_of(replace(REQUEST, **changes), signer))


def test_a_bare_request_is_an_event_without_what_it_lacks():
    """No cookies, no parameters, no body: no members of these names."""
    assert event() == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/a%20b",
        "rawQueryString": "",
        "headers": {
            "host": "x.lambda-url.us-east-1.localhost:4566",
            "x-forwarded-for": "192.0.2.7",
            "x-forwarded-port": "4566",
            "x-forwarded-proto": "http",
            "x-amzn-trace-id": "Root=1-5e6a8927-000000000000000000000000",
        },
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "a" * 32,
            "domainName": "x.lambda-url.us-east-1.localhost",
            "domainPrefix": "a" * 32,
            "http": {
                "method": "POST",
                "path": "/a%20b",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.7",
                "userAgent": "",
            },
            "requestId": "r-1",
            "routeKey": "$default",
            "stage": "$default",
            "time": "12/Mar/2020:19:19:03 +0000",
            "timeEpoch": 1584040743639,
        },
        "isBase64Encoded": False,
    }


def test_lines_of_one_header_are_joined_and_cookies_taken_apart():
    """As recorded from AWS: the cookie header stays beside the cookies."""
    lines = [("h", "1"), ("h", "2"), ("cookie", "a=b; c=d"), ("cookie", "e=f")]

    found = event(headers=lines)

    assert found["headers"]["h"] == "1,2"
    assert found["headers"]["cookie"] == "a=b; c=d; e=f"
    assert found["cookies"] == ["a=b", "c=d", "e=f"]


def test_parameters_are_decoded_and_joined():
    """The raw query string stays as it came."""
    found = event(query="a=1&a=2&b=x%20y+z&c")

    assert found["queryStringParameters"] == {"a": "1,2", "b": "x y z", "c": ""}
    assert found["rawQueryString"] == "a=1&a=2&b=x%20y+z&c"


def test_parameters_without_number_are_refused():
    """Reading them would keep everybody else waiting."""
    with pytest.raises(BadQueryError):
        event(query="&".join(["a=1"] * 10_001))


def test_who_has_signed_is_shown_and_the_signature_is_not():
    """An authorization header that is no signature reaches the function."""
    lines = [("authorization", "Bearer x")]
    signer = Signer("AKIA", "123456789012", "arn:aws:iam::123456789012:user/u", "AIDAU")

    signed = event(signer, headers=lines)

    assert event(headers=lines)["headers"]["authorization"] == "Bearer x"
    assert "authorization" not in signed["headers"]
    assert signed["requestContext"]["accountId"] == "123456789012"
    assert signed["requestContext"]["authentication"] is None
    iam = signed["requestContext"]["authorizer"]["iam"]
    assert (iam["accessKey"], iam["userArn"], iam["callerId"]) == ("AKIA", signer.arn, "AIDAU")


@pytest.mark.parametrize(
    ("content_type", "body", "is_text"),
    [
        ("text/plain; charset=utf-8", "ä".encode(), True),
        ("application/json", b"{}", True),
        ("application/problem+json", b"{}", True),
        ("image/svg+xml", b"<svg/>", True),
        ("application/x-www-form-urlencoded", b"a=b", False),
        ("multipart/form-data; boundary=x", b"--x", False),
        ("application/octet-stream", b"text", False),
        ("text/plain", b"\xff", False),
    ],
)
def test_bodies_are_text_where_type_and_bytes_say_so(content_type, body, is_text):
    """Anything else is base64."""
    found = event(headers=[("content-type", content_type)], body=body)

    assert found["isBase64Encoded"] is not is_text
    sent = found["body"].encode() if is_text else base64.b64decode(found["body"])
    assert sent == body


@given(body=st.binary(min_size=1), content_type=st.sampled_from(["text/plain", "image/png", ""]))
def test_no_body_is_changed_on_its_way(body, content_type):
    """Whatever it is."""
    found = event(headers=[("content-type", content_type)], body=body)

    text = found["body"]
    assert (base64.b64decode(text) if found["isBase64Encoded"] else text.encode()) == body


def answer(value):
    return answer_of(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("response", "body"),
    [({"a": 1}, b'{"a": 1}'), ([1], b"[1]"), (None, b"null"), ("text", b"text"), (5, b"5")],
)
def test_a_response_that_is_no_answer_is_the_body_of_one(response, body):
    """A string goes out as it is, anything else as its JSON."""
    found = answer(response)

    assert (found.status, found.body) == (200, body)
    assert found.headers == [("content-type", "application/json")]


def test_an_answer_says_it_all():
    """Status, headers of any scalar, cookies, and a body in base64."""
    found = answer(
        {
            "statusCode": "418",
            "headers": {"X-A": 1, "Content-Type": "image/png"},
            "cookies": ["a=b; Secure", "c=d"],
            "body": base64.b64encode(b"\x00\xff").decode(),
            "isBase64Encoded": True,
        }
    )

    assert (found.status, found.body) == (418, b"\x00\xff")
    assert found.headers == [
        ("x-a", "1"),
        ("content-type", "image/png"),
        ("set-cookie", "a=b; Secure"),
        ("set-cookie", "c=d"),
    ]


def test_headers_of_the_connection_get_another_name():
    """A function does not say how long its answer is, nor who it comes from."""
    names = {"Content-Length": "1", "Date": "x", "x-amzn-requestid": "y", "Vary": "z"}

    found = answer({"statusCode": 200, "headers": names})

    assert [name for name, _ in found.headers] == [
        "x-amzn-remapped-content-length",
        "x-amzn-remapped-date",
        "x-amzn-remapped-x-amzn-requestid",
        "vary",
        "content-type",
    ]


@pytest.mark.parametrize(
    "response",
    [
        {"statusCode": "abc"},
        {"statusCode": True},
        {"statusCode": 101},
        {"statusCode": 600},
        {"statusCode": 200, "headers": []},
        {"statusCode": 200, "headers": {"a b": "c"}},
        {"statusCode": 200, "headers": {"a": {}}},
        {"statusCode": 200, "cookies": "a=b"},
        {"statusCode": 200, "body": "?", "isBase64Encoded": True},
    ],
)
def test_a_bad_answer_is_refused(response):
    """The client hears 502."""
    with pytest.raises(BadResponseError):
        answer(response)


def test_an_answer_that_may_have_no_body_has_none():
    """HTTP knows no body beside 204."""
    assert answer({"statusCode": 204, "body": "x"}).body == b""


def test_a_stream_that_was_collected_keeps_its_prelude():
    """A function that streams may have a URL that does not."""
    payload = b'{"statusCode":201,"headers":{"a":"b"}}' + bytes(8) + b"body"

    found = answer_of(payload)

    assert (found.status, found.body) == (201, b"body")
    assert found.headers == [("a", "b"), ("content-type", "application/octet-stream")]


@given(st.binary(max_size=60))
def test_any_prelude_is_an_answer_or_refused(text):
    """Nothing else comes of it."""
    try:
        found = prelude_of(text)
    except BadResponseError:
        return
    assert 200 <= found.status <= 599
