"""What a client hears whose signature proves nothing: each protocol has its own codes for it.

Source: the common errors of the API references, and semantics of S3's authentication errors.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from emberbox.errors import CallerError
from emberbox.gateway.sigv4_request import Claim, Fault, SignatureError

_QUERY: Final = frozenset({"iam", "sts", "sns", "cloudformation", "elbv2", "elasticloadbalancing"})
_MISMATCH: Final = (
    "The request signature we calculated does not match the signature you provided. Check your AWS "
    "Secret Access Key and signing method. Consult the service documentation for details."
)
_FORBIDDEN: Final = 403

_JSON: Final[Mapping[Fault, tuple[str, str]]] = {
    Fault.MISSING: ("MissingAuthenticationTokenException", "Missing Authentication Token"),
    Fault.INCOMPLETE: (
        "IncompleteSignatureException",
        "Authorization header or query lacks a valid part: {detail}",
    ),
    Fault.UNSUPPORTED: (
        "IncompleteSignatureException",
        "Unsupported signature algorithm: {detail}. Use AWS4-HMAC-SHA256.",
    ),
    Fault.UNKNOWN_KEY: (
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    ),
    Fault.INVALID_TOKEN: (
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    ),
    Fault.EXPIRED_TOKEN: (
        "ExpiredTokenException",
        "The security token included in the request is expired",
    ),
    Fault.EXPIRED: ("InvalidSignatureException", "Signature expired: {when}"),
    Fault.NOT_YET: ("InvalidSignatureException", "Signature not yet current: {when}"),
    Fault.MISMATCH: ("InvalidSignatureException", _MISMATCH),
    Fault.PAYLOAD: ("InvalidSignatureException", _MISMATCH),
}
_IN_QUERY: Final[Mapping[Fault, tuple[str, str]]] = {
    **_JSON,
    Fault.MISSING: ("MissingAuthenticationToken", "Request is missing Authentication Token"),
    Fault.INCOMPLETE: ("IncompleteSignature", _JSON[Fault.INCOMPLETE][1]),
    Fault.UNSUPPORTED: ("IncompleteSignature", _JSON[Fault.UNSUPPORTED][1]),
    Fault.UNKNOWN_KEY: (
        "InvalidClientTokenId",
        "The security token included in the request is invalid",
    ),
    Fault.INVALID_TOKEN: (
        "InvalidClientTokenId",
        "The security token included in the request is invalid",
    ),
    Fault.EXPIRED_TOKEN: ("ExpiredToken", "The security token included in the request is expired"),
    Fault.EXPIRED: ("SignatureDoesNotMatch", "Signature expired: {when}"),
    Fault.NOT_YET: ("SignatureDoesNotMatch", "Signature not yet current: {when}"),
    Fault.MISMATCH: ("SignatureDoesNotMatch", _MISMATCH),
    Fault.PAYLOAD: ("SignatureDoesNotMatch", _MISMATCH),
}
_OF_S3: Final[Mapping[Fault, tuple[str, str]]] = {
    **_IN_QUERY,
    Fault.MISSING: ("AccessDenied", "Access Denied"),
    Fault.INCOMPLETE: (
        "AuthorizationHeaderMalformed",
        "The authorization header is malformed: {detail}",
    ),
    Fault.UNSUPPORTED: (
        "InvalidRequest",
        "The authorization mechanism you have provided is not supported. Please use "
        "AWS4-HMAC-SHA256.",
    ),
    Fault.UNKNOWN_KEY: (
        "InvalidAccessKeyId",
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
    Fault.INVALID_TOKEN: ("InvalidToken", "The provided token is malformed or otherwise invalid."),
    Fault.EXPIRED_TOKEN: ("ExpiredToken", "The provided token has expired."),
    Fault.EXPIRED: (
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
    ),
    Fault.NOT_YET: (
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
    ),
    Fault.PAYLOAD: (
        "XAmzContentSHA256Mismatch",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    ),
}
_BAD_REQUESTS: Final = frozenset(
    {"AuthorizationHeaderMalformed", "InvalidRequest", "XAmzContentSHA256Mismatch", "InvalidToken"}
)


def refusal(
    error: SignatureError, service: str, claim: Claim | None, now: float, skew_s: float
) -> CallerError:
    """The error for a request; `claim` is what it said of itself, if that could be read."""
    table = _OF_S3 if service == "s3" else _IN_QUERY if service in _QUERY else _JSON
    code, text = table[error.fault]
    when = "" if claim is None else _when(claim, error.fault, now, skew_s)
    message = text.format(detail=error.detail or error.fault.value, when=when)
    if service == "s3" and error.fault is Fault.EXPIRED and claim and claim.expires_s is not None:
        code, message = "AccessDenied", "Request has expired"
    status = 400 if code in _BAD_REQUESTS else _FORBIDDEN
    return CallerError(code, message, status=status)


def _when(claim: Claim, fault: Fault, now: float, skew_s: float) -> str:
    """The two moments that AWS compares, as it writes them."""
    sign, word, by = ("-", "earlier", -1) if fault is Fault.EXPIRED else ("+", "later", 1)
    minutes = f"{skew_s / 60:.0f} min."
    edge, given = _stamp(now + by * skew_s), claim.timestamp.decode()
    return f"{given} is now {word} than {edge} ({_stamp(now)} {sign} {minutes})"


def _stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y%m%dT%H%M%SZ")
