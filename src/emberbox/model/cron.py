"""Cron expressions of EventBridge: six fields, and the moments they name.

Minutes, hours, day of month, month, day of week, year. One of the two days must be `?`. Days of the
week are 1 (Sunday) to 7. `L`, `W` and `#` stand for the last day, the nearest weekday and the n-th
such day of the month. Source: "Cron expressions" of the EventBridge Scheduler guide.
"""

import calendar
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final

from emberbox.records import dataclass

_FIELDS: Final = 6
_YEARS: Final = (1970, 2199)
_MONTHS: Final = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_WEEKDAYS: Final = {
    name: number
    for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1)
}
_SATURDAY: Final = 7
_NEAREST: Final = re.compile(r"(\d{1,2})W\Z", re.ASCII)
_NTH: Final = re.compile(r"(\w{1,3})#([1-5])\Z", re.ASCII)
_LAST_SUCH: Final = re.compile(r"(\w{1,3})L\Z", re.ASCII)
_BEFORE_LAST: Final = re.compile(r"L-(\d{1,2})\Z", re.ASCII)
_TEXT_MAX: Final = 256

Days = Callable[[int, int], set[int]]
"""(year, month) -> the days of that month which a field names."""


class ScheduleError(ValueError):
    """The text is no schedule expression; says why."""


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression that has been read."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: Days
    months: frozenset[int]
    years: frozenset[int]

    def after(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """The first moment in UTC that the expression names in a zone after another; None if none.

        A local time that daylight saving leaves out is none; one that comes twice counts once, the
        first time.
        """
        local = moment.astimezone(zone).replace(tzinfo=None)
        # The hour that comes twice: a local time before `local` may still lie ahead in neither way.
        start = local - timedelta(hours=3)
        for day in self._days_from(start.date()):
            for hour in self.hours:
                for minute in self.minutes:
                    found = _moment(day, hour, minute, zone)
                    if found is not None and found > moment:
                        return found
        return None

    def _days_from(self, first: date) -> Iterator[date]:
        for year in sorted(each for each in self.years if each >= first.year):
            for month in sorted(self.months):
                if (year, month) < (first.year, first.month):
                    continue
                for number in sorted(self.days(year, month)):
                    day = date(year, month, number)
                    if day >= first:
                        yield day


def _moment(day: date, hour: int, minute: int, zone: tzinfo) -> datetime | None:
    local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
    found = local.astimezone(UTC)
    back = found.astimezone(zone)
    return found if (back.hour, back.minute, back.day) == (hour, minute, day.day) else None


@lru_cache(maxsize=4_096)
def parse_cron(text: str) -> Cron:
    """Read the text between the brackets of `cron(…)`; ScheduleError if it is none."""
    fields = text.upper().split() if len(text) <= _TEXT_MAX else []
    if len(fields) != _FIELDS:
        raise ScheduleError("a cron expression has six fields")
    minute, hour, day, month, weekday, year = fields
    if (day == "?") == (weekday == "?"):
        raise ScheduleError("exactly one of day of month and day of week must be ?")
    return Cron(
        tuple(sorted(_numbers(minute, 0, 59))),
        tuple(sorted(_numbers(hour, 0, 23))),
        _days_of_month(day) if weekday == "?" else _days_of_week(weekday),
        frozenset(_numbers(month, 1, 12, _MONTHS)),
        frozenset(_numbers(year, *_YEARS)),
    )


def _numbers(field: str, low: int, high: int, names: dict[str, int] | None = None) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        found |= _part(part, low, high, names or {})
    return found


def _part(part: str, low: int, high: int, names: dict[str, int]) -> set[int]:
    span, slash, step_text = part.partition("/")
    step = 1
    if slash:
        step = _number(step_text, 1, high, {})
    if span == "*":
        return set(range(low, high + 1, step))
    first_text, dash, last_text = span.partition("-")
    first = _number(first_text, low, high, names)
    if dash:
        last = _number(last_text, low, high, names)
        if last < first:
            return set(range(first, high + 1, step)) | set(range(low, last + 1, step))
        return set(range(first, last + 1, step))
    return set(range(first, high + 1, step)) if slash else {first}


def _number(text: str, low: int, high: int, names: dict[str, int]) -> int:
    if text in names:
        return names[text]
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and low <= int(text) <= high):
        raise ScheduleError(f"{text or 'nothing'} is not in {low}-{high}")
    return int(text)


def _days_of_month(field: str) -> Days:
    parts = [_day_part(part) for part in field.split(",")]
    return lambda year, month: set().union(*(part(year, month) for part in parts))


def _day_part(part: str) -> Days:
    if part == "L":
        return lambda year, month: {_length(year, month)}
    if part == "LW":
        return lambda year, month: {_nearest(year, month, _length(year, month))}
    if found := _BEFORE_LAST.match(part):
        back = _number(found[1], 0, 30, {})
        return lambda year, month: {day for day in (_length(year, month) - back,) if day > 0}
    if found := _NEAREST.match(part):
        day = _number(found[1], 1, 31, {})
        return lambda year, month: (
            {_nearest(year, month, day)} if day <= _length(year, month) else set()
        )
    days = _part(part, 1, 31, {})
    return lambda year, month: {day for day in days if day <= _length(year, month)}


def _days_of_week(field: str) -> Days:
    parts = [_weekday_part(part) for part in field.split(",")]
    return lambda year, month: set().union(*(part(year, month) for part in parts))


def _weekday_part(part: str) -> Days:
    if part == "L":
        return _such({_SATURDAY})
    if found := _NTH.match(part):
        weekday, nth = _number(found[1], 1, 7, _WEEKDAYS), int(found[2])
        return lambda year, month: set(sorted(_such({weekday})(year, month))[nth - 1 : nth])
    if (found := _LAST_SUCH.match(part)) and part not in _WEEKDAYS:
        weekday = _number(found[1], 1, 7, _WEEKDAYS)
        return lambda year, month: {max(_such({weekday})(year, month))}
    return _such(_part(part, 1, 7, _WEEKDAYS))


def _such(weekdays: set[int]) -> Days:
    def days(year: int, month: int) -> set[int]:
        first, length = calendar.monthrange(year, month)  # 0 is Monday
        return {day for day in range(1, length + 1) if ((first + day - 1) + 1) % 7 + 1 in weekdays}

    return days


def _length(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]


def _nearest(year: int, month: int, day: int) -> int:
    """The weekday of the month that is nearest to a day."""
    weekday = calendar.weekday(year, month, day)
    if weekday == calendar.SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == calendar.SUNDAY:
        return day + 1 if day < _length(year, month) else day - 2
    return day
