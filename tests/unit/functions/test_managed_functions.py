"""Functions that are given a capacity provider: kept, shown, and run as any other."""

import pytest

PROVIDER = "arn:aws:lambda:us-east-1:123456789012:capacity-provider:cp"
MEMBER = "LambdaManagedInstancesCapacityProviderConfig"
CONFIG = {MEMBER: {"CapacityProviderArn": PROVIDER, "PerExecutionEnvironmentMaxConcurrency": 10}}


@pytest.fixture
async def provider(api):
    """A capacity provider."""
    await api(
        "CreateCapacityProvider",
        CapacityProviderName="cp",
        VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
        PermissionsConfig={"CapacityProviderOperatorRoleArn": api.role},
    )


async def test_the_state_says_that_it_has_no_effect(api, provider):
    """What was asked for is shown, of versions too, and is stored."""
    shown = await api.created(
        CapacityProviderConfig=CONFIG, AcceleratorConfig={"AcceleratorMemorySize": 16}
    )
    version = await api("PublishVersion", FunctionName="f")

    for each in (shown, version):
        assert each["CapacityProviderConfig"] == CONFIG
        assert each["AcceleratorConfig"] == {"AcceleratorMemorySize": 16}
    assert shown["State"] == "Active"
    assert shown["StateReason"].startswith("The capacity provider has no effect")
    stored = await api.store.get(api.key())
    assert stored.managed.accelerator_gb == 16


async def test_what_is_given_again_replaces(api, provider):
    """The provider's part and the accelerator's each by itself."""
    await api.created(
        CapacityProviderConfig=CONFIG, AcceleratorConfig={"AcceleratorMemorySize": 16}
    )
    less = {MEMBER: {"CapacityProviderArn": PROVIDER}}

    await api("UpdateFunctionConfiguration", FunctionName="f", CapacityProviderConfig=less)
    await api.service.close()
    shown = await api("GetFunctionConfiguration", FunctionName="f")

    assert shown["CapacityProviderConfig"] == less
    assert shown["AcceleratorConfig"] == {"AcceleratorMemorySize": 16}


async def test_a_provider_knows_its_versions_and_stays_while_it_has_some(api, provider):
    """By function and number; without them it can go."""
    for name in ("a", "a-b"):
        await api.created(name, CapacityProviderConfig=CONFIG)
    await api("PublishVersion", FunctionName="a")
    await api.created("other")
    listing, named = "ListFunctionVersionsByCapacityProvider", {"CapacityProviderName": "cp"}

    first = await api(listing, **named, MaxItems=2)
    rest = await api(listing, **named, Marker=first["NextMarker"])
    error = await api.refusal(api("DeleteCapacityProvider", **named))

    found = [*first["FunctionVersions"], *rest["FunctionVersions"]]
    names = [each["FunctionArn"].removeprefix(api.arn) for each in found]
    assert names == ["a:$LATEST", "a:1", "a-b:$LATEST"]
    assert (error.code, error.status) == ("ResourceConflictException", 409)
    for name in ("a", "a-b"):
        await api("DeleteFunction", FunctionName=name)
    await api("DeleteCapacityProvider", **named)


async def test_what_cannot_be_given_is_refused(api, provider):
    """A provider that is not there, one for a function that has none, an accelerator alone."""
    await api.created()
    none = {MEMBER: {"CapacityProviderArn": f"{PROVIDER}-none"}}
    update = "UpdateFunctionConfiguration"

    missing = await api.refusal(api.create("g", CapacityProviderConfig=none))
    late = await api.refusal(api(update, FunctionName="f", CapacityProviderConfig=CONFIG))
    accelerator = {"AcceleratorMemorySize": 1}
    alone = await api.refusal(api(update, FunctionName="f", AcceleratorConfig=accelerator))

    assert (missing.code, missing.status) == ("ResourceNotFoundException", 404)
    assert "when a function is created" in late.message
    assert alone.message == "AcceleratorConfig needs a CapacityProviderConfig."


async def test_there_is_nothing_to_scale(api, provider):
    """And the answer does not pretend that there is."""
    await api.created(CapacityProviderConfig=CONFIG)
    await api("PublishVersion", FunctionName="f")

    error = await api.refusal(
        api("PutFunctionScalingConfig", FunctionName="f", Qualifier="1", FunctionScalingConfig={})
    )

    assert "no managed instances" in error.message
