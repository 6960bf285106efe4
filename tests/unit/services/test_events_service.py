"""EventBridge: its operations, retries and dead letters, scheduled rules, what is sealed."""

import asyncio
import json
from contextlib import AsyncExitStack

import pytest

from emberbox.clock import ManualClock
from emberbox.errors import CallerError, PlatformError
from emberbox.identity.sealing import Sealer
from emberbox.model.event_bus import Destination
from emberbox.services.events.service import EventsService
from emberbox.services.targets.dispatching import Dispatcher, NotYetError
from emberbox.services.targets.web import WebCaller

ACCOUNT = "123456789012"
REGION = "us-east-1"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
PATTERN = json.dumps({"source": ["shop"]})


class World:
    """A service, a clock, and a target that takes, refuses or fails."""

    def __init__(self, path, caller):
        self.caller = caller
        self.path = path
        self.clock = ManualClock()
        self.sent = []
        self.buried = []
        self.fault = None
        self.came = asyncio.Event()

    async def send(self, parcel, tries):
        self.came.set()
        if self.fault is not None:
            raise self.fault
        self.sent.append(json.loads(parcel.body))

    async def bury(self, parcel, told):
        self.buried.append(told)

    async def open(self, stack):
        self.counts = []
        self.service = await EventsService.start(
            self.path,
            Sealer(b"s" * 32),
            WebCaller(everywhere=False),
            self.clock,
            lambda m, r: self.counts.append(m),
            stack,
        )
        self.dispatcher = Dispatcher(
            self.service.outbox, self.send, self.bury, self.clock, lambda m, p: None
        )
        self.service.open(self.dispatcher, stack)
        return self.caller(self.service)

    async def settled(self, waiting):
        """Until so many parcels are left on disk."""
        async with asyncio.timeout(60):
            while await self.service.outbox.count() != waiting:  # noqa: ASYNC110
                await asyncio.sleep(0.005)


@pytest.fixture
async def world(tmp_path, caller):
    """A world whose service is open: (world, caller)."""
    world = World(tmp_path / "buses.db", caller)
    async with AsyncExitStack() as stack:
        yield world, await world.open(stack)


async def rule(call, **target):
    await call("PutRule", Name="r", EventPattern=PATTERN)
    await call("PutTargets", Rule="r", Targets=[{"Id": "t", "Arn": QUEUE, **target}])


async def put(call, **entry):
    whole = {"Source": "shop", "DetailType": "d", "Detail": "{}", **entry}
    return (await call("PutEvents", Entries=[whole]))["Entries"][0]


async def test_an_event_comes_to_the_targets_of_rules_that_match(world):
    """What matches is sent, what does not is not."""
    here, call = world
    await rule(call)
    await put(call, Source="other")
    told = await put(call, Detail='{"n": 1}')
    await here.settled(0)
    assert [(e["id"], e["detail"]) for e in here.sent] == [(told["EventId"], {"n": 1})]
    assert here.counts == ["MatchedEvents", "TriggeredRules"]


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({"Source": ""}, "InvalidArgument"),
        ({"DetailType": ""}, "InvalidArgument"),
        ({"Detail": ""}, "InvalidArgument"),
        ({"Detail": "{"}, "MalformedDetail"),
        ({"Detail": "[1]"}, "MalformedDetail"),
        ({"Detail": '{"a": NaN}'}, "MalformedDetail"),
        ({"Source": "aws.s3"}, "NotAuthorizedForSourceException"),
    ],
)
async def test_entries_that_are_refused(world, entry, code):
    """An entry that is wrong says why."""
    _, call = world
    assert (await put(call, **entry))["ErrorCode"] == code


async def test_too_much_at_once(world):
    """All entries together have a limit."""
    _, call = world
    with pytest.raises(CallerError, match="Total size of the entries"):
        await put(call, Detail=json.dumps({"x": "y" * 1_048_576}))


