"""The fields of log events: those that every event has, and those discovered in its message.

Source: CloudWatch Logs user guide, "Supported logs and discovered fields".
"""

import re
from collections.abc import Iterator
from json import JSONDecodeError, JSONDecoder
from typing import Any, Final

import orjson

from emberbox.model.insights.values import Time, Value

FIELDS_MAX: Final = 200
"""Fields discovered in one event of JSON."""

ALWAYS: Final = frozenset(
    {"@timestamp", "@message", "@logStream", "@log", "@ingestionTime", "@ptr"}
)
_DEPTH_MAX: Final = 16
_DECODER: Final = JSONDecoder()
_LINE: Final = re.compile(r"(START|END|REPORT) RequestId: ([0-9a-f-]{36})\b")
_REPORT: Final = re.compile(
    r"\t(Duration|Billed Duration|Memory Size|Max Memory Used|Init Duration)"
    r": ([0-9.]{1,20}) (ms|MB)"
)
_BYTES: Final = 1_000_000


def discovered(message: str) -> dict[str, Value]:
    """What a message tells in JSON, or in the lines that Lambda writes."""
    found = _of_lambda(message)
    start = message.find("{")
    if start >= 0:
        for name, value in _flat(_json(message, start), "", 0):
            if len(found) >= FIELDS_MAX:
                break
            found.setdefault(name, value)
    return found


def record(
    message: str, timestamp_ms: int, ingested_ms: int, stream: str, log: str, pointer: str
) -> dict[str, Value]:
    """The fields that every event has."""
    return {
        "@timestamp": Time(timestamp_ms),
        "@message": message,
        "@logStream": stream,
        "@log": log,
        "@ingestionTime": Time(ingested_ms),
        "@ptr": pointer,
    }


def _of_lambda(message: str) -> dict[str, Value]:
    line = _LINE.match(message)
    if line is None:
        return {}
    found: dict[str, Value] = {"@type": line[1], "@requestId": line[2]}
    if line[1] == "REPORT":
        for name, text, unit in _REPORT.findall(message):
            value = float(text) if text.count(".") <= 1 and text != "." else 0.0
            words = name.split()
            key = "@" + words[0].lower() + "".join(words[1:])
            found[key] = value * _BYTES if unit == "MB" else value
    return found


def _json(message: str, start: int) -> Any:
    try:
        return orjson.loads(message[start:])
    except ValueError:
        pass
    try:
        return _DECODER.raw_decode(message, start)[0]
    except (JSONDecodeError, RecursionError, ValueError):
        return None


def _flat(value: Any, prefix: str, depth: int) -> Iterator[tuple[str, Value]]:
    if depth > _DEPTH_MAX:
        return
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _flat(each, f"{prefix}.{name}" if prefix else str(name), depth + 1)
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _flat(each, f"{prefix}.{place}", depth + 1)
    elif isinstance(value, bool):
        yield prefix, int(value)
    elif isinstance(value, (str, int, float)):
        yield prefix, value
