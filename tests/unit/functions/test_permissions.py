"""Resource policies, statement by statement and as a whole."""

import json

import pytest

from emberbox.errors import CallerError
from emberbox.invoke.cross_account import check_invoke

INVALID = "InvalidParameterValueException"
OTHER = "999999999999"


async def allow(api, sid="s", **params):
    """AddPermission for f; the statement."""
    given = {
        "FunctionName": "f",
        "StatementId": sid,
        "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com",
        **params,
    }
    return json.loads((await api("AddPermission", **given))["Statement"])


async def policy(api, **params):
    """GetPolicy of f."""
    return json.loads((await api("GetPolicy", **{"FunctionName": "f", **params}))["Policy"])


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        ("s3.amazonaws.com", {"Service": "s3.amazonaws.com"}),
        ("logs.eu-west-1.amazonaws.com", {"Service": "logs.eu-west-1.amazonaws.com"}),
        ("alexa-appkit.amazon.com", {"Service": "alexa-appkit.amazon.com"}),
        (OTHER, {"AWS": f"arn:aws:iam::{OTHER}:root"}),
        (f"arn:aws:iam::{OTHER}:role/r", {"AWS": f"arn:aws:iam::{OTHER}:role/r"}),
        ("*", "*"),
    ],
)
async def test_a_principal_is_a_service_an_account_an_identity_or_everybody(
    api, principal, expected
):
    """Written as a policy has it."""
    await api.created()

    assert await allow(api, Principal=principal) == {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": expected,
        "Action": "lambda:InvokeFunction",
        "Resource": f"{api.arn}f",
    }


@pytest.mark.parametrize(
    ("params", "condition"),
    [
        (
            {"SourceArn": "arn:aws:s3:::b", "SourceAccount": OTHER},
            {
                "StringEquals": {"AWS:SourceAccount": OTHER},
                "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::b"},
            },
        ),
        (
            {"PrincipalOrgID": "o-1234567890", "Principal": "*"},
            {"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}},
        ),
        (
            {"FunctionUrlAuthType": "NONE", "Action": "lambda:InvokeFunctionUrl"},
            {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}},
        ),
        (
            {"InvokedViaFunctionUrl": True, "Principal": "*"},
            {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}},
        ),
        ({"EventSourceToken": "t"}, {"StringEquals": {"lambda:EventSourceToken": "t"}}),
    ],
)
async def test_what_limits_a_statement_becomes_its_condition(api, params, condition):
    """With the keys that AWS writes."""
    await api.created()

    assert (await allow(api, **params))["Condition"] == condition


async def test_a_policy_grows_and_shrinks_and_is_gone(api):
    """The last statement takes it along."""
    await api.created()
    first, second = await allow(api, "a"), await allow(api, "b")

    both = await policy(api)
    await api("RemovePermission", FunctionName="f", StatementId="a")
    one = await policy(api)
    await api("RemovePermission", FunctionName="f", StatementId="b")
    none = await api.refusal(api("GetPolicy", FunctionName="f"))
    removal = api("RemovePermission", FunctionName="f", StatementId="b")

    assert both == {"Version": "2012-10-17", "Id": "default", "Statement": [first, second]}
    assert one["Statement"] == [second]
    assert (none.status, none.message) == (404, "The resource you requested does not exist.")
    error = await api.refusal(removal)
    assert error.message == "No policy is associated with the given resource."


async def test_each_qualifier_has_its_own_policy(api):
    """And the resource in its statements is qualified."""
    await api.created(Publish=True)
    await api("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")

    alias = await allow(api, Qualifier="live")
    version = await allow(api, FunctionName="f:1")

    assert alias["Resource"] == f"{api.arn}f:live"
    assert version["Resource"] == f"{api.arn}f:1"
    assert (await policy(api, Qualifier="live"))["Statement"] == [alias]
    assert (await api.refusal(api("GetPolicy", FunctionName="f"))).status == 404


