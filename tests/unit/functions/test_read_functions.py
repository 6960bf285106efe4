"""GetFunction, GetFunctionConfiguration, the lists, and what holds for every function."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NAMES = st.lists(
    st.text("abcXYZ019-_", min_size=1, max_size=6), min_size=1, max_size=8, unique=True
)
_regions = itertools.count()
STATES = {"State", "StateReason", "StateReasonCode", "LastUpdateStatus", "RuntimeVersionConfig"}
READS = [
    "GetFunction",
    "GetFunctionConfiguration",
    "ListVersionsByFunction",
    "GetFunctionCodeSigningConfig",
    "GetRuntimeManagementConfig",
]


async def test_get_function_shows_configuration_and_a_link_to_the_code(api):
    """There are no tags and no concurrency where none were set."""
    configuration = await api.created()

    answer = await api("GetFunction", FunctionName="f")

    assert answer.keys() == {"Configuration", "Code"}
    assert answer["Configuration"] == configuration
    assert answer["Code"]["RepositoryType"] == "S3"
    assert answer["Code"]["Location"].startswith(
        "http://127.0.0.1:4566/_emberbox/code/123456789012/us-east-1/f/"
    )


async def test_a_reader_need_not_see_a_change_under_way(api):
    """Who asks right after a change is answered once that has come to its end."""
    await api.create()
    created = await api("GetFunction", FunctionName="f")
    await api("UpdateFunctionConfiguration", FunctionName="f", Timeout=4)
    updated = await api("GetFunctionConfiguration", FunctionName="f")

    assert created["Configuration"]["State"] == "Active"
    assert (updated["Timeout"], updated["LastUpdateStatus"]) == (4, "Successful")


async def test_get_function_shows_tags_if_there_are_any(api):
    """They are not part of the configuration."""
    await api.created(Tags={"a": "1"})

    answer = await api("GetFunction", FunctionName="f")

    assert answer["Tags"] == {"a": "1"}
    assert "Tags" not in answer["Configuration"]


@pytest.mark.parametrize(
    ("params", "suffix"),
    [
        ({"FunctionName": "f"}, ""),
        ({"FunctionName": "arn:aws:lambda:us-east-1:123456789012:function:f"}, ""),
        ({"FunctionName": "123456789012:function:f:$LATEST"}, ":$LATEST"),
        ({"FunctionName": "f", "Qualifier": "$LATEST"}, ":$LATEST"),
        ({"FunctionName": "f:$LATEST", "Qualifier": "$LATEST"}, ":$LATEST"),
    ],
)
async def test_the_arn_is_qualified_if_the_question_was(api, params, suffix):
    """Both operations show the ARN in the form that was asked for."""
    await api.created()

    whole = await api("GetFunction", **params)
    configuration = await api("GetFunctionConfiguration", **params)

    assert whole["Configuration"]["FunctionArn"] == f"{api.arn}f{suffix}"
    assert configuration["FunctionArn"] == f"{api.arn}f{suffix}"


@pytest.mark.parametrize("operation", READS)
async def test_what_is_not_there_cannot_be_read(api, operation):
    """Absent functions, versions and aliases are 404 with the ARN that was meant."""
    await api.created()

    for name in ("none", "f:7", "f:live"):
        error = await api.refusal(api(operation, FunctionName=name))
        assert (error.code, error.status) == ("ResourceNotFoundException", 404)
        assert error.message == f"Function not found: {api.arn}{name}"


async def test_two_qualifiers_must_agree(api):
    """Neither goes before the other."""
    await api.created()

    error = await api.refusal(api("GetFunction", FunctionName="f:$LATEST", Qualifier="live"))

    assert error.code == "InvalidParameterValueException"
    assert error.message == (
        "The derived qualifier from the function name does not match the specified qualifier."
    )


async def test_functions_of_other_regions_are_not_reachable(api):
    """The text names both regions."""
    error = await api.refusal(
        api("GetFunction", FunctionName="arn:aws:lambda:eu-west-1:123456789012:function:f")
    )

    assert (error.code, error.status) == ("ResourceNotFoundException", 404)
    assert error.message == (
        "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"
    )


async def test_functions_of_other_accounts_are_not_accessible(api):
    """The text names the action and the function."""
    arn = "arn:aws:lambda:us-east-1:210987654321:function:f"

    error = await api.refusal(api("GetFunction", FunctionName=arn))

    assert (error.code, error.status) == ("AccessDeniedException", 403)
    assert f"is not authorized to perform: lambda:GetFunction on resource: {arn}" in error.message


async def test_accounts_and_regions_do_not_see_each_other(api):
    """The same name is another function there."""
    await api.created(Description="here")
    await api.create(Description="there", region="eu-west-1")

    here = await api("GetFunctionConfiguration", FunctionName="f")
    there = await api("GetFunctionConfiguration", FunctionName="f", region="eu-west-1")

    assert (here["Description"], there["Description"]) == ("here", "there")
    assert len((await api("ListFunctions"))["Functions"]) == 1
    await api.refusal(api("GetFunction", FunctionName="f", account="210987654321"))


async def test_lists_show_no_states(api):
    """All else is as in the configuration."""
    configuration = await api.created()

    [shown] = (await api("ListFunctions"))["Functions"]

    assert shown == {key: value for key, value in configuration.items() if key not in STATES}


async def test_a_list_of_all_versions_shows_latest_by_its_name(api):
    """The ARN ends with the version then."""
    await api.created()

    [shown] = (await api("ListFunctions", FunctionVersion="ALL"))["Functions"]

    assert shown["FunctionArn"] == f"{api.arn}f:$LATEST"


async def test_there_are_no_replicas_from_other_regions(api):
    """MasterRegion ALL means all functions, one region its replicas alone."""
    await api.created()

    everywhere = await api("ListFunctions", MasterRegion="ALL", FunctionVersion="ALL")
    replicas = await api("ListFunctions", MasterRegion="us-east-1", FunctionVersion="ALL")

    assert len(everywhere["Functions"]) == 1
    assert replicas == {"Functions": []}


async def test_a_page_holds_fifty_at_most(api):
    """The last page has no marker."""
    for number in range(51):
        await api.create(f"f{number:02}")

    first = await api("ListFunctions", MaxItems=10_000)
    second = await api("ListFunctions", Marker=first["NextMarker"])

    assert len(first["Functions"]) == 50
    assert [each["FunctionName"] for each in second["Functions"]] == ["f50"]
    assert "NextMarker" not in second


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(names=NAMES, size=st.integers(1, 4), data=st.data())
async def test_pages_survive_deletes(api, names, size, data):
    """Paging shows every function once that was there all the time, whatever is deleted."""
    region = f"region-{next(_regions)}"
    for name in names:
        await api.create(name, region=region)
    gone = set()
    seen = []
    marker = {}
    while True:
        page = await api("ListFunctions", region=region, MaxItems=size, **marker)
        seen += [each["FunctionName"] for each in page["Functions"]]
        for name in data.draw(st.sets(st.sampled_from(names), max_size=2)) - gone:
            await api("DeleteFunction", region=region, FunctionName=name)
            gone.add(name)
        if "NextMarker" not in page:
            break
        assert len(page["Functions"]) == size
        marker = {"Marker": page["NextMarker"]}

    assert len(seen) == len(set(seen))
    assert set(names) - gone <= set(seen)


@pytest.mark.parametrize("marker", ["x", "§", "YWZ0ZXI6", "AAAA", "eHh4"])
async def test_a_marker_of_ones_own_making_is_refused(api, marker):
    """Markers are opaque."""
    await api.created()

    for operation, params in (
        ("ListFunctions", {}),
        ("ListVersionsByFunction", {"FunctionName": "f"}),
    ):
        error = await api.refusal(api(operation, Marker=marker, **params))
        assert error.code == "InvalidParameterValueException"


async def test_latest_is_the_only_version(api):
    """It is shown by its name and without states."""
    configuration = await api.created()

    answer = await api("ListVersionsByFunction", FunctionName="f")

    [shown] = answer["Versions"]
    assert "NextMarker" not in answer
    assert shown["FunctionArn"] == f"{api.arn}f:$LATEST"
    assert shown["Version"] == "$LATEST"
    assert shown.keys() == configuration.keys() - STATES


async def test_account_settings_count_what_is_there(api):
    """Usage is that of account and region."""
    one = await api.created("a")
    two = await api.created("b", code="longer than the other")
    await api.create("c", region="eu-west-1")

    answer = await api("GetAccountSettings")

    assert answer["AccountUsage"] == {
        "TotalCodeSize": one["CodeSize"] + two["CodeSize"],
        "FunctionCount": 2,
    }
    assert answer["AccountLimit"] == {
        "TotalCodeSize": 80_530_636_800,
        "CodeSizeUnzipped": 262_144_000,
        "CodeSizeZipped": 52_428_800,
        "ConcurrentExecutions": 1_000,
        "UnreservedConcurrentExecutions": 1_000,
    }


async def test_the_concurrency_limit_is_a_setting(make_api):
    """The account shows the limit the server was given."""
    api = make_api(concurrency_limit=7)

    limit = (await api("GetAccountSettings"))["AccountLimit"]

    assert limit["ConcurrentExecutions"] == limit["UnreservedConcurrentExecutions"] == 7


async def test_what_was_never_set_is_answered_as_unset(api):
    """Code signing, reserved concurrency and runtime management have their defaults."""
    await api.created()

    assert await api("GetFunctionCodeSigningConfig", FunctionName="f") == {"FunctionName": "f"}
    assert await api("GetFunctionConcurrency", FunctionName="f") == {}
    assert await api("GetRuntimeManagementConfig", FunctionName="f") == {
        "UpdateRuntimeOn": "Auto",
        "FunctionArn": f"{api.arn}f:$LATEST",
    }
