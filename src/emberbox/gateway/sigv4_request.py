"""Signature Version 4: what a request claims, and the signature it would have to carry.

Pure: secrets and the time are arguments. The header form and the presigned query form; requests of
other algorithms are refused. On the way of an invocation, so it works on bytes as they came.
Source: IAM user guide, "AWS Signature Version 4 for API requests".
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from functools import lru_cache
from posixpath import normpath
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from emberbox.records import dataclass

ALGORITHM: Final = b"AWS4-HMAC-SHA256"
UNSIGNED: Final = b"UNSIGNED-PAYLOAD"
EXPIRES_MAX_S: Final = 604_800

_CREDENTIAL: Final = re.compile(
    rb"([^/,\s]{1,128})/(\d{8})/([A-Za-z0-9-]{1,40})/([A-Za-z0-9-]{1,64})/aws4_request"
)
_SIGNATURE: Final = re.compile(rb"[0-9a-f]{64}")
_TIMESTAMP: Final = re.compile(rb"\d{8}T\d{6}Z")
_PLAIN_PATH: Final = re.compile(rb"(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)+/?")
_ABSOLUTE: Final = re.compile(rb"https?://[^/?]*", re.IGNORECASE)
_HEADERS_MAX: Final = 128
_KEYS_CACHED: Final = 4_096
_NAMES_CACHED: Final = 256

Headers = Mapping[bytes, bytes]
"""Header names in lower case -> value; repeated ones joined with commas."""


class Fault(Enum):
    """What is wrong with a request's signature."""

    MISSING = "not signed"
    INCOMPLETE = "the signature is not complete"
    UNSUPPORTED = "the kind of signature is not supported"
    UNKNOWN_KEY = "nobody has this access key"
    INVALID_TOKEN = "the session token is not that of the key"  # noqa: S105
    EXPIRED_TOKEN = "the session has expired"  # noqa: S105
    EXPIRED = "the request is too old"
    NOT_YET = "the request is from the future"
    MISMATCH = "the signature is another one"
    PAYLOAD = "the payload is not the one that was signed"


