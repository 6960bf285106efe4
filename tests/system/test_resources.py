"""What hangs on functions or stands beside them, through stock clients."""

import pytest
from hands import ApiError

QUEUE = "arn:aws:sqs:us-east-1:123456789012:orders"
SOURCE = """
    def lambda_handler(event, context):
        return event
"""


def test_a_mapping_is_made_read_changed_and_removed(hands, make_function):
    """It says what it does and what it does not."""
    name = make_function(SOURCE)

    made = hands.call(
        "lambda",
        "CreateEventSourceMapping",
        FunctionName=name,
        EventSourceArn="arn:aws:kafka:us-east-1:123456789012:cluster/c/abc-1",
        Topics=["orders"],
        StartingPosition="LATEST",
        FilterCriteria={"Filters": [{"Pattern": '{"value": {"kind": [{"prefix": "a"}]}}'}]},
    )
    uuid = made["UUID"]
    shown = hands.call("lambda", "GetEventSourceMapping", UUID=uuid)
    listed = hands.call("lambda", "ListEventSourceMappings", FunctionName=name)
    changed = hands.call("lambda", "UpdateEventSourceMapping", UUID=uuid, BatchSize=7)
    hands.call("lambda", "GetEventSourceMapping", UUID=uuid)
    hands.call("lambda", "DeleteEventSourceMapping", UUID=uuid)

    assert (made["State"], shown["State"], changed["State"]) == ("Creating", "Disabled", "Updating")
    assert "does not poll Amazon MSK yet" in shown["StateTransitionReason"]
    assert [each["UUID"] for each in listed["EventSourceMappings"]] == [uuid]
    assert changed["BatchSize"] == 7
    with pytest.raises(ApiError) as caught:
        hands.call("lambda", "GetEventSourceMapping", UUID=uuid)
    assert caught.value.code == "ResourceNotFoundException"


def test_a_function_has_one_url(hands, make_function):
    """Its id stays while its settings change."""
    name = make_function(SOURCE)

    made = hands.call("lambda", "CreateFunctionUrlConfig", FunctionName=name, AuthType="NONE")
    changed = hands.call(
        "lambda",
        "UpdateFunctionUrlConfig",
        FunctionName=name,
        Cors={"AllowOrigins": ["https://example.com"], "AllowMethods": ["GET"]},
    )
    listed = hands.call("lambda", "ListFunctionUrlConfigs", FunctionName=name)
    hands.call("lambda", "DeleteFunctionUrlConfig", FunctionName=name)

    assert changed["FunctionUrl"] == made["FunctionUrl"]
    assert listed["FunctionUrlConfigs"] == [
        {k: v for k, v in changed.items() if k != "ResponseMetadata"}
    ]


def test_asynchronous_invocation_is_configured_for_an_alias(hands, make_function):
    """And for the function apart from it."""
    name = make_function(SOURCE, Publish=True)
    hands.call("lambda", "CreateAlias", FunctionName=name, Name="live", FunctionVersion="1")

    put = hands.call(
        "lambda",
        "PutFunctionEventInvokeConfig",
        FunctionName=name,
        Qualifier="live",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": QUEUE}},
    )
    hands.call(
        "lambda", "PutFunctionEventInvokeConfig", FunctionName=name, MaximumEventAgeInSeconds=60
    )
    listed = hands.call("lambda", "ListFunctionEventInvokeConfigs", FunctionName=name)

    assert put["FunctionArn"].endswith(f":{name}:live")
    assert [
        (each["FunctionArn"].rpartition(":")[2], each.get("MaximumRetryAttempts"))
        for each in listed["FunctionEventInvokeConfigs"]
    ] == [("$LATEST", None), ("live", 0)]
