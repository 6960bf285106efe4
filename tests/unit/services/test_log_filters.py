"""Subscription filters and metric filters as their users see them."""

import asyncio
import gzip
import json
from base64 import b64decode

import pytest

from emberbox.clock import ManualClock
from emberbox.errors import CallerError, PlatformError
from emberbox.model.metrics import statistic
from emberbox.services.logs.service import LogsService
from emberbox.services.logs.subscribing import Functions
from emberbox.storage.database import Database
from emberbox.storage.log_filters import LogFilterStore
from emberbox.storage.log_records import GroupKey
from emberbox.storage.logs import LogStore
from emberbox.storage.metrics import MetricStore
from emberbox.telemetry.logs import LogSink
from emberbox.telemetry.metrics import MetricSink

ACCOUNT = "123456789012"
REGION = "us-east-1"
GROUP = "app"
GROUP_ARN = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}"
LAMBDA = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"
NOW = 1_700_000_000_000
DENIED = (
    "InvalidParameterException",
    400,
    "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission "
    "to execute your function.",
)


class World:
    """Functions as filters know them: who writes where, who may be invoked, what was sent."""

    def __init__(self):
        self.sent = []
        self.groups = {LAMBDA + name: f"/aws/lambda/{name}" for name in ("f", "g")}
        self.closed = set()
        self.loops = set()
        self.fails = []

    async def send(self, arn, payload):
        if self.fails:
            raise self.fails.pop(0)
        self.sent.append((arn, json.loads(gzip.decompress(b64decode(
            json.loads(payload)["awslogs"]["data"]
        )))))  # fmt: skip

    def functions(self):
        return Functions(
            self.send,
            lambda group, arn: (group, arn) not in self.closed,
            lambda arn: GroupKey(ACCOUNT, REGION, self.groups[arn]) if arn in self.groups else None,
            lambda arn: arn in self.loops,
        )


