"""Functions that are given a capacity provider: kept, shown, and run as any other."""

import pytest

PROVIDER = "arn:aws:lambda:us-east-1:123456789012:capacity-provider:cp"
PUBLISHED = "$LATEST.PUBLISHED"
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


async def test_what_managed_instances_were_to_scale_to_is_kept(api, provider):
    """By version; what is applied is not told, for nothing is."""
    await api.created(CapacityProviderConfig=CONFIG)
    await api("PublishVersion", FunctionName="f")
    which = {"FunctionName": "f", "Qualifier": "1"}
    wanted = {"MinExecutionEnvironments": 2, "MaxExecutionEnvironments": 5}

    put = await api("PutFunctionScalingConfig", **which, FunctionScalingConfig=wanted)
    shown = await api("GetFunctionScalingConfig", **which)
    await api("PutFunctionScalingConfig", **which, FunctionScalingConfig={})
    gone = await api("GetFunctionScalingConfig", **which)
    wrong = {"MinExecutionEnvironments": 2, "MaxExecutionEnvironments": 1}
    error = await api.refusal(api("PutFunctionScalingConfig", **which, FunctionScalingConfig=wrong))

    arn = f"{api.arn}f:1"
    assert put == {"FunctionState": "Active"}
    assert shown == {"FunctionArn": arn, "RequestedFunctionScalingConfig": wanted}
    assert gone == {"FunctionArn": arn}
    assert error.message == "MinExecutionEnvironments 2 is greater than MaxExecutionEnvironments 1."


async def test_latest_published_is_made_anew_each_time(api, provider):
    """It has no number and takes none; what hangs on it, and what leads to it, stays."""
    await api.created(CapacityProviderConfig=CONFIG, PublishTo="LATEST_PUBLISHED")
    which = {"FunctionName": "f", "Qualifier": PUBLISHED}
    first = await api("GetFunctionConfiguration", **which)
    await api("CreateAlias", FunctionName="f", Name="live", FunctionVersion=PUBLISHED)
    scaling = {"MinExecutionEnvironments": 1}
    await api("PutFunctionScalingConfig", **which, FunctionScalingConfig=scaling)
    code = api.zipped("other")
    update = {"FunctionName": "f", "ZipFile": code, "PublishTo": "LATEST_PUBLISHED"}
    second = await api("UpdateFunctionCode", **update)
    await api.service.close()
    again = await api("PublishVersion", FunctionName="f", PublishTo="LATEST_PUBLISHED")
    number = await api("PublishVersion", FunctionName="f")
    live = await api("GetFunctionConfiguration", FunctionName="f", Qualifier="live")
    kept = await api("GetFunctionScalingConfig", **which)

    for each in (first, second, again):
        assert each["Version"] == PUBLISHED
        assert each["FunctionArn"] == f"{api.arn}f:{PUBLISHED}"
    assert first["CodeSha256"] != second["CodeSha256"] == live["CodeSha256"]
    assert len({each["RevisionId"] for each in (first, second, again)}) == 3
    assert number["Version"] == "1"
    assert kept["RequestedFunctionScalingConfig"] == scaling


async def test_latest_published_comes_after_all_numbers(api, provider):
    """On pages of one function's versions, of all functions' and of a provider's."""
    await api.created("a", CapacityProviderConfig=CONFIG, PublishTo="LATEST_PUBLISHED")
    await api("PublishVersion", FunctionName="a")
    await api.created("b", CapacityProviderConfig=CONFIG, Publish=True)
    order = ["$LATEST", "1", PUBLISHED]
    own = await pages(api, "Versions", "ListVersionsByFunction", FunctionName="a")
    every = await pages(api, "Functions", "ListFunctions", FunctionVersion="ALL")
    listing = "ListFunctionVersionsByCapacityProvider"
    provided = await pages(api, "FunctionVersions", listing, CapacityProviderName="cp")

    assert [each["Version"] for each in own] == order
    assert [each["Version"] for each in every] == [*order, "$LATEST", "1"]
    assert [each["FunctionArn"] for each in provided][2] == f"{api.arn}a:{PUBLISHED}"


async def test_latest_published_can_be_deleted_but_not_changed(api, provider):
    """Not while an alias leads to it; operations on $LATEST do not find it."""
    await api.created(CapacityProviderConfig=CONFIG, PublishTo="LATEST_PUBLISHED")
    which = {"FunctionName": f"f:{PUBLISHED}"}
    await api("CreateAlias", FunctionName="f", Name="live", FunctionVersion=PUBLISHED)

    used = await api.refusal(api("DeleteFunction", **which))
    changed = await api.refusal(api("UpdateFunctionConfiguration", **which, Timeout=5))
    await api("DeleteAlias", FunctionName="f", Name="live")
    await api("DeleteFunction", **which)

    assert used.status == 409
    assert changed.status == 404
    assert api.catalog.version(api.key(), PUBLISHED) is None
    assert api.catalog.lookup(*api.key()) is not None


async def test_only_functions_with_a_provider_have_it(api, provider):
    """And none with snapshots."""
    to = {"PublishTo": "LATEST_PUBLISHED"}
    await api.created()
    snap = {"CapacityProviderConfig": CONFIG, "SnapStart": {"ApplyOn": "PublishedVersions"}}

    new = await api.refusal(api.create("g", **to))
    old = await api.refusal(api("PublishVersion", FunctionName="f", **to))
    snapped = await api.refusal(api.create("g", **snap, **to))

    for error in (new, old):
        assert "PublishTo needs a function with a capacity provider" in error.message
    assert "SnapStart" in snapped.message
    assert api.catalog.lookup(*api.key("g")) is None


async def pages(api, member, operation, **params):
    """What an operation lists, one by one."""
    found, marker = [], {}
    while True:
        page = await api(operation, **params, MaxItems=1, **marker)
        found += page[member]
        if "NextMarker" not in page:
            return found
        marker = {"Marker": page["NextMarker"]}
