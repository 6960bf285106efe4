"""Many callers at once: one of them wins, and no limit is passed by all together."""

import asyncio
from collections import Counter

import pytest

CALLERS = 12
CONFLICT = "ResourceConflictException"
STALE = "PreconditionFailedException"
STATEMENT = {"Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"


async def of_all(calls):
    """How often each code of an error came, and the answers of the others."""
    answers = await asyncio.gather(*calls, return_exceptions=True)
    failed = [answer for answer in answers if isinstance(answer, Exception)]
    done = [answer for answer in answers if not isinstance(answer, Exception)]
    return dict(Counter(error.code for error in failed)), done


async def revision_of(api, operation, **params):
    """The revision of what exists now, as a precondition."""
    return {"RevisionId": (await api(operation, FunctionName="f", **params))["RevisionId"]}


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("CreateAlias", {"Name": "b", "FunctionVersion": "1"}, CONFLICT),
        ("AddPermission", {"StatementId": "s", **STATEMENT}, CONFLICT),
        ("CreateFunctionUrlConfig", {"AuthType": "NONE"}, CONFLICT),
        ("CreateEventSourceMapping", {"EventSourceArn": QUEUE}, CONFLICT),
    ],
)
async def test_what_there_can_be_once_is_made_once(api, operation, params, code):
    """The others hear that it exists."""
    await api.created(Publish=True)

    failed, done = await of_all(api(operation, FunctionName="f", **params) for _ in range(CALLERS))

    assert (failed, len(done)) == ({code: CALLERS - 1}, 1)


async def test_a_function_is_made_once(api):
    """Of all that have its name."""
    failed, done = await of_all(api.create(code=f"pass  # {n}") for n in range(CALLERS))

    assert (failed, len(done)) == ({CONFLICT: CALLERS - 1}, 1)
    found = await api("GetFunctionConfiguration", FunctionName="f")
    assert found["CodeSha256"] == done[0]["CodeSha256"]


async def test_who_is_first_with_a_revision_makes_it_stale(api):
    """So that no caller overwrites what another has just written."""
    await api.created(Publish=True)
    await api("CreateAlias", FunctionName="f", Name="a", FunctionVersion="1")
    await api("AddPermission", FunctionName="f", StatementId="first", **STATEMENT)
    alias = {"Name": "a", **await revision_of(api, "GetAlias", Name="a")}
    policy = await revision_of(api, "GetPolicy")

    aliases = await of_all(
        api("UpdateAlias", FunctionName="f", Description=str(n), **alias) for n in range(CALLERS)
    )
    statements = await of_all(
        api("AddPermission", FunctionName="f", StatementId=f"s{n}", **STATEMENT, **policy)
        for n in range(CALLERS)
    )

    for failed, done in (aliases, statements):
        assert (failed, len(done)) == ({STALE: CALLERS - 1}, 1)


async def test_unchanged_code_is_one_version_for_all(api):
    """Whoever publishes it."""
    await api.created()

    failed, done = await of_all(api("PublishVersion", FunctionName="f") for _ in range(CALLERS))

    assert (failed, [each["Version"] for each in done]) == ({}, ["1"] * CALLERS)


async def test_versions_of_a_layer_are_numbered_without_gaps(api):
    """And none twice."""
    failed, done = await of_all(
        api("PublishLayerVersion", LayerName="l", Content={"ZipFile": api.zipped(str(n))})
        for n in range(CALLERS)
    )

    assert not failed
    assert sorted(each["Version"] for each in done) == list(range(1, CALLERS + 1))


async def test_reservations_leave_others_their_hundred(api):
    """Of the 1,000 that an account has."""
    for n in range(CALLERS):
        await api.created(f"f{n}")

    failed, done = await of_all(
        api(
            "PutFunctionConcurrency",
            FunctionName=f"f{n}",
            ReservedConcurrentExecutions=100,
        )
        for n in range(CALLERS)
    )

    assert (failed, len(done)) == ({"InvalidParameterValueException": CALLERS - 9}, 9)
    left = (await api("GetAccountSettings"))["AccountLimit"]["UnreservedConcurrentExecutions"]
    assert left == 100


async def test_tags_stay_within_their_number(api):
    """Though each caller's own would fit."""
    made = await api.created()
    resource = made["FunctionArn"]

    failed, done = await of_all(
        api("TagResource", Resource=resource, Tags={f"{n}-{m}": "" for m in range(8)})
        for n in range(CALLERS)
    )

    assert (failed, len(done)) == ({"InvalidParameterValueException": CALLERS - 6}, 6)
    assert len((await api("ListTags", Resource=resource))["Tags"]) == 48
