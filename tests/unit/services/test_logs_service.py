"""CloudWatch Logs as its clients see it."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emberbox.clock import ManualClock
from emberbox.services.logs.service import LogsService
from emberbox.storage import log_reading
from emberbox.storage.database import Database
from emberbox.storage.log_filters import LogFilterStore
from emberbox.storage.logs import DAY_MS, LogStore
from emberbox.telemetry.logs import LogSink

ACCOUNT = "123456789012"
GROUP = "/aws/lambda/f"
ARN = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{GROUP}"
NOW = 1_700_000_000_000
NO_GROUP = ("ResourceNotFoundException", 400, "The specified log group does not exist.")
NO_STREAM = ("ResourceNotFoundException", 400, "The specified log stream does not exist.")


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def store(tmp_path):
    database = await Database.open(tmp_path / "logs.db", "logs", durable=False)
    yield LogStore(database)
    await database.close()


@pytest.fixture
async def sink(store, tmp_path, clock):
    sink = await LogSink.open(store, tmp_path / "journal", clock)
    yield sink
    await sink.close()


@pytest.fixture
def logs(store, sink, clock, caller):
    return caller(LogsService(store, LogFilterStore(store.database), sink, clock))


@pytest.fixture
async def group(logs):
    """The service with a group in it."""
    await logs("CreateLogGroup", logGroupName=GROUP)
    return logs


@pytest.fixture
async def stream(group):
    """The service with a stream `s` in it."""
    await group("CreateLogStream", logGroupName=GROUP, logStreamName="s")
    return group


async def put(logs, *events, stream="s"):
    """Put events given as (offset from now in ms, message)."""
    made = [{"timestamp": NOW + offset, "message": message} for offset, message in events]
    return await logs("PutLogEvents", logGroupName=GROUP, logStreamName=stream, logEvents=made)


async def get(logs, **params):
    """A page of the stream `s`."""
    return await logs("GetLogEvents", logGroupName=GROUP, logStreamName="s", **params)


def messages(answer):
    return [event["message"] for event in answer["events"]]


async def test_what_a_function_prints_is_seen_at_once(logs, sink):
    """Group, stream and events, without waiting for a batch."""
    sink.stream(ACCOUNT, "us-east-1", GROUP, "s").append(NOW, b"hello")

    assert messages(await get(logs, startFromHead=True)) == ["hello"]


async def test_a_new_group_is_described(group):
    """With both forms of its ARN, and without what was never set."""
    answer = await group("DescribeLogGroups")

    assert answer == {
        "logGroups": [
            {
                "logGroupName": GROUP,
                "creationTime": NOW,
                "arn": f"{ARN}:*",
                "logGroupArn": ARN,
                "logGroupClass": "STANDARD",
                "metricFilterCount": 0,
                "storedBytes": 0,
            }
        ]
    }


async def test_group_and_stream_are_made_once(stream):
    """The refusal says which of the two exists."""
    code = "ResourceAlreadyExistsException"
    refused = await stream.refused("CreateLogGroup", logGroupName=GROUP)
    assert refused == (code, 400, "The specified log group already exists")

    refused = await stream.refused("CreateLogStream", logGroupName=GROUP, logStreamName="s")
    assert refused == (code, 400, "The specified log stream already exists")


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("DeleteLogGroup", {"logGroupName": GROUP}),
        ("CreateLogStream", {"logGroupName": GROUP, "logStreamName": "s"}),
        ("DeleteLogStream", {"logGroupName": GROUP, "logStreamName": "s"}),
        ("DescribeLogStreams", {"logGroupName": GROUP}),
        ("DescribeLogStreams", {"logGroupIdentifier": ARN}),
        ("PutLogEvents", {"logGroupName": GROUP, "logStreamName": "s",
                          "logEvents": [{"timestamp": NOW, "message": "m"}]}),
        ("GetLogEvents", {"logGroupName": GROUP, "logStreamName": "s"}),
        ("FilterLogEvents", {"logGroupName": GROUP}),
        ("FilterLogEvents", {"logGroupIdentifier": GROUP}),
        ("PutRetentionPolicy", {"logGroupName": GROUP, "retentionInDays": 1}),
        ("DeleteRetentionPolicy", {"logGroupName": GROUP}),
        ("PutLogGroupDeletionProtection",
         {"logGroupIdentifier": GROUP, "deletionProtectionEnabled": True}),
        ("ListTagsForResource", {"resourceArn": ARN}),
        ("TagResource", {"resourceArn": ARN, "tags": {"a": "b"}}),
        ("UntagResource", {"resourceArn": ARN, "tagKeys": ["a"]}),
        ("ListTagsLogGroup", {"logGroupName": GROUP}),
        ("TagLogGroup", {"logGroupName": GROUP, "tags": {"a": "b"}}),
        ("UntagLogGroup", {"logGroupName": GROUP, "tags": ["a"]}),
    ],
)  # fmt: skip
async def test_a_missing_group_is_said(logs, operation, params):
    """In the same words by every operation."""
    assert await logs.refused(operation, **params) == NO_GROUP


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("DeleteLogStream", {"logStreamName": "x"}),
        ("GetLogEvents", {"logStreamName": "x"}),
        ("FilterLogEvents", {"logStreamNames": ["s", "x"]}),
        ("PutLogEvents",
         {"logStreamName": "x", "logEvents": [{"timestamp": NOW, "message": "m"}]}),
    ],
)  # fmt: skip
async def test_a_missing_stream_is_said(stream, operation, params):
    """The group is there."""
    assert await stream.refused(operation, logGroupName=GROUP, **params) == NO_STREAM


async def test_groups_of_others_are_missing(group):
    """By name from another account or region, and by an ARN that is not the caller's."""
    for other in (group.as_(account="999999999999"), group.as_(region="eu-west-1")):
        assert await other.refused("DescribeLogStreams", logGroupName=GROUP) == NO_GROUP
        assert await other.refused("DescribeLogStreams", logGroupIdentifier=ARN) == NO_GROUP
        assert (await other("DescribeLogGroups"))["logGroups"] == []


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"logGroupName": GROUP, "logGroupIdentifier": ARN},
        {"logGroupIdentifier": "arn:aws:s3:::bucket"},
    ],
)
async def test_a_group_is_named_in_one_way(group, params):
    """By name or by identifier, which is a name or an ARN."""
    code, status, _ = await group.refused("FilterLogEvents", **params)

    assert (code, status) == ("InvalidParameterException", 400)


