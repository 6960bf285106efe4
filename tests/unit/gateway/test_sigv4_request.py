"""Signatures, with botocore's signer as the oracle."""

import datetime as dt
import time
from unittest.mock import patch

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from emberbox.gateway.sigv4_payload import stand_in
from emberbox.gateway.sigv4_request import (
    Fault,
    SignatureError,
    check_fresh,
    check_signature,
    claim_of_header,
    claim_of_query,
)

KEY, SECRET = "AKIAEXAMPLE", "a secret/of+ours"
NOW = dt.datetime(2026, 3, 1, 12, 0, 0, tzinfo=dt.UTC)
AT = NOW.timestamp()
HOST = "http://127.0.0.1:4566"


def signed(
    path="/", *, method="POST", body=b"", service="lambda", headers=None, token=None, query=False
):
    """(method, target, headers, body) of a request as botocore signs it."""
    in_header, in_query = auth.SigV4Auth, auth.SigV4QueryAuth
    if service == "s3":
        in_header, in_query = auth.S3SigV4Auth, auth.S3SigV4QueryAuth
    signer = in_query if query else in_header
    body = b"" if query else body  # which botocore would move into the query
    request = AWSRequest(method, HOST + path, headers=headers or {}, data=body)
    with patch.object(auth, "get_current_datetime", lambda *_a: NOW.replace(tzinfo=None)):
        signer(Credentials(KEY, SECRET, token), service, "us-east-1").add_auth(request)
    target = request.prepare().url.removeprefix(HOST).encode()
    lines = {name.lower().encode(): _bytes(value) for name, value in request.headers.items()}
    return method.encode(), target, {b"host": b"127.0.0.1:4566", **lines}, body


def _bytes(value):
    return value if isinstance(value, bytes) else str(value).encode()


def verify(method, target, headers, body, secret=SECRET, now=AT):
    query = target.partition(b"?")[2]
    is_presigned = b"X-Amz-Signature=" in query
    claim = claim_of_query(query) if is_presigned else claim_of_header(headers)
    check_fresh(claim, now, 300)
    check_signature(claim, secret, method, target, headers, stand_in(claim, headers, body))
    return claim


def fault_of(*parts, **more):
    with pytest.raises(SignatureError) as raised:
        verify(*parts, **more)
    return raised.value.fault


@pytest.fixture
def host_zone(monkeypatch):
    """Sets the time zone of this process until the test ends."""

    def change(zone):
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield change
    monkeypatch.undo()
    time.tzset()


