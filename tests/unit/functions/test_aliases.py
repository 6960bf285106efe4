"""CreateAlias, GetAlias, UpdateAlias, DeleteAlias, ListAliases."""

import pytest

ROUTING = {"AdditionalVersionWeights": {"2": 0.2}}


@pytest.fixture
async def versions(api):
    """A function f with versions 1 and 2."""
    await api.created()
    await api("PublishVersion", FunctionName="f")
    await api("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
    await api.service.close()
    await api("PublishVersion", FunctionName="f")
    return api


async def test_an_alias_is_shown_as_it_was_made(versions):
    """All operations show the same; what was not given is empty, and weights are absent."""
    api = versions

    made = await api("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    found = await api("GetAlias", FunctionName="f", Name="live")
    listed = await api("ListAliases", FunctionName="f")

    assert made == {
        "AliasArn": f"{api.arn}f:live",
        "Name": "live",
        "FunctionVersion": "1",
        "Description": "",
        "RevisionId": made["RevisionId"],
    }
    assert found == made
    assert listed == {"Aliases": [made]}


async def test_an_alias_qualifies_the_function(versions):
    """Its version is shown, with the alias's ARN."""
    api = versions
    await api("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")

    shown = await api("GetFunction", FunctionName="f", Qualifier="live")
    byname = await api("GetFunctionConfiguration", FunctionName="f:live")

    assert shown["Configuration"]["FunctionArn"] == f"{api.arn}f:live"
    assert (shown["Configuration"]["Version"], byname["Timeout"]) == ("1", 3)


async def test_an_update_changes_what_is_given(versions):
    """Weights go with an empty routing configuration, and each update makes a new revision."""
    api = versions
    made = await api(
        "CreateAlias",
        FunctionName="f",
        Name="live",
        FunctionVersion="1",
        Description="d",
        RoutingConfig=ROUTING,
    )

    kept = await api("UpdateAlias", FunctionName="f", Name="live", Description="e")
    bare = await api("UpdateAlias", FunctionName="f", Name="live", RoutingConfig={})
    moved = await api("UpdateAlias", FunctionName="f", Name="live", FunctionVersion="2")

    assert made["RoutingConfig"] == kept["RoutingConfig"] == ROUTING
    assert kept["Description"] == moved["Description"] == "e"
    assert "RoutingConfig" not in bare
    assert moved["FunctionVersion"] == "2"
    assert len({each["RevisionId"] for each in (made, kept, bare, moved)}) == 4


async def test_an_update_names_the_revision_it_means(versions):
    """Another is a failed precondition, and nothing changes."""
    api = versions
    made = await api("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")

    error = await api.refusal(
        api("UpdateAlias", FunctionName="f", Name="live", FunctionVersion="2", RevisionId="x")
    )

    assert (error.code, error.status) == ("PreconditionFailedException", 412)
    assert await api("GetAlias", FunctionName="f", Name="live") == made


@pytest.mark.parametrize(
    ("operation", "params", "message"),
    [
        ("CreateAlias", {"FunctionVersion": "10"}, "Function not found: {}f:10"),
        (
            "CreateAlias",
            {"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"10": 0.5}}},
            "Function not found: {}f:10",
        ),
        (
            "CreateAlias",
            {"FunctionName": "none", "FunctionVersion": "1"},
            "Function not found: {}none:1",
        ),
        ("GetAlias", {}, "Cannot find alias arn: {}f:live"),
        ("UpdateAlias", {"FunctionVersion": "2"}, "Alias not found: {}f:live"),
        ("ListAliases", {"FunctionName": "none"}, "Function not found: {}none"),
        ("GetAlias", {"FunctionName": "none"}, "Function not found: {}none"),
    ],
)
async def test_what_is_not_there_is_404_with_its_arn(versions, operation, params, message):
    """The texts differ by operation, as recorded."""
    given = {"FunctionName": "f", "Name": "live", **params}
    if operation == "ListAliases":
        del given["Name"]

    error = await versions.refusal(versions(operation, **given))

    assert (error.code, error.status) == ("ResourceNotFoundException", 404)
    assert error.message == message.format(versions.arn)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"Role": "arn:aws:iam::123456789012:role/other"},
            "must be associated with the same execution role",
        ),
        (
            {"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:123456789012:q"}},
            "must have the same dead letter queue, or none",
        ),
    ],
)
async def test_versions_that_share_an_alias_run_as_the_same(versions, change, message):
    """With one role and one dead letter queue; apart from each other they may be aliased."""
    api = versions
    await api("UpdateFunctionConfiguration", FunctionName="f", **change)
    await api("PublishVersion", FunctionName="f")
    name = {"FunctionName": "f", "Name": "live"}
    routing = {"AdditionalVersionWeights": {"3": 0.5}}

    made = await api.refusal(api("CreateAlias", FunctionVersion="1", RoutingConfig=routing, **name))
    await api("CreateAlias", FunctionVersion="3", **name)
    await api("UpdateAlias", FunctionVersion="1", **name)
    updated = await api.refusal(api("UpdateAlias", RoutingConfig=routing, **name))

    assert made.code == updated.code == "InvalidParameterValueException"
    assert message in made.message
    assert made.message == updated.message


async def test_an_alias_is_made_once(versions):
    """The conflict names it."""
    api = versions
    await api("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")

    error = await api.refusal(
        api("CreateAlias", FunctionName="f", Name="live", FunctionVersion="2")
    )

    assert (error.code, error.status) == ("ResourceConflictException", 409)
    assert error.message == f"Alias already exists: {api.arn}f:live"


async def test_a_deleted_alias_is_gone(versions):
    """To delete it again does no harm, and it no longer holds its version."""
    api = versions
    await api("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")

    await api("DeleteAlias", FunctionName="f", Name="live")
    await api("DeleteAlias", FunctionName="f", Name="live")
    await api("DeleteFunction", FunctionName="f", Qualifier="1")

    error = await api.refusal(api("GetFunction", FunctionName="f:live"))
    assert error.message == f"Function not found: {api.arn}f:live"


async def test_aliases_go_with_their_function(versions):
    """A new function of that name has none."""
    api = versions
    await api("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    await api("DeleteFunction", FunctionName="f")
    await api.created()

    assert await api("ListAliases", FunctionName="f") == {"Aliases": []}


async def test_aliases_are_listed_by_name_and_by_version(versions):
    """Page by page, whatever is deleted meanwhile."""
    api = versions
    for name, version in (("d", "1"), ("a", "1"), ("c", "2"), ("b", "1")):
        await api("CreateAlias", FunctionName="f", Name=name, FunctionVersion=version)

    first = await api("ListAliases", FunctionName="f", MaxItems=2)
    await api("DeleteAlias", FunctionName="f", Name="b")
    second = await api("ListAliases", FunctionName="f", MaxItems=2, Marker=first["NextMarker"])
    ones = await api("ListAliases", FunctionName="f", FunctionVersion="1")

    assert [each["Name"] for each in first["Aliases"]] == ["a", "b"]
    assert [each["Name"] for each in second["Aliases"]] == ["c", "d"]
    assert "NextMarker" not in second
    assert [each["Name"] for each in ones["Aliases"]] == ["a", "d"]