class Running:
    """The service over databases that can be closed and opened again."""

    def __init__(self, place, caller, world):
        self.place, self.make_caller, self.world = place, caller, world
        self.clock = ManualClock()

    async def start(self, *, follows=True):
        self.database = await Database.open(self.place / "logs.db", "logs", durable=False)
        self.metrics_database = await Database.open(self.place / "m.db", "metrics")
        self.metric_store = MetricStore(self.metrics_database)
        self.metrics = MetricSink(self.metric_store, self.clock)
        filters, store = LogFilterStore(self.database), LogStore(self.database)
        await filters.load()
        self.sink = await LogSink.open(store, self.place / "journal", self.clock)
        service = LogsService(store, filters, self.sink, self.clock)
        self.following = service.follow(self.world.functions(), self.metrics)
        if not follows:
            await self.following.close()
        self.call = self.make_caller(service)

    async def stop(self):
        await self.settle()
        await self.following.close()
        await self.sink.close()
        await self.metrics.close()
        await self.database.close()
        await self.metrics_database.close()

    async def settle(self):
        """All lanes have come to their end."""
        await self.sink.flush()
        while self.following._tasks:
            # Not each by itself: one that has ended would be awaited without its callback's turn.
            await asyncio.wait(list(self.following._tasks))

    async def put(self, *messages, group=GROUP, stream="s", at=0):
        events = [{"timestamp": NOW + at, "message": message} for message in messages]
        await self.call("PutLogEvents", logGroupName=group, logStreamName=stream, logEvents=events)
        await self.settle()

    async def subscribe(self, function="f", pattern="", name="x", group=GROUP):
        return await self.call("PutSubscriptionFilter", **subscription(
            function, pattern, name, group
        ))  # fmt: skip

    async def series(self):
        """(namespace, name, dimensions) -> (count, sum) of all that was measured."""
        await self.metrics.flush()
        found = {}
        every = {"namespace": None, "name": None, "since": 0, "after": 0, "limit": 100}
        for series in await self.metric_store.list(ACCOUNT, REGION, **every):
            key = series.key
            points = await self.metric_store.points(key, 0, NOW // 1000 + 10_000, None)
            found[key.namespace, key.name, tuple(key.dimensions)] = [
                (statistic(point, "SampleCount"), statistic(point, "Sum")) for _, _, point in points
            ]
        return found


def subscription(function="f", pattern="", name="x", group=GROUP, **more):
    arn = function if ":" in function else LAMBDA + function
    return {
        "logGroupName": group,
        "filterName": name,
        "filterPattern": pattern,
        "destinationArn": arn,
        **more,
    }


@pytest.fixture
def world():
    return World()


@pytest.fixture
async def logs(tmp_path, caller, world):
    running = Running(tmp_path, caller, world)
    await running.start()
    for group in (GROUP, "/aws/lambda/f", "/aws/lambda/g"):
        await running.call("CreateLogGroup", logGroupName=group)
        await running.call("CreateLogStream", logGroupName=group, logStreamName="s")
    yield running
    await running.stop()


async def test_what_matches_goes_to_the_function(logs, world):
    """In AWS's shape, by stream, from the filter's making on and not before."""
    await logs.put("ERROR before")
    await logs.subscribe(pattern="ERROR -calm")
    await logs.put("ERROR one", "fine", "ERROR calm", "ERROR two")

    ((arn, event),) = world.sent
    assert arn == LAMBDA + "f"
    ids = [each.pop("id") for each in event["logEvents"]]
    assert all(len(id_) == 56 for id_ in ids)
    assert ids == sorted(set(ids))
    assert event == {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": GROUP,
        "logStream": "s",
        "subscriptionFilters": ["x"],
        "logEvents": [
            {"timestamp": NOW, "message": "ERROR one"},
            {"timestamp": NOW, "message": "ERROR two"},
        ],
    }
    stored = await logs.call("FilterLogEvents", logGroupName=GROUP, filterPattern="one")
    assert stored["events"][0]["eventId"] == ids[0]


async def test_what_functions_print_is_followed_too(logs, world):
    """Events that no client has put."""
    await logs.subscribe(group="/aws/lambda/g", pattern="boom")
    logs.sink.stream(ACCOUNT, REGION, "/aws/lambda/g", "t").append(NOW, b"boom")
    await logs.settle()

    assert [event["logStream"] for _, event in world.sent] == ["t"]


async def test_filters_are_described_changed_and_deleted(logs, world):
    """A filter of the same name is changed; a group has two."""
    await logs.subscribe(name="b")
    await logs.subscribe(name="a", pattern="{ $.x = 1 }")
    await logs.subscribe(name="b", pattern="two", function="g")
    refused = await logs.call.refused("PutSubscriptionFilter", **subscription(name="c"))
    assert refused == ("LimitExceededException", 400, "Resource limit exceeded.")
    page = await logs.call("DescribeSubscriptionFilters", logGroupName=GROUP, limit=1)
    assert [each["filterName"] for each in page["subscriptionFilters"]] == ["a"]
    page = await logs.call(
        "DescribeSubscriptionFilters", logGroupName=GROUP, nextToken=page["nextToken"]
    )
    assert page == {
        "subscriptionFilters": [
            {
                "filterName": "b",
                "logGroupName": GROUP,
                "filterPattern": "two",
                "destinationArn": LAMBDA + "g",
                "distribution": "ByLogStream",
                "applyOnTransformedLogs": False,
                "creationTime": NOW,
            }
        ]
    }
    await logs.call("DeleteSubscriptionFilter", logGroupName=GROUP, filterName="b")
    refused = await logs.call.refused(
        "DeleteSubscriptionFilter", logGroupName=GROUP, filterName="b"
    )
    assert refused[:2] == ("ResourceNotFoundException", 400)
    await logs.put("two")
    assert world.sent == []


async def test_filters_go_with_their_group(logs, world):
    """A new group of the name has none."""
    await logs.subscribe()
    await logs.call("DeleteLogGroup", logGroupName=GROUP)
    await logs.call("CreateLogGroup", logGroupName=GROUP)
    await logs.call("CreateLogStream", logGroupName=GROUP, logStreamName="s")
    await logs.put("hello")

    answer = await logs.call("DescribeSubscriptionFilters", logGroupName=GROUP)
    assert (answer["subscriptionFilters"], world.sent) == ([], [])


@pytest.mark.parametrize(
    ("params", "words"),
    [
        (subscription("arn:aws:kinesis:us-east-1:123456789012:stream/s"), "kinesis"),
        (subscription("arn:aws:firehose:us-east-1:123456789012:deliverystream/s"), "firehose"),
        (subscription(roleArn="arn:aws:iam::123456789012:role/r"), "roleArn"),
        (subscription(distribution="Random"), "distribution"),
        (subscription(applyOnTransformedLogs=True), "applyOnTransformedLogs"),
        (subscription(fieldSelectionCriteria="x"), "fieldSelectionCriteria"),
        (subscription(emitSystemFields=["@aws.account"]), "emitSystemFields"),
        (subscription(pattern="{"), "Invalid filter pattern"),
        (subscription("missing"), "permission"),
        (subscription(f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f"), "account and region"),
        (subscription(group="/aws/lambda/f"), "endless loop"),
    ],
)  # fmt: skip
async def test_what_cannot_be_done_is_refused(logs, params, words):
    """Each with its reason."""
    code, status, message = await logs.call.refused("PutSubscriptionFilter", **params)

    assert (code, status) == ("InvalidParameterException", 400)
    assert words in message


async def test_the_function_must_let_logs_in(logs, world):
    """At the beginning, and at each delivery."""
    world.closed.add((f"{GROUP_ARN}:*", LAMBDA + "f"))
    assert await logs.call.refused("PutSubscriptionFilter", **subscription()) == DENIED
    world.closed.clear()
    await logs.subscribe()
    world.closed.add((f"{GROUP_ARN}:*", LAMBDA + "f"))
    await logs.put("lost")
    world.closed.clear()
    await logs.put("found")

    assert [event["logEvents"][0]["message"] for _, event in world.sent] == ["found"]
    dimensions = (("DestinationType", "Lambda"), ("FilterName", "x"), ("LogGroupName", GROUP))
    measured = await logs.series()
    assert measured["AWS/Logs", "DeliveryErrors", dimensions] == [(1.0, 1.0)]
    assert measured["AWS/Logs", "ForwardedLogEvents", dimensions] == [(1.0, 1.0)]


async def test_a_ring_of_functions_is_refused_unless_it_is_allowed(logs, world):
    """f's log goes to g, and g's log may not come back to f."""
    await logs.subscribe("g", group="/aws/lambda/f")
    closing = subscription("f", group="/aws/lambda/g")
    assert "loop" in (await logs.call.refused("PutSubscriptionFilter", **closing))[2]
    world.loops.add(LAMBDA + "f")
    await logs.call("PutSubscriptionFilter", **closing)


async def test_a_server_that_stops_loses_nothing(tmp_path, caller, world, logs):
    """What came in while nobody followed is sent by the next server, once."""
    await logs.subscribe()
    await logs.put("one")
    await logs.stop()
    await logs.start(follows=False)
    await logs.put("two")
    await logs.stop()
    await logs.start()
    await logs.settle()
    await logs.put("three")

    sent = [each["message"] for _, event in world.sent for each in event["logEvents"]]
    assert sent == ["one", "two", "three"]


async def test_a_queue_that_cannot_be_written_is_tried_again(logs, world, monkeypatch):
    """A function that is gone is not: its events are dropped."""
    monkeypatch.setattr("emberbox.services.logs.following._PAUSE_FIRST_S", 0.0)
    await logs.subscribe()
    world.fails = [PlatformError("full")]
    await logs.put("one")
    world.fails = [CallerError("ResourceNotFoundException", "gone")]
    await logs.put("two")
    await logs.put("three")

    assert [event["logEvents"][0]["message"] for _, event in world.sent] == ["one", "three"]


def metric(value="1", name="m", pattern="ERROR", **more):
    return {
        "logGroupName": GROUP,
        "filterName": name,
        "filterPattern": pattern,
        "metricTransformations": [
            {"metricNamespace": "App", "metricName": "Errors", "metricValue": value, **more}
        ],
    }


async def test_a_metric_filter_counts_what_matches(logs):
    """One each; a default where a minute has nothing that matches."""
    await logs.call("PutMetricFilter", **metric(defaultValue=0.0))
    await logs.put("ERROR", "fine", "ERROR")
    await logs.put("fine", at=60_000)

    assert (await logs.series())["App", "Errors", ()] == [(2.0, 2.0), (1.0, 0.0)]
    groups = await logs.call("DescribeLogGroups", logGroupNamePrefix=GROUP)
    assert groups["logGroups"][0]["metricFilterCount"] == 1


async def test_values_and_dimensions_come_from_the_events(logs):
    """Of JSON by selectors, of fields by their names; what is no number is not counted."""
    of_json = metric("$.ms", pattern="{ $.ms = * }", dimensions={"Path": "$.path"})
    await logs.call("PutMetricFilter", **of_json)
    of_fields = metric("$bytes", "n", "[path, code = 4*, bytes]", dimensions={"Code": "$code"})
    await logs.call("PutMetricFilter", **of_fields)
    await logs.put(
        '{"ms": 5, "path": "/a"}', '{"ms": 7, "path": "/a"}', '{"ms": "x", "path": "/a"}',
        '{"ms": 1}', "/b 404 12", "/b 200 99",
    )  # fmt: skip

    assert await logs.series() == {
        ("App", "Errors", (("Path", "/a"),)): [(2.0, 12.0)],
        ("App", "Errors", (("Code", "404"),)): [(1.0, 12.0)],
    }


@pytest.mark.parametrize(
    "params",
    [
        metric("word"), metric("$x"), metric("$.x"), metric("$y", pattern="[x]"),
        metric("1", pattern="{"), metric("1", dimensions={"A": "$.a"}),
        metric("1", pattern="{ $.a = 1 }", dimensions={"A": "$.a"}, defaultValue=0.0),
        metric("1", pattern="{ $.a = 1 }", dimensions={"A": "a"}),
        metric("1", pattern="{ $.a = 1 }", dimensions=dict.fromkeys("ABCD", "$.a")),
        metric("1", metricNamespace="AWS/Lambda"),
        metric("$.", pattern="{ $.a = 1 }"),
    ],
)  # fmt: skip
async def test_metric_transformations_that_make_no_sense_are_refused(logs, params):
    """Before anything is stored."""
    code, status, _ = await logs.call.refused("PutMetricFilter", **params)

    assert (code, status) == ("InvalidParameterException", 400)
    assert (await logs.call("DescribeMetricFilters"))["metricFilters"] == []


async def test_metric_filters_are_found_by_group_and_by_metric(logs):
    """And are gone once they are deleted."""
    await logs.call("PutMetricFilter", **metric())
    shown = (await logs.call("DescribeMetricFilters", logGroupName=GROUP))["metricFilters"]
    assert shown == [metric() | {"creationTime": NOW, "applyOnTransformedLogs": False}]
    for name, count in (("Errors", 1), ("Other", 0)):
        found = await logs.call("DescribeMetricFilters", metricName=name, metricNamespace="App")
        assert len(found["metricFilters"]) == count
    await logs.call("DeleteMetricFilter", logGroupName=GROUP, filterName="m")
    assert (await logs.call("DescribeMetricFilters"))["metricFilters"] == []


async def test_patterns_can_be_tried(logs):
    """The examples of the user guide, with what they extract."""
    line = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /x HTTP/1.0" 404 1534'
    answer = await logs.call(
        "TestMetricFilter",
        filterPattern="[ip, identity, user_id, timestamp, request, status_code, size]",
        logEventMessages=[line, "short"],
    )
    assert answer["matches"] == [
        {
            "eventNumber": 1,
            "eventMessage": line,
            "extractedValues": {
                "$ip": "127.0.0.1",
                "$identity": "-",
                "$user_id": "frank",
                "$timestamp": "10/Oct/2000:13:25:15 -0700",
                "$request": "GET /x HTTP/1.0",
                "$status_code": "404",
                "$size": "1534",
            },
        }
    ]
    for pattern, message, values in (
        ("[a, ..., z > 3]", "x y 4", {"$a": "x", "$2": "y", "$z": "4"}),
        ("{ $.a.b = 1 || $.c[0] IS TRUE }", '{"a": {"b": 1}, "c": [true]}',
         {"$.a.b": "1", "$.c[0]": "true"}),
        ("word", "a word", {}),
    ):  # fmt: skip
        (match,) = (
            await logs.call("TestMetricFilter", filterPattern=pattern, logEventMessages=[message])
        )["matches"]
        assert match["extractedValues"] == values
