"""Cron expressions and rates: the moments they name, against a library that is well kept."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from hypothesis import given, settings
from hypothesis import strategies as st

from emberbox.model.cron import ScheduleError, parse_cron
from emberbox.model.schedules import parse_expression


def after(text, moment, zone="UTC"):
    start = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(zone))
    found = parse_cron(text).after(start.astimezone(UTC), ZoneInfo(zone))
    return None if found is None else found.strftime("%Y-%m-%dT%H:%M")


@pytest.mark.parametrize(
    ("text", "moment", "expected"),
    [
        ("0 10 * * ? *", "2026-01-01T09:00", "2026-01-01T10:00"),
        ("0 10 * * ? *", "2026-01-01T10:00", "2026-01-02T10:00"),
        ("15 12 * * ? *", "2026-02-28T13:00", "2026-03-01T12:15"),
        ("0 18 ? * MON-FRI *", "2026-01-02T18:00", "2026-01-05T18:00"),
        ("0 8 1 * ? *", "2026-01-01T08:00", "2026-02-01T08:00"),
        ("0/10 * ? * MON-FRI *", "2026-01-02T23:50", "2026-01-05T00:00"),
        ("0/5 8-17 ? * MON-FRI *", "2026-01-02T17:55", "2026-01-05T08:00"),
        ("0/30 20-2 ? * MON-FRI *", "2026-01-05T02:30", "2026-01-05T20:00"),
        ("0 0 L * ? *", "2026-02-01T00:00", "2026-02-28T00:00"),
        ("0 0 L-2 * ? *", "2026-02-01T00:00", "2026-02-26T00:00"),
        ("0 0 LW * ? *", "2026-02-01T00:00", "2026-02-27T00:00"),
        ("0 0 15W * ? *", "2026-02-01T00:00", "2026-02-16T00:00"),
        ("0 0 1W * ? *", "2026-08-01T12:00", "2026-08-03T00:00"),
        ("0 0 31W * ? *", "2026-05-01T00:00", "2026-05-29T00:00"),
        ("0 0 ? * 2#1 *", "2026-01-06T00:00", "2026-02-02T00:00"),
        ("0 0 ? * FRI#5 *", "2026-01-01T00:00", "2026-01-30T00:00"),
        ("0 0 ? * 6L *", "2026-01-01T00:00", "2026-01-30T00:00"),
        ("0 0 ? * FRIL *", "2026-01-31T00:00", "2026-02-27T00:00"),
        ("0 0 ? * L *", "2026-01-01T00:00", "2026-01-03T00:00"),
        ("0 0 ? * 1 *", "2026-01-01T00:00", "2026-01-04T00:00"),
        ("0 0 ? * SAT-SUN *", "2026-01-05T00:00", "2026-01-10T00:00"),
        ("0 0 29 2 ? *", "2026-01-01T00:00", "2028-02-29T00:00"),
        ("0 0 1 JAN,JUL ? *", "2026-02-01T00:00", "2026-07-01T00:00"),
        ("0 0 1 1 ? 2030-2031", "2026-01-01T00:00", "2030-01-01T00:00"),
        ("0 0 1 1 ? 2025", "2026-01-01T00:00", None),
        ("0 0 30 2 ? *", "2026-01-01T00:00", None),
    ],
)
def test_documented_cases(text, moment, expected):
    """Each form of each field names the moments that AWS's guide says."""
    assert after(text, moment) == expected


@pytest.mark.parametrize(
    ("text", "zone", "moment", "expected"),
    [
        # 02:30 is left out on the 29th of March in Berlin, and comes twice on the 25th of October.
        ("30 2 * * ? *", "Europe/Berlin", "2026-03-28T03:00", "2026-03-30T00:30"),
        ("30 2 * * ? *", "Europe/Berlin", "2026-10-24T03:00", "2026-10-25T00:30"),
        ("0 9 * * ? *", "America/New_York", "2026-03-07T10:00", "2026-03-08T13:00"),
        ("0 9 * * ? *", "America/New_York", "2026-11-01T08:00", "2026-11-01T14:00"),
        ("0 9 * * ? *", "Asia/Kolkata", "2026-01-01T10:00", "2026-01-02T03:30"),
        ("0 0 * * ? *", "Australia/Lord_Howe", "2026-04-05T01:00", "2026-04-05T13:30"),
    ],
)
def test_daylight_saving(text, zone, moment, expected):
    """A local time that is left out is skipped; one that comes twice counts once."""
    assert after(text, moment, zone) == expected