class SignatureError(Exception):
    """A request that proves nobody's identity."""

    def __init__(self, fault: Fault, detail: str = "") -> None:
        super().__init__(detail or fault.value)
        self.fault = fault
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says of its signature; `expires_s` is that of a presigned request."""

    access_key: str
    date: bytes
    region: bytes
    service: bytes
    signed_headers: tuple[bytes, ...]
    signature: bytes
    timestamp: bytes
    token: bytes | None
    expires_s: int | None = None

    @property
    def scope(self) -> bytes:
        """The credential scope."""
        return b"%b/%b/%b/aws4_request" % (self.date, self.region, self.service)

    @property
    def signed_at(self) -> float:
        """Seconds since the epoch."""
        return _epoch(self.timestamp)


def claim_of_header(headers: Headers) -> Claim:
    """The claim in the Authorization header; SignatureError if it is not whole."""
    algorithm, _, rest = headers.get(b"authorization", b"").strip().partition(b" ")
    if not algorithm:
        raise SignatureError(Fault.MISSING)
    if algorithm != ALGORITHM:
        raise SignatureError(Fault.UNSUPPORTED, algorithm[:40].decode("latin-1"))
    fields: dict[bytes, bytes] = {}
    for field in rest.split(b",", 3):
        name, _, value = field.strip().partition(b"=")
        fields[name] = value
    return _claim(
        fields.get(b"Credential", b""),
        fields.get(b"SignedHeaders", b""),
        fields.get(b"Signature", b""),
        _timestamp(headers),
        headers.get(b"x-amz-security-token"),
        None,
    )


def claim_of_query(query: bytes) -> Claim:
    """The claim in a presigned query string; SignatureError if it is not whole."""
    fields = {unquote_to_bytes(name): unquote_to_bytes(value) for name, value in _pairs(query)}
    if fields.get(b"X-Amz-Algorithm", ALGORITHM) != ALGORITHM:
        raise SignatureError(Fault.UNSUPPORTED, "X-Amz-Algorithm")
    expires = fields.get(b"X-Amz-Expires", b"")
    if not expires.isdigit() or not 0 < int(expires[:10]) <= EXPIRES_MAX_S:
        raise SignatureError(Fault.INCOMPLETE, "X-Amz-Expires")
    return _claim(
        fields.get(b"X-Amz-Credential", b""),
        fields.get(b"X-Amz-SignedHeaders", b""),
        fields.get(b"X-Amz-Signature", b""),
        fields.get(b"X-Amz-Date", b""),
        fields.get(b"X-Amz-Security-Token"),
        int(expires),
    )


def _claim(
    credential: bytes,
    signed: bytes,
    signature: bytes,
    timestamp: bytes,
    token: bytes | None,
    expires_s: int | None,
) -> Claim:
    key, date, region, service = _credential(credential)
    names = _signed_names(signed)
    if _SIGNATURE.fullmatch(signature) is None:
        raise SignatureError(Fault.INCOMPLETE, "Signature")
    if _TIMESTAMP.fullmatch(timestamp) is None or not timestamp.startswith(date):
        raise SignatureError(Fault.INCOMPLETE, "X-Amz-Date")
    return Claim(key, date, region, service, names, signature, timestamp, token, expires_s)


@lru_cache(_KEYS_CACHED)
def _credential(credential: bytes) -> tuple[str, bytes, bytes, bytes]:
    """Access key, date, region and service; a client says the same in all requests of a day."""
    found = _CREDENTIAL.fullmatch(credential)
    if found is None:
        raise SignatureError(Fault.INCOMPLETE, "Credential")
    return found[1].decode("latin-1"), found[2], found[3], found[4]


@lru_cache(_NAMES_CACHED)
def _signed_names(signed: bytes) -> tuple[bytes, ...]:
    names = tuple(signed.split(b";"))
    if b"host" not in names or len(names) > _HEADERS_MAX:
        raise SignatureError(Fault.INCOMPLETE, "SignedHeaders")
    return names


def _timestamp(headers: Headers) -> bytes:
    """X-Amz-Date or, without it, the Date header in either of its forms."""
    stamp = headers.get(b"x-amz-date")
    if stamp is not None:
        return stamp
    date = headers.get(b"date", b"")
    if _TIMESTAMP.fullmatch(date) is not None:
        return date
    try:
        read = parsedate_to_datetime(date.decode("latin-1"))
        # "-0000", as botocore writes it, is read as a time without a zone: it is UTC, not ours.
        in_utc = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return b""
    return in_utc.strftime("%Y%m%dT%H%M%SZ").encode()


@lru_cache(64)
def _epoch(timestamp: bytes) -> float:
    try:
        read = datetime.strptime(timestamp.decode(), "%Y%m%dT%H%M%SZ")  # noqa: DTZ007 - set below
    except ValueError:
        raise SignatureError(Fault.INCOMPLETE, "X-Amz-Date") from None
    return read.replace(tzinfo=UTC).timestamp()


@lru_cache(_KEYS_CACHED)
def signing_key(secret: str, date: bytes, region: bytes, service: bytes) -> bytes:
    """The key that signs requests of one day, region and service."""
    key = b"AWS4" + secret.encode()
    for part in (date, region, service, b"aws4_request"):
        key = hmac.digest(key, part, "sha256")
    return key


def check_fresh(claim: Claim, now: float, skew_s: float) -> None:
    """SignatureError for a request outside its time: the skew, or what a presigned one asks for."""
    age = now - claim.signed_at
    if age < -skew_s:
        raise SignatureError(Fault.NOT_YET)
    if age > (skew_s if claim.expires_s is None else claim.expires_s):
        raise SignatureError(Fault.EXPIRED)


def check_signature(
    claim: Claim,
    secret: str,
    method: bytes,
    target: bytes,
    headers: Headers,
    payload: bytes,
) -> None:
    """SignatureError unless the secret made this signature for exactly this request.

    `target` is the request target as it came, `payload` what stands for the body in the signature.
    """
    names = claim.signed_headers
    for name in headers:
        # What is not signed, somebody on the way may have added.
        if name.startswith(b"x-amz-") and name not in names:
            raise SignatureError(Fault.MISMATCH, name.decode("latin-1"))
    path, _, query = target.partition(b"?")
    text = b"\n".join(
        (
            method,
            _canonical_path(path, claim.service),
            _canonical_query(query, is_presigned=claim.expires_s is not None) if query else b"",
            *[_header_line(name, headers) for name in names],
            b"",
            b";".join(names),
            payload,
        )
    )
    digest = hashlib.sha256(text).hexdigest().encode()
    string = b"%b\n%b\n%b\n%b" % (ALGORITHM, claim.timestamp, claim.scope, digest)
    key = signing_key(secret, claim.date, claim.region, claim.service)
    if not hmac.compare_digest(signature(key, string), claim.signature):
        raise SignatureError(Fault.MISMATCH)


def signature(key: bytes, string_to_sign: bytes) -> bytes:
    """The signature of a text, in hexadecimal."""
    return hmac.digest(key, string_to_sign, "sha256").hex().encode()


def _header_line(name: bytes, headers: Headers) -> bytes:
    value = headers.get(name)
    if value is None:
        raise SignatureError(Fault.MISMATCH, name.decode("latin-1"))
    return name + b":" + (b" ".join(value.split()) if b"  " in value else value.strip())


def _canonical_path(path: bytes, service: bytes) -> bytes:
    """The path as signed: S3's as it is, others' without dot segments and encoded once more."""
    if _PLAIN_PATH.fullmatch(path) is not None:
        return path
    absolute = _ABSOLUTE.match(path)
    path = (path if absolute is None else path[absolute.end() :]) or b"/"
    if service == b"s3":
        return path
    normal = normpath(path)
    normal = b"/" + normal.lstrip(b"/")
    if path.endswith((b"/", b"/.", b"/..")) and normal != b"/":
        normal += b"/"
    return quote(normal, safe="/~").encode()


def _canonical_query(query: bytes, *, is_presigned: bool) -> bytes:
    pairs = [
        (_encoded(name), _encoded(value))
        for name, value in _pairs(query)
        if not (is_presigned and unquote_to_bytes(name) == b"X-Amz-Signature")
    ]
    return b"&".join(name + b"=" + value for name, value in sorted(pairs))


def _encoded(text: bytes) -> bytes:
    """The text as signed; a plus stands for a space, as it does for whoever reads the query."""
    return quote(unquote_to_bytes(text.replace(b"+", b" ")), safe="-_.~").encode()


def _pairs(query: bytes) -> Iterable[tuple[bytes, bytes]]:
    for pair in query.split(b"&"):
        if pair:
            name, _, value = pair.partition(b"=")
            yield name, value
