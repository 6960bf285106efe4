"""The event that a function gets for an HTTP request to its URL: payload format 2.0.

Source: "Invoking Lambda function URLs" of AWS's guide, and events recorded from AWS by others.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

from emberbox.records import dataclass

_ANONYMOUS: Final = "anonymous"
_DEFAULT: Final = "$default"
_FIELDS_MAX: Final = 10_000
_PORT: Final = re.compile(r":(\d{1,5})\Z")
_DROPPED: Final = frozenset(
    {
        "connection",
        "expect",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_TEXTS: Final = frozenset({"application/json", "application/javascript", "application/xml"})
_TEXT_SUFFIXES: Final = ("+json", "+xml")


class BadQueryError(ValueError):
    """A query string of too many parameters."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Who has signed a request, in the words of the event."""

    access_key: str
    account: str
    arn: str
    user_id: str


@dataclass(frozen=True, slots=True)
class UrlRequest:
    """A request to a function URL.

    `raw_path` is percent-encoded, below the URL; header names are in lower case, one entry a line.
    `prefix` is what of the path was ours, empty where the host alone names the URL. `received` is
    in seconds since 1970; `trace` the X-Amzn-Trace-Id that it has, or is given, and `traceparent`
    the same for W3C, empty to leave the client's.
    """

    url_id: str
    method: str
    raw_path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    client: str
    scheme: str
    domain: str
    request_id: str
    received: float
    trace: str
    prefix: str = ""
    traceparent: str = ""


def event_of(request: UrlRequest, signer: Signer | None) -> bytes:
    """The event as JSON; `signer` is None for a URL that anybody may call.

    BadQueryError for more parameters than anybody needs.
    """
    headers = _headers(request, is_signed=signer is not None)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": _DEFAULT,
        "rawPath": request.raw_path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": _context(request, signer, headers.get("user-agent", "")),
        "isBase64Encoded": False,
    }
    if "cookie" in headers:
        event["cookies"] = [each.strip() for each in headers["cookie"].split(";") if each.strip()]
    if request.query:
        event["queryStringParameters"] = _parameters(request.query)
    if request.body:
        text = _text(headers, request.body)
        event["isBase64Encoded"] = text is None
        event["body"] = base64.b64encode(request.body).decode() if text is None else text
    return orjson.dumps(event)


def _headers(request: UrlRequest, *, is_signed: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in request.headers:
        if name in _DROPPED or (is_signed and name == "authorization"):
            continue
        between = "; " if name == "cookie" else ","
        found[name] = f"{found[name]}{between}{value}" if name in found else value
    before = found.get("x-forwarded-for")
    port = _PORT.search(request.domain)
    usual = "443" if request.scheme == "https" else "80"
    found["x-forwarded-for"] = f"{before}, {request.client}" if before else request.client
    found["x-forwarded-port"] = port[1] if port else usual
    found["x-forwarded-proto"] = request.scheme
    found["x-amzn-trace-id"] = request.trace
    if request.traceparent:
        found["traceparent"] = request.traceparent
    if request.prefix:
        found["x-forwarded-prefix"] = request.prefix
    return found


def _context(request: UrlRequest, signer: Signer | None, user_agent: str) -> dict[str, Any]:
    received = datetime.fromtimestamp(request.received, UTC)
    context: dict[str, Any] = {
        "accountId": _ANONYMOUS if signer is None else signer.account,
        "apiId": request.url_id,
        "domainName": _PORT.sub("", request.domain),
        "domainPrefix": request.url_id,
        "http": {
            "method": request.method,
            "path": request.raw_path,
            "protocol": "HTTP/1.1",
            "sourceIp": request.client,
            "userAgent": user_agent,
        },
        "requestId": request.request_id,
        "routeKey": _DEFAULT,
        "stage": _DEFAULT,
        "time": f"{received:%d/%b/%Y:%H:%M:%S +0000}",
        "timeEpoch": int(request.received * 1000),
    }
    if signer is not None:
        iam = {
            "accessKey": signer.access_key,
            "accountId": signer.account,
            "callerId": signer.user_id,
            "cognitoIdentity": None,
            "principalOrgId": None,
            "userArn": signer.arn,
            "userId": signer.user_id,
        }
        context |= {"authentication": None, "authorizer": {"iam": iam}}
    return context


def _parameters(query: str) -> dict[str, str]:
    """Decoded; several of one name are joined."""
    found: dict[str, str] = {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_FIELDS_MAX)
    except ValueError:
        raise BadQueryError(f"more than {_FIELDS_MAX} query parameters") from None
    for name, value in pairs:
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _text(headers: Mapping[str, str], body: bytes) -> str | None:
    """The body as text; None if its type or its bytes say that it is none."""
    if headers.get("content-encoding", "identity") != "identity":
        return None
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not (media.startswith("text/") or media in _TEXTS or media.endswith(_TEXT_SUFFIXES)):
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None
