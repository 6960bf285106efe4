"""Failures of a function as AWS reports them: error type, message, stack trace."""

import os
import traceback

_OWN = os.path.dirname(os.path.abspath(__file__))
_IMPORT = "<frozen importlib"


class RuntimeFailureError(Exception):
    """A failure the runtime itself found, with an error type of AWS's naming."""

    def __init__(self, error_type, message, frames=()):
        super().__init__(message)
        self.error_type = error_type
        self.frames = list(frames)


class Failure:
    """What goes to the caller and into the log."""

    __slots__ = ("error_type", "frames", "message", "payload", "wire_type")

    def __init__(self, error_type, message, frames, request_id):
        self.error_type = error_type
        self.wire_type = "".join(c if 32 < ord(c) < 127 else "?" for c in error_type)
        self.message = message
        self.frames = frames
        self.payload = {
            "errorMessage": message,
            "errorType": error_type,
            "requestId": request_id,
            "stackTrace": frames,
        }


def describe(error, request_id):
    """The failure that an exception of a handler amounts to; frames of the runtime are left out."""
    if isinstance(error, RuntimeFailureError):
        return Failure(error.error_type, str(error), error.frames, request_id)
    return Failure(type(error).__name__, _text(error), _frames(error), request_id)


def report_init(error):
    """The failure of an initialisation: it has no request."""
    return describe(error, "")


def unmarshal_failure(error, request_id):
    """The failure of an event that is not JSON."""
    text = "Unable to unmarshal input: %s" % (error,)
    return Failure("Runtime.UnmarshalError", text, [], request_id)


def _text(error):
    try:
        return str(error)
    except Exception as second:
        return "<%s has no text: %s>" % (type(error).__name__, type(second).__name__)


def _frames(error):
    found = traceback.extract_tb(error.__traceback__)
    kept = [
        frame
        for frame in found
        if not frame.filename.startswith(_OWN)
        and not frame.filename.startswith(_IMPORT)
        and frame.filename != "/var/lang/lib/importlib/__init__.py"
        and not frame.filename.endswith("/importlib/__init__.py")
    ]
    return traceback.format_list(kept)
