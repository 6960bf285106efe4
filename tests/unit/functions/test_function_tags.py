"""ListTags, TagResource, UntagResource."""

from dataclasses import replace

import pytest

from emberbox.model.function import State, UpdateStatus

INVALID = "InvalidParameterValueException"


async def test_tags_are_merged_and_removed(api):
    """New values win, unknown keys do no harm to a removal."""
    await api.created(Tags={"a": "1", "b": "2"})
    arn = f"{api.arn}f"

    await api("TagResource", Resource=arn, Tags={"b": "3", "c": "4"})
    await api("UntagResource", Resource=arn, TagKeys=["a", "zzz"])

    assert await api("ListTags", Resource=arn) == {"Tags": {"b": "3", "c": "4"}}


async def test_a_function_without_tags_has_an_empty_map(api):
    """ListTags always has the member."""
    await api.created()

    assert await api("ListTags", Resource=f"{api.arn}f") == {"Tags": {}}


async def test_a_change_of_tags_is_a_new_revision_and_no_update(api):
    """The state stays Active and Successful, the time of modification stays too."""
    before = await api.created()

    await api("TagResource", Resource=f"{api.arn}f", Tags={"a": "1"})

    after = await api("GetFunctionConfiguration", FunctionName="f")
    assert after.pop("RevisionId") != before.pop("RevisionId")
    assert after == before


async def test_tagging_does_not_keep_a_function_from_settling(api):
    """A function that is tagged while Pending becomes Active."""
    await api.create()

    await api("TagResource", Resource=f"{api.arn}f", Tags={"a": "1"})
    await api.service.close()

    function = api.catalog.lookup(*api.key())
    assert (function.state, function.update_status) == (State.ACTIVE, UpdateStatus.SUCCESSFUL)


async def test_a_function_that_is_being_updated_can_be_tagged(api):
    """Tags are no configuration: they do not conflict, and the update ends well."""
    await api.created()
    await api.stuck().update(
        api.key(), lambda now: replace(now, update_status=UpdateStatus.IN_PROGRESS)
    )

    await api("TagResource", Resource=f"{api.arn}f", Tags={"a": "1"})
    await api.service.close()

    assert api.catalog.lookup(*api.key()).update_status is UpdateStatus.SUCCESSFUL


async def test_the_number_of_tags_is_limited_after_merging(api):
    """A change that would make too many changes nothing."""
    tags = {f"k{number}": "" for number in range(50)}
    await api.created(Tags=tags)

    error = await api.refusal(api("TagResource", Resource=f"{api.arn}f", Tags={"more": ""}))

    assert (error.code, error.message) == (INVALID, "Number of tags exceeds resource tag limit.")
    assert (await api("ListTags", Resource=f"{api.arn}f"))["Tags"] == tags


async def test_no_tags_at_all_cannot_be_added(api):
    """The service says no more than that."""
    await api.created()

    error = await api.refusal(api("TagResource", Resource=f"{api.arn}f", Tags={}))

    assert error.code == INVALID
    assert error.message == "An error occurred and the request cannot be processed."


@pytest.mark.parametrize(
    ("operation", "params"),
    [("TagResource", {"Tags": {"aws:x": "1"}}), ("UntagResource", {"TagKeys": ["aws:x"]})],
)
async def test_tags_of_aws_are_not_for_others(api, operation, params):
    """They can be neither set nor removed."""
    await api.created()

    assert (await api.refusal(api(operation, Resource=f"{api.arn}f", **params))).code == INVALID


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("ListTags", {}),
        ("TagResource", {"Tags": {"a": "1"}}),
        ("UntagResource", {"TagKeys": ["a"]}),
    ],
)
async def test_only_functions_have_tags(api, operation, params):
    """Versions, aliases, other resources and absent functions are refused, each in its words."""
    await api.created()

    version = await api.refusal(api(operation, Resource=f"{api.arn}f:1", **params))
    mapping = await api.refusal(
        api(operation, Resource="arn:aws:lambda:us-east-1:123456789012:layer:l", **params)
    )
    absent = await api.refusal(api(operation, Resource=f"{api.arn}none", **params))

    assert version.message == (
        "Tags on function aliases and versions are not supported. Please specify a function ARN."
    )
    assert (mapping.code, mapping.status) == ("ResourceNotFoundException", 404)
    assert absent.message == f"Function not found: {api.arn}none"
