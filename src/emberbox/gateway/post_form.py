"""Uploads by HTML forms: the fields, the policy that was signed, and the file as it comes.

A form becomes the PutObject that it stands for. Source: S3 API reference, "Browser-based uploads
using POST (AWS Signature Version 4)".
"""

import base64
import binascii
import hmac
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote, unquote

from emberbox.clock import utc
from emberbox.errors import CallerError
from emberbox.gateway.body import DisconnectedError, Receive
from emberbox.gateway.sigv4_request import signature, signing_key
from emberbox.gateway.uploads import too_large
from emberbox.gateway.wire import HttpRequest, HttpResponse
from emberbox.gateway.xml_values import escape
from emberbox.records import dataclass

TYPE: Final = "multipart/form-data"

_BOUNDARY: Final = re.compile(r'boundary="?([^";,\s]{1,70})"?')
_NAME: Final = re.compile(r'name="((?:[^"\\]|\\.)*)"')
_FILE_NAME: Final = re.compile(r'filename="((?:[^"\\]|\\.)*)"')
_SIZE: Final = re.compile("[0-9]{1,18}")
_FIELDS_MAX_BYTES: Final = 20_480
_HEAD_MAX: Final = 4_096
_UNCHECKED: Final = frozenset({"x-amz-signature", "file", "policy", "awsaccesskeyid", "signature"})
_HEADERS: Final = frozenset(
    {
        "acl",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-type",
        "expires",
    }
)
_NOT_OF_PUT: Final = (
    "x-amz-signature",
    "x-amz-credential",
    "x-amz-algorithm",
    "x-amz-date",
    "x-amz-copy-source",
)
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


class FormReader:
    """Reads a form up to its file, then hands out the file."""

    def __init__(self, receive: Receive, content_type: str) -> None:
        found = _BOUNDARY.search(content_type)
        if found is None:
            raise _malformed(
                "The body of your POST request is not well-formed multipart/form-data."
            )
        self._delimiter = b"\r\n--" + found[1].encode()
        self._receive = receive
        self._buffer = bytearray(b"\r\n")
        self._more = True
        self.file_name = ""
        self.file_type = ""

    async def fields(self) -> dict[str, str]:
        """The fields before the file, names in lower case."""
        found: dict[str, str] = {}
        size = 0
        await self._until(self._delimiter, _HEAD_MAX)
        while True:
            head = (await self._until(b"\r\n\r\n", _HEAD_MAX)).decode("utf-8", "replace")
            name = _NAME.search(head)
            if name is None:
                raise _malformed("The form has a part without a name.")
            if name[1].lower() == "file":
                file_name = _FILE_NAME.search(head)
                self.file_name = file_name[1] if file_name else ""
                return found
            value = await self._until(self._delimiter, _FIELDS_MAX_BYTES)
            size += len(value) + len(name[1])
            if size > _FIELDS_MAX_BYTES:
                raise CallerError(
                    "MaxPostPreDataLengthExceeded",
                    "Your POST request fields preceding the upload file were too large.",
                    status=400,
                )
            found[name[1].lower()] = value.decode("utf-8", "replace")

    async def file(self) -> AsyncIterator[bytes]:
        """The bytes of the file."""
        keep = len(self._delimiter) - 1
        while True:
            at = self._buffer.find(self._delimiter)
            if at >= 0:
                if at:
                    yield bytes(self._buffer[:at])
                self._buffer.clear()
                while self._more:
                    await self._fill()
                    self._buffer.clear()
                return
            if len(self._buffer) > keep:
                yield bytes(self._buffer[:-keep])
                del self._buffer[:-keep]
            if not self._more:
                raise _malformed("The body of your POST request ends too early.")
            await self._fill()

    async def _until(self, mark: bytes, most: int) -> bytes:
        while True:
            at = self._buffer.find(mark)
            if at >= 0:
                found = bytes(self._buffer[:at])
                del self._buffer[: at + len(mark)]
                return found
            if len(self._buffer) > most or not self._more:
                raise _malformed(
                    "The body of your POST request is not well-formed multipart/form-data."
                )
            await self._fill()

    async def _fill(self) -> None:
        message = await self._receive()
        if message["type"] != "http.request":
            raise DisconnectedError
        self._buffer += message.get("body", b"")
        self._more = message.get("more_body", False)


class FormFile:
    """A `BodyStream` of the file of a form, between the sizes that its policy allows."""

    length: int | None = None
    sha256 = ""
    announced: Sequence[str] = ()
    trailers: Mapping[str, str] = _NONE

    def __init__(self, reader: FormReader, least: int, most: int) -> None:
        self._reader = reader
        self._least = least
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The file; CallerError as soon as it is too large, at its end if it is too small."""
        size = 0
        async for piece in self._reader.file():
            size += len(piece)
            if size > self._most:
                raise too_large()
            yield piece
        if size < self._least:
            text = "Your proposed upload is smaller than the minimum allowed size"
            raise CallerError("EntityTooSmall", text, status=400)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a policy allows besides its fields: the file's size."""

    least: int
    most: int


