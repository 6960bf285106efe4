"""EventBridge Scheduler: operations, moments, windows, missed runs, completion."""

import asyncio
import json
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest

from emberbox.clock import ManualClock
from emberbox.errors import CallerError
from emberbox.model.scheduling import Run, Schedule, following_run, next_run
from emberbox.services.scheduler.service import SchedulerService
from emberbox.services.targets.dispatching import Dispatcher

ROLE = "arn:aws:iam::123456789012:role/run"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"
OFF = {"Mode": "OFF"}
START = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


class World:
    """A service whose clock is moved by hand; `round` runs what is due and waits for it."""

    def __init__(self, path, caller):
        self.path = path
        self.caller = caller
        self.clock = ManualClock(START)
        self.sent = []

    async def send(self, parcel, tries):
        self.sent.append(parcel)

    async def bury(self, parcel, told):
        self.sent.append(told)

    async def open(self, stack):
        self.service = await SchedulerService.start(
            self.path, self.clock, lambda arn: arn.endswith("sqs:sendMessage"), stack
        )
        dispatcher = Dispatcher(
            self.service.outbox, self.send, self.bury, self.clock, lambda m, p: None
        )
        self.service.open(dispatcher, stack)
        return self.caller(self.service)

    async def round(self):
        later = await self.service.round()
        async with asyncio.timeout(60):
            while await self.service.outbox.count():  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        return later


@pytest.fixture
async def world(tmp_path, caller):
    """A world whose service is open: (world, caller)."""
    here = World(tmp_path / "schedules.db", caller)
    async with AsyncExitStack() as stack:
        yield here, await here.open(stack)


async def create(call, expression, operation="CreateSchedule", target=None, **more):
    asked = {
        "Name": "s",
        "ScheduleExpression": expression,
        "FlexibleTimeWindow": OFF,
        "Target": {"Arn": QUEUE, "RoleArn": ROLE, **(target or {})},
        **more,
    }
    return await call(operation, **asked)


async def test_a_rate_runs_at_its_moments(world):
    """Each interval after it was made, on the dot."""
    here, call = world
    await create(call, "rate(5 minutes)")
    for _ in range(3):
        here.clock.advance(300)
        await here.round()
    assert [parcel.accepted - START for parcel in here.sent] == [300, 600, 900]
    event = json.loads(here.sent[0].body)
    assert event["source"] == "aws.scheduler"
    assert event["time"] == "2026-01-01T00:05:00Z"


async def test_an_input_may_ask_for_the_run(world):
    """Names between angle brackets are replaced."""
    here, call = world
    text = "<aws.scheduler.schedule-arn> <aws.scheduler.scheduled-time>"
    arn = (await create(call, "rate(1 minute)", target={"Input": text}))["ScheduleArn"]
    here.clock.advance(60)
    await here.round()
    assert here.sent[0].body == f"{arn} 2026-01-01T00:01:00Z"


@pytest.mark.parametrize(("completion", "left"), [("NONE", 1), ("DELETE", 0)])
async def test_a_single_moment(world, completion, left):
    """It runs once; then it is over, and removed if that was asked for."""
    here, call = world
    await create(call, "at(2026-01-01T02:00:00)", ActionAfterCompletion=completion)
    here.clock.advance(7_200)
    assert await here.round() is None
    assert len(here.sent) == 1
    assert len((await call("ListSchedules"))["Schedules"]) == left


async def test_missed_runs_follow_the_retry_window(tmp_path, caller):
    """After a pause each run of the window is made up, older ones are not."""
    here = World(tmp_path / "schedules.db", caller)
    async with AsyncExitStack() as stack:
        call = await here.open(stack)
        policy = {"MaximumEventAgeInSeconds": 1_800, "MaximumRetryAttempts": 0}
        await create(call, "rate(10 minutes)", target={"RetryPolicy": policy})
    here.clock.advance(24 * 3_600 + 1)
    async with AsyncExitStack() as stack:
        await here.open(stack)
        await here.round()
    assert [START + 24 * 3_600 - parcel.accepted for parcel in here.sent] == [1_200, 600, 0]


