"""Event source mappings."""

from datetime import UTC, datetime

import pytest

from emberbox.functions.resources import Resources
from emberbox.model.configuration import invalid
from emberbox.model.mapping import MAPPING_TABLE, EventSourceMapping, MappingState, SourceKind

QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"
FIFO = f"{QUEUE}.fifo"
STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/s"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-01-01T00:00:00.000"
INVALID = "InvalidParameterValueException"
MEMBER = "EventSourceMappings"
ABSENT = "12345678-1234-1234-1234-123456789012"


async def create(api, source=QUEUE, **params):
    """Create a mapping for f."""
    given = {"FunctionName": "f", "EventSourceArn": source, **params}
    return await api("CreateEventSourceMapping", **given)


async def got(api, mapping):
    """The mapping as it is now."""
    return await api("GetEventSourceMapping", UUID=mapping["UUID"])


async def test_a_queue_has_the_settings_of_queues(api):
    """None of the streams' members, and Creating at first."""
    await api.created()

    made = await create(api)

    assert made.pop("LastModified") == datetime.fromtimestamp(api.clock.now(), UTC)
    uuid = made.pop("UUID")
    assert made == {
        "EventSourceMappingArn": (
            f"arn:aws:lambda:us-east-1:123456789012:event-source-mapping:{uuid}"
        ),
        "EventSourceArn": QUEUE,
        "FunctionArn": f"{api.arn}f",
        "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
    }


async def test_a_stream_has_the_settings_of_streams(api):
    """The defaults of all of them are shown."""
    await api.created()
    begin = datetime(2026, 1, 2, 3, 4, 5, 600_000, UTC)

    made = await create(
        api, STREAM, StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=begin
    )

    for member in ("UUID", "EventSourceMappingArn", "LastModified"):
        del made[member]
    assert made == {
        "EventSourceArn": STREAM,
        "FunctionArn": f"{api.arn}f",
        "State": "Creating",
        "StateTransitionReason": "User action",
        "LastProcessingResult": "No records processed",
        "StartingPosition": "AT_TIMESTAMP",
        "StartingPositionTimestamp": begin,
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 0,
        "ParallelizationFactor": 1,
        "DestinationConfig": {"OnFailure": {}},
        "MaximumRecordAgeInSeconds": -1,
        "BisectBatchOnFunctionError": False,
        "MaximumRetryAttempts": -1,
        "TumblingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
    }


@pytest.mark.parametrize("enabled", [True, False])
async def test_what_nobody_polls_comes_to_rest_disabled_and_says_why(api, enabled):
    """Unless it was not wanted anyhow."""
    await api.created()

    shown = await got(api, await create(api, TABLE, StartingPosition="LATEST", Enabled=enabled))

    reason = "User action"
    if enabled:
        reason = (
            "Emberbox does not poll Amazon DynamoDB Streams yet: the mapping is kept, and nothing "
            "is read."
        )
    assert (shown["State"], shown["StateTransitionReason"]) == ("Disabled", reason)


async def test_updates_go_through_a_state_of_their_own(api):
    """Enabling, Disabling or Updating, by what is asked for; the time changes with them."""
    await api.created()
    mapping = await create(api, Enabled=False)
    states = []
    for enabled in (True, True, False, None):
        await got(api, mapping)
        api.clock.advance(1)
        change = {} if enabled is None else {"Enabled": enabled}
        shown = await api("UpdateEventSourceMapping", UUID=mapping["UUID"], BatchSize=5, **change)
        states.append(shown["State"])
        assert shown["LastModified"] > mapping["LastModified"]

    assert states == ["Enabling", "Updating", "Updating", "Updating"]
    assert shown["BatchSize"] == 5