async def test_a_policy_has_the_revision_of_what_it_hangs_on(api):
    """To change it is a new revision; a change meant for another is refused."""
    before = await api.created(Publish=True)
    await api("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")

    for qualifier in ({}, {"Qualifier": "live"}):
        await allow(api, "a", **qualifier)
        revision = (await api("GetPolicy", FunctionName="f", **qualifier))["RevisionId"]
        await allow(api, "b", **qualifier, RevisionId=revision)
        stale = await api.refusal(allow(api, "c", **qualifier, RevisionId=revision))
        removal = await api.refusal(
            api(
                "RemovePermission",
                FunctionName="f",
                StatementId="a",
                RevisionId=revision,
                **qualifier,
            )
        )
        for error in (stale, removal):
            assert (error.code, error.status) == ("PreconditionFailedException", 412)
            assert "Call the GetPolicy API" in error.message
    function = await api("GetFunctionConfiguration", FunctionName="f")
    alias = await api("GetAlias", FunctionName="f", Name="live")
    assert function["RevisionId"] != before["RevisionId"]
    for thing, qualifier in ((function, {}), (alias, {"Qualifier": "live"})):
        shown = await api("GetPolicy", FunctionName="f", **qualifier)
        assert shown["RevisionId"] == thing["RevisionId"]


async def test_a_pending_function_gets_a_policy_and_becomes_active(api):
    """Its settling is not lost with the revision."""
    await api.create()
    await allow(api)
    await api.service.close()

    assert (await api("GetFunctionConfiguration", FunctionName="f"))["State"] == "Active"


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        ({"Principal": "nobody"}, INVALID, "The provided principal was invalid."),
        ({"Principal": "arn:aws:s3:::b"}, INVALID, "The provided principal was invalid."),
        ({"Qualifier": "$LATEST"}, INVALID, "We currently do not support adding policies for $LAT"),
        ({"FunctionUrlAuthType": "NONE"}, INVALID, "FunctionUrlAuthType is only supported for"),
        (
            {"StatementId": "taken"},
            "ResourceConflictException",
            "The statement id (taken) provided",
        ),
        (
            {"FunctionName": "none"},
            "ResourceNotFoundException",
            "Function not found: arn:aws:lambda",
        ),
        ({"Qualifier": "7"}, "ResourceNotFoundException", "Function not found: arn:aws:lambda"),
        ({"Qualifier": "a$"}, "ResourceNotFoundException", "Function not found: arn:aws:lambda"),
        ({"Qualifier": "a"}, "ResourceNotFoundException", "Cannot find alias arn: arn:aws:lambda"),
    ],
)
async def test_what_makes_no_statement_is_refused(api, params, code, message):
    """In the service's words, and nothing is changed."""
    await api.created()
    taken = await allow(api, "taken")

    error = await api.refusal(allow(api, **params))

    assert error.code == code
    assert error.message.startswith(message)
    assert (await policy(api))["Statement"] == [taken]


async def test_a_policy_has_at_most_twenty_kilobytes(api):
    """The statement that would be too much is not added."""
    await api.created()
    for number in range(9):
        await allow(api, f"s{number}", SourceArn="arn:aws:s3:::" + "b" * 2_000)

    error = await api.refusal(allow(api, "more", SourceArn="arn:aws:s3:::" + "b" * 2_000))

    assert error.code == "PolicyLengthExceededException"
    assert len((await policy(api))["Statement"]) == 9


@pytest.mark.parametrize(
    ("operation", "params", "message"),
    [
        ("RemovePermission", {"FunctionName": "none"}, "No policy found for: {}none"),
        ("RemovePermission", {"Qualifier": "a"}, "Cannot find alias arn: {}f:a"),
        ("RemovePermission", {"Qualifier": "7"}, "Function not found: {}f:7"),
        ("RemovePermission", {}, "No policy is associated with the given resource."),
        ("GetPolicy", {"FunctionName": "none"}, "Function not found: {}none"),
        ("GetPolicy", {"Qualifier": "a"}, "The resource you requested does not exist."),
        ("GetPolicy", {"Qualifier": "7"}, "The resource you requested does not exist."),
        ("GetPolicy", {}, "The resource you requested does not exist."),
    ],
)
async def test_a_policy_that_is_not_there_is_told_so(api, operation, params, message):
    """Each operation has its words for it."""
    await api.created()
    statement = {"StatementId": "x"} if operation == "RemovePermission" else {}

    error = await api.refusal(api(operation, **{"FunctionName": "f", **statement, **params}))

    assert (error.code, error.status) == ("ResourceNotFoundException", 404)
    assert error.message == message.format(api.arn)


