"""What hangs on functions or stands beside them, through stock clients."""

import itertools
import json
import os

import boto3
import pytest
from botocore.config import Config
from hands import ApiError
from material import make_zip

_numbers = itertools.count(1)
EXECUTION = (
    "arn:aws:lambda:us-east-1:123456789012:function:f:1/durable-execution/name/"
    "11111111-2222-3333-4444-555555555555"
)
ABSENT = "ResourceNotFoundException"
INVALID = "InvalidParameterValueException"
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
    assert listed["FunctionUrlConfigs"] == [{**changed, "InvokeMode": "BUFFERED"}]


def test_a_function_that_left_its_vpc_shows_an_empty_one(hands, make_function):
    """As on AWS, where most functions never had one."""
    vpc = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    name = make_function(SOURCE, VpcConfig=vpc)

    left = hands.call(
        "lambda",
        "UpdateFunctionConfiguration",
        FunctionName=name,
        VpcConfig={"SubnetIds": [], "SecurityGroupIds": []},
    )

    assert left["VpcConfig"] == {
        "SubnetIds": [],
        "SecurityGroupIds": [],
        "VpcId": "",
        "Ipv6AllowedForDualStack": False,
    }


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


def test_another_account_invokes_what_a_policy_allows_it(server, boto, make_function):
    """Without a policy it is refused, with one the function runs in its own account."""
    name = make_function(SOURCE)
    arn = boto.call("lambda", "GetFunction", FunctionName=name)["Configuration"]["FunctionArn"]
    other = boto3.client(
        "lambda",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id="999999999999",
        aws_secret_access_key="x",
        config=Config(retries={"max_attempts": 1}),
    )

    with pytest.raises(other.exceptions.ClientError) as caught:
        other.invoke(FunctionName=arn, Payload=b"1")
    boto.call(
        "lambda",
        "AddPermission",
        FunctionName=name,
        StatementId="other",
        Action="lambda:InvokeFunction",
        Principal="999999999999",
    )
    answer = other.invoke(FunctionName=arn, Payload=b"1")
    payload = answer["Payload"].read()
    boto.call("lambda", "RemovePermission", FunctionName=name, StatementId="other")
    with pytest.raises(other.exceptions.ClientError):
        other.invoke(FunctionName=arn, Payload=b"1")
    other.close()

    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    assert "no resource-based policy allows" in caught.value.response["Error"]["Message"]
    assert payload == b"1"


def test_a_policy_is_read_back_as_it_was_written(hands, make_function):
    """As tools do that compare it with what they want."""
    name = make_function(SOURCE)

    added = hands.call(
        "lambda",
        "AddPermission",
        FunctionName=name,
        StatementId="bucket",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn="arn:aws:s3:::bucket",
        SourceAccount="123456789012",
    )
    policy = hands.call("lambda", "GetPolicy", FunctionName=name)

    assert json.loads(policy["Policy"])["Statement"] == [json.loads(added["Statement"])]


def test_the_old_way_of_asynchronous_invocation_is_accepted(boto, make_function):
    """InvokeAsync answers 202 and the function runs."""
    name = make_function(SOURCE)

    answer = boto.call("lambda", "InvokeAsync", FunctionName=name, InvokeArgs=b"{}")

    assert answer["Status"] == 202


def test_configurations_beside_functions_live_through_their_lives(hands):
    """A code signing configuration and a capacity provider, tagged, read, and removed."""
    publishers = {"SigningProfileVersionArns": ["arn:aws:signer:us-east-1:123456789012:/x/p/1"]}
    signing = hands.call("lambda", "CreateCodeSigningConfig", AllowedPublishers=publishers)
    arn = signing["CodeSigningConfig"]["CodeSigningConfigArn"]
    hands.call("lambda", "TagResource", Resource=arn, Tags={"team": "red"})
    provider = hands.call(
        "lambda",
        "CreateCapacityProvider",
        CapacityProviderName="cp",
        VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": []},
        PermissionsConfig={
            "CapacityProviderOperatorRoleArn": "arn:aws:iam::123456789012:role/operator"
        },
    )

    tags = hands.call("lambda", "ListTags", Resource=arn)
    hands.call("lambda", "DeleteCodeSigningConfig", CodeSigningConfigArn=arn)
    hands.call("lambda", "DeleteCapacityProvider", CapacityProviderName="cp")

    assert tags["Tags"] == {"team": "red"}
    assert provider["CapacityProvider"]["State"] == "Failed"


