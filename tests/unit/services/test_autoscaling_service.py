"""Application Auto Scaling of provisioned concurrency."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from emberbox.errors import CallerError
from emberbox.services.autoscaling.service import AutoScalingService
from emberbox.storage.database import Database
from emberbox.storage.scaling import Kind, ScalingStore

DAILY = "cron(0 0 * * ? *)"
F = ("123456789012", "us-east-1", "f")
TARGET = {
    "ServiceNamespace": "lambda",
    "ResourceId": "function:f:live",
    "ScalableDimension": "lambda:function:ProvisionedConcurrency",
}
POLICY = {
    "PolicyName": "p",
    "PolicyType": "TargetTrackingScaling",
    "TargetTrackingScalingPolicyConfiguration": {
        "TargetValue": 0.5,
        "PredefinedMetricSpecification": {
            "PredefinedMetricType": "LambdaProvisionedConcurrencyUtilization"
        },
    },
}


class Capacity:
    """Provisioned concurrency as a number."""

    def __init__(self):
        self.now = 0
        self.busy = 0.0
        self.refusal = None

    async def get(self, key, qualifier):
        assert (key, qualifier) == (F, "live")
        return self.now

    async def put(self, _key, _qualifier, capacity):
        if self.refusal is not None:
            raise self.refusal
        self.now = capacity

    def utilization(self, _key, _qualifier):
        return self.busy if self.now else None


@pytest.fixture
async def state(tmp_path):
    database = await Database.open(tmp_path / "s.db", "state", ("account_resources",))
    yield database
    await database.close()


@pytest.fixture
def capacity():
    return Capacity()


@pytest.fixture
async def service(state, capacity, clock):
    store = ScalingStore(state)
    await store.load()
    return AutoScalingService(store, capacity, lambda key, name: (key, name) == (F, "live"), clock)


@pytest.fixture
def scaling(service, caller):
    return caller(service)


async def minutes(service, clock, count):
    """Let the service look for so many minutes."""
    for _ in range(count * 6):
        clock.advance(10.0)
        await service.scaling_clock.look()


async def test_a_target_is_brought_within_its_bounds(scaling, capacity):
    """When it is registered, and when its bounds change; the rest stays as it was."""
    made = await scaling("RegisterScalableTarget", **TARGET, MinCapacity=2, MaxCapacity=5)
    assert capacity.now == 2
    capacity.now = 5
    again = await scaling("RegisterScalableTarget", **TARGET, MaxCapacity=4)

    assert (again, capacity.now) == (made, 4)
    [shown] = (await scaling("DescribeScalableTargets", ServiceNamespace="lambda"))[
        "ScalableTargets"
    ]
    assert (shown["MinCapacity"], shown["MaxCapacity"]) == (2, 4)
    assert shown["ScalableTargetARN"] == made["ScalableTargetARN"]
    [newest, oldest] = (await scaling("DescribeScalingActivities", ServiceNamespace="lambda"))[
        "ScalingActivities"
    ]
    assert newest["Description"] == "Setting provisioned concurrency to 4."
    assert oldest["StatusCode"] == newest["StatusCode"] == "Successful"


async def test_capacity_follows_utilization(scaling, service, capacity, clock):
    """Up after three minutes, down after fifteen, within the bounds."""
    await scaling("RegisterScalableTarget", **TARGET, MinCapacity=2, MaxCapacity=6)
    await scaling("PutScalingPolicy", **TARGET, **POLICY)

    capacity.busy = 1.0
    await minutes(service, clock, 5)
    busy = capacity.now
    await minutes(service, clock, 5)
    busier = capacity.now
    capacity.busy = 0.0
    await minutes(service, clock, 13)
    waiting = capacity.now
    await minutes(service, clock, 5)

    assert (busy, busier, waiting, capacity.now) == (4, 6, 6, 2)


async def test_suspended_scaling_does_nothing(scaling, service, capacity, clock):
    """Each way by itself."""
    await scaling(
        "RegisterScalableTarget",
        **TARGET,
        MinCapacity=2,
        MaxCapacity=6,
        SuspendedState={"DynamicScalingOutSuspended": True},
    )
    await scaling("PutScalingPolicy", **TARGET, **POLICY)
    capacity.busy = 1.0

    await minutes(service, clock, 10)

    assert capacity.now == 2


async def test_scheduled_actions_change_the_bounds(scaling, service, capacity, clock):
    """When they are due, once each time."""
    await scaling("RegisterScalableTarget", **TARGET, MinCapacity=1, MaxCapacity=3)
    soon = datetime.fromtimestamp(clock.now() + 90, UTC)
    await scaling(
        "PutScheduledAction",
        **TARGET,
        ScheduledActionName="up",
        Schedule=f"at({soon:%Y-%m-%dT%H:%M:%S})",
        ScalableTargetAction={"MinCapacity": 7, "MaxCapacity": 9},
    )

    await minutes(service, clock, 1)
    before = capacity.now
    await minutes(service, clock, 1)
    after = capacity.now
    await scaling("RegisterScalableTarget", **TARGET, MinCapacity=0, MaxCapacity=2)
    await minutes(service, clock, 2)

    assert (before, after, capacity.now) == (1, 7, 2)


async def test_an_action_that_a_killed_server_has_half_done_is_ended_by_the_next(
    scaling, state, capacity, clock, monkeypatch
):
    """The bounds were set, and the capacity was not."""
    await scaling("RegisterScalableTarget", **TARGET, MinCapacity=1, MaxCapacity=9)
    await scaling(
        "PutScheduledAction",
        **TARGET,
        ScheduledActionName="up",
        Schedule=f"at({datetime.fromtimestamp(clock.now() + 60, UTC):%Y-%m-%dT%H:%M:%S})",
        ScalableTargetAction={"MinCapacity": 4},
    )
    clock.advance(61.0)
    killed = await restarted(state, capacity, clock)
    monkeypatch.setattr(capacity, "put", _killed)
    with suppress(KilledError):
        await killed.scaling_clock.look()
    monkeypatch.undo()
    before = capacity.now

    following = await restarted(state, capacity, clock)
    for _ in range(2):
        await following.scaling_clock.look()

    assert (before, capacity.now) == (1, 4)
    capacity.now = 2
    await following.scaling_clock.look()
    assert capacity.now == 2


class KilledError(BaseException):
    """The server ends here."""


async def _killed(*_arguments):
    raise KilledError


async def restarted(state, capacity, clock):
    """The service as the next server on the same data has it."""
    store = ScalingStore(state)
    await store.load()
    return AutoScalingService(store, capacity, lambda key, name: (key, name) == (F, "live"), clock)


async def test_a_schedule_comes_again_and_ends(scaling, service, capacity, clock):
    """From StartTime to EndTime."""
    await scaling("RegisterScalableTarget", **TARGET, MinCapacity=1, MaxCapacity=3)
    await scaling(
        "PutScheduledAction",
        **TARGET,
        ScheduledActionName="again",
        Schedule="rate(2 minutes)",
        EndTime=datetime.fromtimestamp(clock.now() + 300, UTC),
        ScalableTargetAction={"MinCapacity": 3},
    )
    counts = []
    for _ in range(4):
        await scaling("RegisterScalableTarget", **TARGET, MinCapacity=1, MaxCapacity=3)
        capacity.now = 1
        await minutes(service, clock, 2)
        counts.append(capacity.now)

    assert counts == [3, 3, 1, 1]


async def test_an_action_that_fails_ends_no_other(scaling, state, capacity, clock, caplog):
    """It is logged once, and the others and the targets go on."""
    await scaling("RegisterScalableTarget", **TARGET, MinCapacity=1, MaxCapacity=9)
    asked = {**TARGET, "Schedule": "rate(1 minute)", "ScalableTargetAction": {"MinCapacity": 4}}
    for name in ("a", "b"):
        await scaling("PutScheduledAction", **asked, ScheduledActionName=name)
    store = ScalingStore(state)
    await store.load()
    sound = store.get(Kind.ACTION, (*F[:2], "function:f:live"), "a")
    await store.put(replace(sound, value={**sound.value, "StartTime": 1e20, "schedule": DAILY}))
    service = AutoScalingService(store, capacity, lambda *_: True, clock)

    await minutes(service, clock, 2)

    assert capacity.now == 4
    assert caplog.text.count("scheduled-action a of function:f:live fails") == 1


async def test_missed_actions_run_in_the_order_of_their_times(scaling, service, capacity, clock):
    """After a downtime of days, whatever their names: what was due last holds."""
    await scaling("RegisterScalableTarget", **TARGET, MinCapacity=0, MaxCapacity=9)
    for name, hour, least in (("a-evening", 22, 2), ("b-morning", 8, 6), ("c-noon", 12, 4)):
        await scaling(
            "PutScheduledAction",
            **TARGET,
            ScheduledActionName=name,
            Schedule=f"cron(0 {hour} * * ? *)",
            ScalableTargetAction={"MinCapacity": least, "MaxCapacity": least},
        )
    midnight = 86_400 - clock.now() % 86_400

    clock.advance(midnight + 5 * 86_400 - 3_600)  # 23:00
    await service.scaling_clock.look()
    late = capacity.now
    clock.advance(11 * 3_600)  # 10:00
    await service.scaling_clock.look()

    assert (late, capacity.now) == (2, 6)


async def test_what_was_removed_is_not_there_again(scaling, state):
    """A change that comes after its removal is none, in memory and on disk."""
    await scaling("RegisterScalableTarget", **TARGET, MinCapacity=0, MaxCapacity=1)
    store = ScalingStore(state)
    await store.load()
    target = store.get(Kind.TARGET, (*F[:2], "function:f:live"))
    await store.remove([target])

    assert await store.change([target]) == []
    assert list(store.all(Kind.TARGET)) == []
    await store.load()
    assert list(store.all(Kind.TARGET)) == []


async def test_what_cannot_be_set_is_told(scaling, capacity):
    """As an activity that has failed."""
    capacity.refusal = CallerError("InvalidParameterValueException", "too much", status=400)
    await scaling("RegisterScalableTarget", **TARGET, MinCapacity=2, MaxCapacity=5)

    [told] = (await scaling("DescribeScalingActivities", ServiceNamespace="lambda"))[
        "ScalingActivities"
    ]
    assert told["StatusCode"] == "Failed"
    assert "too much" in told["StatusMessage"]


async def test_everything_is_there_after_a_restart(scaling, state):
    """And goes with its target."""
    await scaling("RegisterScalableTarget", **TARGET, MinCapacity=2, MaxCapacity=5)
    await scaling("PutScalingPolicy", **TARGET, **POLICY)
    store = ScalingStore(state)
    await store.load()
    assert len(store.of((*F[:2], "function:f:live"))) == 3

    await scaling("DeregisterScalableTarget", **TARGET)
    await store.load()

    assert store.of((*F[:2], "function:f:live")) == []
    assert (await scaling.refused("DeregisterScalableTarget", **TARGET))[0] == (
        "ObjectNotFoundException"
    )


async def test_tags_of_targets(scaling):
    """Added and taken away."""
    made = await scaling(
        "RegisterScalableTarget", **TARGET, MinCapacity=0, MaxCapacity=1, Tags={"a": "b"}
    )
    arn = {"ResourceARN": made["ScalableTargetARN"]}
    await scaling("TagResource", **arn, Tags={"c": "d"})
    await scaling("UntagResource", **arn, TagKeys=["a"])

    assert await scaling("ListTagsForResource", **arn) == {"Tags": {"c": "d"}}


async def test_lists_have_pages(scaling):
    """A token leads to the next."""
    await scaling("RegisterScalableTarget", **TARGET, MinCapacity=0, MaxCapacity=1)
    for name in ("a", "b", "c"):
        await scaling("PutScalingPolicy", **TARGET, **POLICY | {"PolicyName": name})

    first = await scaling("DescribeScalingPolicies", ServiceNamespace="lambda", MaxResults=2)
    second = await scaling(
        "DescribeScalingPolicies", ServiceNamespace="lambda", NextToken=first["NextToken"]
    )

    names = [e["PolicyName"] for page in (first, second) for e in page["ScalingPolicies"]]
    assert names == ["a", "b", "c"]
    assert "NextToken" not in second


@pytest.mark.parametrize(
    ("operation", "changes", "text"),
    [
        ("RegisterScalableTarget", {"ServiceNamespace": "ecs"}, "namespace ecs"),
        ("RegisterScalableTarget", {"ScalableDimension": "ecs:service:DesiredCount"}, "dimension"),
        ("RegisterScalableTarget", {"ResourceId": "function:f"}, "function:NAME:QUALIFIER"),
        ("RegisterScalableTarget", {"ResourceId": "function:g:live"}, "No such function"),
        ("RegisterScalableTarget", {"MinCapacity": 5}, "MaxCapacity"),
        ("RegisterScalableTarget", {"MaxCapacity": 1, "MinCapacity": 2}, "MaxCapacity"),
    ],
)
async def test_what_is_not_built_is_refused(scaling, operation, changes, text):
    """Nothing is stored that would be ignored."""
    code, status, message = await scaling.refused(operation, **TARGET | changes)

    assert (code, status) == ("ValidationException", 400)
    assert text in message


@pytest.mark.parametrize(
    ("operation", "asked"),
    [
        ("PutScalingPolicy", {"PolicyName": "p", "PolicyType": "StepScaling"}),
        ("PutScalingPolicy", {"PolicyName": "p"}),
        (
            "PutScheduledAction",
            {
                "ScheduledActionName": "a",
                "Schedule": "cron(0 0 * * * *)",
                "ScalableTargetAction": {"MinCapacity": 1},
            },
        ),
        ("PutScheduledAction", {"ScheduledActionName": "a", "Schedule": "rate(1 hour)"}),
        (
            "PutScheduledAction",
            {
                "ScheduledActionName": "a",
                "Schedule": "cron(0 0 * * ? *)",
                "Timezone": "Asia/Tokyo",
                "StartTime": datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
                "ScalableTargetAction": {"MinCapacity": 1},
            },
        ),
    ],
)
async def test_rules_that_cannot_be_kept_to_are_refused(scaling, operation, asked):
    """Other kinds of policy, schedules that are none, actions that do nothing."""
    await scaling("RegisterScalableTarget", **TARGET, MinCapacity=0, MaxCapacity=1)

    assert (await scaling.refused(operation, **TARGET, **asked))[0] == "ValidationException"
