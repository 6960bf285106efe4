"""Event invoke configurations."""

import re

import pytest

from emberbox.invoke.async_entry import FunctionPolicies
from emberbox.model.async_invocation import AsyncPolicy, QueuedEvent

QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"
INVALID = "InvalidParameterValueException"


async def test_put_replaces_and_update_merges(api):
    """The ARN is qualified, and both destinations are always there."""
    await api.created()

    put = await api("PutFunctionEventInvokeConfig", FunctionName="f", MaximumRetryAttempts=0)
    update = await api(
        "UpdateFunctionEventInvokeConfig",
        FunctionName="f",
        MaximumEventAgeInSeconds=60,
        DestinationConfig={"OnFailure": {"Destination": QUEUE}},
    )
    again = await api("PutFunctionEventInvokeConfig", FunctionName="f", MaximumRetryAttempts=1)

    del put["LastModified"], again["LastModified"]
    assert put == {
        "FunctionArn": f"{api.arn}f:$LATEST",
        "MaximumRetryAttempts": 0,
        "DestinationConfig": {"OnSuccess": {}, "OnFailure": {}},
    }
    assert (update["MaximumRetryAttempts"], update["MaximumEventAgeInSeconds"]) == (0, 60)
    assert update["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {"Destination": QUEUE}}
    assert again == {**put, "MaximumRetryAttempts": 1}


async def test_the_data_plane_sees_what_is_set_and_defaults_else(api):
    """By function and qualifier."""
    await api.created()
    await api(
        "PutFunctionEventInvokeConfig",
        FunctionName="f",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnSuccess": {"Destination": QUEUE}},
    )

    def policy(qualifier):
        event = QueuedEvent(*api.key(), qualifier, "id", b"{}", 0.0, 0.0)
        return FunctionPolicies(api.catalog).policy(event)

    assert policy("") == AsyncPolicy(retries=0, on_success=QUEUE, role=api.role)
    assert policy("1") == AsyncPolicy(role=api.role)


async def test_each_alias_and_version_has_its_own_and_loses_it_with_itself(api):
    """A new alias of the same name begins without."""
    await api.created(Publish=True)
    await api("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    for qualifier in ("live", "1", "$LATEST"):
        await api(
            "PutFunctionEventInvokeConfig",
            FunctionName="f",
            Qualifier=qualifier,
            MaximumRetryAttempts=1,
        )

    listed = await api("ListFunctionEventInvokeConfigs", FunctionName="f", MaxItems=2)
    rest = await api(
        "ListFunctionEventInvokeConfigs", FunctionName="f", Marker=listed["NextMarker"]
    )
    await api("DeleteAlias", FunctionName="f", Name="live")
    await api("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")

    arns = [
        each["FunctionArn"].rpartition(":")[2]
        for page in (listed, rest)
        for each in page["FunctionEventInvokeConfigs"]
    ]
    assert arns == ["$LATEST", "1", "live"]
    assert "NextMarker" not in rest
    error = await api.refusal(api("GetFunctionEventInvokeConfig", FunctionName="f:live"))
    assert error.message == f"The function {api.arn}f:live doesn't have an EventInvokeConfig"


async def test_what_a_function_has_goes_with_it_and_survives_a_start(api, make_api):
    """On disk as in memory."""
    await api.created("f")
    await api.created("g")
    for name in ("f", "g"):
        await api("PutFunctionEventInvokeConfig", FunctionName=name, MaximumRetryAttempts=1)
    await api("DeleteFunction", FunctionName="f")
    await api.created("f")

    restarted = make_api()
    await restarted.store.load()
    await restarted.service.resources.load()

    for each in (api, restarted):
        error = await each.refusal(each("GetFunctionEventInvokeConfig", FunctionName="f"))
        assert error.status == 404
        kept = await each("GetFunctionEventInvokeConfig", FunctionName="g")
        assert kept["MaximumRetryAttempts"] == 1
    await restarted.service.close()


@pytest.mark.parametrize(
    "destination",
    [
        QUEUE,
        "arn:aws:sns:us-east-1:123456789012:t",
        "arn:aws:events:us-east-1:123456789012:event-bus/default",
        "arn:aws:lambda:us-east-1:123456789012:function:other",
        "arn:aws:lambda:us-east-1:999999999999:function:theirs",
    ],
)
async def test_destinations_are_queues_topics_buses_and_functions(api, destination):
    """For success as for failure."""
    await api.created()
    await api.created("other")
    config = {side: {"Destination": destination} for side in ("OnSuccess", "OnFailure")}

    shown = await api("PutFunctionEventInvokeConfig", FunctionName="f", DestinationConfig=config)

    assert shown["DestinationConfig"] == config


@pytest.mark.parametrize(
    ("side", "destination", "message"),
    [
        (
            "OnSuccess",
            "arn:aws:lambda:us-east-1:123456789012:function:f",
            "as a destination for it",
        ),
        ("OnSuccess", "arn:aws:lambda:us-east-1:123456789012:function:none", "ARN arn:.*invalid"),
        ("OnSuccess", "arn:aws:lambda:us-east-1:123456789012:function:g:9", "ARN arn:.*invalid"),
        (
            "OnSuccess",
            "arn:aws:s3:::bucket",
            r"onSuccess=OnSuccess\(destination=arn.*null\) is inv",
        ),
        ("OnFailure", "arn:aws:sqs:us-east-1:123456789012:q.fifo", "destination config"),
        ("OnFailure", "arn:aws:dynamodb:us-east-1:123456789012:table/t", "destination config"),
        ("OnFailure", "kafka://topic", "destination config"),
    ],
)
async def test_other_destinations_are_refused(api, side, destination, message):
    """In the service's words."""
    await api.created()
    await api.created("g")

    error = await api.refusal(
        api(
            "PutFunctionEventInvokeConfig",
            FunctionName="f",
            DestinationConfig={side: {"Destination": destination}},
        )
    )

    assert error.code == INVALID

    assert re.search(message, error.message), error.message


@pytest.mark.parametrize("operation", ["Put", "Update"])
async def test_something_must_be_set_on_something_that_is_there(api, operation):
    """Nothing to set, no function, no version."""
    await api.created()
    call = f"{operation}FunctionEventInvokeConfig"

    nothing = await api.refusal(api(call, FunctionName="f"))
    absent = await api.refusal(api(call, FunctionName="none", MaximumRetryAttempts=1))
    version = await api.refusal(api(call, FunctionName="f:7", MaximumRetryAttempts=1))

    assert nothing.message == (
        "You must specify at least one of error handling or destination setting."
    )
    assert absent.message == version.message == "The function doesn't exist."


async def test_a_configuration_can_be_removed(api):
    """Defaults count again."""
    await api.created()
    await api("PutFunctionEventInvokeConfig", FunctionName="f", MaximumRetryAttempts=0)

    await api("DeleteFunctionEventInvokeConfig", FunctionName="f")

    error = await api.refusal(api("GetFunctionEventInvokeConfig", FunctionName="f"))
    assert error.status == 404


async def test_update_and_delete_need_a_configuration(api):
    """A function that never had one."""
    await api.created()
    expected = f"The function {api.arn}f:$LATEST doesn't have an EventInvokeConfig"

    update = api("UpdateFunctionEventInvokeConfig", FunctionName="f", MaximumRetryAttempts=1)

    assert (await api.refusal(update)).message == expected
    delete = api("DeleteFunctionEventInvokeConfig", FunctionName="f")
    assert (await api.refusal(delete)).message == expected
    listed = await api("ListFunctionEventInvokeConfigs", FunctionName="f")
    assert listed == {"FunctionEventInvokeConfigs": []}
