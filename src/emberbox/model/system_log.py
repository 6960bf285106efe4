"""What the platform says in a log of JSON format, and from which level on it is written.

Source: "Log level filtering" of AWS's guide, the table of events and their levels.
"""

from collections.abc import Mapping
from typing import Any, Final

LEVELS: Final = ("DEBUG", "INFO", "WARN")

_ALWAYS: Final[Mapping[str, str]] = {
    "platform.start": "INFO",
    "platform.logsSubscription": "INFO",
    "platform.telemetrySubscription": "INFO",
    "platform.logsDropped": "WARN",
    "platform.fault": "WARN",
}
_SUCCESSFUL: Final[Mapping[str, str]] = {
    "platform.initRuntimeDone": "DEBUG",
    "platform.restoreRuntimeDone": "DEBUG",
    "platform.restoreReport": "INFO",
    "platform.runtimeDone": "DEBUG",
    "platform.report": "INFO",
}
"""For `status` success; all else is WARN."""


def level_of(kind: str, record: object) -> str:
    """The level of an event; `` for one that is for telemetry alone."""
    if kind in _ALWAYS:
        return _ALWAYS[kind]
    if not isinstance(record, Mapping):
        return ""
    return _level_of(kind, record)


def _level_of(kind: str, record: Mapping[str, Any]) -> str:
    if kind in {"platform.initStart", "platform.restoreStart"}:
        return "INFO" if record.get("runtimeVersion") else "DEBUG"
    if kind == "platform.extension":
        return "WARN" if record.get("errorType") else "INFO"
    is_good = record.get("status") == "success"
    if kind == "platform.initReport":
        is_usual = record.get("initializationType") == "on-demand"
        return ("DEBUG" if is_usual else "INFO") if is_good else "WARN"
    if kind in _SUCCESSFUL:
        return _SUCCESSFUL[kind] if is_good else "WARN"
    return ""


def is_written(kind: str, record: object, least: str) -> bool:
    """Whether the event appears in a log whose system log level is `least`."""
    level = level_of(kind, record)
    return bool(level) and LEVELS.index(level) >= LEVELS.index(least)