def test_a_time_that_comes_twice_is_not_named_again():
    """After its first coming the second is not another moment."""
    zone = ZoneInfo("Europe/Berlin")
    first = parse_cron("30 2 * * ? *").after(datetime(2026, 10, 24, 12, tzinfo=UTC), zone)
    second = parse_cron("30 2 * * ? *").after(first, zone)
    assert (second - first).total_seconds() == 25 * 3600


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0 10 * * *",
        "0 10 * * * *",
        "0 10 ? * ? *",
        "60 10 * * ? *",
        "0 24 * * ? *",
        "0 10 32 * ? *",
        "0 10 0 * ? *",
        "0 10 * 13 ? *",
        "0 10 ? * 8 *",
        "0 10 ? * MON#6 *",
        "0 10 * * ? 1969",
        "0/0 10 * * ? *",
        "a 10 * * ? *",
        "0 10 * FOO ? *",
        "0 10 * * ? * *",
        "٣ 10 * * ? *",
    ],
)
def test_what_is_no_cron_expression(text):
    """Everything else is refused."""
    with pytest.raises(ScheduleError):
        parse_cron(text)


def field(low, high):
    """A field: everything, one, a list, a span, steps."""
    one = st.integers(low, high)
    return st.one_of(
        st.just("*"),
        one.map(str),
        st.lists(one, min_size=1, max_size=4, unique=True).map(lambda v: ",".join(map(str, v))),
        st.lists(one, min_size=2, max_size=2, unique=True).map(lambda p: f"{min(p)}-{max(p)}"),
        st.tuples(st.just("*"), st.integers(1, high)).map(lambda p: f"{p[0]}/{p[1]}"),
    )


@settings(max_examples=400, deadline=None)
@given(
    minute=field(0, 59),
    hour=field(0, 23),
    day=field(1, 28),
    month=field(1, 12),
    weekdays=st.lists(st.integers(1, 7), min_size=1, max_size=3, unique=True),
    by_weekday=st.booleans(),
    seconds=st.integers(0, 60 * 365 * 24 * 3600),
)
def test_agrees_with_croniter(minute, hour, day, month, weekdays, by_weekday, seconds):
    """Wherever both languages have a field, both name the same next three moments."""
    ours = ",".join(map(str, weekdays)) if by_weekday else "?"
    theirs = ",".join(str(each - 1) for each in weekdays) if by_weekday else "*"
    cron = parse_cron(f"{minute} {hour} {'?' if by_weekday else day} {month} {ours} *")
    moment = datetime.fromtimestamp(seconds, UTC)
    other = croniter(
        f"{minute} {hour} {'*' if by_weekday else day} {month} {theirs}", moment, ret_type=datetime
    )
    for _ in range(3):
        moment = cron.after(moment, UTC)
        assert moment == other.get_next()


@settings(max_examples=200, deadline=None)
@given(
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    seconds=st.integers(0, 60 * 365 * 24 * 3600),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]),
)
def test_moments_follow_in_every_zone(hour, minute, seconds, zone):
    """The next moment is later, has the local time that was asked for, and is at most days off."""
    place = ZoneInfo(zone)
    moment = datetime.fromtimestamp(seconds, UTC)
    found = parse_cron(f"{minute} {hour} * * ? *").after(moment, place)
    local = found.astimezone(place)
    assert (local.hour, local.minute) == (hour, minute)
    assert 0 < (found - moment).total_seconds() <= 49 * 3600


@pytest.mark.parametrize(
    ("text", "moment", "start", "expected"),
    [
        ("rate(1 minute)", 50, 100, 100),
        ("rate(1 minute)", 100, 100, 160),
        ("rate(5 minutes)", 399, 100, 400),
        ("rate(2 hours)", 100, 100, 7_300),
        ("rate(1 day)", 0, 0, 86_400),
        ("at(1970-01-02T00:00:00)", 0, 0, 86_400),
        ("at(1970-01-02T00:00:00)", 86_400, 0, None),
    ],
)
def test_rates_and_single_moments(text, moment, start, expected):
    """Rates count from their start; a single moment is there once."""
    assert parse_expression(text).after(moment, start) == expected


@pytest.mark.parametrize(
    "text",
    [
        "rate(0 minutes)",
        "rate(1 minutes)",
        "rate(2 minute)",
        "rate(5 weeks)",
        "rate(-1 minutes)",
        "at(2026-01-01)",
        "at(2026-13-01T00:00:00)",
        "every(5 minutes)",
        "rate(5 minutes",
        "cron(0 10 * * *)",
    ],
)
def test_what_is_no_expression(text):
    """Everything else is refused."""
    with pytest.raises(ScheduleError):
        parse_expression(text)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "", "/etc/localtime"])
def test_what_is_no_zone(zone):
    """A zone is one of the tz database, and no path."""
    with pytest.raises(ScheduleError):
        parse_expression("rate(1 minute)", zone)