async def test_an_unknown_statement_cannot_be_removed(api):
    """The error names it."""
    await api.created()
    await allow(api)

    error = await api.refusal(api("RemovePermission", FunctionName="f", StatementId="x"))

    assert error.message == "Statement x is not found in resource policy."


def document(resource, **statement):
    """A policy of one statement, as text."""
    made = {
        "Effect": "Allow",
        "Principal": {"AWS": OTHER},
        "Action": "lambda:InvokeFunction",
        "Resource": resource,
        **statement,
    }
    kept = {name: value for name, value in made.items() if value is not None}
    return json.dumps({"Version": "2012-10-17", "Statement": [kept]})


async def test_the_whole_policy_can_be_put_got_and_deleted(api):
    """It replaces what was there; statements can be added to it."""
    await api.created()
    arn = f"{api.arn}f"
    await allow(api, "old")

    put = await api("PutResourcePolicy", ResourceArn=arn, Policy=document(arn))
    await allow(api, "new")
    got = await api("GetResourcePolicy", ResourceArn=arn)
    stale = await api.refusal(
        api("DeleteResourcePolicy", ResourceArn=arn, RevisionId=put["RevisionId"])
    )
    await api("DeleteResourcePolicy", ResourceArn=arn, RevisionId=got["RevisionId"])
    gone = await api.refusal(api("GetResourcePolicy", ResourceArn=arn))
    again = await api.refusal(api("DeleteResourcePolicy", ResourceArn=arn))

    assert json.loads(put["Policy"]) == json.loads(document(arn))
    statements = json.loads(got["Policy"])["Statement"]
    assert [each.get("Sid") for each in statements] == [None, "new"]
    assert stale.code == "PreconditionFailedException"
    assert gone.status == again.status == 404


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        '{"Statement": []}',
        '{"Version": "1999", "Statement": [{}]}',
        document("*", Principal=None),
        document("*", Principal={"Nobody": "x"}),
        document("*", Action=None),
        document("*", Action="s3:GetObject"),
        document("arn:aws:lambda:us-east-1:123456789012:function:other"),
        document("*", Effect="Maybe"),
        document("*", Condition={"NoOperator": {"a": "b"}}),
        document("*", Condition={"DateEquals": {"aws:CurrentTime": "no date"}}),
    ],
)
async def test_a_text_that_is_no_policy_of_a_function_is_refused(api, text):
    """Whatever is wrong with it."""
    await api.created()

    error = await api.refusal(api("PutResourcePolicy", ResourceArn=f"{api.arn}f", Policy=text))

    assert error.code == INVALID


async def test_only_what_exists_has_a_policy(api):
    """Functions, versions and aliases; no runtimes, and not $LATEST by its name."""
    await api.created()
    runtime = "arn:aws:lambda:us-east-1:123456789012:runtime/x"

    for arn, status in ((f"{api.arn}none", 404), (runtime, 404), (f"{api.arn}f:$LATEST", 400)):
        call = api("PutResourcePolicy", ResourceArn=arn, Policy=document("*"))
        assert (await api.refusal(call)).status == status


async def test_another_account_may_invoke_what_a_policy_allows_it(api):
    """By the same qualifier, and no other account."""
    await api.created(Publish=True)
    await allow(api, Principal=OTHER)

    check_invoke(api.catalog, OTHER, api.key(), None)

    for account, qualifier in ((OTHER, "1"), ("888888888888", None)):
        with pytest.raises(CallerError) as caught:
            check_invoke(api.catalog, account, api.key(), qualifier)
        arn = f"{api.arn}f" + (f":{qualifier}" if qualifier else "")
        assert caught.value.message == (
            f"User: arn:aws:iam::{account}:root is not authorized to perform: "
            f"lambda:InvokeFunction on resource: {arn} because no resource-based policy allows "
            "the lambda:InvokeFunction action"
        )


async def test_an_explicit_denial_wins_across_accounts(api):
    """Whatever else is allowed."""
    await api.created()
    arn = f"{api.arn}f"
    statements = [
        {"Effect": effect, "Principal": "*", "Action": "lambda:*", "Resource": arn}
        for effect in ("Allow", "Deny")
    ]
    text = json.dumps({"Version": "2012-10-17", "Statement": statements})
    await api("PutResourcePolicy", ResourceArn=arn, Policy=text)

    with pytest.raises(CallerError, match="with an explicit deny in a resource-based policy"):
        check_invoke(api.catalog, OTHER, api.key(), None)