async def test_retries_end_in_dead_letters(world):
    """A target that fails is tried again as often as it may be, then a dead letter is left."""
    here, call = world
    policy = {"MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 3600}
    await rule(call, RetryPolicy=policy, DeadLetterConfig={"Arn": f"{QUEUE}-dead"})
    here.fault = PlatformError("down")
    await put(call)
    await here.came.wait()
    await here.settled(1)
    async with asyncio.timeout(60):
        while not here.buried:
            here.clock.advance(5)
            here.dispatcher.poke()
            await asyncio.sleep(0.01)
    assert here.buried[0]["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"
    assert here.buried[0]["RETRY_ATTEMPTS"] == "1"
    await here.settled(0)


async def test_a_refusal_is_not_retried(world):
    """A target that is not there, or lets nobody in, gets no second try."""
    here, call = world
    await rule(call, DeadLetterConfig={"Arn": f"{QUEUE}-dead"})
    here.fault = CallerError("NO_PERMISSIONS", "no", status=403)
    await put(call)
    await here.settled(0)
    assert [told["ERROR_CODE"] for told in here.buried] == ["NO_PERMISSIONS"]


async def test_what_waits_is_sent_by_the_next_server(tmp_path, caller):
    """A parcel that could not be sent is on disk when the server goes."""
    here = World(tmp_path / "buses.db", caller)
    async with AsyncExitStack() as stack:
        call = await here.open(stack)
        await rule(call)
        here.fault = PlatformError("down")
        await put(call)
        await here.came.wait()
        await here.settled(1)
    here.fault = None
    here.clock.advance(60)
    async with AsyncExitStack() as stack:
        await here.open(stack)
        await here.settled(0)
    assert len(here.sent) == 1


async def test_scheduled_rules_fire_on_time_and_once_after_a_pause(tmp_path, caller):
    """A rate fires when it is due; moments that passed while no server ran are made up once."""
    here = World(tmp_path / "buses.db", caller)
    async with AsyncExitStack() as stack:
        call = await here.open(stack)
        await call("PutRule", Name="tick", ScheduleExpression="rate(5 minutes)")
        await call("PutTargets", Rule="tick", Targets=[{"Id": "t", "Arn": QUEUE}])
        assert await here.service.ticking.round() == here.clock.now() + 300
        here.clock.advance(300)
        assert await here.service.ticking.round() == here.clock.now() + 300
        await here.settled(0)
        assert [event["detail-type"] for event in here.sent] == ["Scheduled Event"]
    here.clock.advance(3_000)
    async with AsyncExitStack() as stack:
        await here.open(stack)
        await here.service.ticking.round()
        await here.settled(0)
    assert len(here.sent) == 2


async def test_a_rule_that_is_disabled_does_nothing(world):
    """Neither events nor time move it, until it is enabled."""
    here, call = world
    await rule(call)
    await call("DisableRule", Name="r")
    await put(call)
    await call("EnableRule", Name="r")
    await put(call)
    await here.settled(0)
    assert len(here.sent) == 1


async def test_other_accounts_need_the_bus_policy(world):
    """A bus takes events of another account only if its policy lets it."""
    _, call = world
    await call("CreateEventBus", Name="open")
    arn = (await call("DescribeEventBus", Name="open"))["Arn"]
    other = call.as_(account="210987654321")
    assert (await put(other, EventBusName=arn))["ErrorCode"] == "AccessDeniedException"
    await call(
        "PutPermission",
        EventBusName="open",
        Action="events:PutEvents",
        Principal="210987654321",
        StatementId="s",
    )
    assert "EventId" in await put(other, EventBusName=arn)
    await call("RemovePermission", EventBusName="open", StatementId="s")
    assert "ErrorCode" in await put(other, EventBusName=arn)


async def test_secrets_of_connections_are_sealed_and_never_shown(world):
    """Neither an answer nor the file has them."""
    here, call = world
    await call(
        "CreateConnection",
        Name="c",
        AuthorizationType="BASIC",
        AuthParameters={
            "BasicAuthParameters": {"Username": "ada", "Password": "tops3cret"},
            "InvocationHttpParameters": {
                "HeaderParameters": [{"Key": "x", "Value": "hush-hush", "IsValueSecret": True}]
            },
        },
    )
    shown = await call("DescribeConnection", Name="c")
    assert shown["AuthParameters"]["BasicAuthParameters"] == {"Username": "ada"}
    for path in here.path.parent.iterdir():
        assert b"tops3cret" not in path.read_bytes()
        assert b"hush-hush" not in path.read_bytes()
    assert "hush-hush" not in str(shown)


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("PutRule", {"Name": "x"}, "ValidationException"),
        ("PutRule", {"Name": "x", "EventPattern": "{"}, "InvalidEventPatternException"),
        ("PutRule", {"Name": "x", "ScheduleExpression": "rate(2 hour)"}, "ValidationException"),
        ("PutRule", {"Name": "x", "ScheduleExpression": "at(2030-01-01T00:00:00)"},
         "ValidationException"),
        ("PutRule", {"Name": "x", "EventPattern": PATTERN, "EventBusName": "no"},
         "ResourceNotFoundException"),
        ("DescribeRule", {"Name": "no"}, "ResourceNotFoundException"),
        ("DeleteRule", {"Name": "r"}, "ValidationException"),
        ("DeleteEventBus", {"Name": "default"}, "ValidationException"),
        ("CreateEventBus", {"Name": "default"}, "ResourceAlreadyExistsException"),
        ("CreateEventBus", {"Name": "k", "KmsKeyIdentifier": "k"}, "ValidationException"),
        ("PutTargets", {"Rule": "r", "Targets": [{"Id": "1", "Arn": "arn:aws:ecs:x:1:task/a"}]},
         "ValidationException"),
        ("PutTargets", {"Rule": "r", "Targets": [{"Id": "1", "Arn": f"{QUEUE}.fifo"}]},
         "ValidationException"),
        ("PutTargets", {"Rule": "r", "Targets": [
            {"Id": str(n), "Arn": QUEUE} for n in range(6)]}, "LimitExceededException"),
        ("PutTargets", {"Rule": "r", "Targets": [
            {"Id": "1", "Arn": QUEUE, "Input": "1", "InputPath": "$"}]}, "ValidationException"),
        ("DescribeArchive", {"ArchiveName": "no"}, "ResourceNotFoundException"),
        ("DescribeReplay", {"ReplayName": "no"}, "ResourceNotFoundException"),
        ("DescribeApiDestination", {"Name": "no"}, "ResourceNotFoundException"),
        ("DescribeConnection", {"Name": "no"}, "ResourceNotFoundException"),
        ("TagResource", {"ResourceARN": "arn:aws:events:us-east-1:1:rule/x", "Tags": []},
         "ResourceNotFoundException"),
    ],
)  # fmt: skip
async def test_what_is_refused(world, operation, params, code):
    """Requests that cannot be served say why, in AWS's codes."""
    _, call = world
    await rule(call)
    with pytest.raises(CallerError) as refused:
        await call(operation, **params)
    assert refused.value.code == code