@pytest.mark.parametrize(
    "params", [{"logGroupName": "aws/x"}, {"logGroupName": "x", "kmsKeyId": "k"}]
)
async def test_groups_that_cannot_be_made(logs, params):
    """Reserved names, and keys that nobody has."""
    code, status, _ = await logs.refused("CreateLogGroup", **params)

    assert (code, status) == ("InvalidParameterException", 400)
    assert (await logs("DescribeLogGroups"))["logGroups"] == []


async def test_groups_are_listed_in_pages(logs):
    """The token stands for a name, so that deletions between pages do no harm."""
    for name in ("b", "a/1", "a/2", "c"):
        await logs("CreateLogGroup", logGroupName=name)

    first = await logs("DescribeLogGroups", limit=2)
    await logs("DeleteLogGroup", logGroupName="a/2")
    second = await logs("DescribeLogGroups", limit=2, nextToken=first["nextToken"])

    names = [g["logGroupName"] for g in first["logGroups"] + second["logGroups"]]
    assert names == ["a/1", "a/2", "b", "c"]
    assert "nextToken" not in second


async def test_groups_are_chosen(logs):
    """By prefix, by a part of the name, by class, by identifiers."""
    for name, group_class in (("a/x", "STANDARD"), ("b/x", "ESSENTIALS"), ("c", "DELIVERY")):
        await logs("CreateLogGroup", logGroupName=name, logGroupClass=group_class)

    async def names(**params):
        return [g["logGroupName"] for g in (await logs("DescribeLogGroups", **params))["logGroups"]]

    assert await names(logGroupNamePrefix="a") == ["a/x"]
    assert await names(logGroupNamePattern="/x") == ["a/x", "b/x"]
    assert await names(logGroupClass="INFREQUENT_ACCESS") == ["b/x"]
    assert await names(logGroupClass="DELIVERY") == ["c"]
    assert await names(logGroupIdentifiers=["c", ARN[: -len(GROUP)] + "a/x", "no"]) == ["a/x", "c"]
    assert await names(includeLinkedAccounts=True, accountIdentifiers=["999999999999"]) == []
    assert len(await names(includeLinkedAccounts=True, accountIdentifiers=[ACCOUNT])) == 3


