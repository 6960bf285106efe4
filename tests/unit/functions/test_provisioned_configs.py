"""Provisioned concurrency as clients configure it: asked for, shown, listed and given back."""

import pytest

from emberbox.model.provisioned import Allocation

GET = "GetProvisionedConcurrencyConfig"
PUT = "PutProvisionedConcurrencyConfig"
LIST = "ListProvisionedConcurrencyConfigs"
DELETE = "DeleteProvisionedConcurrencyConfig"


async def provisioned(api, *qualifiers):
    """A function `f` with a version for each qualifier, which get 2 environments each."""
    await api.created()
    for qualifier in qualifiers:
        await api("UpdateFunctionConfiguration", FunctionName="f", Description=qualifier)
        await api("PublishVersion", FunctionName="f")
        await api(PUT, FunctionName="f", Qualifier=qualifier, ProvisionedConcurrentExecutions=2)


async def test_without_a_data_plane_a_configuration_stays_in_progress(api):
    """What was asked for is shown; there is nothing of it yet."""
    await provisioned(api, "1")

    shown = await api(GET, FunctionName="f", Qualifier="1")

    counts = [value for member, value in shown.items() if member.endswith("Executions")]
    assert counts == [2, 0, 0]
    assert shown["Status"] == "IN_PROGRESS"
    assert shown["LastModified"].endswith("+0000")


@pytest.mark.parametrize(
    ("has", "status"),
    [
        (Allocation(1), "IN_PROGRESS"),
        (Allocation(2), "READY"),
        (Allocation(5), "READY"),
        (Allocation(0, "FUNCTION_ERROR_INIT_FAILURE"), "FAILED"),
    ],
)
async def test_the_status_follows_what_there_is(make_api, has, status):
    """It is ready with as many environments as were asked for, and says why it failed."""
    api = make_api(allocations=lambda _key, _version: has)
    await provisioned(api, "1")

    shown = await api(GET, FunctionName="f", Qualifier="1")

    assert shown["Status"] == status
    assert shown["AllocatedProvisionedConcurrentExecutions"] == min(2, has.allocated)
    assert shown.get("StatusReason", "") == has.failure
    await api.service.close()


async def test_configurations_are_listed_by_pages(api):
    """Each with the ARN of its version."""
    await provisioned(api, "1", "2", "3")

    first = await api(LIST, FunctionName="f", MaxItems=2)
    second = await api(LIST, FunctionName="f", MaxItems=2, Marker=first["NextMarker"])

    pages = [first["ProvisionedConcurrencyConfigs"], second["ProvisionedConcurrencyConfigs"]]
    arns = [[each["FunctionArn"] for each in page] for page in pages]
    assert arns == [[f"{api.arn}f:1", f"{api.arn}f:2"], [f"{api.arn}f:3"]]
    assert "NextMarker" not in second


async def test_what_is_given_back_is_gone(api):
    """Giving it back again does no harm."""
    await provisioned(api, "1")

    await api(DELETE, FunctionName="f", Qualifier="1")
    await api(DELETE, FunctionName="f", Qualifier="1")

    error = await api.refusal(api(GET, FunctionName="f", Qualifier="1"))
    assert (error.code, error.status) == ("ProvisionedConcurrencyConfigNotFoundException", 404)
    assert await api(LIST, FunctionName="f") == {"ProvisionedConcurrencyConfigs": []}


@pytest.mark.parametrize("operation", [GET, PUT, DELETE])
async def test_latest_has_none(api, operation):
    """Only published versions and aliases can be provisioned."""
    await api.created()
    params = {"ProvisionedConcurrentExecutions": 1} if operation == PUT else {}

    latest = await api.refusal(api(operation, FunctionName="f", Qualifier="$LATEST", **params))

    assert latest.code == "InvalidParameterValueException"
    assert latest.message == (
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
        if operation == PUT
        else "The function resource provided must be an alias or a published version."
    )


@pytest.mark.parametrize("operation", [GET, PUT, DELETE])
@pytest.mark.parametrize(
    ("function", "qualifier", "message"),
    [
        ("f", "7", "Function not found: {}f:7"),
        ("f", "live", "Cannot find alias arn: {}f:live"),
        ("none", "7", "Function not found: {}none:7"),
        ("none", "live", "Cannot find alias arn: {}none:live"),
    ],
)
async def test_what_is_not_there_is_told_apart(api, operation, function, qualifier, message):
    """A version and an alias that do not exist, each in its words."""
    await api.created()
    params = {"ProvisionedConcurrentExecutions": 1} if operation == PUT else {}

    error = await api.refusal(api(operation, FunctionName=function, Qualifier=qualifier, **params))

    assert (error.code, error.status) == ("ResourceNotFoundException", 404)
    assert error.message == message.format(api.arn)


@pytest.mark.parametrize(
    ("version", "status", "words"),
    [
        ("2", 409, "on an already Provisioned version"),
        ("$LATEST", 400, "cannot be applied to unpublished function versions"),
    ],
)
async def test_a_provisioned_alias_moves_to_no_version_that_it_could_not_have(
    api, version, status, words
):
    """One that is provisioned itself, or is not published; without its own it moves anywhere."""
    await provisioned(api, "1", "2")
    await api(DELETE, FunctionName="f", Qualifier="1")
    for name in ("live", "free"):
        await api("CreateAlias", FunctionName="f", Name=name, FunctionVersion="1")
    await api(PUT, FunctionName="f", Qualifier="live", ProvisionedConcurrentExecutions=1)

    refused = await api.refusal(
        api("UpdateAlias", FunctionName="f", Name="live", FunctionVersion=version)
    )
    moved = await api("UpdateAlias", FunctionName="f", Name="free", FunctionVersion=version)

    assert (refused.status, moved["FunctionVersion"]) == (status, version)
    assert words in refused.message
    assert (await api("GetAlias", FunctionName="f", Name="live"))["FunctionVersion"] == "1"
