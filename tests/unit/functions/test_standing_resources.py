"""Capacity providers, small settings, durable executions, InvokeAsync, and tags of all of them."""

import pytest

from emberbox.errors import PlatformError
from emberbox.runtimes.registry import runtime_version_arn

INVALID = "InvalidParameterValueException"
CAPACITY = {
    "CapacityProviderName": "cp",
    "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": []},
    "PermissionsConfig": {
        "CapacityProviderOperatorRoleArn": "arn:aws:iam::123456789012:role/operator"
    },
}
EXECUTION = "arn:aws:lambda:us-east-1:123456789012:function:f:1/durable-execution/name/some-id"


async def test_a_capacity_provider_is_kept_and_never_works(api):
    """It says so: Failed, as there are no instances here."""
    made = (await api("CreateCapacityProvider", **CAPACITY))["CapacityProvider"]
    changed = await api(
        "UpdateCapacityProvider",
        CapacityProviderName="cp",
        CapacityProviderScalingConfig={"MaxVCpuCount": 4},
    )
    by_arn = await api("GetCapacityProvider", CapacityProviderName=made["CapacityProviderArn"])
    listed = await api("ListCapacityProviders")
    active = await api("ListCapacityProviders", State="Active")
    versions = await api("ListFunctionVersionsByCapacityProvider", CapacityProviderName="cp")
    deleted = await api("DeleteCapacityProvider", CapacityProviderName="cp")

    assert made["CapacityProviderArn"] == (
        "arn:aws:lambda:us-east-1:123456789012:capacity-provider:cp"
    )
    assert made["State"] == "Failed"
    assert made["CapacityProviderScalingConfig"] == {"MaxVCpuCount": 400, "ScalingMode": "Auto"}
    assert changed == by_arn == {"CapacityProvider": listed["CapacityProviders"][0]}
    assert by_arn["CapacityProvider"]["CapacityProviderScalingConfig"]["MaxVCpuCount"] == 4
    assert active == {"CapacityProviders": []}
    assert versions["FunctionVersions"] == []
    assert deleted["CapacityProvider"]["State"] == "Deleting"
    for operation in ("Get", "Update", "Delete"):
        call = api(f"{operation}CapacityProvider", CapacityProviderName="cp")
        assert (await api.refusal(call)).code == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "ResourceConflictException"),
        ({"CapacityProviderName": "x" * 65}, INVALID),
        (
            {"CapacityProviderName": "arn:aws:lambda:eu-west-1:123456789012:capacity-provider:x"},
            INVALID,
        ),
        ({"CapacityProviderScalingConfig": {"ScalingMode": "Manual"}}, INVALID),
        (
            {
                "CapacityProviderScalingConfig": {
                    "ScalingPolicies": [{"PredefinedMetricType": "x", "TargetValue": 1.0}]
                }
            },
            INVALID,
        ),
        (
            {
                "InstanceRequirements": {
                    "AllowedInstanceTypes": ["a"],
                    "ExcludedInstanceTypes": ["b"],
                }
            },
            INVALID,
        ),
    ],
)
async def test_capacity_providers_are_checked(api, params, code):
    """Name, scaling, instances, and that there is not one already."""
    await api("CreateCapacityProvider", **CAPACITY)

    error = await api.refusal(api("CreateCapacityProvider", **{**CAPACITY, **params}))

    assert error.code == code


async def test_capacity_providers_are_listed_in_pages(api):
    """By name."""
    for name in ("b", "a", "c"):
        await api("CreateCapacityProvider", **{**CAPACITY, "CapacityProviderName": name})

    page = await api("ListCapacityProviders", MaxItems=2)
    rest = await api("ListCapacityProviders", MaxItems=2, Marker=page["NextMarker"])

    listed = [*page["CapacityProviders"], *rest["CapacityProviders"]]
    assert [each["CapacityProviderArn"][-1] for each in listed] == ["a", "b", "c"]


