"""PublishVersion, ListVersionsByFunction, versions at creation and update, and their deletion."""

import pytest

STATES = ("State", "LastUpdateStatus")


async def publish(api, name="f", **params):
    """Publish once everything has settled; the version's number."""
    await api.service.close()
    return (await api("PublishVersion", FunctionName=name, **params))["Version"]


async def change(api, name="f", **params):
    """Change the configuration and wait until that is done."""
    await api("UpdateFunctionConfiguration", FunctionName=name, **params)
    await api.service.close()


async def numbers(api, name="f"):
    """The versions there are."""
    shown = await api("ListVersionsByFunction", FunctionName=name)
    return [each["Version"] for each in shown["Versions"]]


async def test_a_version_is_what_latest_was(api):
    """It has all of its configuration, an ARN and a revision of its own, and is Active at once."""
    latest = await api.created(Environment={"Variables": {"A": "1"}}, Tags={"t": "u"})

    version = await api("PublishVersion", FunctionName="f", Description="first")

    assert version["FunctionArn"] == f"{api.arn}f:1"
    assert (version["Version"], version["Description"]) == ("1", "first")
    assert [version[state] for state in STATES] == ["Active", "Successful"]
    assert version["RevisionId"] != latest["RevisionId"]
    own = {"FunctionArn", "Version", "Description", "RevisionId"}
    assert {k: v for k, v in version.items() if k not in own} == {
        k: v for k, v in latest.items() if k not in own
    }


async def test_a_version_stays_when_latest_changes(api):
    """Each qualifier shows its own."""
    await api.created(Timeout=3)
    await publish(api)
    await change(api, Timeout=9)

    old = await api("GetFunctionConfiguration", FunctionName="f", Qualifier="1")
    new = await api("GetFunction", FunctionName="f:$LATEST")

    assert old["Timeout"] == 3
    assert new["Configuration"]["Timeout"] == 9


async def test_nothing_new_gives_no_new_version(api):
    """The version that exists is the answer, also to another description."""
    await api.created()
    first = await api("PublishVersion", FunctionName="f", Description="first")

    again = await api("PublishVersion", FunctionName="f", Description="second")

    assert again == first
    assert await numbers(api) == ["$LATEST", "1"]


@pytest.mark.parametrize(
    "difference",
    [{"Timeout": 9}, {"Description": "other"}, {"Environment": {"Variables": {"A": "2"}}}],
)
async def test_any_difference_gives_a_new_version(api, difference):
    """Description and environment are configuration too."""
    await api.created()
    await publish(api, Description="first")

    await change(api, **difference)

    assert await publish(api) == "2"


async def test_tags_make_no_version(api):
    """They belong to the function."""
    await api.created()
    await publish(api)

    await api("TagResource", Resource=f"{api.arn}f", Tags={"a": "1"})

    assert await publish(api) == "1"


async def test_numbers_are_never_used_twice(api):
    """Not after the last version was deleted, and not after the function was."""
    await api.created()
    await publish(api)
    await api("DeleteFunction", FunctionName="f", Qualifier="1")
    second = await publish(api)
    await api("DeleteFunction", FunctionName="f")
    await api.created()

    third = await publish(api)

    assert (second, third) == ("2", "3")
    assert await numbers(api) == ["$LATEST", "3"]


async def test_publishing_names_the_code_and_the_revision_it_means(api):
    """Both preconditions are AWS's, and $LATEST has a new revision after a publication."""
    latest = await api.created()

    code = await api.refusal(api("PublishVersion", FunctionName="f", CodeSha256="other"))
    revision = await api.refusal(api("PublishVersion", FunctionName="f", RevisionId="other"))
    await api(
        "PublishVersion",
        FunctionName="f",
        CodeSha256=latest["CodeSha256"],
        RevisionId=latest["RevisionId"],
    )
    after = await api("GetFunctionConfiguration", FunctionName="f")

    assert code.message == (
        f"CodeSHA256 (other) is different from current CodeSHA256 in $LATEST "
        f"({latest['CodeSha256']}). Please try again with the CodeSHA256 in $LATEST."
    )
    assert (revision.code, revision.status) == ("PreconditionFailedException", 412)
    assert after["RevisionId"] != latest["RevisionId"]


async def test_what_is_not_there_cannot_be_published(api):
    """404 with the function's ARN."""
    error = await api.refusal(api("PublishVersion", FunctionName="none"))

    assert error.message == f"Function not found: {api.arn}none"