async def test_start_and_end(world):
    """Nothing runs before the start or after the end."""
    here, call = world
    day = datetime(2026, 1, 2, tzinfo=UTC)
    await create(call, "rate(1 hour)", StartDate=day, EndDate=datetime(2026, 1, 2, 2, tzinfo=UTC))
    here.clock.advance(7 * 24 * 3_600)
    await here.round()
    runs = [parcel.accepted - day.timestamp() for parcel in here.sent if hasattr(parcel, "body")]
    assert runs == [], "all of them are older than their window, a week later"


def schedule(expression, **more):
    fields = {
        "zone": "UTC", "target": {"Arn": QUEUE, "RoleArn": ROLE}, "window": OFF,
        "created": START, "modified": START, **more,
    }  # fmt: skip
    return Schedule("1", "r", "default", "s", expression, **fields)


def test_runs_lie_between_start_and_end():
    """The first is at the start, the last not after the end."""
    mine = schedule("rate(1 hour)", start=START + 10, end=START + 3_700)
    first = next_run(mine, START)
    second = next_run(mine, first.moment)
    assert (first.moment, second.moment) == (START + 10, START + 3_610)
    assert next_run(mine, second.moment) is None


def test_a_window_spreads_runs_within_itself():
    """Each run of a flexible schedule lies in its window; the same run always at the same place."""
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}
    delays = set()
    moment = START
    for _ in range(50):
        run = next_run(schedule("rate(1 hour)", window=window), moment)
        assert run == next_run(schedule("rate(1 hour)", window=window), moment)
        assert 0 <= run.due - run.moment < 900
        delays.add(run.due - run.moment)
        moment = run.moment
    assert len(delays) > 40


def test_local_time_is_kept_over_daylight_saving():
    """Nine in the morning stays nine in the morning."""
    mine = schedule("cron(0 9 * * ? *)", zone="Europe/Berlin")
    before = next_run(mine, datetime(2026, 3, 28, tzinfo=UTC).timestamp())
    after = next_run(mine, before.moment)
    assert after.moment - before.moment == 23 * 3_600


def test_what_is_too_old_is_left_out_without_counting_through_it():
    """A minute's rate after a year of pause goes on within its window at once."""
    found = following_run(schedule("rate(1 minute)"), START, START + 365 * 86_400)
    assert isinstance(found, Run)
    assert 0 <= found.moment - (START + 364 * 86_400) <= 60


async def test_update_replaces_everything(world):
    """What is not given takes its default."""
    _, call = world
    await create(call, "rate(1 minute)", Description="old", State="DISABLED")
    await create(call, "rate(2 minutes)", operation="UpdateSchedule")
    found = await call("GetSchedule", Name="s")
    assert "Description" not in found
    assert (found["State"], found["ScheduleExpression"]) == ("ENABLED", "rate(2 minutes)")


async def test_groups(world):
    """A group takes its schedules with it; lists are by group and name, in pages."""
    _, call = world
    await call("CreateScheduleGroup", Name="g", Tags=[{"Key": "a", "Value": "b"}])
    for name in ("a", "b", "c"):
        await create(call, "rate(1 minute)", Name=name, GroupName="g")
    await create(call, "rate(1 minute)")
    first = await call("ListSchedules", MaxResults=2)
    rest = await call("ListSchedules", NextToken=first["NextToken"])
    names = [each["Name"] for each in first["Schedules"] + rest["Schedules"]]
    assert names == ["s", "a", "b", "c"]
    assert len((await call("ListSchedules", GroupName="g", NamePrefix="b"))["Schedules"]) == 1
    arn = (await call("GetScheduleGroup", Name="g"))["Arn"]
    assert (await call("ListTagsForResource", ResourceArn=arn))["Tags"]
    await call("DeleteScheduleGroup", Name="g")
    assert [each["Name"] for each in (await call("ListSchedules"))["Schedules"]] == ["s"]
    groups = (await call("ListScheduleGroups"))["ScheduleGroups"]
    assert [group["Name"] for group in groups] == ["default"]


