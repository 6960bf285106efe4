"""Lifecycles, notices and websites of buckets, without sockets."""

import json
from contextlib import AsyncExitStack

import pytest

from emberbox.clock import ManualClock
from emberbox.errors import CallerError
from emberbox.services.s3.blobs import Whole
from emberbox.services.s3.service import S3Service

DAY = 86_400
BUCKET = "kept"


@pytest.fixture
async def service(tmp_path):
    """The service; `.clock` moves by hand."""
    async with AsyncExitStack() as stack:
        clock = ManualClock()
        made = await S3Service.start(tmp_path, clock, stack)
        made.clock, made.stack = clock, stack
        yield made


@pytest.fixture
async def s3(service, caller):
    call = caller(service)

    async def s3(operation, **params):
        if isinstance(params.get("Body"), bytes):
            params["Body"] = Whole(params["Body"])
        return await call(operation, Bucket=BUCKET, **params)

    await s3("CreateBucket")
    return s3


async def keys(s3):
    return [each["Key"] for each in (await s3("ListObjectsV2"))["Contents"]]


def rule(**more):
    return {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, **more}


async def test_objects_expire_at_the_midnight_after_their_days(s3, service):
    """By prefix, tag and size; the answer says when and by which rule."""
    await s3(
        "PutBucketLifecycleConfiguration",
        LifecycleConfiguration={
            "Rules": [
                rule(Filter={"Prefix": "tmp/"}, Expiration={"Days": 1}),
                rule(ID="t", Filter={"Tag": {"Key": "a", "Value": "b"}}, Expiration={"Days": 3}),
                rule(ID="s", Filter={"ObjectSizeGreaterThan": 5}, Expiration={"Days": 5}),
            ]
        },
    )
    put = await s3("PutObject", Key="tmp/x", Body=b"")
    await s3("PutObject", Key="tagged", Body=b"", Tagging="a=b")
    await s3("PutObject", Key="large", Body=b"123456")
    await s3("PutObject", Key="stays", Body=b"12345")

    assert put["Expiration"].endswith('GMT", rule-id="r"')
    assert "Expiration" in await s3("HeadObject", Key="large")
    assert await service.lifecycle.run() == 0
    found = []
    for _ in range(7):
        service.clock.advance(DAY)
        await service.lifecycle.run()
        found.append(len(await keys(s3)))
    assert found == [4, 3, 3, 2, 2, 1, 1]
    assert await keys(s3) == ["stays"]


async def test_versions_markers_and_uploads_are_cleared_up(s3, service):
    """Noncurrent versions but the newest ones, markers with nothing behind, uploads left alone."""
    await s3("PutBucketVersioning", VersioningConfiguration={"Status": "Enabled"})
    await s3(
        "PutBucketLifecycleConfiguration",
        LifecycleConfiguration={
            "Rules": [
                rule(
                    NoncurrentVersionExpiration={
                        "NoncurrentDays": 1,
                        "NewerNoncurrentVersions": 1,
                    },
                    Expiration={"ExpiredObjectDeleteMarker": True},
                    AbortIncompleteMultipartUpload={"DaysAfterInitiation": 2},
                )
            ]
        },
    )
    for _ in range(4):
        await s3("PutObject", Key="k", Body=b"")
    await s3("DeleteObject", Key="nothing")
    await s3("CreateMultipartUpload", Key="u")
    service.clock.advance(2 * DAY)

    assert await service.lifecycle.run() == 3
    listed = await s3("ListObjectVersions")
    assert len(listed["Versions"]) == 2
    assert listed["DeleteMarkers"] == []
    service.clock.advance(DAY)
    assert await service.lifecycle.run() == 1
    assert (await s3("ListMultipartUploads"))["Uploads"] == []


class Target:
    """A target that keeps what it is told; it fails as often as it is asked to."""

    def __init__(self, failures=0, error=None):
        self.told = []
        self.failures = failures
        self.error = error

    async def problem(self, arn, _bucket):
        return "gone" if arn.endswith("gone") else ""

    async def tell(self, _arn, _bucket, body, _trace):
        if self.failures:
            self.failures -= 1
            raise self.error
        self.told.append(json.loads(body))


QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"


async def told(s3, **more):
    entry = {"QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"], **more}
    await s3(
        "PutBucketNotificationConfiguration",
        NotificationConfiguration={"QueueConfigurations": [entry]},
    )


