"""Writes JSON as AWS's Python runtimes do: decimals as numbers, bytes as text, characters as such.

Before Python 3.12 a runtime escapes what is not ASCII. Which one this is meant to be says
AWS_EXECUTION_ENV: the interpreter may be another where the host lacks the one asked for.
"""

import json
import os
import re
import sys

_ESCAPING = frozenset("AWS_Lambda_python3.%d" % minor for minor in range(6, 12))
_MARK = os.urandom(12).hex()
_MARKED = re.compile('"%s([^"]*)"' % _MARK)


class _Encoder(json.JSONEncoder):
    """Marks decimals, which json can only write as text; `to_json` takes the marks off."""

    has_marks = False

    def default(self, o):
        if isinstance(o, bytes):
            return o.decode("utf-8")
        decimal = sys.modules.get("decimal")
        if decimal is None or not isinstance(o, decimal.Decimal):
            return super().default(o)
        if o.is_nan():
            return float("nan")
        self.has_marks = True
        return _MARK + str(o)


_ENCODER = _Encoder(ensure_ascii=False)


def write_as(execution_environment):
    """Escape what is not ASCII if the runtime of this name does."""
    _ENCODER.ensure_ascii = execution_environment in _ESCAPING


def to_json(value):
    """The value as UTF-8; TypeError, ValueError or RecursionError if JSON cannot hold it."""
    text = _ENCODER.encode(value)
    if _ENCODER.has_marks:
        _ENCODER.has_marks = False
        text = _MARKED.sub(r"\1", text)
    return text.encode("utf-8")


def failure_to_json(payload):
    """The payload of a failure, whose texts may hold what UTF-8 cannot."""
    try:
        return to_json(payload)
    except UnicodeEncodeError:
        return json.dumps(payload).encode("ascii")
