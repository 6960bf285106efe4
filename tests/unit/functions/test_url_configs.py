"""Function URL configurations."""

import pytest

from emberbox.model.function_url import FunctionUrl, is_url_id

NOT_THERE = "The resource you requested does not exist."


async def test_a_url_has_an_id_and_leads_back_to_its_function(api):
    """Create and update show no InvokeMode unless it was given; get always does."""
    await api.created()

    made = await api("CreateFunctionUrlConfig", FunctionName="f", AuthType="NONE")
    got = await api("GetFunctionUrlConfig", FunctionName="f")
    same = await api("UpdateFunctionUrlConfig", FunctionName="f", AuthType="NONE")

    assert sorted(made) == ["AuthType", "CreationTime", "FunctionArn", "FunctionUrl"]
    assert made["FunctionArn"] == f"{api.arn}f"
    *prefix, url_id, end = made["FunctionUrl"].split("/")
    assert ("/".join(prefix), end) == ("http://127.0.0.1:4566/_emberbox/url", "")
    assert is_url_id(url_id)
    assert api.service.resources.urls.lookup(url_id) == FunctionUrl(
        url_id, *api.key(), "$LATEST", "NONE", "BUFFERED", None
    )
    assert got == {
        **made,
        "InvokeMode": "BUFFERED",
        "LastModifiedTime": made["CreationTime"],
    }
    assert same == {member: value for member, value in got.items() if member != "InvokeMode"}


async def test_update_changes_what_is_given_and_keeps_the_url(api):
    """Cors is replaced as a whole."""
    await api.created()
    cors = {"AllowOrigins": ["https://a.example"], "MaxAge": 5}
    made = await api(
        "CreateFunctionUrlConfig",
        FunctionName="f",
        AuthType="NONE",
        Cors=cors,
        InvokeMode="RESPONSE_STREAM",
    )
    api.clock.advance(1)

    await api("UpdateFunctionUrlConfig", FunctionName="f", AuthType="AWS_IAM")
    shown = await api("UpdateFunctionUrlConfig", FunctionName="f", Cors={"AllowOrigins": ["*"]})

    assert made["InvokeMode"] == shown["InvokeMode"] == "RESPONSE_STREAM"
    assert shown["FunctionUrl"] == made["FunctionUrl"]
    assert (shown["AuthType"], shown["Cors"]) == ("AWS_IAM", {"AllowOrigins": ["*"]})
    assert shown["LastModifiedTime"] > shown["CreationTime"]


async def test_an_alias_has_a_url_of_its_own(api):
    """It is listed with the function's, and goes with the alias."""
    await api.created(Publish=True)
    await api("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    await api("CreateFunctionUrlConfig", FunctionName="f", AuthType="NONE")
    url = await api("CreateFunctionUrlConfig", FunctionName="f", Qualifier="live", AuthType="NONE")
    url_id = url["FunctionUrl"].split("/")[-2]

    listed = await api("ListFunctionUrlConfigs", FunctionName="f")
    page = await api("ListFunctionUrlConfigs", FunctionName="f", MaxItems=1)
    rest = await api("ListFunctionUrlConfigs", FunctionName="f", Marker=page["NextMarker"])
    before = api.service.resources.urls.lookup(url_id)
    await api("DeleteAlias", FunctionName="f", Name="live")

    arns = [each["FunctionArn"] for each in listed["FunctionUrlConfigs"]]
    assert arns == [f"{api.arn}f", f"{api.arn}f:live"]
    assert page["FunctionUrlConfigs"] + rest["FunctionUrlConfigs"] == listed["FunctionUrlConfigs"]
    assert before.qualifier == "live"
    assert api.service.resources.urls.lookup(url_id) is None


async def test_urls_are_found_again_after_a_start(api, make_api):
    """By their ids."""
    await api.created()
    url = await api("CreateFunctionUrlConfig", FunctionName="f", AuthType="AWS_IAM")
    restarted = make_api()
    await restarted.store.load()
    await restarted.service.resources.load()

    found = restarted.service.resources.urls.lookup(url["FunctionUrl"].split("/")[-2])

    assert (found.function, found.auth_type) == ("f", "AWS_IAM")
    await restarted.service.close()


async def test_a_second_url_is_refused_and_a_deleted_one_is_gone(api):
    """In the service's words, with its two blanks."""
    await api.created()
    await api("CreateFunctionUrlConfig", FunctionName="f", AuthType="NONE")

    second = await api.refusal(api("CreateFunctionUrlConfig", FunctionName="f", AuthType="NONE"))
    await api("DeleteFunctionUrlConfig", FunctionName="f")
    again = await api.refusal(api("DeleteFunctionUrlConfig", FunctionName="f"))

    assert (second.code, second.message) == (
        "ResourceConflictException",
        f"Failed to create function url config for [functionArn = {api.arn}f]. Error message:  "
        "FunctionUrlConfig exists for this Lambda function",
    )
    assert again.message == NOT_THERE


@pytest.mark.parametrize("name", ["f:1", "f:$LATEST"])
@pytest.mark.parametrize("operation", ["Create", "Get", "Update", "Delete"])
async def test_versions_have_no_urls(api, operation, name):
    """The name is no valid one there."""
    await api.created(Publish=True)

    error = await api.refusal(
        api(f"{operation}FunctionUrlConfig", FunctionName=name, AuthType="NONE")
    )

    assert (error.code, error.status) == ("ValidationException", 400)


async def test_absent_things_are_not_found(api):
    """A function, an alias, a URL: each in its words."""
    await api.created()

    for name in ("none", "f:none"):
        for operation in ("Create", "Update"):
            call = api(f"{operation}FunctionUrlConfig", FunctionName=name, AuthType="NONE")
            assert (await api.refusal(call)).message == "Function does not exist"
    for name in ("none", "f"):
        call = api("GetFunctionUrlConfig", FunctionName=name)
        assert (await api.refusal(call)).message == NOT_THERE
    update = api("UpdateFunctionUrlConfig", FunctionName="f", AuthType="NONE")
    assert (await api.refusal(update)).message == NOT_THERE
    listing = api("ListFunctionUrlConfigs", FunctionName="none")
    assert (await api.refusal(listing)).message == "Function does not exist"


@pytest.mark.parametrize(
    ("cors", "code"),
    [
        ({"AllowMethods": ["GET", "DANCE"]}, "ValidationException"),
        ({"AllowOrigins": ["no scheme"]}, "InvalidParameterValueException"),
        ({"AllowOrigins": ["*"], "AllowCredentials": True}, "InvalidParameterValueException"),
    ],
)
async def test_cors_must_make_sense(api, cors, code):
    """Methods there are, origins that a browser sends, no credentials for everybody."""
    await api.created()

    error = await api.refusal(
        api("CreateFunctionUrlConfig", FunctionName="f", AuthType="NONE", Cors=cors)
    )

    assert error.code == code
