"""Logging of a function: the preinstalled root handler, and whole records on the log channel.

Frames on the channel are those of AWS's managed Python runtime: type, length, microseconds, text;
the environment tells the descriptor in _LAMBDA_TELEMETRY_LOG_FD.
"""

import logging
import os
import struct
import sys
import time

_FRAME_TEXT = 0xA55A0003
_HEADER = struct.Struct(">IIQ")
_REQUEST = {"id": ""}


class Sink:
    """Where records go: the log channel, each as one frame, or standard output without one."""

    def __init__(self):
        self._descriptor = -1

    @property
    def line_end(self):
        """What stands between the lines of one record."""
        return "\r" if self._descriptor < 0 else "\n"

    def use(self, descriptor):
        """Write frames to this descriptor, a number as text; None for standard output."""
        self._descriptor = int(descriptor) if descriptor else -1

    def write(self, text):
        """One record, however many lines."""
        if self._descriptor < 0:
            sys.stdout.write(text)
            return
        try:
            sys.stdout.flush()
        except Exception:
            pass  # closed, or replaced by something else: the record has its own way
        body = text.encode("utf-8", "backslashreplace")
        data = _HEADER.pack(_FRAME_TEXT, len(body), time.time_ns() // 1000) + body
        while data:
            data = data[os.write(self._descriptor, data) :]


SINK = Sink()


class Handler(logging.Handler):
    """The root logger's handler."""

    def __init__(self, sink):
        super().__init__()
        self._sink = sink

    def emit(self, record):
        """Write one record."""
        try:
            self._sink.write(self.format(record))
        except Exception:
            self.handleError(record)


class RequestFilter(logging.Filter):
    """Gives each record the request it belongs to."""

    def filter(self, record):
        """Always passes."""
        record.aws_request_id = _REQUEST["id"]
        return True


def set_request(request_id):
    """Records from here on belong to this request."""
    _REQUEST["id"] = request_id


def install_logging():
    """Give the root logger its handler."""
    formatter = logging.Formatter(
        "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n",
        "%Y-%m-%dT%H:%M:%S",
    )
    formatter.converter = time.gmtime
    handler = Handler(SINK)
    handler.setFormatter(formatter)
    handler.addFilter(RequestFilter())
    logging.getLogger().addHandler(handler)


def log_failure(failure):
    """The failure as one record: frames keep its lines together, or else carriage returns do."""
    title = "[ERROR] %s: %s" if failure.message else "[ERROR] %s%s"
    lines = [title % (failure.error_type, failure.message)]
    lines.append("Traceback (most recent call last):")
    for frame in failure.frames:
        for line in frame.rstrip("\n").split("\n"):
            bare = line.lstrip(" ")
            lines.append("\u00a0" * (len(line) - len(bare)) + bare)
    SINK.write(SINK.line_end.join(lines) + "\n")