async def test_a_pattern_shows_groups_in_brief(group):
    """Only name, ARN and time, as documented."""
    answer = await group("DescribeLogGroups", logGroupNamePattern="lambda")

    assert answer["logGroups"][0].keys() == {"logGroupName", "arn", "creationTime"}


@pytest.mark.parametrize(
    "params",
    [
        {"logGroupNamePrefix": "a", "logGroupNamePattern": "b"},
        {"logGroupIdentifiers": ["a"], "logGroupClass": "STANDARD"},
        {"nextToken": "%"},
        {"nextToken": "_w=="},
    ],
)
async def test_wrong_choices_of_groups(logs, params):
    """Filters that exclude each other, and tokens that are not ours."""
    code, status, _ = await logs.refused("DescribeLogGroups", **params)

    assert (code, status) == ("InvalidParameterException", 400)


async def test_protected_groups_stay(logs):
    """Until the protection is taken away."""
    await logs("CreateLogGroup", logGroupName=GROUP, deletionProtectionEnabled=True)
    (shown,) = (await logs("DescribeLogGroups"))["logGroups"]
    assert shown["deletionProtectionEnabled"]

    code, status, _ = await logs.refused("DeleteLogGroup", logGroupName=GROUP)
    assert (code, status) == ("ValidationException", 400)
    await logs(
        "PutLogGroupDeletionProtection", logGroupIdentifier=ARN, deletionProtectionEnabled=False
    )
    await logs("DeleteLogGroup", logGroupName=GROUP)


async def test_retention_is_one_of_the_known_periods(group):
    """It is shown, and gone when deleted."""
    await group("PutRetentionPolicy", logGroupName=GROUP, retentionInDays=14)
    (shown,) = (await group("DescribeLogGroups"))["logGroups"]
    assert shown["retentionInDays"] == 14

    _, _, text = await group.refused("PutRetentionPolicy", logGroupName=GROUP, retentionInDays=2)
    assert text.startswith(
        "1 validation error detected: Value '2' at 'retentionInDays' failed to satisfy "
        "constraint: Member must satisfy enum value set: [1, 3, 5, 7, 14,"
    )
    await group("DeleteRetentionPolicy", logGroupName=GROUP)
    (shown,) = (await group("DescribeLogGroups"))["logGroups"]
    assert "retentionInDays" not in shown


async def test_delivery_groups_keep_for_a_day(logs):
    """And for no other time."""
    await logs("CreateLogGroup", logGroupName=GROUP, logGroupClass="DELIVERY")
    (shown,) = (await logs("DescribeLogGroups"))["logGroups"]
    assert shown["retentionInDays"] == 1

    code, _, _ = await logs.refused("PutRetentionPolicy", logGroupName=GROUP, retentionInDays=14)
    assert code == "InvalidParameterException"


async def test_tags_by_arn_and_by_name(logs):
    """Both families of operations see the same tags."""
    await logs("CreateLogGroup", logGroupName=GROUP, tags={"a": "1"})
    await logs("TagResource", resourceArn=ARN, tags={"b": "2"})
    await logs("TagLogGroup", logGroupName=GROUP, tags={"c": "3"})
    await logs("UntagResource", resourceArn=ARN, tagKeys=["a", "none"])

    assert (await logs("ListTagsForResource", resourceArn=ARN))["tags"] == {"b": "2", "c": "3"}
    await logs("UntagLogGroup", logGroupName=GROUP, tags=["b"])
    assert (await logs("ListTagsLogGroup", logGroupName=GROUP))["tags"] == {"c": "3"}


async def test_tags_are_bounded(group):
    """Fifty a group."""
    many = {f"k{number}": "" for number in range(50)}
    await group("TagResource", resourceArn=ARN, tags=many)

    code, _, _ = await group.refused("TagResource", resourceArn=ARN, tags={"more": ""})
    assert code == "TooManyTagsException"
    code, _, _ = await group.refused("TagLogGroup", logGroupName=GROUP, tags={"more": ""})
    assert code == "InvalidParameterException"