def check_policy(fields: Mapping[str, str], bucket: str, now: float, most: int) -> Grant:
    """CallerError unless the form keeps its policy, if it has one."""
    text = fields.get("policy")
    if text is None:
        return Grant(0, most)
    try:
        document = json.loads(base64.b64decode(text.encode(), validate=True))
        expires = datetime.fromisoformat(str(document["expiration"]))
        conditions = list(document["conditions"])
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
        raise CallerError(
            "InvalidPolicyDocument", "Invalid Policy: Invalid JSON.", status=400
        ) from None
    if expires.tzinfo is None or expires < utc(now):
        raise _denied("Invalid according to Policy: Policy expired.")
    grant = Grant(0, most)
    covered = set(_UNCHECKED)
    given = {**fields, "bucket": bucket}
    for condition in conditions:
        kind, name, value = _read_condition(condition)
        if kind == "content-length-range":
            grant = Grant(int(name), min(int(value), most))
            continue
        covered.add(name)
        found = given.get(name, "")
        holds = found.startswith(value) if kind == "starts-with" else found == value
        if not holds:
            raise _denied(f"Invalid according to Policy: Policy Condition failed: {condition}")
    extra = [n for n in fields if n not in covered and not n.startswith("x-ignore-")]
    if extra:
        raise _denied(f"Invalid according to Policy: Extra input fields: {extra[0]}")
    return grant


def check_signature(fields: Mapping[str, str], secret: str) -> None:
    """CallerError unless the policy is signed with the secret."""
    parts = fields.get("x-amz-credential", "").split("/")
    if len(parts) != 5 or fields.get("x-amz-algorithm") != "AWS4-HMAC-SHA256":
        raise _denied("Access Denied")
    date, region, service = (part.encode() for part in parts[1:4])
    expected = signature(signing_key(secret, date, region, service), fields["policy"].encode())
    if not hmac.compare_digest(expected, fields.get("x-amz-signature", "").encode()):
        raise CallerError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check "
            "your key and signing method.",
            status=403,
        )


def as_put(fields: Mapping[str, str], bucket: str, file_name: str) -> HttpRequest:
    """The PutObject that a form stands for."""
    key = fields.get("key")
    if not key:
        raise CallerError(
            "InvalidArgument",
            "Bucket POST must contain a field named 'key'.  If it is specified, please check the "
            "order of the fields.",
            status=400,
            fields={"ArgumentName": "key", "ArgumentValue": ""},
        )
    if "tagging" in fields:
        text = "Emberbox does not build tags in forms"
        raise CallerError("NotImplemented", text, status=501)
    key = key.replace("${filename}", file_name)
    headers = {
        ("x-amz-acl" if name == "acl" else name): value
        for name, value in fields.items()
        if name in _HEADERS or name.startswith("x-amz-")
    }
    for name in _NOT_OF_PUT:
        headers.pop(name, None)
    return HttpRequest("PUT", f"/{bucket}/{quote(key)}", headers=headers)


def answer(
    fields: Mapping[str, str], put: HttpRequest, response: HttpResponse, endpoint: str
) -> HttpResponse:
    """The answer that a form asks for, in place of PutObject's."""
    if response.status != 200:
        return response
    etag = next((value for name, value in response.headers if name.lower() == "etag"), "")
    location = f"{endpoint}{put.path}"
    headers = [each for each in response.headers if each[0].lower() != "content-length"]
    redirect = fields.get("success_action_redirect") or fields.get("redirect")
    bucket, _, key = put.path.lstrip("/").partition("/")
    if redirect and redirect.startswith(("http://", "https://")):
        joint = "&" if "?" in redirect else "?"
        where = f"{redirect}{joint}bucket={quote(bucket)}&key={key}&etag={quote(etag)}"
        return HttpResponse(303, [*headers, ("location", where)])
    headers.append(("location", location))
    status = fields.get("success_action_status")
    if status == "201":
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse>'
            f"<Location>{escape(location)}</Location><Bucket>{escape(bucket)}</Bucket>"
            f"<Key>{escape(unquote(key))}</Key><ETag>{escape(etag)}</ETag></PostResponse>"
        )
        return HttpResponse(201, [*headers, ("content-type", "application/xml")], body.encode())
    return HttpResponse(200 if status == "200" else 204, headers)


def _read_condition(condition: Any) -> tuple[str, str, str]:
    if isinstance(condition, dict) and len(condition) == 1:
        ((name, value),) = condition.items()
        return "eq", str(name).lower(), str(value)
    if isinstance(condition, list) and len(condition) == 3:
        kind, name, value = (str(each) for each in condition)
        kind = kind.lower()
        if kind == "content-length-range" and _SIZE.fullmatch(name) and _SIZE.fullmatch(value):
            return kind, name, value
        if kind in {"eq", "starts-with"} and name.startswith("$"):
            return kind, name[1:].lower(), value
    text = "Invalid Policy: Invalid Condition."
    raise CallerError("InvalidPolicyDocument", text, status=400)


def _malformed(text: str) -> CallerError:
    return CallerError("MalformedPOSTRequest", text, status=400)


def _denied(text: str) -> CallerError:
    return CallerError("AccessDenied", text, status=403)
