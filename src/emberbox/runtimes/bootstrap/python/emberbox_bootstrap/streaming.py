"""Response streaming from Python: a handler that gives an iterator writes its answer by pieces.

AWS's own Python runtime cannot do that; this is an extension of ours. Items are bytes or text. A
first item that is a dict with `statusCode` is the head of an HTTP response, in the form that AWS's
HTTP integrations read: its JSON, then eight zero bytes.
"""

import base64
import json

from emberbox_bootstrap.failures import RuntimeFailureError, describe
from emberbox_bootstrap.wire_json import failure_to_json

_PLAIN = "application/octet-stream"
_HTTP = "application/vnd.awslambda.http-integration-response"
_DOCUMENT_MAX = 32768


def is_stream(result):
    """Whether a handler's result is to be streamed: generators and all other iterators."""
    return hasattr(type(result), "__next__")


class Stream:
    """The pieces of one response, ready to be sent as chunks; the first is made at once.

    An exception of the handler before its first piece leaves the constructor.
    """

    def __init__(self, items):
        self._items = items
        self.content_type = _PLAIN
        self._first = b""
        item = next(items, None)
        if isinstance(item, dict) and "statusCode" in item:
            self.content_type = _HTTP
            self._first = json.dumps(item).encode() + bytes(8)
        elif item is not None:
            self._first = _piece(item)

    def chunks(self, request_id, on_failure):
        """Chunks of the body and its end; a failure in the middle goes into the trailers."""
        try:
            if self._first:
                yield _chunk(self._first)
            for item in self._items:
                piece = _piece(item)
                if piece:
                    yield _chunk(piece)
        except Exception as error:
            failure = describe(error, request_id)
            on_failure(failure)
            body = base64.b64encode(_document(failure)).decode()
            yield (
                "0\r\nLambda-Runtime-Function-Error-Type: %s\r\n"
                "Lambda-Runtime-Function-Error-Body: %s\r\n\r\n" % (failure.wire_type, body)
            ).encode("ascii")
        else:
            yield b"0\r\n\r\n"


def _document(failure):
    """The failure's payload, cut to what a trailer may hold."""
    document = failure_to_json(failure.payload)
    if len(document) <= _DOCUMENT_MAX:
        return document
    return json.dumps(
        {"errorMessage": failure.message[: _DOCUMENT_MAX // 8], "errorType": failure.error_type}
    ).encode()


def _piece(item):
    if isinstance(item, str):
        return item.encode("utf-8", "replace")
    if isinstance(item, (bytes, bytearray, memoryview)):
        return bytes(item)
    raise RuntimeFailureError(
        "Runtime.MarshalError",
        "Unable to marshal response: pieces of a stream are bytes or str, not %s"
        % type(item).__name__,
    )


def _chunk(piece):
    return b"%x\r\n%b\r\n" % (len(piece), piece)
