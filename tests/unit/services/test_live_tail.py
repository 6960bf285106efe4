"""Live tails: what watchers of log groups see."""

import pytest

from emberbox.clock import ManualClock
from emberbox.errors import CallerError
from emberbox.services.logs import live_tail
from emberbox.services.logs.service import LogsService
from emberbox.storage.database import Database
from emberbox.storage.log_filters import LogFilterStore
from emberbox.storage.logs import LogStore
from emberbox.telemetry.logs import LogSink

NOW = 1_700_000_000_000


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def logs(tmp_path, caller, clock, monkeypatch):
    monkeypatch.setattr(live_tail, "_EVERY_S", 0.0)
    database = await Database.open(tmp_path / "logs.db", "logs", durable=False)
    store = LogStore(database)
    sink = await LogSink.open(store, tmp_path / "journal", clock)
    call = caller(LogsService(store, LogFilterStore(database), sink, clock))
    for group in "ab":
        await call("CreateLogGroup", logGroupName=group)
        for stream in ("one", "two"):
            await call("CreateLogStream", logGroupName=group, logStreamName=stream)
    yield call
    await sink.close()
    await database.close()


async def put(logs, *messages, group="a", stream="one"):
    events = [{"timestamp": NOW, "message": message} for message in messages]
    await logs("PutLogEvents", logGroupName=group, logStreamName=stream, logEvents=events)


async def watch(logs, *groups, **params):
    """The events of a tail; its beginning has been seen."""
    service = logs.service.operations["StartLiveTail"]
    context = type("Context", (), {"account": logs.account, "region": logs.region})()
    context.request_id = "r"
    answer = await service(context, {"logGroupIdentifiers": list(groups), **params})
    events = answer["responseStream"]
    assert (await anext(events))["sessionStart"]["logGroupIdentifiers"] == list(groups)
    return events


async def update(events):
    """The next update: (messages, whether some were left out)."""
    shown = (await anext(events))["sessionUpdate"]
    return [each["message"] for each in shown["sessionResults"]], shown["sessionMetadata"]


async def test_what_is_stored_from_now_on_is_seen_once(logs):
    """Of all its groups, if it matches."""
    await put(logs, "hit before")
    events = await watch(logs, "a", "b", logEventFilterPattern="hit")
    assert await update(events) == ([], {"sampled": False})
    await put(logs, "hit 1", "miss")
    await put(logs, "hit 2", group="b")
    assert await update(events) == (["hit 1", "hit 2"], {"sampled": False})
    assert await update(events) == ([], {"sampled": False})
    await events.aclose()


@pytest.mark.parametrize("params", [{"logStreamNames": ["two"]}, {"logStreamNamePrefixes": ["t"]}])
async def test_streams_can_be_chosen(logs, params):
    """By name or by prefix."""
    events = await watch(logs, "a", **params)
    await put(logs, "x")
    await put(logs, "y", stream="two")
    assert (await update(events))[0] == ["y"]
    await events.aclose()


async def test_of_too_many_the_newest_are_shown(logs):
    """And the update says so."""
    events = await watch(logs, "a")
    await put(logs, *map(str, range(live_tail.EVENTS_MAX + 3)))
    messages, told = await update(events)
    assert (len(messages), messages[0], told) == (live_tail.EVENTS_MAX, "3", {"sampled": True})
    await events.aclose()


async def test_a_session_ends_after_three_hours(logs, clock):
    """With the exception that clients know."""
    events = await watch(logs, "a")
    clock.advance(10_801)
    with pytest.raises(CallerError) as caught:
        await anext(events)
    assert caught.value.code == "SessionTimeoutException"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"logGroupIdentifiers": ["missing"]}, "ResourceNotFoundException"),
        ({"logEventFilterPattern": "{"}, "InvalidParameterException"),
        ({"logStreamNames": ["a"], "logStreamNamePrefixes": ["b"]}, "InvalidParameterException"),
        ({"logGroupIdentifiers": ["a", "b"], "logStreamNames": ["a"]}, "InvalidParameterException"),
    ],
)
async def test_what_cannot_be_watched_is_refused(logs, params, code):
    """At the beginning."""
    whole = {"logGroupIdentifiers": ["a"]} | params
    assert (await logs.refused("StartLiveTail", **whole))[0] == code


async def test_sessions_are_bounded(logs, monkeypatch):
    """Those that have ended make room."""
    monkeypatch.setattr(live_tail, "SESSIONS_MAX", 1)
    events = await watch(logs, "a")
    refused = await logs.refused("StartLiveTail", logGroupIdentifiers=["a"])
    assert refused[0] == "LimitExceededException"
    await events.aclose()
    await (await watch(logs, "a")).aclose()
