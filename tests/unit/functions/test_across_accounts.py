"""Functions of another account, as far as their policies let that account in."""

import pytest

OTHER = "999999999999"
GET = "GetFunctionConfiguration"


async def granted(api, action, **params):
    """A function `f` whose policy lets the other account do something."""
    await api.created()
    await allow(api, action, **params)


async def allow(api, action, sid="other", **params):
    """Add a statement about the other account."""
    await api(
        "AddPermission",
        **{
            "FunctionName": "f",
            "StatementId": sid,
            "Action": f"lambda:{action}",
            "Principal": OTHER,
            **params,
        },
    )


async def test_what_a_policy_allows_is_done_in_the_functions_account(api):
    """Read, changed, tagged: each by its own action, under the full or the partial ARN."""
    await granted(api, "*")
    arn, short = f"{api.arn}f", f"{api.key().account}:function:f"

    read = await api(GET, account=OTHER, FunctionName=arn)
    await api("UpdateFunctionConfiguration", account=OTHER, FunctionName=short, Description="new")
    await api.service.close()
    await api("TagResource", account=OTHER, Resource=arn, Tags={"a": "1"})
    after = await api("GetFunction", FunctionName="f")

    assert read["FunctionArn"] == arn
    assert after["Configuration"]["Description"] == "new"
    assert after["Tags"] == {"a": "1"}


@pytest.mark.parametrize(
    ("action", "params"),
    [("GetFunction", {}), (GET, {"Principal": "111111111111"})],
)
async def test_what_no_policy_allows_is_refused(api, action, params):
    """Another action, another account."""
    await granted(api, action, **params)

    error = await api.refusal(api(GET, account=OTHER, FunctionName=f"{api.arn}f"))

    assert (error.code, error.status) == ("AccessDeniedException", 403)
    assert f"no resource-based policy allows the lambda:{GET} action" in error.message


async def test_the_policy_of_what_is_named_decides(api):
    """That of an alias for the alias, that of the function for the function."""
    await api.created(Publish=True)
    await api("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    await allow(api, GET, Qualifier="live")

    alias = await api(GET, account=OTHER, FunctionName=f"{api.arn}f:live")
    beside = await api(GET, account=OTHER, FunctionName=f"{api.arn}f", Qualifier="live")
    error = await api.refusal(api(GET, account=OTHER, FunctionName=f"{api.arn}f"))

    assert alias == beside
    assert error.status == 403


async def test_nobody_learns_whether_a_function_of_others_exists(api):
    """The refusal is the same."""
    await api.created()

    there = await api.refusal(api(GET, account=OTHER, FunctionName=f"{api.arn}f"))
    absent = await api.refusal(api(GET, account=OTHER, FunctionName=f"{api.arn}g"))

    assert there.message.replace("function:f", "") == absent.message.replace("function:g", "")


async def test_functions_and_mappings_are_made_at_home(api):
    """Whatever a policy allows."""
    await granted(api, "*")
    queue = f"arn:aws:sqs:us-east-1:{OTHER}:q"

    function = await api.refusal(
        api("UpdateFunctionCode", account=OTHER, FunctionName=f"{api.arn}g", ZipFile=b"")
    )
    mapping = await api.refusal(
        api(
            "CreateEventSourceMapping",
            account=OTHER,
            FunctionName=f"{api.arn}f",
            EventSourceArn=queue,
        )
    )

    assert (function.status, mapping.status) == (403, 403)


async def test_where_the_gateway_decides_it_has_decided(make_api):
    """What comes through is done."""
    api = make_api(is_decided=True)
    await api.created()

    read = await api(GET, account=OTHER, FunctionName=f"{api.arn}f")

    assert read["FunctionName"] == "f"
    await api.service.close()
