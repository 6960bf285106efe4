"""Events of the Telemetry API and the Logs API, and what may be asked of them.

Source: "Lambda Telemetry API reference", "Event schema reference" and "Lambda Logs API" of AWS's
guide. An event is a kind (`platform.start`), an instant, and a record.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from emberbox.records import dataclass

PLATFORM, FUNCTION, EXTENSION = "platform", "function", "extension"
TYPES = (PLATFORM, FUNCTION, EXTENSION)
_TELEMETRY_SCHEMAS = ("2022-07-01", "2022-12-13", "2025-01-29")
_LOGS_SCHEMAS = ("2020-08-15", "2021-03-18")
_HOSTS = ("sandbox", "sandbox.localdomain")
_URI = re.compile(r"http://([A-Za-z0-9.-]{1,253}):(\d{1,5})(/[\x21-\x7e]{0,1024})?\Z")
_PORT_RESERVED = 9001
_BOUNDS = {
    "maxItems": (1_000, 10_000, 10_000),
    "maxBytes": (262_144, 1_048_576, 262_144),
    "timeoutMs": (25, 30_000, 1_000),
}
"""Least, most, and what holds if nothing is said."""
_NEWER_KINDS = ("platform.init", "platform.restore", "platform.telemetrySubscription")


class BadSubscriptionError(ValueError):
    """A subscription that the API refuses; the text says why."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What an extension wants to hear, and where.

    `path` None is a TCP destination, which gets a line per event; else events are posted there as
    JSON arrays. `is_legacy` is the Logs API with its older set of events.
    """

    types: frozenset[str]
    port: int
    path: str | None
    host: str
    max_items: int
    max_bytes: int
    timeout_ms: int
    is_legacy: bool


def parse_subscription(body: bytes, *, is_legacy: bool) -> Subscription:
    """The body of `PUT /telemetry` or `PUT /logs`; BadSubscriptionError if it is none."""
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadSubscriptionError(f"the body is no JSON: {error}") from None
    if not isinstance(given, dict):
        raise BadSubscriptionError("the body is no object")
    schemas = _LOGS_SCHEMAS if is_legacy else _TELEMETRY_SCHEMAS
    if given.get("schemaVersion", schemas[0]) not in schemas:
        raise BadSubscriptionError(f"schemaVersion is none of {', '.join(schemas)}")
    types = given.get("types")
    if not isinstance(types, list) or not types or not all(kind in TYPES for kind in types):
        raise BadSubscriptionError(f"types are some of {', '.join(TYPES)}")
    buffering = _object(given, "buffering")
    bounds = {name: _bounded(buffering, name) for name in _BOUNDS}
    host, port, path = _destination(_object(given, "destination"))
    return Subscription(
        types=frozenset(types),
        host=host,
        port=port,
        path=path,
        max_items=bounds["maxItems"],
        max_bytes=bounds["maxBytes"],
        timeout_ms=bounds["timeoutMs"],
        is_legacy=is_legacy,
    )


def _object(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = given.get(name, {})
    if not isinstance(value, dict):
        raise BadSubscriptionError(f"{name} is no object")
    return value


def _bounded(given: Mapping[str, Any], name: str) -> int:
    least, most, standard = _BOUNDS[name]
    value = given.get(name, standard)
    if type(value) is not int or not least <= value <= most:
        raise BadSubscriptionError(f"{name} is a number from {least} to {most}")
    return value


def _destination(given: Mapping[str, Any]) -> tuple[str, int, str | None]:
    protocol = given.get("protocol")
    if protocol == "TCP":
        return "", _port(given.get("port")), None
    if protocol != "HTTP":
        raise BadSubscriptionError("the destination's protocol is HTTP or TCP")
    found = _URI.match(str(given.get("URI", given.get("uri", ""))))
    if found is None or found[1] not in _HOSTS:
        raise BadSubscriptionError(
            "the destination's URI is http://sandbox.localdomain, a port and a path"
        )
    return found[1], _port(int(found[2])), found[3] or "/"


def _port(value: object) -> int:
    if type(value) is not int or not 1 <= value <= 65_535 or value == _PORT_RESERVED:
        raise BadSubscriptionError("the destination's port is not one to use")
    return value


def instant(epoch_s: float) -> str:
    """As telemetry writes times."""
    text = datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def event(kind: str, epoch_s: float, record: object) -> bytes:
    """One event as JSON. A record in bytes is text."""
    if isinstance(record, bytes):
        record = record.decode("utf-8", "replace")
    return orjson.dumps({"time": instant(epoch_s), "type": kind, "record": record})


def wanted(subscription: Subscription, kind: str) -> bool:
    """Whether a subscriber hears of events of this kind."""
    if kind.partition(".")[0] not in subscription.types:
        return False
    if kind in ("platform.end", "platform.logsSubscription"):
        return subscription.is_legacy
    return not subscription.is_legacy or not kind.startswith(_NEWER_KINDS)
