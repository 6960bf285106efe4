"""The HTTP answer that a function's response means, behind a function URL.

Source: "Invoking Lambda function URLs" (response payload format) and "Response streaming for Lambda
functions" of AWS's guide.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from emberbox.records import dataclass

INTEGRATION_TYPE: Final = "application/vnd.awslambda.http-integration-response"
"""The content type of a streamed response that begins with a prelude."""

PRELUDE_END: Final = bytes(8)
"""What stands between the prelude of a streamed response and its body."""

PRELUDE_MAX_BYTES: Final = 65_536

_JSON: Final = "application/json"
_BYTES: Final = "application/octet-stream"
_BODILESS: Final = frozenset({204, 304})
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}\Z")
_REMAPPED: Final = frozenset(
    {
        "connection",
        "content-length",
        "date",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "server",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "www-authenticate",
    }
)


class BadResponseError(ValueError):
    """A response that means no HTTP answer."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer. Names of headers are in lower case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""

    @property
    def has_body(self) -> bool:
        """Whether an answer of this status may have a body."""
        return self.status not in _BODILESS


def answer_of(payload: bytes) -> HttpAnswer:
    """What a response that came whole means; BadResponseError if it means nothing.

    An object with a `statusCode` says it all; any other response is the body of an answer 200.
    """
    prelude, end, rest = payload.partition(PRELUDE_END)
    if end:
        return _with_body(prelude_of(prelude), rest)
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return HttpAnswer(200, [("content-type", _BYTES)], payload)
    if isinstance(value, dict) and "statusCode" in value:
        head = _head(value, _JSON)
        return _with_body(head, _body(value))
    body = value.encode() if isinstance(value, str) else payload
    return HttpAnswer(200, [("content-type", _JSON)], body)


def prelude_of(text: bytes) -> HttpAnswer:
    """The head of a streamed response, from the JSON of its prelude; BadResponseError if bad."""
    try:
        value = orjson.loads(text or b"{}")
    except orjson.JSONDecodeError as error:
        raise BadResponseError(f"the prelude is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadResponseError("the prelude is no object")
    return _head(value, _BYTES)


def plain_stream(content_type: str) -> HttpAnswer:
    """The head of a streamed response without prelude."""
    return HttpAnswer(200, [("content-type", content_type or _BYTES)])


def _with_body(head: HttpAnswer, body: bytes) -> HttpAnswer:
    return HttpAnswer(head.status, head.headers, body if head.has_body else b"")


def _head(value: Mapping[str, Any], default_type: str) -> HttpAnswer:
    headers = list(_headers(value.get("headers")))
    if not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", default_type))
    cookies = value.get("cookies") or []
    if not isinstance(cookies, list) or not all(isinstance(each, str) for each in cookies):
        raise BadResponseError("cookies is no list of strings")
    headers += [("set-cookie", each) for each in cookies]
    return HttpAnswer(_status(value.get("statusCode", 200)), headers)


def _status(given: Any) -> int:
    if isinstance(given, str) and given.isdecimal() and len(given) == 3:
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int) or not 200 <= given <= 599:
        raise BadResponseError("statusCode is no status from 200 to 599")
    return given


def _headers(given: Any) -> Iterable[tuple[str, str]]:
    if given is None:
        return
    if not isinstance(given, dict):
        raise BadResponseError("headers is no object")
    for name, value in given.items():
        if not _NAME.match(name):
            raise BadResponseError("a header has a name that HTTP does not know")
        if isinstance(value, dict | list):
            raise BadResponseError(f"the header {name} is no string")
        lower = name.lower()
        if lower in _REMAPPED or lower.startswith("x-amzn-"):
            lower = f"x-amzn-remapped-{lower.removeprefix('x-amzn-remapped-')}"
        yield lower, value if isinstance(value, str) else orjson.dumps(value).decode()


def _body(value: Mapping[str, Any]) -> bytes:
    body = value.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        return orjson.dumps(body)
    if value.get("isBase64Encoded") is not True:
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise BadResponseError("body is no base64") from None