async def test_an_update_merges_and_empty_values_remove(api):
    """Members that are not given stay."""
    await api.created()
    mapping = await create(
        api,
        FilterCriteria={"Filters": [{"Pattern": '{"body": ["x"]}'}]},
        ScalingConfig={"MaximumConcurrency": 5},
        MetricsConfig={"Metrics": ["EventCount"]},
        KMSKeyArn="arn:aws:kms:us-east-1:123456789012:key/k",
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    await got(api, mapping)

    shown = await api(
        "UpdateEventSourceMapping",
        UUID=mapping["UUID"],
        FilterCriteria={},
        ScalingConfig={},
        MetricsConfig={"Metrics": []},
        KMSKeyArn="",
    )

    assert shown["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert shown["MetricsConfig"] == {"Metrics": []}
    assert not {"FilterCriteria", "ScalingConfig", "KMSKeyArn"} & shown.keys()


async def test_a_mapping_can_move_to_another_function_or_version(api):
    """The function must exist, and not read the same already."""
    await api.created(Publish=True)
    await api.created("g")
    mapping = await create(api)
    other = await create(api, FunctionName="g")
    await got(api, mapping)

    moved = await api("UpdateEventSourceMapping", UUID=mapping["UUID"], FunctionName="f:1")
    await got(api, mapping)
    taken = await api.refusal(
        api("UpdateEventSourceMapping", UUID=mapping["UUID"], FunctionName="g")
    )
    absent = await api.refusal(
        api("UpdateEventSourceMapping", UUID=mapping["UUID"], FunctionName="none")
    )

    assert moved["FunctionArn"] == f"{api.arn}f:1"
    assert taken.code == "ResourceConflictException"
    assert taken.message.endswith(other["UUID"])
    assert absent.message == "Function does not exist"


async def test_a_deleted_mapping_answers_deleting_and_is_gone(api):
    """Twice is once too often."""
    await api.created()
    mapping = await create(api)

    deleted = await api("DeleteEventSourceMapping", UUID=mapping["UUID"])
    error = await api.refusal(got(api, mapping))

    assert deleted["State"] == "Deleting"
    assert (error.code, error.status) == ("ResourceNotFoundException", 404)
    assert error.message == "The resource you requested does not exist."
    for operation in ("Get", "Update", "Delete"):
        call = api(f"{operation}EventSourceMapping", UUID=ABSENT)
        assert (await api.refusal(call)).status == 404


async def test_a_mapping_outlives_its_function(api):
    """It can be read, changed and removed."""
    await api.created()
    mapping = await create(api)
    await got(api, mapping)
    await api("DeleteFunction", FunctionName="f")

    shown = await api("UpdateEventSourceMapping", UUID=mapping["UUID"], BatchSize=3)
    await api.service.resources.close()
    await api("DeleteEventSourceMapping", UUID=mapping["UUID"])
    await api.service.resources.close()

    assert (shown["BatchSize"], shown["FunctionArn"]) == (3, f"{api.arn}f")
    assert await api("ListEventSourceMappings") == {"EventSourceMappings": []}


@pytest.mark.parametrize(
    ("source", "params", "beginning"),
    [
        (QUEUE, {}, f'An event source mapping with SQS arn (" {QUEUE} ") and function (" f ") alr'),
        (
            STREAM,
            {"StartingPosition": "LATEST"},
            f'The event source arn (" {STREAM} ") and function (" f ") provided mapping already ex',
        ),
    ],
)
async def test_a_function_reads_a_source_once(api, source, params, beginning):
    """Another version of it may, too; the error names the mapping there is."""
    await api.created(Publish=True)
    first = await create(api, source, **params)

    error = await api.refusal(create(api, source, **params))
    await create(api, source, FunctionName="f:1", **params)

    assert (error.code, error.status) == ("ResourceConflictException", 409)
    assert error.message.startswith(beginning)
    assert error.message.endswith(f"existing mapping with UUID {first['UUID']}")


async def test_lists_are_by_function_and_by_source_and_paged(api):
    """Markers survive the end of what they name."""
    await api.created()
    await api.created("g")
    for name in ("f", "g"):
        for source in (QUEUE, FIFO):
            await create(api, source, FunctionName=name)

    async def listed(**params):
        page = await api("ListEventSourceMappings", **params)
        return [
            (each["FunctionArn"][-1], each["EventSourceArn"]) for each in page.pop(MEMBER)
        ], page

    assert sorted((await listed())[0]) == sorted((n, s) for n in "fg" for s in (QUEUE, FIFO))
    assert sorted((await listed(FunctionName="f"))[0]) == [("f", QUEUE), ("f", FIFO)]
    assert sorted((await listed(EventSourceArn=FIFO))[0]) == [("f", FIFO), ("g", FIFO)]
    first, more = await listed(MaxItems=2)
    page = await api("ListEventSourceMappings", MaxItems=2)
    await api("DeleteEventSourceMapping", UUID=page[MEMBER][1]["UUID"])
    rest, end = await listed(MaxItems=2, Marker=more["NextMarker"])
    assert len({*first, *rest}) == 4
    assert end == {}


async def test_what_a_dead_server_left_is_finished_by_the_next(api, make_api):
    """Mappings survive; those under way come to rest."""
    await api.created()
    kept, gone = await create(api), await create(api, FIFO)
    await got(api, kept)
    await got(api, gone)
    resources = api.service.resources
    key = ("123456789012", "us-east-1", gone["UUID"])
    resources.mappings.mirror.listeners.clear()  # dies before it can settle anything
    await api("DeleteEventSourceMapping", UUID=gone["UUID"])
    assert resources.mappings.get(key).state is MappingState.DELETING

    restarted = make_api()
    await restarted.store.load()
    await restarted.service.resources.load()
    await restarted.service.recover()

    [shown] = (await restarted("ListEventSourceMappings"))[MEMBER]
    assert shown == await got(api, kept)
    await restarted.service.close()


async def test_a_kind_with_a_poller_is_left_to_it(api):
    """The poller hears of the mapping and moves it."""
    heard = []
    resources = Resources(api.writer, api.clock, polled=frozenset({SourceKind.SQS}))
    resources.mappings.mirror.listeners.append(lambda _before, after: heard.append(after))
    api.service.operations = {**api.service.operations, **resources.operations}
    await api.created()

    await create(api)
    await resources.close()

    assert [mapping.state for mapping in heard] == [MappingState.CREATING]
    assert isinstance(heard[0], EventSourceMapping)


async def test_a_source_can_be_looked_at_before_a_mapping_is_made(api):
    """By whoever knows the service; what that refuses is not stored."""

    async def check(mapping, function):
        raise invalid(f"{mapping.source_arn} does not exist, {function.timeout_s}")

    resources = Resources(api.writer, api.clock, checks={SourceKind.SQS: check})
    api.service.operations = {**api.service.operations, **resources.operations}
    await api.created()

    error = await api.refusal(create(api))

    assert error.message == f"{QUEUE} does not exist, 3"
    assert await api("ListEventSourceMappings") == {MEMBER: []}


def test_every_state_has_its_place_in_the_table():
    """And only Deleting leads nowhere."""
    assert MAPPING_TABLE.keys() == set(MappingState)
    assert [state for state, to in MAPPING_TABLE.items() if not to] == [MappingState.DELETING]
