"""STS: who calls, and credentials of roles."""

import json
import re
from datetime import timedelta

import pytest

from emberbox.clock import utc
from emberbox.storage.identity_records import Role

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/path/r"
POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
)


@pytest.fixture
async def identities(people):
    await people.store.create_role(
        Role(ACCOUNT, "r", "AROAEXAMPLE", "/path/", 0.0, "{}", max_session_s=7_200)
    )
    return people.store


@pytest.fixture
def sessions(people):
    return people.sessions


@pytest.fixture
def sts(people, identities, caller):
    return caller(people.sts)


async def assumed(sts, **more):
    """The service as called by somebody who has assumed the role."""
    answer = await sts("AssumeRole", RoleArn=ROLE, RoleSessionName="me", **more)
    return sts.as_(access_key=answer["Credentials"]["AccessKeyId"])


async def test_a_plain_key_is_the_root(sts):
    """Of the account it stands for."""
    assert await sts.as_(account="999999999999")("GetCallerIdentity") == {
        "UserId": "999999999999",
        "Account": "999999999999",
        "Arn": "arn:aws:iam::999999999999:root",
    }


async def test_assumed_roles_are_recognised(sts, clock):
    """From another account too: the session belongs to the role's."""
    answer = await sts.as_(account="999999999999")(
        "AssumeRole", RoleArn=ROLE, RoleSessionName="me", SourceIdentity="someone"
    )

    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/r/me"
    assert answer["AssumedRoleUser"] == {"AssumedRoleId": "AROAEXAMPLE:me", "Arn": arn}
    assert answer["SourceIdentity"] == "someone"
    assert answer["Credentials"]["Expiration"] == utc(clock.now()) + timedelta(hours=1)
    assert "PackedPolicySize" not in answer
    me = sts.as_(access_key=answer["Credentials"]["AccessKeyId"])
    assert await me("GetCallerIdentity") == {
        "UserId": "AROAEXAMPLE:me",
        "Account": ACCOUNT,
        "Arn": arn,
    }


async def test_a_function_sees_its_role(sts, sessions):
    """The session is named for the function."""
    made = sessions.issue(ACCOUNT, "r", "hello", 3_600)

    identity = await sts.as_(access_key=made.access_key_id)("GetCallerIdentity")

    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/r/hello"


async def test_expired_credentials_are_refused(sts, clock):
    """In the words that SDKs know."""
    me = await assumed(sts)
    clock.advance(3_600)

    assert await me.refused("GetCallerIdentity") == (
        "ExpiredToken",
        403,
        "The security token included in the request is expired",
    )


async def test_credentials_need_no_role(sts, identities):
    """A function's role need not exist, yet its credentials tell who it is, always the same."""
    me = await assumed(sts)
    await identities.delete_role(ACCOUNT, "r")

    identity = await me("GetCallerIdentity")

    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/r/me"
    assert re.fullmatch(r"AROA[A-Z2-7]{17}:me", identity["UserId"])
    assert await me("GetCallerIdentity") == identity


async def test_a_missing_role_cannot_be_assumed(sts):
    """The refusal names who asked and what for."""
    arn = f"arn:aws:iam::{ACCOUNT}:role/none"

    assert await sts.refused("AssumeRole", RoleArn=arn, RoleSessionName="me") == (
        "AccessDenied",
        403,
        f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: sts:AssumeRole on "
        f"resource: {arn}",
    )
    me = await assumed(sts)
    _, _, text = await me.refused("AssumeRole", RoleArn=arn, RoleSessionName="me")
    assert text.startswith(f"User: arn:aws:sts::{ACCOUNT}:assumed-role/r/me is not authorized")


async def test_the_path_is_part_of_the_arn(sts):
    """A role is not found under an ARN without its path."""
    code, _, _ = await sts.refused(
        "AssumeRole", RoleArn=f"arn:aws:iam::{ACCOUNT}:role/r", RoleSessionName="me"
    )

    assert code == "AccessDenied"


async def test_what_is_no_role_arn_is_invalid(sts):
    """Such as the ARN of a user."""
    refused = await sts.refused(
        "AssumeRole", RoleArn=f"arn:aws:iam::{ACCOUNT}:user/u", RoleSessionName="me"
    )

    assert refused == ("ValidationError", 400, "Request ARN is invalid")


async def test_sessions_are_as_long_as_the_role_allows(sts):
    """And no longer than an hour for whoever is a session already."""
    me = await assumed(sts, DurationSeconds=7_200)

    _, status, text = await sts.refused(
        "AssumeRole", RoleArn=ROLE, RoleSessionName="me", DurationSeconds=7_201
    )
    assert (status, "MaxSessionDuration set for this role" in text) == (400, True)
    _, status, text = await me.refused(
        "AssumeRole", RoleArn=ROLE, RoleSessionName="me", DurationSeconds=3_601
    )
    assert (status, "role chaining" in text) == (400, True)


async def test_session_policies_are_checked_and_measured(sts):
    """A malformed one is refused, one too large as well."""
    wanted = {"RoleArn": ROLE, "RoleSessionName": "me"}
    answer = await sts("AssumeRole", **wanted, Policy=POLICY, Tags=[{"Key": "a", "Value": "b"}])
    assert 0 < answer["PackedPolicySize"] < 10

    code, _, _ = await sts.refused("AssumeRole", **wanted, Policy="{}")
    assert code == "MalformedPolicyDocument"
    code, _, _ = await sts.refused(
        "AssumeRole", **wanted, Policy=POLICY.replace('"*"', '"s3:' + "x" * 2_100 + '"', 1)
    )
    assert code == "PackedPolicyTooLarge"
    many = [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}] * 11
    code, _, _ = await sts.refused("AssumeRole", **wanted, PolicyArns=many)
    assert code == "ValidationError"


@pytest.mark.parametrize("operation", ["AssumeRole", "GetSessionToken"])
async def test_nobody_has_a_device(sts, operation):
    """A code of a multi-factor device cannot be right."""
    more = {"RoleArn": ROLE, "RoleSessionName": "me"} if operation == "AssumeRole" else {}

    code, status, _ = await sts.refused(
        operation, **more, SerialNumber="GAHT12345678", TokenCode="123456"
    )

    assert (code, status) == ("AccessDenied", 403)


async def test_session_tokens_are_the_root_for_an_hour(sts, clock):
    """Longer ones are cut to an hour; they do not lead to further ones."""
    answer = await sts("GetSessionToken", DurationSeconds=129_600)

    assert answer["Credentials"]["Expiration"] == utc(clock.now()) + timedelta(hours=1)
    me = sts.as_(access_key=answer["Credentials"]["AccessKeyId"])
    identity = await me("GetCallerIdentity")
    assert identity["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    code, status, _ = await me.refused("GetSessionToken")
    assert (code, status) == ("AccessDenied", 403)


async def test_a_key_id_names_its_account(sts):
    """Ours and those of AWS; other texts name none."""
    answer = await sts("GetSessionToken")
    key = answer["Credentials"]["AccessKeyId"]

    assert await sts("GetAccessKeyInfo", AccessKeyId=key) == {"Account": ACCOUNT}
    known = await sts("GetAccessKeyInfo", AccessKeyId="ASIAY34FZKBOKMUTVV7A")
    assert known == {"Account": "609629065308"}
    code, status, _ = await sts.refused("GetAccessKeyInfo", AccessKeyId="x" * 20)
    assert (code, status) == ("ValidationError", 400)