def test_enforced_signing_keeps_new_code_out_of_a_function(hands, make_function):
    """Until the function has no such configuration any more."""
    name = make_function(SOURCE)
    publishers = {"SigningProfileVersionArns": ["arn:aws:signer:us-east-1:123456789012:/x/p/1"]}
    made = hands.call("lambda", "CreateCodeSigningConfig", AllowedPublishers=publishers)
    arn = made["CodeSigningConfig"]["CodeSigningConfigArn"]
    hands.call(
        "lambda", "PutFunctionCodeSigningConfig", FunctionName=name, CodeSigningConfigArn=arn
    )
    hands.call(
        "lambda",
        "UpdateCodeSigningConfig",
        CodeSigningConfigArn=arn,
        CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"},
    )
    code = make_zip(lambda_function="def lambda_handler(event, context): return 'new'")

    with pytest.raises(ApiError) as caught:
        hands.call("lambda", "UpdateFunctionCode", FunctionName=name, ZipFile=code)
    assigned = hands.call("lambda", "GetFunctionCodeSigningConfig", FunctionName=name)
    users = hands.call("lambda", "ListFunctionsByCodeSigningConfig", CodeSigningConfigArn=arn)
    hands.call("lambda", "DeleteFunctionCodeSigningConfig", FunctionName=name)
    hands.call("lambda", "UpdateFunctionCode", FunctionName=name, ZipFile=code)
    shown = hands.call("lambda", "GetCodeSigningConfig", CodeSigningConfigArn=arn)
    listed = hands.call("lambda", "ListCodeSigningConfigs")
    hands.call("lambda", "DeleteCodeSigningConfig", CodeSigningConfigArn=arn)

    assert caught.value.code == "CodeVerificationFailedException"
    assert assigned["CodeSigningConfigArn"] == arn
    assert [each.rpartition(":")[2] for each in users["FunctionArns"]] == [name]
    assert shown["CodeSigningConfig"] in listed["CodeSigningConfigs"]


def test_a_whole_policy_is_put_read_and_removed(boto, make_function):
    """By the ARN of the function; the aws command line does not know these operations yet."""
    arn = boto.call("lambda", "GetFunctionConfiguration", FunctionName=make_function(SOURCE))[
        "FunctionArn"
    ]
    statement = {"Effect": "Allow", "Principal": "*", "Action": "lambda:*", "Resource": arn}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    put = boto.call("lambda", "PutResourcePolicy", ResourceArn=arn, Policy=text)
    got = boto.call("lambda", "GetResourcePolicy", ResourceArn=arn)
    boto.call("lambda", "DeleteResourcePolicy", ResourceArn=arn, RevisionId=got["RevisionId"])
    with pytest.raises(ApiError) as caught:
        boto.call("lambda", "GetResourcePolicy", ResourceArn=arn)

    assert json.loads(put["Policy"]) == json.loads(got["Policy"]) == json.loads(text)
    assert caught.value.code == "ResourceNotFoundException"


def test_settings_of_a_function_are_put_and_read(hands, make_function):
    """Recursion, runtime management, asynchronous invocation, its URL; and who has none."""
    name = make_function(SOURCE, Publish=True)

    hands.call("lambda", "PutFunctionRecursionConfig", FunctionName=name, RecursiveLoop="Allow")
    recursion = hands.call("lambda", "GetFunctionRecursionConfig", FunctionName=name)
    hands.call(
        "lambda",
        "PutRuntimeManagementConfig",
        FunctionName=name,
        UpdateRuntimeOn="FunctionUpdate",
    )
    runtime = hands.call("lambda", "GetRuntimeManagementConfig", FunctionName=name)
    hands.call("lambda", "PutFunctionEventInvokeConfig", FunctionName=name, MaximumRetryAttempts=0)
    hands.call(
        "lambda",
        "UpdateFunctionEventInvokeConfig",
        FunctionName=name,
        MaximumEventAgeInSeconds=60,
    )
    events = hands.call("lambda", "GetFunctionEventInvokeConfig", FunctionName=name)
    hands.call("lambda", "DeleteFunctionEventInvokeConfig", FunctionName=name)
    hands.call("lambda", "CreateFunctionUrlConfig", FunctionName=name, AuthType="AWS_IAM")
    url = hands.call("lambda", "GetFunctionUrlConfig", FunctionName=name)
    scaling = hands.call("lambda", "GetFunctionScalingConfig", FunctionName=name, Qualifier="1")
    durable = hands.call("lambda", "ListDurableExecutionsByFunction", FunctionName=name)
    settings = hands.call("lambda", "GetAccountSettings")

    assert recursion["RecursiveLoop"] == "Allow"
    assert runtime["UpdateRuntimeOn"] == "FunctionUpdate"
    assert (events["MaximumRetryAttempts"], events["MaximumEventAgeInSeconds"]) == (0, 60)
    assert (url["AuthType"], url["InvokeMode"]) == ("AWS_IAM", "BUFFERED")
    assert scaling["FunctionArn"].endswith(f":{name}:1")
    assert durable["DurableExecutions"] == []
    assert settings["AccountUsage"]["FunctionCount"] >= 1
    with pytest.raises(ApiError) as caught:
        hands.call("lambda", "PutFunctionScalingConfig", FunctionName=name, Qualifier="1")
    assert caught.value.code == "InvalidParameterValueException"