async def test_the_same_request_again_is_no_error(world):
    """By its token; without one it is a conflict."""
    _, call = world
    first = await create(call, "rate(1 minute)", ClientToken="t")
    assert await create(call, "rate(1 minute)", ClientToken="t") == first
    refusal = await call.refused(
        "CreateSchedule", Name="s", ScheduleExpression="rate(1 minute)",
        FlexibleTimeWindow=OFF, Target={"Arn": QUEUE, "RoleArn": ROLE},
    )  # fmt: skip
    assert refusal[:2] == ("ConflictException", 409)


@pytest.mark.parametrize(
    "change",
    [
        {"ScheduleExpression": "rate(5 minute)"},
        {"ScheduleExpression": "cron(0 10 * * *)"},
        {"ScheduleExpressionTimezone": "Mars/Olympus"},
        {"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}},
        {"FlexibleTimeWindow": {"Mode": "OFF", "MaximumWindowInMinutes": 5}},
        {"EndDate": datetime(2025, 1, 1, tzinfo=UTC)},
        {"KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1"},
        {"Target": {"Arn": "arn:aws:ecs:us-east-1:1:cluster/x", "RoleArn": ROLE}},
        {"Target": {"Arn": f"{QUEUE}.fifo", "RoleArn": ROLE}},
        {"Target": {"Arn": "arn:aws:events:us-east-1:1:event-bus/x", "RoleArn": ROLE}},
        {"Target": {"Arn": "arn:aws:scheduler:::aws-sdk:ec2:stopInstances", "RoleArn": ROLE}},
        {"Target": {"Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage", "RoleArn": ROLE,
                    "Input": "[]"}},
    ],
)  # fmt: skip
async def test_what_is_refused(world, change):
    """A schedule that could not be honoured is not kept."""
    _, call = world
    asked = {
        "Name": "s", "ScheduleExpression": "rate(1 minute)", "FlexibleTimeWindow": OFF,
        "Target": {"Arn": QUEUE, "RoleArn": ROLE}, **change,
    }  # fmt: skip
    assert (await call.refused("CreateSchedule", **asked))[:2] == ("ValidationException", 400)


async def test_what_is_not_there(world):
    """A name that nobody has is named."""
    _, call = world
    for operation in ("GetSchedule", "DeleteSchedule"):
        assert (await call.refused(operation, Name="no"))[1] == 404
    assert (await call.refused("GetScheduleGroup", Name="no"))[1] == 404


async def test_a_start_beyond_the_calendar_is_refused(world):
    """With the service's error; the others go on."""
    here, call = world
    far = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    refused = create(
        call, "cron(0 0 * * ? *)", StartDate=far, ScheduleExpressionTimezone="Asia/Tokyo"
    )
    with pytest.raises(CallerError) as caught:
        await refused
    await create(call, "rate(5 minutes)")
    here.clock.advance(300)
    await here.round()

    assert caught.value.code == "ValidationException"
    assert len(here.sent) == 1


async def test_a_group_goes_after_its_schedules(world):
    """A server that ends between the two leaves no schedule without its group."""
    here, call = world
    await call("CreateScheduleGroup", Name="g")
    await create(call, "rate(5 minutes)", GroupName="g")
    seen = []
    remove = here.service.groups.remove

    async def looked_at(key, also=None):
        seen.append((await call("ListSchedules", GroupName="g"))["Schedules"])
        await remove(key, also)

    here.service.groups.remove = looked_at
    await call("DeleteScheduleGroup", Name="g")

    assert seen == [[]]
