"""Logs Insights as its users see it: queries over stored events."""

import asyncio

import pytest

from emberbox.clock import ManualClock
from emberbox.model.insights import query
from emberbox.model.insights.stages import Budget
from emberbox.services.logs import queries, querying
from emberbox.services.logs.service import LogsService
from emberbox.storage.database import Database
from emberbox.storage.log_filters import LogFilterStore
from emberbox.storage.logs import LogStore
from emberbox.telemetry.logs import LogSink

NOW = 1_700_000_000_000
SPAN = {"startTime": NOW // 1000 - 3_600, "endTime": NOW // 1000 + 3_600}


class Logs:
    """The service, with events to ask about."""

    def __init__(self, service, caller):
        self.service = service
        self.call = caller(service)

    async def put(self, group, *events):
        await self.call("CreateLogGroup", logGroupName=group)
        await self.call("CreateLogStream", logGroupName=group, logStreamName="s")
        made = [{"timestamp": NOW + offset, "message": message} for offset, message in events]
        await self.call("PutLogEvents", logGroupName=group, logStreamName="s", logEvents=made)

    async def start(self, text, *groups, **more):
        named = {"logGroupNames": list(groups)} if groups else {"logGroupName": "a"}
        params = SPAN | named | more
        return (await self.call("StartQuery", queryString=text, **params))["queryId"]

    async def over(self, query_id):
        """The answer once the query is over."""
        job = self.service.querying.job(query_id)
        while job.task is not None:
            await asyncio.wait([job.task])
        return await self.call("GetQueryResults", queryId=query_id)

    async def ask(self, text, *groups, **more):
        answer = await self.over(await self.start(text, *groups, **more))
        assert answer["status"] == "Complete"
        return [
            {each["field"]: each["value"] for each in row if each["field"] != "@ptr"}
            for row in answer["results"]
        ]


@pytest.fixture
async def logs(tmp_path, caller):
    clock = ManualClock()
    database = await Database.open(tmp_path / "logs.db", "logs", durable=False)
    store = LogStore(database)
    sink = await LogSink.open(store, tmp_path / "journal", clock)
    service = LogsService(store, LogFilterStore(database), sink, clock)
    made = Logs(service, caller)
    await made.put("a", *((n, f'{{"n": {n}, "odd": "{n % 2}"}}') for n in range(10)))
    await made.put("b", (4, '{"n": 400}'), (8, '{"n": 800}'))
    yield made
    await service.close()
    await sink.close()
    await database.close()


async def test_events_are_asked_about_the_newest_first(logs):
    """With what was scanned and what matched."""
    started = await logs.start("fields n | filter n > 3 | limit 2")
    answer = await logs.over(started)

    assert [[each["value"] for each in row[:1]] for row in answer["results"]] == [["9"], ["8"]]
    assert answer["statistics"]["recordsScanned"] == 10.0
    assert answer["statistics"]["resultCount"] == 2.0
    assert await logs.ask("filter odd = 1 | stats sum(n) as s, count(*) as c") == [
        {"s": "25", "c": "5"}
    ]


@pytest.mark.parametrize("size", [1, 3, 1_000])
async def test_slices_lose_nothing(logs, monkeypatch, size):
    """However small they are."""
    monkeypatch.setattr(querying, "_SLICE", size)

    assert [row["n"] for row in await logs.ask("fields n")] == [str(n) for n in range(9, -1, -1)]


async def test_groups_are_asked_together_in_order_of_time(logs):
    """Though they are read one after the other."""
    rows = await logs.ask("fields n, @log | filter n > 6", "a", "b")
    assert [row["n"] for row in rows] == ["9", "8", "800", "7", "400"]
    assert rows[2]["@log"] == "123456789012:b"
    assert await logs.ask("stats max(n) as most by @log | sort most | limit 1", "a", "b") == [
        {"@log": "123456789012:a", "most": "9"}
    ]


async def test_the_span_of_time_bounds_a_query(logs):
    """In seconds or in milliseconds, both ends included."""
    assert await logs.ask("fields n", startTime=NOW + 3, endTime=NOW + 4) == [
        {"n": "4"},
        {"n": "3"},
    ]


async def test_results_come_in_pages(logs):
    """By a token."""
    started = await logs.start("fields n | sort n")
    await logs.over(started)
    found, token = [], {}
    while True:
        page = await logs.call("GetQueryResults", queryId=started, maxItems=4, **token)
        found += [row[0]["value"] for row in page["results"]]
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert found == [str(n) for n in range(10)]


async def test_a_result_points_to_its_event(logs):
    """Which is shown with all its fields."""
    answer = await logs.over(await logs.start("fields n | limit 1"))
    pointer = answer["results"][0][-1]
    assert pointer["field"] == "@ptr"
    shown = await logs.call("GetLogRecord", logRecordPointer=pointer["value"])

    assert shown["logRecord"]["@message"] == '{"n": 9, "odd": "1"}'
    assert shown["logRecord"]["odd"] == "1"
    assert shown["logRecord"]["@logStream"] == "s"
    assert (await logs.call.refused("GetLogRecord", logRecordPointer="x"))[0] == (
        "InvalidParameterException"
    )


async def test_queries_are_described_and_stopped(logs):
    """The newest first; one that has ended cannot be stopped."""
    first = await logs.start("fields n")
    assert await logs.call("StopQuery", queryId=first) == {"success": True}
    assert (await logs.over(first))["status"] == "Cancelled"
    assert (await logs.call.refused("StopQuery", queryId=first))[0] == "InvalidParameterException"
    second = await logs.start("fields n", "b")
    await logs.over(second)
    listed = (await logs.call("DescribeQueries"))["queries"]
    assert [each["queryId"] for each in listed] == [second, first]
    for params in ({"status": "Complete"}, {"logGroupName": "b"}, {"maxResults": 1}):
        listed = (await logs.call("DescribeQueries", **params))["queries"]
        assert [each["queryId"] for each in listed] == [second]
    assert (await logs.call.as_(region="eu-west-1").refused("GetQueryResults", queryId=second))[
        :2
    ] == ("ResourceNotFoundException", 400)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"queryString": "nonsense"}, "MalformedQueryException"),
        ({"queryLanguage": "SQL"}, "InvalidParameterException"),
        ({"limit": 20_000}, "InvalidParameterException"),
        ({"startTime": 10, "endTime": 5}, "InvalidParameterException"),
        ({"logGroupNames": ["a"]}, "InvalidParameterException"),
        ({"logGroupName": "missing"}, "ResourceNotFoundException"),
    ],
)
async def test_what_cannot_be_asked_is_refused(logs, params, code):
    """Before anything runs."""
    whole = SPAN | {"logGroupName": "a", "queryString": "fields n"} | params

    assert (await logs.call.refused("StartQuery", **whole))[:2] == (code, 400)


async def test_queries_wait_for_their_turn_within_bounds(logs, monkeypatch):
    """Too many at once are refused; old results are given up."""
    monkeypatch.setattr(queries, "WAITING_MAX", 3)
    monkeypatch.setattr(querying, "_KEPT_MAX", 2)
    turns = logs.service.querying._turns
    while not turns.locked():
        await turns.acquire()
    started = [await logs.start("fields n") for _ in range(3)]
    whole = SPAN | {"logGroupName": "a", "queryString": "fields n"}
    assert (await logs.call.refused("StartQuery", **whole))[0] == "LimitExceededException"
    answer = await logs.call("GetQueryResults", queryId=started[0])
    assert (answer["status"], answer["results"]) == ("Scheduled", [])
    turns.release()
    await asyncio.wait([logs.service.querying.job(each).task for each in started])
    assert len((await logs.call("DescribeQueries"))["queries"]) == 2


async def test_a_query_that_needs_too_much_fails(logs, monkeypatch):
    """And says so."""
    monkeypatch.setattr(query, "Budget", lambda: Budget(500))
    answer = await logs.over(await logs.start("fields n | sort n"))
    assert (answer["status"], answer["results"]) == ("Failed", [])