def test_a_capacity_provider_is_changed_listed_and_untagged(hands):
    """By name or ARN."""
    name = f"cp{os.getpid()}-{next(_numbers)}"
    made = hands.call(
        "lambda",
        "CreateCapacityProvider",
        CapacityProviderName=name,
        VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": []},
        PermissionsConfig={
            "CapacityProviderOperatorRoleArn": "arn:aws:iam::123456789012:role/operator"
        },
        Tags={"a": "1", "b": "2"},
    )
    arn = made["CapacityProvider"]["CapacityProviderArn"]

    hands.call(
        "lambda",
        "UpdateCapacityProvider",
        CapacityProviderName=name,
        CapacityProviderScalingConfig={"MaxVCpuCount": 4},
    )
    got = hands.call("lambda", "GetCapacityProvider", CapacityProviderName=arn)
    listed = hands.call("lambda", "ListCapacityProviders")
    users = hands.call(
        "lambda", "ListFunctionVersionsByCapacityProvider", CapacityProviderName=name
    )
    hands.call("lambda", "UntagResource", Resource=arn, TagKeys=["a"])
    tags = hands.call("lambda", "ListTags", Resource=arn)
    hands.call("lambda", "DeleteCapacityProvider", CapacityProviderName=name)

    assert got["CapacityProvider"]["CapacityProviderScalingConfig"]["MaxVCpuCount"] == 4
    assert got["CapacityProvider"] in listed["CapacityProviders"]
    assert users["FunctionVersions"] == []
    assert tags["Tags"] == {"b": "2"}


@pytest.mark.parametrize(
    ("service", "operation", "params", "code"),
    [
        ("lambda", "GetDurableExecution", {}, ABSENT),
        ("lambda", "GetDurableExecutionHistory", {}, ABSENT),
        ("lambda", "GetDurableExecutionState", {"CheckpointToken": "eA=="}, INVALID),
        ("lambda", "CheckpointDurableExecution", {"CheckpointToken": "eA=="}, INVALID),
        ("lambda", "StopDurableExecution", {}, ABSENT),
        ("lambda", "PauseDurableExecution", {}, ABSENT),
        ("lambda", "ResumeDurableExecution", {}, ABSENT),
        ("lambda", "DeleteDurableExecution", {}, ABSENT),
        ("lambda", "SendDurableExecutionCallbackSuccess", {"CallbackId": "YQ=="}, ABSENT),
        ("lambda", "SendDurableExecutionCallbackFailure", {"CallbackId": "YQ=="}, ABSENT),
        ("lambda", "SendDurableExecutionCallbackHeartbeat", {"CallbackId": "YQ=="}, ABSENT),
    ],
)
def test_a_durable_execution_is_not_there(boto, service, operation, params, code):
    """Whatever is asked of it: no function is durable."""
    of_callbacks = {"DurableExecutionArn": EXECUTION} if "CallbackId" not in params else {}

    with pytest.raises(ApiError) as caught:
        boto.call(service, operation, **of_callbacks, **params)

    assert caught.value.code == code


def test_an_invocation_cannot_name_a_durable_execution(hands, make_function):
    """What would be passed over is refused."""
    name = make_function(SOURCE)

    with pytest.raises(ApiError) as caught:
        hands.invoke(name, b"1", DurableExecutionName="order-1")

    assert caught.value.code == INVALID
    assert "DurableExecutionName" in caught.value.message


def test_reserved_concurrency_is_read_back(hands, make_function):
    """Until it is given back."""
    name = make_function(SOURCE)

    hands.call(
        "lambda", "PutFunctionConcurrency", FunctionName=name, ReservedConcurrentExecutions=3
    )
    reserved = hands.call("lambda", "GetFunctionConcurrency", FunctionName=name)
    hands.call("lambda", "DeleteFunctionConcurrency", FunctionName=name)
    after = hands.call("lambda", "GetFunctionConcurrency", FunctionName=name)

    assert (reserved, after) == ({"ReservedConcurrentExecutions": 3}, {})