PATHS = [
    "/",
    "/2015-03-31/functions/hello/invocations",
    "/2015-03-31/functions/hello/invocations?Qualifier=live",
    "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A1%3Afunction%3Ah/invocations",
    "/a//b/../c/./d/",
    "/with%20space/%C3%A4",
    "/x?b=2&a=1&a=0&empty=&flag",
    "/x?q=a%2Fb%20c%2Bd&%C3%A4=1",
    "/x?list-type=2&prefix=a~b",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("service", ["lambda", "s3"])
@pytest.mark.parametrize("query", [False, True], ids=["header", "presigned"])
def test_what_botocore_signs(path, service, query):
    """Each form of a path is verified in each form of a signature."""
    claim = verify(*signed(path, service=service, body=b"{}", query=query, token="tok/en=="))
    assert claim.access_key == KEY
    assert claim.token == b"tok/en=="
    assert claim.signed_at == NOW.timestamp()


SEGMENTS = st.text(alphabet="abcAZ09-_.~", min_size=1, max_size=8).filter(
    lambda text: text.strip(".") != ""
)
QUERIES = st.lists(
    st.tuples(
        st.text(alphabet="abz09 /+=&%~*ä", min_size=1, max_size=6),
        st.text(alphabet="abz09 /+=&%~*ä", max_size=6),
    ),
    max_size=4,
    unique_by=lambda pair: pair[0],
)


@given(st.lists(SEGMENTS, max_size=4), QUERIES, st.binary(max_size=50), st.booleans())
def test_any_request(segments, pairs, body, query):
    """Whatever botocore signs, is verified."""
    from botocore.compat import quote

    fields = "&".join(f"{quote(n, safe='-_.~')}={quote(v, safe='-_.~')}" for n, v in pairs)
    path = "/" + "/".join(segments) + ("?" + fields if fields else "")
    assert verify(*signed(path, body=body, query=query)).access_key == KEY


@given(st.data())
def test_any_change_is_noticed(data):
    """No part of a signed request can be another one."""
    method, target, headers, body = signed(
        "/x/y?a=1", body=b"payload", headers={"X-Amz-Meta": "m", "Content-Type": "text/plain"}
    )
    match data.draw(st.sampled_from(["method", "target", "header", "body", "secret", "drop"])):
        case "method":
            method = data.draw(st.sampled_from([b"GET", b"PUT", b"post", b""]))
        case "target":
            at = data.draw(st.integers(1, len(target) - 1))
            target = target[:at] + b"Q" + target[at + 1 :]
        case "header":
            name = data.draw(
                st.sampled_from([b"host", b"x-amz-date", b"x-amz-meta", b"content-type"])
            )
            headers[name] = b"20260301T120001Z" if name == b"x-amz-date" else headers[name] + b"x"
        case "body":
            body = data.draw(st.binary(max_size=9).filter(lambda b: b != body))
        case "drop":
            del headers[data.draw(st.sampled_from([b"host", b"x-amz-meta", b"content-type"]))]
        case "secret":
            assert fault_of(method, target, headers, body, secret="other") is Fault.MISMATCH
            return
    assert fault_of(method, target, headers, body) in {Fault.MISMATCH, Fault.INCOMPLETE}


def test_header_that_is_not_signed():
    """A header of AWS that somebody added on the way is refused; others are nobody's business."""
    method, target, headers, body = signed(headers={"X-Amz-Invocation-Type": "Event"})
    verify(method, target, {**headers, b"user-agent": b"x"}, body)
    added = {**headers, b"x-amz-log-type": b"Tail"}
    assert fault_of(method, target, added, body) is Fault.MISMATCH


@pytest.mark.parametrize(
    ("seconds", "fault"),
    [(0, None), (299, None), (301, Fault.EXPIRED), (-299, None), (-301, Fault.NOT_YET)],
)
def test_skew(seconds, fault):
    """A request is good for five minutes, into either direction."""
    parts = signed()
    now = NOW.timestamp() + seconds
    if fault is None:
        verify(*parts, now=now)
    else:
        assert fault_of(*parts, now=now) is fault


def test_presigned_request_is_good_as_long_as_it_says():
    """A presigned request expires when it says so, and not after the skew."""
    parts = signed("/x", query=True, method="GET")
    verify(*parts, now=NOW.timestamp() + 3_599)
    assert fault_of(*parts, now=NOW.timestamp() + 3_601) is Fault.EXPIRED
    longer = (parts[0], parts[1].replace(b"Expires=3600", b"Expires=7200"), *parts[2:])
    assert fault_of(*longer) is Fault.MISMATCH


@pytest.mark.parametrize("zone", ["UTC0", "IST-5:30", "PST8"])
def test_date_header(zone, host_zone):
    """Without X-Amz-Date, the Date header tells the time, in whatever zone the server is."""
    host_zone(zone)
    parts = signed(headers={"Date": "Sun, 01 Mar 2026 12:00:00 GMT"})
    assert b"x-amz-date" not in parts[2]
    verify(*parts)


GOOD = signed()[2][b"authorization"]


@pytest.mark.parametrize(
    ("authorization", "fault"),
    [
        (b"", Fault.MISSING),
        (b"Bearer x", Fault.UNSUPPORTED),
        (b"AWS AKIA:sig", Fault.UNSUPPORTED),
        (GOOD.replace(b"HMAC", b"ECDSA"), Fault.UNSUPPORTED),
        (b"AWS4-HMAC-SHA256", Fault.INCOMPLETE),
        (GOOD.partition(b", Signature")[0], Fault.INCOMPLETE),
        (GOOD[:-1], Fault.INCOMPLETE),
        (GOOD.replace(b"aws4_request", b"aws5_request"), Fault.INCOMPLETE),
        (GOOD.replace(b"SignedHeaders=host;", b"SignedHeaders="), Fault.INCOMPLETE),
        (GOOD.replace(b"/20260301/", b"/20260302/"), Fault.INCOMPLETE),
        (GOOD.replace(b"us-east-1", b"eu-west-1"), Fault.MISMATCH),
        (GOOD.replace(b"/lambda/", b"/iam/"), Fault.MISMATCH),
    ],
)
def test_authorization_headers(authorization, fault):
    """A header that is not whole, or of another algorithm, is told apart from a wrong signature."""
    method, target, headers, body = signed()
    assert fault_of(method, target, headers | {b"authorization": authorization}, body) is fault


def test_order_of_the_fields_does_not_matter():
    """The three fields of the header may stand in any order."""
    method, target, headers, body = signed()
    first, _, rest = headers[b"authorization"].partition(b" ")
    turned = first + b" " + b", ".join(reversed(rest.split(b", ")))
    assert verify(method, target, headers | {b"authorization": turned}, body).access_key == KEY


@given(st.binary(max_size=300), st.binary(max_size=300), st.binary(max_size=40))
def test_hostile_claims(authorization, query, date):
    """No bytes make the parser fail in another way than by refusing."""
    for value in (authorization, b"AWS4-HMAC-SHA256 " + authorization):
        headers = {b"host": b"h", b"authorization": value, b"x-amz-date": date, b"date": date}
        with pytest.raises(SignatureError):
            verify(b"GET", b"/", headers, b"")
    with pytest.raises(SignatureError):
        verify(b"GET", b"/?X-Amz-Signature=&" + query, {b"host": b"h"}, b"")


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_hostile_targets(path, query):
    """No request target makes verification fail in another way than by refusing."""
    _, _, headers, body = signed("/known")
    assert fault_of(b"POST", b"/" + path + b"?" + query, headers, body) in set(Fault)
