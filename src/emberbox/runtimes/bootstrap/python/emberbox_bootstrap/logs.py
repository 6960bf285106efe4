"""Logging of a function: the preinstalled root handler, and whole records on the log channel.

Frames on the channel are those of AWS's managed Python runtime: type, length, microseconds, text;
the environment tells the descriptor in _LAMBDA_TELEMETRY_LOG_FD.
"""

import json
import logging
import os
import struct
import sys
import time
import traceback

_FRAME_TEXT = 0xA55A0003
_FRAME_JSON = 0xA55A0002
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_LEVELS = (0, 10, 20, 30, 40, 50)
_HEADER = struct.Struct(">IIQ")
_REQUEST = {"id": "", "tenant": None}


class Sink:
    """Where records go: the log channel, each as one frame, or standard output without one."""

    def __init__(self):
        self._descriptor = -1
        self.is_json = False

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
        frame = _FRAME_JSON if self.is_json else _FRAME_TEXT
        data = _HEADER.pack(frame, len(body), time.time_ns() // 1000) + body
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


class JsonFormatter(logging.Formatter):
    """A record as one JSON object, with what `extra` gave it."""

    converter = time.gmtime

    def format(self, record):
        """The object, a line."""
        level = _LEVELS[min(5, max(0, record.levelno // 10))]
        is_plain = not isinstance(record.msg, dict) or record.args
        fields = {
            "timestamp": self.formatTime(record, _TIME),
            "level": logging.getLevelName(level),
            "message": record.getMessage() if is_plain else record.msg,
            "logger": record.name,
        }
        if record.exc_info and record.exc_info[0] is not None:
            kind, error, trace = record.exc_info
            fields["stackTrace"] = traceback.format_tb(trace)
            fields["errorType"] = kind.__name__
            fields["errorMessage"] = str(error)
            fields["location"] = "%s:%s:%s" % (record.pathname, record.funcName, record.lineno)
        fields["requestId"] = _REQUEST["id"] or None
        fields["tenantId"] = _REQUEST["tenant"]
        for name, value in record.__dict__.items():
            if name not in _OWN_FIELDS and name not in fields:
                fields[name] = value
        return _json({name: value for name, value in fields.items() if value is not None})


def _json(fields):
    try:
        return json.dumps(fields, ensure_ascii=False, default=str) + "\n"
    except (TypeError, ValueError):  # keys that are no text, or a circle
        return json.dumps({name: str(value) for name, value in fields.items()}) + "\n"


_OWN_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"aws_request_id", "taskName"}


class RequestFilter(logging.Filter):
    """Gives each record the request it belongs to."""

    def filter(self, record):
        """Always passes."""
        record.aws_request_id = _REQUEST["id"]
        return True


def set_request(request_id, tenant_id=None):
    """Records from here on belong to this request."""
    _REQUEST["id"] = request_id
    _REQUEST["tenant"] = tenant_id


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


def configure(log_format, level):
    """As AWS_LAMBDA_LOG_FORMAT and AWS_LAMBDA_LOG_LEVEL say, which are None for a text log."""
    root = logging.getLogger()
    SINK.is_json = (log_format or "").upper() == "JSON"
    if SINK.is_json:
        for handler in root.handlers:
            if isinstance(handler, Handler):
                handler.setFormatter(JsonFormatter())
    level = (level or "").upper()
    level = logging.getLevelName("DEBUG" if level == "TRACE" else level)
    if isinstance(level, int):
        root.setLevel(level)


def log_failure(failure):
    """The failure as one record: frames keep its lines together, or else carriage returns do."""
    if SINK.is_json:
        now = time.strftime(_TIME, time.gmtime())
        SINK.write(_json({"timestamp": now, "level": "ERROR", **failure.payload}))
        return
    title = "[ERROR] %s: %s" if failure.message else "[ERROR] %s%s"
    lines = [title % (failure.error_type, failure.message)]
    lines.append("Traceback (most recent call last):")
    for frame in failure.frames:
        for line in frame.rstrip("\n").split("\n"):
            bare = line.lstrip(" ")
            lines.append("\u00a0" * (len(line) - len(bare)) + bare)
    SINK.write(SINK.line_end.join(lines) + "\n")