async def test_a_rule_that_is_put_again_keeps_targets_and_tags(world):
    """PutRule replaces the rest."""
    _, call = world
    await call("PutRule", Name="r", EventPattern=PATTERN, Tags=[{"Key": "a", "Value": "b"}])
    await call("PutTargets", Rule="r", Targets=[{"Id": "t", "Arn": QUEUE}])
    arn = (await call("PutRule", Name="r", EventPattern=PATTERN, Description="new"))["RuleArn"]
    assert (await call("DescribeRule", Name="r"))["Description"] == "new"
    assert len((await call("ListTargetsByRule", Rule="r"))["Targets"]) == 1
    assert (await call("ListTagsForResource", ResourceARN=arn))["Tags"] == [
        {"Key": "a", "Value": "b"}
    ]
    assert (await call("ListRuleNamesByTarget", TargetArn=QUEUE))["RuleNames"] == ["r"]
    missing = await call("RemoveTargets", Rule="r", Ids=["t", "no"])
    assert missing["FailedEntryCount"] == 1
    await call("DeleteRule", Name="r")
    assert (await call("ListRules"))["Rules"] == []


async def test_a_template_that_grows_too_large_keeps_nothing_else_from_its_way(world):
    """The event is taken, the other targets get it, and the failure is counted."""
    here, call = world
    transformer = {"InputPathsMap": {"v": "$.detail.v"}, "InputTemplate": "<v> " * 1_000}
    await rule(call)
    await call(
        "PutTargets",
        Rule="r",
        Targets=[{"Id": "large", "Arn": QUEUE, "InputTransformer": transformer}],
    )
    await put(call, Detail=json.dumps({"v": "x" * 10_000}))
    await here.settled(0)

    assert [each["detail"]["v"][:1] for each in here.sent] == ["x"]
    assert here.counts.count("FailedInvocations") == 1


