"""What S3 refuses: settings that lead out of the calendar, public access that is blocked."""

import json
from contextlib import AsyncExitStack

import pytest

from emberbox.clock import ManualClock, utc
from emberbox.errors import CallerError
from emberbox.services.s3.blobs import Whole
from emberbox.services.s3.public import acl_policy, is_public_policy
from emberbox.services.s3.service import S3Service
from emberbox.storage.s3_records import Bucket

PUBLIC = "http://acs.amazonaws.com/groups/global/AllUsers"
READS = [{"Grantee": {"Type": "Group", "URI": PUBLIC}, "Permission": "READ"}]


@pytest.fixture
async def s3(tmp_path, caller):
    async with AsyncExitStack() as stack:
        yield caller(await S3Service.start(tmp_path, ManualClock(), stack))


async def refused(s3, operation, **params):
    with pytest.raises(CallerError) as caught:
        await s3(operation, Bucket="bucket", **params)
    return caught.value.code


def expiring(days):
    return {"Rules": [{"Status": "Enabled", "Prefix": "", "Expiration": {"Days": days}}]}


async def test_days_stay_in_the_calendar(s3):
    """A lifecycle of too many days is refused; with the most that are taken objects are put."""
    await s3("CreateBucket", Bucket="bucket")
    put = "PutBucketLifecycleConfiguration"
    for wrong in (0, 2_147_483_647):
        code = await refused(s3, put, LifecycleConfiguration=expiring(wrong))
        assert code == "InvalidArgument"
    await s3(put, Bucket="bucket", LifecycleConfiguration=expiring(1_000_000))
    assert "Expiration" in await s3("PutObject", Bucket="bucket", Key="a", Body=Whole(b"x"))


@pytest.mark.parametrize(
    "lock",
    [
        {"ObjectLockMode": "ANYTHING", "ObjectLockRetainUntilDate": utc(4e9)},
        {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": utc(1.0)},
        {"ObjectLockLegalHoldStatus": "MAYBE"},
    ],
)
async def test_locks_that_lock_nothing_are_refused(s3, lock):
    """An unknown mode, a date that has passed, a hold that is neither on nor off."""
    await s3("CreateBucket", Bucket="bucket", ObjectLockEnabledForBucket=True)
    assert await refused(s3, "PutObject", Key="a", Body=Whole(b"x"), **lock) == "InvalidArgument"
    endless = {"Mode": "GOVERNANCE", "Days": 2_147_483_647}
    document = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": endless}}
    code = await refused(s3, "PutObjectLockConfiguration", ObjectLockConfiguration=document)
    assert code == "InvalidArgument"


async def test_public_acls_are_kept_out_while_they_are_blocked(s3):
    """With the object and afterwards, from headers and in parts; private ones are let in."""
    owned = {"ObjectOwnership": "ObjectWriter"}
    code = await refused(s3, "CreateBucket", ACL="public-read", **owned)
    assert code == "InvalidBucketAclWithBlockPublicAccessError"
    await s3("CreateBucket", Bucket="bucket", **owned)
    await s3("PutObject", Bucket="bucket", Key="a", Body=Whole(b"x"), ACL="private")
    for operation, more in (
        ("PutObject", {"Body": Whole(b"x"), "ACL": "public-read"}),
        ("PutObject", {"Body": Whole(b"x"), "GrantRead": f"uri={PUBLIC}"}),
        ("PutObjectAcl", {"ACL": "authenticated-read"}),
        ("CreateMultipartUpload", {"ACL": "public-read"}),
        ("CopyObject", {"Key": "b", "CopySource": "bucket/a", "ACL": "public-read"}),
    ):
        assert await refused(s3, operation, **({"Key": "a"} | more)) == "AccessDenied"
    await s3("DeletePublicAccessBlock", Bucket="bucket")
    await s3("PutObjectAcl", Bucket="bucket", Key="a", ACL="public-read")


async def test_policies_have_a_size(s3):
    """Twenty kilobytes, as on AWS."""
    await s3("CreateBucket", Bucket="bucket")
    code = await refused(s3, "PutBucketPolicy", Policy=json.dumps({"Id": "x" * 20_480}))
    assert code == "MalformedPolicy"


@pytest.mark.parametrize(
    ("condition", "is_public"),
    [
        ({}, True),
        ({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, True),
        ({"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "::/0"]}}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
        ({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, True),
        ({"StringNotEquals": {"aws:PrincipalAccount": "123456789012"}}, True),
        ({"StringEqualsIfExists": {"aws:SourceVpc": "vpc-1"}}, True),
        ({"ForAllValues:StringEquals": {"aws:PrincipalOrgID": "o-1"}}, True),
        ({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, False),
        ({"StringLike": {"aws:SourceVpc": "vpc-*"}}, True),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/*"}}, False),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/me"}}, True),
        ({"StringEquals": {"s3:prefix": "mine"}}, True),
    ],
)
def test_a_policy_is_public_unless_a_condition_holds_for_fixed_values_only(condition, is_public):
    """Negated conditions, wildcards, and those that hold where a key is absent narrow nothing."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Condition": condition}
    assert is_public_policy({"Statement": statement}) is is_public


def test_grants_of_the_latest_version_open_no_older_one():
    """What an ACL comes to is a right to the object, and none to versions by their ids."""
    bucket = Bucket(1, "bucket", "123456789012", "", 0.0, settings={"Ownership": "ObjectWriter"})
    policy = acl_policy(bucket, "a", READS)
    assert policy["Statement"][0]["Action"] == ["s3:GetObject"]
