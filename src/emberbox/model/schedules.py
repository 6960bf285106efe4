"""Schedule expressions: `rate(…)`, `cron(…)` and `at(…)`, and when they are due.

Times are seconds since the epoch. Source: "Schedule types in EventBridge Scheduler", and for rules
"Creating a scheduled rule" of the EventBridge guide.
"""

import re
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from emberbox.model.cron import Cron, ScheduleError, parse_cron
from emberbox.records import dataclass

_WHOLE: Final = re.compile(r"(rate|cron|at)\((.*)\)\Z", re.DOTALL)
_RATE: Final = re.compile(r"(\d{1,9})\s+(minute|hour|day)(s?)\Z", re.ASCII)
_UNITS: Final = {"minute": 60, "hour": 3_600, "day": 86_400}
_AT: Final = "%Y-%m-%dT%H:%M:%S"
_ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+\-/]{0,49}\Z")


class Expression(Protocol):
    """When something is due."""

    @property
    def is_once(self) -> bool:
        """Whether there is one moment only."""
        ...

    def after(self, moment: float, start: float) -> float | None:
        """The first moment after another; None if there is none. Rates count from `start`."""
        ...


@dataclass(frozen=True, slots=True)
class Rate:
    """Every so many seconds."""

    every_s: int
    is_once: bool = False

    def after(self, moment: float, start: float) -> float | None:
        """See `Expression`; the first is `start` itself."""
        if moment < start:
            return start
        passed = int((moment - start) // self.every_s)
        found = start + (passed + 1) * self.every_s
        return found if found > moment else found + self.every_s


@dataclass(frozen=True, slots=True)
class At:
    """One moment."""

    moment: float
    is_once: bool = True

    def after(self, moment: float, start: float) -> float | None:
        """See `Expression`."""
        return self.moment if moment < self.moment >= start else None


@dataclass(frozen=True, slots=True)
class ByCron:
    """What a cron expression names in a time zone."""

    cron: Cron
    zone: tzinfo
    is_once: bool = False

    def after(self, moment: float, start: float) -> float | None:
        """See `Expression`."""
        since = max(moment, start - 1)
        found = self.cron.after(datetime.fromtimestamp(since, UTC), self.zone)
        return None if found is None else found.timestamp()


@lru_cache(maxsize=8_192)
def parse_expression(text: str, zone_name: str = "UTC") -> Expression:
    """Read an expression; ScheduleError if it is none. The zone is one of the tz database."""
    found = _WHOLE.match(text)
    if found is None:
        raise ScheduleError("an expression is rate(…), cron(…) or at(…)")
    zone = zone_of(zone_name)
    kind, inner = found.groups()
    if kind == "rate":
        return _rate(inner.strip())
    if kind == "cron":
        return ByCron(parse_cron(inner), zone)
    return _at(inner.strip(), zone)


def zone_of(name: str) -> tzinfo:
    """The time zone of a name; ScheduleError if there is none."""
    if name == "UTC":
        return UTC
    try:
        if _ZONE.match(name) and ".." not in name:
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise ScheduleError(f"{name[:50]} is no time zone")


def _rate(text: str) -> Rate:
    found = _RATE.match(text)
    if found is None:
        raise ScheduleError("a rate is a number and minute(s), hour(s) or day(s)")
    count = int(found[1])
    if count == 0 or (count == 1) == bool(found[3]):
        raise ScheduleError("1 goes with the singular, more with the plural")
    return Rate(count * _UNITS[found[2]])


def _at(text: str, zone: tzinfo) -> At:
    try:
        local = datetime.strptime(text, _AT).replace(tzinfo=zone)
    except ValueError:
        raise ScheduleError("at(…) holds yyyy-mm-ddThh:mm:ss") from None
    return At(local.timestamp())