async def test_creation_may_publish(api):
    """The answer is the version with the plain ARN, and both become Active."""
    made = await api.create(Publish=True)
    await api.service.close()

    assert (made["Version"], made["FunctionArn"]) == ("1", f"{api.arn}f")
    assert made["State"] == "Pending"
    assert await numbers(api) == ["$LATEST", "1"]
    for qualifier in ("$LATEST", "1"):
        shown = await api("GetFunctionConfiguration", FunctionName="f", Qualifier=qualifier)
        assert [shown[state] for state in STATES] == ["Active", "Successful"]


async def test_a_code_update_may_publish(api):
    """The answer is the version, with its ARN and Pending; the same code gives no new one."""
    await api.created()

    new = await api("UpdateFunctionCode", FunctionName="f", ZipFile=api.zipped("new"), Publish=True)
    await api.service.close()
    again = await api(
        "UpdateFunctionCode", FunctionName="f", ZipFile=api.zipped("new"), Publish=True
    )

    assert (new["FunctionArn"], new["State"]) == (f"{api.arn}f:1", "Pending")
    assert "LastUpdateStatus" not in new
    assert again["Version"] == "1"
    assert await numbers(api) == ["$LATEST", "1"]


async def test_versions_are_listed_by_number(api):
    """Page by page, $LATEST first, 10 after 9, whatever is deleted meanwhile."""
    await api.created()
    for number in range(11):
        await change(api, Description=str(number))
        await publish(api)

    first = await api("ListVersionsByFunction", FunctionName="f", MaxItems=10)
    await api("DeleteFunction", FunctionName="f:9")
    second = await api(
        "ListVersionsByFunction", FunctionName="f", MaxItems=10, Marker=first["NextMarker"]
    )

    assert [each["Version"] for each in first["Versions"]] == ["$LATEST", *"123456789"]
    assert [each["Version"] for each in second["Versions"]] == ["10", "11"]
    assert "NextMarker" not in second
    assert first["Versions"][1]["FunctionArn"] == f"{api.arn}f:1"


async def test_a_list_of_functions_may_show_all_versions(api):
    """By name, then by number, page by page."""
    for name in ("a", "b"):
        await api.created(name)
        await publish(api, name)

    seen, marker = [], {}
    while True:
        page = await api("ListFunctions", FunctionVersion="ALL", MaxItems=1, **marker)
        seen += [each["FunctionArn"].removeprefix(api.arn) for each in page["Functions"]]
        if "NextMarker" not in page:
            break
        marker = {"Marker": page["NextMarker"]}

    assert seen == ["a:$LATEST", "a:1", "b:$LATEST", "b:1"]
    assert len((await api("ListFunctions"))["Functions"]) == 2


async def test_one_version_can_be_deleted(api):
    """The function stays, and a version that is not there does no harm."""
    await api.created()
    await publish(api)

    await api("DeleteFunction", FunctionName="f", Qualifier="1")
    await api("DeleteFunction", FunctionName="f:99")

    assert await numbers(api) == ["$LATEST"]
    error = await api.refusal(api("GetFunction", FunctionName="f:1"))
    assert error.message == f"Function not found: {api.arn}f:1"


async def test_a_version_with_aliases_cannot_be_deleted(api):
    """AWS names them, also those that only send a share there."""
    await api.created()
    await publish(api)
    await change(api, Timeout=9)
    await publish(api)
    await api("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    routing = {"AdditionalVersionWeights": {"1": 0.5}}
    await api(
        "CreateAlias", FunctionName="f", Name="next", FunctionVersion="2", RoutingConfig=routing
    )

    error = await api.refusal(api("DeleteFunction", FunctionName="f", Qualifier="1"))
    alias = await api.refusal(api("DeleteFunction", FunctionName="f", Qualifier="live"))

    assert (error.code, error.status) == ("ResourceConflictException", 409)
    assert error.message == (
        "Unable to delete version because the following aliases reference it: [live, next]"
    )
    assert alias.message == "Deletion of aliases is not currently supported."


async def test_versions_count_as_code(api):
    """Each keeps its code, and the account's usage shows it; functions are counted once."""
    one = await api.created()
    await publish(api)

    usage = (await api("GetAccountSettings"))["AccountUsage"]

    assert usage == {"TotalCodeSize": 2 * one["CodeSize"], "FunctionCount": 1}


async def test_versions_and_aliases_survive_a_restart(api, make_api):
    """A new server knows them as the old one did."""
    await api.created()
    await publish(api)
    await api("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    before = [await api("GetFunction", FunctionName=f"f:{each}") for each in ("1", "live")]

    later = make_api()
    await later.store.load()

    after = [await later("GetFunction", FunctionName=f"f:{each}") for each in ("1", "live")]
    assert [each["Configuration"] for each in before] == [each["Configuration"] for each in after]
    assert await publish(later) == "1"