async def test_a_new_stream_is_described(stream):
    """Without times until it has events."""
    answer = await stream("DescribeLogStreams", logGroupName=GROUP)

    assert answer == {
        "logStreams": [
            {
                "logStreamName": "s",
                "creationTime": NOW,
                "arn": f"{ARN}:log-stream:s",
                "storedBytes": 0,
            }
        ]
    }


async def test_streams_know_their_times(stream, clock):
    """First and last event, and when something was last stored."""
    clock.advance(5)
    await put(stream, (-10, "a"), (3, "b"))

    (shown,) = (await stream("DescribeLogStreams", logGroupName=GROUP))["logStreams"]
    assert shown["firstEventTimestamp"] == NOW - 10
    assert shown["lastEventTimestamp"] == NOW + 3
    assert shown["lastIngestionTime"] == NOW + 5_000
    (shown,) = (await stream("DescribeLogGroups"))["logGroups"]
    assert shown["storedBytes"] == 2 * (1 + 26)


@pytest.mark.parametrize("order", ["LogStreamName", "LastEventTime"])
@pytest.mark.parametrize("descending", [False, True])
async def test_streams_are_listed_in_pages(group, order, descending):
    """In both orders and directions; a token is for the order that made it."""
    for number, name in enumerate(("c", "a b", "d", "b")):
        await group("CreateLogStream", logGroupName=GROUP, logStreamName=name)
        await put(group, (number // 2, "m"), stream=name)
    wanted = {
        "LogStreamName": ["a b", "b", "c", "d"],
        "LastEventTime": ["a b", "c", "b", "d"],
    }[order]
    params = {"logGroupName": GROUP, "orderBy": order, "descending": descending}

    found, token = [], {}
    while True:
        page = await group("DescribeLogStreams", **params, limit=1, **token)
        found += [shown["logStreamName"] for shown in page["logStreams"]]
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}

    assert found == (wanted[::-1] if descending else wanted)
    code, _, _ = await group.refused(
        "DescribeLogStreams", **params | {"descending": not descending}, **token
    )
    assert code == "InvalidParameterException"


async def test_streams_by_time_have_no_prefix(stream):
    """As AWS says."""
    refused = await stream.refused(
        "DescribeLogStreams", logGroupName=GROUP, orderBy="LastEventTime", logStreamNamePrefix="s"
    )

    text = "Cannot order by LastEventTime with a logStreamNamePrefix."
    assert refused == ("InvalidParameterException", 400, text)
    by_name = await stream("DescribeLogStreams", logGroupName=GROUP, logStreamNamePrefix="x")
    assert by_name["logStreams"] == []


async def test_a_deleted_stream_is_gone(stream):
    """With its events."""
    await put(stream, (0, "m"))

    await stream("DeleteLogStream", logGroupName=GROUP, logStreamName="s")

    assert await stream.refused("GetLogEvents", logGroupName=GROUP, logStreamName="s") == NO_STREAM
    assert messages(await stream("FilterLogEvents", logGroupName=GROUP)) == []


async def test_put_answers_with_a_token_nobody_needs(stream):
    """Older clients send it back; it changes nothing."""
    answer = await put(stream, (0, "m"))

    assert answer.keys() == {"nextSequenceToken"}
    await stream(
        "PutLogEvents",
        logGroupName=GROUP,
        logStreamName="s",
        logEvents=[{"timestamp": NOW, "message": "n"}],
        sequenceToken="wrong",
    )
    assert messages(await get(stream)) == ["m", "n"]


@pytest.mark.parametrize(
    ("events", "text"),
    [
        ([(1, "a"), (0, "b")],
         "Log events in a single PutLogEvents request must be in chronological order."),
        ([(-DAY_MS - 1, "a"), (0, "b")],
         "The batch of log events in a single PutLogEvents request cannot span more than 24 "
         "hours."),
        ([(0, "x" * 524_262), (0, "x" * 524_263)],
         "Upload too large: 1048577 bytes exceeds limit of 1048576"),
    ],
)  # fmt: skip
async def test_batches_that_are_refused(stream, events, text):
    """As a whole."""
    made = [{"timestamp": NOW + offset, "message": message} for offset, message in events]

    refused = await stream.refused(
        "PutLogEvents", logGroupName=GROUP, logStreamName="s", logEvents=made
    )

    assert refused == ("InvalidParameterException", 400, text)
    assert messages(await get(stream)) == []


async def test_events_out_of_the_window_are_named(stream):
    """The others are stored."""
    answer = await put(
        stream, (-15 * DAY_MS, "old"), (0, "good"), (7_200_000, "good"), (7_200_001, "new")
    )

    assert answer["rejectedLogEventsInfo"] == {
        "tooOldLogEventEndIndex": 1,
        "tooNewLogEventStartIndex": 3,
    }
    assert messages(await get(stream)) == ["good", "good"]


async def test_expired_events_are_named(stream):
    """What the group would not keep is not taken."""
    await stream("PutRetentionPolicy", logGroupName=GROUP, retentionInDays=1)

    answer = await put(stream, (-15 * DAY_MS, "a"), (-2 * DAY_MS, "b"), (0, "c"))

    assert answer["rejectedLogEventsInfo"] == {
        "tooOldLogEventEndIndex": 1,
        "expiredLogEventEndIndex": 2,
    }
    assert messages(await get(stream)) == ["c"]


async def test_entities_are_not_kept_and_that_is_said(stream):
    """Rather than taken and ignored."""
    answer = await stream(
        "PutLogEvents",
        logGroupName=GROUP,
        logStreamName="s",
        logEvents=[{"timestamp": NOW, "message": "m"}],
        entity={"keyAttributes": {"Type": "Service", "Name": "x"}},
    )

    assert answer["rejectedEntityInfo"] == {"errorType": "UnsupportedLogGroupType"}


async def test_get_begins_at_the_end(stream):
    """Without a word about direction, the newest events come, oldest of them first."""
    await put(stream, *((number, str(number)) for number in range(5)))

    answer = await get(stream, limit=2)

    assert messages(answer) == ["3", "4"]
    earlier = await get(stream, limit=2, nextToken=answer["nextBackwardToken"])
    assert messages(earlier) == ["1", "2"]
    later = await get(stream, limit=2, nextToken=earlier["nextForwardToken"])
    assert messages(later) == ["3", "4"]


async def test_tokens_repeat_at_the_ends(stream):
    """That is how clients know; a forward token then follows what is new."""
    await put(stream, (0, "a"))
    page = await get(stream, startFromHead=True)
    assert page["events"][0].keys() == {"timestamp", "message", "ingestionTime"}
    end = page["nextForwardToken"]
    beginning = page["nextBackwardToken"]

    assert (await get(stream, nextToken=end, startFromHead=True))["nextForwardToken"] == end
    assert (await get(stream, nextToken=beginning))["nextBackwardToken"] == beginning

    await put(stream, (1, "b"))
    page = await get(stream, nextToken=end, startFromHead=True)
    assert messages(page) == ["b"]


@pytest.mark.parametrize("from_head", [False, True])
async def test_the_tokens_of_an_empty_stream_see_the_first_event(stream, from_head):
    """Whoever waits for it with a forward token gets it."""
    page = await get(stream, startFromHead=from_head)
    assert page["events"] == []
    await put(stream, (0, "a"))

    later = await get(stream, nextToken=page["nextForwardToken"], startFromHead=True)

    assert messages(later) == ["a"]


async def test_times_bound_what_is_got(stream):
    """The start is included, the end is not; for filtering both are."""
    await put(stream, *((number, str(number)) for number in range(5)))
    bounds = {"startTime": NOW + 1, "endTime": NOW + 3}

    for from_head in (True, False):
        assert messages(await get(stream, **bounds, startFromHead=from_head)) == ["1", "2"]
    filtered = await stream("FilterLogEvents", logGroupName=GROUP, **bounds)
    assert messages(filtered) == ["1", "2", "3"]


@pytest.mark.parametrize(
    "token", ["x", "f/1/s", "f/" + "9" * 56 + "/s", "g/" + "0" * 56 + "/s", "f/" + "0" * 56]
)
async def test_foreign_stream_tokens(stream, token):
    """They are refused."""
    refused = await stream.refused(
        "GetLogEvents", logGroupName=GROUP, logStreamName="s", nextToken=token
    )

    text = "The specified nextToken is invalid."
    assert refused == ("InvalidParameterException", 400, text)


async def test_filtering_interleaves_streams(stream):
    """By time; events have ids of their own."""
    await stream("CreateLogStream", logGroupName=GROUP, logStreamName="t")
    await put(stream, (0, "a"), (2, "c"))
    await put(stream, (1, "b"), (3, "d"), stream="t")

    answer = await stream("FilterLogEvents", logGroupIdentifier=ARN)

    assert messages(answer) == ["a", "b", "c", "d"]
    assert [event["logStreamName"] for event in answer["events"]] == ["s", "t", "s", "t"]
    ids = [event["eventId"] for event in answer["events"]]
    assert ids == sorted(set(ids))
    assert all(len(each) == 56 for each in ids)
    assert answer["searchedLogStreams"] == []
    assert "nextToken" not in answer


async def test_filtering_chooses_streams_and_messages(stream):
    """By names, by prefix, by pattern, and all of it together."""
    for name in ("ta", "tb"):
        await stream("CreateLogStream", logGroupName=GROUP, logStreamName=name)
        await put(stream, (0, f"{name} ERROR"), (1, f"{name} fine"), stream=name)
    await put(stream, (2, '{"level": "ERROR"}'))

    async def found(**params):
        return messages(await stream("FilterLogEvents", logGroupName=GROUP, **params))

    assert await found(logStreamNames=["tb", "tb"]) == ["tb ERROR", "tb fine"]
    assert await found(logStreamNamePrefix="t", filterPattern="ERROR") == ["ta ERROR", "tb ERROR"]
    assert await found(filterPattern='{ $.level = "ERROR" }') == ['{"level": "ERROR"}']
    assert await found(filterPattern="-ERROR") == ["ta fine", "tb fine"]
    assert len(await found(filterPattern="  ")) == 5


@pytest.mark.parametrize(
    "params",
    [
        {"logStreamNames": ["s"], "logStreamNamePrefix": "s"},
        {"filterPattern": "{ $.a = "},
        {"nextToken": "x"},
        {"nextToken": "dXAgMQ=="},
        {"nextToken": "c2lkZXdheXMgMQ=="},
        {"startFromHead": False, "startTime": 1_704_067_199_999},
    ],
)
async def test_wrong_filters(stream, params):
    """What contradicts itself, what is no pattern, what is no token of ours."""
    code, status, _ = await stream.refused("FilterLogEvents", logGroupName=GROUP, **params)

    assert (code, status) == ("InvalidParameterException", 400)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    batches=st.lists(
        st.tuples(st.sampled_from("st"), st.lists(st.integers(0, 5_000), min_size=1, max_size=5)),
        max_size=6,
    ),
    limit=st.integers(1, 4),
    from_head=st.booleans(),
    budget=st.sampled_from([0, 10**9]),
)
async def test_pages_of_a_search_lose_and_repeat_nothing(logs, batches, limit, from_head, budget):
    """Following the tokens to their end gives each matching event once, in order."""
    await logs("CreateLogGroup", logGroupName=GROUP)
    for name in "st":
        await logs("CreateLogStream", logGroupName=GROUP, logStreamName=name)
    expected = []
    for number, (name, offsets) in enumerate(batches):
        made = [
            (offset, f"{number}.{offset}.{place}") for place, offset in enumerate(sorted(offsets))
        ]
        await put(logs, *made, stream=name)
        expected += [message for offset, message in made if offset % 2]
    saved, log_reading._BUDGET_BYTES = log_reading._BUDGET_BYTES, budget

    found, token = [], {}
    try:
        while True:
            page = await logs(
                "FilterLogEvents",
                logGroupName=GROUP,
                filterPattern=r"%\.\d*[13579]\.%",
                limit=limit,
                **({} if token else {"startFromHead": from_head}),
                **token,
            )
            found += page["events"]
            if "nextToken" not in page:
                break
            token = {"nextToken": page["nextToken"]}
    finally:
        log_reading._BUDGET_BYTES = saved
        await logs("DeleteLogGroup", logGroupName=GROUP)

    assert sorted(event["message"] for event in found) == sorted(expected)
    times = [event["timestamp"] for event in found]
    assert times == sorted(times, reverse=not from_head)