async def test_recursion_is_terminated_unless_it_is_allowed(api):
    """For the function as a whole."""
    await api.created()

    before = await api("GetFunctionRecursionConfig", FunctionName="f")
    put = await api("PutFunctionRecursionConfig", FunctionName="f", RecursiveLoop="Allow")

    assert before == {"RecursiveLoop": "Terminate"}
    assert put == await api("GetFunctionRecursionConfig", FunctionName="f")
    assert put == {"RecursiveLoop": "Allow"}


async def test_runtime_management_is_by_version(api):
    """Auto unless somebody says otherwise; the ARN is qualified."""
    await api.created(Publish=True)
    runtime = runtime_version_arn("us-east-1", "python3.12")

    before = await api("GetRuntimeManagementConfig", FunctionName="f")
    put = await api(
        "PutRuntimeManagementConfig",
        FunctionName="f",
        Qualifier="1",
        UpdateRuntimeOn="Manual",
        RuntimeVersionArn=runtime,
    )
    await api("PutRuntimeManagementConfig", FunctionName="f", UpdateRuntimeOn="FunctionUpdate")

    assert before == {"UpdateRuntimeOn": "Auto", "FunctionArn": f"{api.arn}f:$LATEST"}
    assert put == await api("GetRuntimeManagementConfig", FunctionName="f:1")
    assert put == {
        "UpdateRuntimeOn": "Manual",
        "RuntimeVersionArn": runtime,
        "FunctionArn": f"{api.arn}f:1",
    }
    latest = await api("GetRuntimeManagementConfig", FunctionName="f")
    assert latest["UpdateRuntimeOn"] == "FunctionUpdate"


@pytest.mark.parametrize(
    "params",
    [
        {"UpdateRuntimeOn": "Manual"},
        {"UpdateRuntimeOn": "Auto", "RuntimeVersionArn": "arn:aws:lambda:us-east-1::runtime:1"},
        {"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": "arn:aws:lambda:us-east-1::runtime:1"},
    ],
)
async def test_a_runtime_version_is_one_there_is_and_given_for_manual_alone(api, params):
    """Everything else is refused."""
    await api.created()

    error = await api.refusal(api("PutRuntimeManagementConfig", FunctionName="f", **params))

    assert error.code == INVALID


async def test_no_function_here_scales_on_managed_instances(api):
    """So nothing can be set, and nothing is."""
    await api.created(Publish=True)

    shown = await api("GetFunctionScalingConfig", FunctionName="f", Qualifier="1")
    error = await api.refusal(api("PutFunctionScalingConfig", FunctionName="f", Qualifier="1"))

    assert shown == {"FunctionArn": f"{api.arn}f:1"}
    assert (error.code, "no capacity provider" in error.message) == (INVALID, True)


@pytest.mark.parametrize(
    "operation",
    [
        "GetFunctionRecursionConfig",
        "PutFunctionRecursionConfig",
        "GetRuntimeManagementConfig",
        "PutRuntimeManagementConfig",
        "GetFunctionScalingConfig",
        "PutFunctionScalingConfig",
        "GetFunctionCodeSigningConfig",
        "DeleteFunctionCodeSigningConfig",
        "ListDurableExecutionsByFunction",
        "InvokeAsync",
    ],
)
async def test_settings_are_of_functions_there_are(api, operation):
    """404 for others."""
    params = {"RecursiveLoop": "Allow", "UpdateRuntimeOn": "Auto", "InvokeArgs": b"{}"}

    error = await api.refusal(api(operation, FunctionName="none", **params))

    assert (error.status, error.code) == (404, "ResourceNotFoundException")


