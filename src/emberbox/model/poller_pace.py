"""How many batches of a mapping may be with its function at once: grows with the backlog, shrinks
when idle and when the function fails.

Source: Lambda guide, "Scaling for SQS event source mappings" and "provisioned mode".
"""

from collections.abc import Mapping
from typing import Any, Final

from emberbox.records import dataclass

_START: Final = 5
_IDLE: Final = 2
_PER_MINUTE: Final = 300
_MOST: Final = 1_250
_PER_POLLER: Final = 10
_PROVISIONED_PER_MINUTE: Final = 1_000
_PROVISIONED_MIN: Final = 2
_PROVISIONED_MAX: Final = 200
_AFTER_ERROR: Final = 0.8
_MINUTE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class PaceLimits:
    """Where a mapping starts, the least and the most it has, and how fast it changes."""

    start: int
    least: int
    most: int
    per_minute: int


def limits_of(settings: Mapping[str, Any]) -> PaceLimits:
    """The limits that a queue's mapping has by its settings."""
    pollers = settings.get("ProvisionedPollerConfig") or {}
    if pollers:
        least = (pollers.get("MinimumPollers") or _PROVISIONED_MIN) * _PER_POLLER
        most = (pollers.get("MaximumPollers") or _PROVISIONED_MAX) * _PER_POLLER
        return PaceLimits(least, least, max(least, most), _PROVISIONED_PER_MINUTE)
    most = (settings.get("ScalingConfig") or {}).get("MaximumConcurrency") or _MOST
    return PaceLimits(min(_START, most), min(_IDLE, most), most, _PER_MINUTE)


class Pace:
    """The number of batches that are allowed now. Times are seconds of any clock that goes on."""

    def __init__(self, limits: PaceLimits, now: float) -> None:
        self._limits = limits
        self._allowed = float(limits.start)
        self._at = now

    def allowed(self, now: float, running: int) -> int:
        """How many may run; `running` is how many have since the last call."""
        change = self._limits.per_minute * max(0.0, now - self._at) / _MINUTE_S
        is_busy = running >= int(self._allowed)
        self._at = now
        self._set(self._allowed + (change if is_busy else -change))
        return int(self._allowed)

    def failed(self) -> None:
        """The function has failed, or had no room."""
        self._set(self._allowed * _AFTER_ERROR)

    def until_more(self) -> float | None:
        """Seconds until one more is allowed if all are busy; None if it never will be."""
        if int(self._allowed) >= self._limits.most:
            return None
        missing = int(self._allowed) + 1 - self._allowed
        return missing * _MINUTE_S / self._limits.per_minute

    def _set(self, value: float) -> None:
        self._allowed = min(max(value, float(self._limits.least)), float(self._limits.most))