async def test_what_is_to_be_told_survives_a_restart(tmp_path, caller):
    """It is recorded with the change, and told once there is somebody to tell it to."""
    clock = ManualClock()
    async with AsyncExitStack() as stack:
        service = await S3Service.start(tmp_path, clock, stack)
        service.targets["sqs"] = Target()
        call = caller(service)
        await call("CreateBucket", Bucket=BUCKET)

        async def s3(operation, **params):
            return await call(operation, Bucket=BUCKET, **params)

        await told(s3)
        await s3("PutObject", Key="k", Body=Whole(b"x"))
    async with AsyncExitStack() as stack:
        service = await S3Service.start(tmp_path, clock, stack)
        target = service.targets["sqs"] = Target()
        service.open(stack)
        await service.rested()

    assert target.told[0]["Event"] == "s3:TestEvent"
    assert target.told[1]["Records"][0]["eventName"] == "ObjectCreated:Put"


async def test_a_target_that_refuses_for_good_is_given_up(s3, service):
    """What may pass is tried again, later; the others hear of theirs meanwhile."""
    service.targets["sqs"] = target = Target()
    service.open(service.stack)
    await told(s3)
    await service.rested()
    target.failures, target.error = 1, CallerError("AccessDenied", "never")
    await s3("PutObject", Key="a", Body=b"")
    await service.rested()
    await s3("PutObject", Key="b", Body=b"")
    await service.rested()

    heard = [each["Records"][0]["s3"]["object"]["key"] for each in target.told[1:]]
    assert heard == ["b"]


async def test_a_fault_in_one_notice_ends_no_other(s3, service):
    """Whatever a target raises: the next notice is told."""
    service.targets["sqs"] = target = Target()
    service.open(service.stack)
    await told(s3)
    await service.rested()
    target.failures, target.error = 1, ValueError("nobody expected this")
    await s3("PutObject", Key="a", Body=b"")
    await service.rested()
    await s3("PutObject", Key="b", Body=b"")
    await service.rested()

    heard = [each["Records"][0]["s3"]["object"]["key"] for each in target.told[1:]]
    assert heard == ["b"]


async def test_a_configuration_for_a_target_with_a_problem_is_refused(s3, service, caller):
    """Unless the client asks for it not to be looked at."""
    service.targets["sqs"] = Target()
    with pytest.raises(CallerError) as caught:
        await told(s3, QueueArn=f"{QUEUE}gone")
    assert caught.value.code == "InvalidArgument"
    assert f"{QUEUE}gone" in caught.value.fields.values()
    configuration = {
        "QueueConfigurations": [{"QueueArn": f"{QUEUE}gone", "Events": ["s3:ObjectAcl:Put"]}]
    }
    await s3(
        "PutBucketNotificationConfiguration",
        NotificationConfiguration=configuration,
        SkipDestinationValidation=True,
    )
    assert (await s3("GetBucketNotificationConfiguration"))["QueueConfigurations"]


async def everybody(_arn):
    return True


async def nobody(_arn):
    return False


async def test_websites(s3, service):
    """Index and error documents, directories, redirections."""

    async def get(key, may=everybody):
        return await service.website.answer(BUCKET, key, "host", may)

    assert (await get("")).status == 404
    await s3(
        "PutBucketWebsite",
        WebsiteConfiguration={
            "IndexDocument": {"Suffix": "index.html"},
            "ErrorDocument": {"Key": "error.html"},
            "RoutingRules": [
                {
                    "Condition": {"KeyPrefixEquals": "old/"},
                    "Redirect": {"ReplaceKeyPrefixWith": "new/"},
                }
            ],
        },
    )
    await s3("PutObject", Key="index.html", Body=b"index", ContentType="text/html")
    await s3("PutObject", Key="dir/index.html", Body=b"dir")
    await s3("PutObject", Key="error.html", Body=b"sorry")
    await s3("PutObject", Key="away", Body=b"", WebsiteRedirectLocation="/index.html")

    index = await get("")
    assert (index.status, index.body) == (200, b"index")
    assert ("content-type", "text/html") in index.headers
    assert (await get("dir/")).body == b"dir"
    assert (await get("dir")).headers == [("location", "/dir/")]
    assert ((await get("nothing")).status, (await get("nothing")).body) == (404, b"sorry")
    assert (await get("away")).headers == [("location", "/index.html")]
    assert (await get("old/x")).headers == [("location", "http://host/new/x")]
    assert (await get("index.html", nobody)).status == 403
