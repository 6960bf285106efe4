"""What clients send with an invocation: payloads and client contexts, checked as AWS checks them.

Source: API reference of Lambda, operation Invoke; the literals are the service's own.
"""

import base64
import binascii
import json
from contextlib import suppress

import orjson

from emberbox.errors import CallerError
from emberbox.model.limits import CLIENT_CONTEXT_MAX_BYTES, INVOKE_PAYLOAD_MAX_BYTES


def checked_payload(payload: bytes) -> bytes:
    """The payload of a synchronous invocation, `{}` for none; CallerError unless it is JSON."""
    if len(payload) > INVOKE_PAYLOAD_MAX_BYTES:
        raise too_large(len(payload), "RequestResponse", INVOKE_PAYLOAD_MAX_BYTES)
    if not payload:
        return b"{}"
    try:
        orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        if _is_json(payload):
            return payload
        raise CallerError(
            "InvalidRequestContentException",
            f"Could not parse request body into json: {error}",
            status=400,
        ) from None
    return payload


def too_large(size: int, invocation_type: str, limit: int) -> CallerError:
    """The refusal of a payload."""
    return CallerError(
        "RequestTooLargeException",
        f"{size} byte payload is too large for the {invocation_type} invocation type "
        f"(limit {limit} bytes)",
        status=413,
    )


def _is_json(payload: bytes) -> bool:
    """The second opinion: runtimes take some texts the fast parser refuses (NaN, big numbers)."""
    try:
        json.loads(payload)
    except (ValueError, RecursionError):
        return False
    return True


def client_context(encoded: str | None) -> str | None:
    """The client context as one line of ASCII JSON, fit for a header."""
    if not encoded:
        return None
    context = None
    if len(encoded) <= CLIENT_CONTEXT_MAX_BYTES:
        with suppress(ValueError, binascii.Error, RecursionError):
            context = json.loads(base64.b64decode(encoded, validate=True))
    if not isinstance(context, dict):
        raise CallerError(
            "InvalidRequestContentException",
            "Client context must be a valid Base64-encoded JSON object.",
            status=400,
        )
    return json.dumps(context, separators=(",", ":"))