async def test_a_target_that_lets_nothing_through_now_costs_no_attempt(world):
    """What waits for the rate of an endpoint waits on disk, however few retries it has."""
    here, call = world
    await rule(call, RetryPolicy={"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60})
    here.fault = NotYetError(5.0)
    await put(call)
    await here.came.wait()
    here.fault = None
    here.came.clear()
    here.clock.advance(6.0)
    here.dispatcher.poke()
    async with asyncio.timeout(60):
        while not here.sent:
            await asyncio.sleep(0.005)
            here.dispatcher.poke()
    await here.settled(0)

    assert here.buried == []


async def test_an_endpoint_that_is_full_is_asked_in_turn(world):
    """Beyond a short wait nothing holds a place: each is told when its turn may be."""
    here, _ = world
    caller = here.service.caller
    destination = Destination("1", "r", "d", "t", "c", "https://x.example", "POST", 1, 0.0, 0.0)
    caller._slots[destination.arn] = here.clock.monotonic() + 10.0
    waits = []
    for _ in range(3):
        with pytest.raises(NotYetError) as caught:
            await caller._turn(destination)
        waits.append(round(caught.value.wait_s))

    assert waits == [11, 12, 13]


async def test_an_archive_begins_empty(world):
    """Whatever a server that was killed has left of a former one of its name."""
    here, call = world
    bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
    left = {"account": ACCOUNT, "region": REGION, "archive": "a", "at": 1.0, "event": "{}"}
    await here.service.outbox._database.write(lambda tx: tx.run_many("archived_add", [left]))
    await call("CreateArchive", ArchiveName="a", EventSourceArn=bus)

    assert (await call("DescribeArchive", ArchiveName="a"))["EventCount"] == 0


async def test_large_events_go_their_way_as_small_ones_do(world):
    """Events of thousands of values reach rules and archives, and TestEventPattern."""
    here, call = world
    bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
    await call("CreateArchive", ArchiveName="a", EventSourceArn=bus)
    await rule(call)
    detail = json.dumps({"many": [{"n": number} for number in range(5_000)]})
    await put(call, Detail=detail)
    await here.settled(0)

    assert [len(each["detail"]["many"]) for each in here.sent] == [5_000]
    assert (await call("DescribeArchive", ArchiveName="a"))["EventCount"] == 1
    event = dict.fromkeys(("id", "account", "source", "time", "region", "detail-type"), "x")
    event |= {"resources": [], "detail": json.loads(detail)}
    pattern = json.dumps({"detail": {"many": {"n": [4_999]}}})
    tried = await call("TestEventPattern", EventPattern=pattern, Event=json.dumps(event))
    assert tried == {"Result": True}