async def test_there_are_no_durable_executions(api):
    """Each operation says what is not there."""
    await api.created()

    assert await api("ListDurableExecutionsByFunction", FunctionName="f") == {
        "DurableExecutions": []
    }
    for operation, expected in (
        ("GetDurableExecution", "ResourceNotFoundException"),
        ("GetDurableExecutionHistory", "ResourceNotFoundException"),
        ("StopDurableExecution", "ResourceNotFoundException"),
        ("PauseDurableExecution", "ResourceNotFoundException"),
        ("ResumeDurableExecution", "ResourceNotFoundException"),
        ("DeleteDurableExecution", "ResourceNotFoundException"),
        ("SendDurableExecutionCallbackSuccess", "ResourceNotFoundException"),
        ("SendDurableExecutionCallbackFailure", "ResourceNotFoundException"),
        ("SendDurableExecutionCallbackHeartbeat", "ResourceNotFoundException"),
        ("GetDurableExecutionState", INVALID),
        ("CheckpointDurableExecution", INVALID),
    ):
        call = api(operation, DurableExecutionArn=EXECUTION, CallbackId="abc", CheckpointToken="x")
        assert (await api.refusal(call)).code == expected


async def test_invoke_async_keeps_an_event(api):
    """It answers 202 once the event is kept, and refuses what is no JSON."""
    kept = []

    async def send(arn, payload, *, request_id):
        kept.append((arn, payload, request_id))

    await api.created()
    without = api("InvokeAsync", FunctionName="f", InvokeArgs=b"{}")
    with pytest.raises(PlatformError):
        await without
    api.service.resources.invoking_async.send = send

    answer = await api("InvokeAsync", FunctionName="f", InvokeArgs=b'{"a": 1}')
    error = await api.refusal(api("InvokeAsync", FunctionName="f", InvokeArgs=b"{"))
    large = await api.refusal(
        api("InvokeAsync", FunctionName="f", InvokeArgs=b'"' + b"x" * 1_048_576 + b'"')
    )

    assert answer == {"Status": 202}
    assert kept == [(f"{api.arn}f", b'{"a": 1}', "id")]
    assert error.code == large.code == "InvalidRequestContentException"


async def test_mappings_signing_configurations_and_capacity_providers_have_tags(api):
    """From their creation on; they are added, changed and removed."""
    await api.created()
    queue = "arn:aws:sqs:us-east-1:123456789012:q"
    publishers = {"SigningProfileVersionArns": ["arn:aws:signer:us-east-1:123456789012:/p"]}
    tags = {"a": "1", "b": "2"}
    mapping = await api(
        "CreateEventSourceMapping", FunctionName="f", EventSourceArn=queue, Tags=tags
    )
    signing = await api("CreateCodeSigningConfig", AllowedPublishers=publishers, Tags=tags)
    provider = await api("CreateCapacityProvider", **CAPACITY, Tags=tags)

    for arn in (
        mapping["EventSourceMappingArn"],
        signing["CodeSigningConfig"]["CodeSigningConfigArn"],
        provider["CapacityProvider"]["CapacityProviderArn"],
    ):
        await api("TagResource", Resource=arn, Tags={"b": "3", "c": "4"})
        await api("UntagResource", Resource=arn, TagKeys=["a", "zzz"])
        assert await api("ListTags", Resource=arn) == {"Tags": {"b": "3", "c": "4"}}
        many = {f"k{number}": "" for number in range(49)}
        error = await api.refusal(api("TagResource", Resource=arn, Tags=many))
        assert error.message == "Number of tags exceeds resource tag limit."


@pytest.mark.parametrize(
    "name",
    [
        "event-source-mapping:12345678-1234-1234-1234-123456789012",
        "code-signing-config:csc-0123456789abcdef0",
        "capacity-provider:none",
        "network-connector:none",
    ],
)
@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
async def test_what_is_not_there_has_no_tags(api, name, region):
    """Nor what is elsewhere, nor what is never here."""
    arn = f"arn:aws:lambda:{region}:123456789012:{name}"

    for operation, params in (
        ("ListTags", {}),
        ("TagResource", {"Tags": {"a": "1"}}),
        ("UntagResource", {"TagKeys": ["a"]}),
    ):
        error = await api.refusal(api(operation, Resource=arn, **params))
        assert error.message == "The resource you requested does not exist."
