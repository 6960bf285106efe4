"""Amazon S3 as its clients see it, without sockets: objects, versions, parts, lists, keys."""

import asyncio
import base64
import hashlib
import os
from contextlib import AsyncExitStack

import pytest

from emberbox.clock import ManualClock
from emberbox.errors import CallerError, PlatformError
from emberbox.model.request import Reply, RequestContext
from emberbox.services.s3.blobs import Whole
from emberbox.services.s3.copying import settled
from emberbox.services.s3.keeping import small
from emberbox.services.s3.service import S3Service
from emberbox.storage.s3_blobs import BlobGoneError
from emberbox.storage.s3_objects import ObjectStore

BUCKET = "bucket"
ACCOUNT = "123456789012"
BIG = bytes(range(256)) * 1_024


class Stream(Whole):
    """A body with what a client may say of it."""

    def __init__(self, data, *, sha256="", trailers=None, fails=False):
        super().__init__(data)
        self.sha256 = sha256
        self.trailers = trailers or {}
        self.announced = list(self.trailers)
        self._fails = fails

    async def __aiter__(self):
        yield self._data
        if self._fails:
            raise CallerError("IncompleteBody", "", status=400)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def start(tmp_path, clock):
    """Starts the service over the same directory; `stop` ends it."""
    stacks = []

    async def start():
        stacks.append(AsyncExitStack())
        return await S3Service.start(tmp_path, clock, stacks[-1])

    async def stop():
        await stacks.pop().aclose()

    start.stop = stop
    yield start
    for stack in stacks:
        await stack.aclose()


class Plain:
    """A caller whose answers are members alone, whatever their status."""

    def __init__(self, caller):
        self._caller = caller
        self.refused = self._refused

    async def __call__(self, operation, **params):
        params.setdefault("Bucket", BUCKET)
        if isinstance(params.get("Body"), bytes):
            params["Body"] = Stream(params["Body"])
        context_call = self._caller.service.operations[operation]
        self._caller.service = _Unwrapped(self._caller.service, operation, context_call)
        return await self._caller(operation, **params)

    async def _refused(self, operation, **params):
        with pytest.raises(CallerError) as caught:
            await self(operation, **params)
        return caught.value.code, caught.value.status


class _Unwrapped:
    def __init__(self, service, operation, call):
        self.name = "s3"

        async def unwrapped(context, params):
            answer = await call(context, params)
            output = answer.output if isinstance(answer, Reply) else answer
            body = output.get("Body")
            if body is not None and not isinstance(body, bytes):
                output["Body"] = b"".join([piece async for piece in body])
            return output

        self.operations = {**service.operations, operation: unwrapped}


@pytest.fixture
async def s3(start, caller):
    made = Plain(caller(await start()))
    await made("CreateBucket")
    return made


def files(tmp_path):
    return [each for each in (tmp_path / "objects").rglob("*") if each.is_file()]


async def read(s3, key, **more):
    return (await s3("GetObject", Key=key, **more))["Body"]


@pytest.mark.parametrize("body", [b"", b"small", BIG])
async def test_objects_are_there_after_a_restart(s3, start, caller, body):
    """Empty, in the database, in a file: with their headers, metadata and tags."""
    put = await s3(
        "PutObject", Key="k", Body=body, ContentType="a/b", Metadata={"m": "1"}, Tagging="t=u"
    )
    await start.stop()
    s3 = Plain(caller(await start()))
    found = await s3("GetObject", Key="k")

    assert found["Body"] == body
    assert put["ETag"] == found["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert (found["ContentType"], found["Metadata"], found["TagCount"]) == ("a/b", {"m": "1"}, 1)
    assert found["ContentLength"] == len(body)


@pytest.mark.parametrize(
    "key",
    [
        "../../etc/passwd",
        "..",
        "/",
        "//",
        "a\0b",
        "\x01\x7f",
        "\U0010ffff",
        "é" * 512,
        "a\nb",
        "%2e%2e",
    ],
)
async def test_keys_are_never_paths(s3, tmp_path, key):
    """Every key is only a name: files have names of ours, and nothing else is touched."""
    before = {each for each in tmp_path.iterdir() if not each.name.startswith("s3.db")}
    await s3("PutObject", Key=key, Body=BIG)

    assert await read(s3, key) == BIG
    assert [o["Key"] for o in (await s3("ListObjectsV2"))["Contents"]] == [key]
    after = {each for each in tmp_path.iterdir() if not each.name.startswith("s3.db")}
    assert after - before <= {tmp_path / "objects"}
    (file,) = {each.name for each in files(tmp_path)}
    assert set(file) <= set("0123456789abcdef")


async def test_keys_above_a_kilobyte_are_refused(s3):
    """By their UTF-8 bytes."""
    assert await s3.refused("PutObject", Key="é" * 513, Body=b"") == ("KeyTooLongError", 400)


@pytest.mark.parametrize("data", [b"hello", BIG])
async def test_what_does_not_arrive_as_it_should_leaves_nothing(s3, tmp_path, data):
    """Wrong sums of any kind, and bodies that break off: the object of before stays."""
    await s3("PutObject", Key="k", Body=b"before")
    wrong = base64.b64encode(b"0" * 16).decode()
    crc = base64.b64encode(b"0000").decode()
    cases = [
        ({"ContentMD5": wrong}, Stream(data), "BadDigest"),
        ({"ContentMD5": "?"}, Stream(data), "InvalidDigest"),
        ({"ChecksumCRC32": crc}, Stream(data), "BadDigest"),
        ({"ChecksumSHA256": crc}, Stream(data), "InvalidRequest"),
        ({}, Stream(data, trailers={"x-amz-checksum-crc32c": crc}), "BadDigest"),
        ({}, Stream(data, sha256="0" * 64), "XAmzContentSHA256Mismatch"),
        ({}, Stream(data, fails=True), "IncompleteBody"),
    ]
    for more, body, code in cases:
        assert await s3.refused("PutObject", Key="k", Body=body, **more) == (code, 400)

    assert await read(s3, "k") == b"before"
    assert files(tmp_path) == []


async def test_files_of_a_server_that_was_killed_are_removed(start, caller, tmp_path):
    """Those that no metadata names; the others stay, even if their last step is missing."""
    s3 = Plain(caller(await start()))
    await s3("CreateBucket")
    await s3("PutObject", Key="k", Body=BIG)
    (kept,) = files(tmp_path)
    await start.stop()
    new = tmp_path / "objects" / "new"
    os.link(kept, new / kept.name)
    (new / ("f" * 32)).write_bytes(b"half")
    (tmp_path / "objects" / "ff").mkdir(exist_ok=True)
    os.link(new / ("f" * 32), tmp_path / "objects" / "ff" / ("f" * 32))
    s3 = Plain(caller(await start()))

    assert await read(s3, "k") == BIG
    assert files(tmp_path) == [kept]


async def test_bytes_go_with_the_last_object_that_has_them(start, caller, tmp_path):
    """Copies share them; the file is removed when nobody needs it."""
    service = await start()
    s3 = Plain(caller(service))
    await s3("CreateBucket")
    await s3("PutObject", Key="a", Body=BIG)
    await s3("CopyObject", Key="b", CopySource=f"{BUCKET}/a")
    await s3("DeleteObject", Key="a")
    assert await read(s3, "b") == BIG
    assert len(files(tmp_path)) == 1

    await s3("DeleteObject", Key="b")
    await service.keeper.swept()
    assert files(tmp_path) == []


async def test_conditional_writes(s3):
    """Create only, and replace only what one has seen."""
    first = await s3("PutObject", Key="k", Body=b"1", IfNoneMatch="*")
    assert await s3.refused("PutObject", Key="k", Body=b"2", IfNoneMatch="*") == (
        "PreconditionFailed",
        412,
    )
    await s3("PutObject", Key="k", Body=b"3", IfMatch=first["ETag"])
    assert (await s3.refused("PutObject", Key="k", Body=b"4", IfMatch=first["ETag"]))[1] == 412
    assert await s3.refused("PutObject", Key="x", Body=b"", IfMatch="e") == ("NoSuchKey", 404)
    assert await read(s3, "k") == b"3"


async def test_one_of_many_creators_wins(s3):
    """Conditions are held against the state at the commit."""
    results = await asyncio.gather(
        *(s3("PutObject", Key="k", Body=b"%d" % n, IfNoneMatch="*") for n in range(8)),
        return_exceptions=True,
    )
    assert sum(isinstance(each, dict) for each in results) == 1


@pytest.mark.parametrize(
    ("asked", "start_at", "end"), [("bytes=5-9", 5, 10), ("bytes=-4", -4, None)]
)
@pytest.mark.parametrize("data", [b"0123456789" * 3, BIG])
async def test_ranges(s3, data, asked, start_at, end):
    """Of small bodies and of files."""
    await s3("PutObject", Key="k", Body=data)
    assert await read(s3, "k", Range=asked) == data[start_at:end]
    assert await s3.refused("GetObject", Key="k", Range=f"bytes={len(data)}-") == (
        "InvalidRange",
        416,
    )


async def test_versions(s3):
    """Every put is kept; a delete hides; a version that is removed is gone for good."""
    await s3("PutObject", Key="k", Body=b"null")
    await s3("PutBucketVersioning", VersioningConfiguration={"Status": "Enabled"})
    one = (await s3("PutObject", Key="k", Body=b"one"))["VersionId"]
    two = (await s3("PutObject", Key="k", Body=b"two"))["VersionId"]
    marker = await s3("DeleteObject", Key="k")

    assert marker["DeleteMarker"]
    assert await s3.refused("GetObject", Key="k") == ("NoSuchKey", 404)
    assert await s3.refused("GetObject", Key="k", VersionId=marker["VersionId"]) == (
        "MethodNotAllowed",
        405,
    )
    assert await read(s3, "k", VersionId=one) == b"one"
    assert await read(s3, "k", VersionId="null") == b"null"
    listed = await s3("ListObjectVersions")
    assert [each["VersionId"] for each in listed["Versions"]] == [two, one, "null"]
    assert [each["IsLatest"] for each in listed["DeleteMarkers"]] == [True]

    await s3("DeleteObject", Key="k", VersionId=marker["VersionId"])
    assert await read(s3, "k") == b"two"
    await s3("PutBucketVersioning", VersioningConfiguration={"Status": "Suspended"})
    await s3("PutObject", Key="k", Body=b"again")
    listed = await s3("ListObjectVersions")
    assert [each["VersionId"] for each in listed["Versions"]] == ["null", two, one]


async def test_versions_are_listed_a_page_at_a_time(s3):
    """Markers are a key and a version; common prefixes are shown once."""
    await s3("PutBucketVersioning", VersioningConfiguration={"Status": "Enabled"})
    for key in ("a", "b/1", "b/2", "c"):
        for _ in range(2):
            await s3("PutObject", Key=key, Body=b"")
    found, asked = [], {}
    while True:
        page = await s3("ListObjectVersions", MaxKeys=1, Delimiter="/", **asked)
        found += [each["Key"] for each in page["Versions"]]
        found += [each["Prefix"] for each in page["CommonPrefixes"]]
        if not page["IsTruncated"]:
            break
        asked = {"KeyMarker": page["NextKeyMarker"]}
        if "NextVersionIdMarker" in page:
            asked["VersionIdMarker"] = page["NextVersionIdMarker"]

    assert found == ["a", "a", "b/", "c", "c"]


async def parts_of(s3, sizes, **more):
    upload = (await s3("CreateMultipartUpload", Key="m", **more))["UploadId"]
    sent = []
    for number, size in enumerate(sizes, 1):
        body = bytes([number]) * size
        etag = (await s3("UploadPart", Key="m", UploadId=upload, PartNumber=number, Body=body))[
            "ETag"
        ]
        sent.append({"PartNumber": number, "ETag": etag})
    return upload, sent


async def test_uploads_in_parts(s3, tmp_path):
    """The object is its parts in order, with the entity tag of AWS; parts left out are removed."""
    size = 5 << 20
    upload, sent = await parts_of(s3, [size, 40_000, 10])
    made = await s3(
        "CompleteMultipartUpload",
        Key="m",
        UploadId=upload,
        MultipartUpload={"Parts": [sent[0], sent[2]]},
    )
    tags = b"".join(bytes.fromhex(sent[n]["ETag"].strip('"')) for n in (0, 2))

    assert made["ETag"] == f'"{hashlib.md5(tags).hexdigest()}-2"'
    assert await read(s3, "m") == b"\1" * size + b"\3" * 10
    assert await read(s3, "m", PartNumber=2) == b"\3" * 10
    assert await s3.refused("ListParts", Key="m", UploadId=upload) == ("NoSuchUpload", 404)
    assert (await s3("ListMultipartUploads"))["Uploads"] == []


async def test_parts_that_cannot_be_put_together(s3):
    """Too small, out of order, unknown, or with another entity tag."""
    upload, (one, two) = await parts_of(s3, [100, 100])

    async def complete(*parts):
        return await s3.refused(
            "CompleteMultipartUpload", Key="m", UploadId=upload, MultipartUpload={"Parts": parts}
        )

    assert await complete(one, two) == ("EntityTooSmall", 400)
    assert await complete(two, one) == ("InvalidPartOrder", 400)
    assert await complete({"PartNumber": 9, "ETag": "e"}) == ("InvalidPart", 400)
    assert await complete({"PartNumber": 1, "ETag": "e"}) == ("InvalidPart", 400)
    assert await complete() == ("MalformedXML", 400)
    await s3("AbortMultipartUpload", Key="m", UploadId=upload)
    assert await complete(one) == ("NoSuchUpload", 404)


async def test_checksums_of_parts_are_put_together(s3):
    """Composite as the checksum of checksums, full as of the whole object."""
    from emberbox.services.s3 import checksums

    size = 5 << 20
    whole = b"\1" * size + b"\2" * 7
    for algorithm, kind in (("CRC32C", "COMPOSITE"), ("CRC32", "FULL_OBJECT"), ("SHA256", None)):
        upload, sent = await parts_of(s3, [size, 7], ChecksumAlgorithm=algorithm, ChecksumType=kind)
        made = await s3(
            "CompleteMultipartUpload", Key="m", UploadId=upload, MultipartUpload={"Parts": sent}
        )
        found = made[f"Checksum{algorithm}"]
        if kind == "FULL_OBJECT":
            digest = checksums.hasher(algorithm)
            digest.update(whole)
            assert found == checksums.text_of(digest.digest())
        else:
            assert made["ChecksumType"] == "COMPOSITE"
            assert found.endswith("-2")


async def test_copied_parts_share_bytes(s3):
    """A range of another object as a part, which stays when that object goes."""
    await s3("PutObject", Key="source", Body=BIG)
    upload = (await s3("CreateMultipartUpload", Key="m"))["UploadId"]
    asked = {"Key": "m", "UploadId": upload, "PartNumber": 1, "CopySource": f"{BUCKET}/source"}
    done = await s3("UploadPartCopy", **asked, CopySourceRange="bytes=10-99")
    await s3("DeleteObject", Key="source")
    part = {"PartNumber": 1, "ETag": done["CopyPartResult"]["ETag"]}
    await s3("CompleteMultipartUpload", Key="m", UploadId=upload, MultipartUpload={"Parts": [part]})

    assert await read(s3, "m") == BIG[10:100]


@pytest.mark.parametrize("operation", ["ListObjects", "ListObjectsV2"])
@pytest.mark.parametrize("delimiter", ["", "/"])
@pytest.mark.parametrize("prefix", ["", "d", "d1/"])
async def test_pages_of_a_list_are_the_list(s3, operation, delimiter, prefix):
    """Every key, or common prefix, once and in order, whatever the size of the pages."""
    keys = sorted([f"d{n % 4}/k{n}" for n in range(20)] + ["a", "d", "d1", "é", "z\U0010ffff"])
    for key in keys:
        await s3("PutObject", Key=key, Body=b"")
    expected = []
    for key in (each for each in keys if each.startswith(prefix)):
        head, found, _ = key[len(prefix) :].partition("/")
        shown = prefix + head + "/" if delimiter and found else key
        if shown not in expected:
            expected.append(shown)
    for size in (1, 3, 1_000):
        found, asked = [], {}
        for _ in range(100):
            page = await s3(operation, MaxKeys=size, Delimiter=delimiter, Prefix=prefix, **asked)
            rows = [each["Key"] for each in page["Contents"]]
            rows += [each["Prefix"] for each in page["CommonPrefixes"]]
            found += sorted(rows)
            if not page["IsTruncated"]:
                break
            if operation == "ListObjectsV2":
                asked = {"ContinuationToken": page["NextContinuationToken"]}
            else:
                asked = {"Marker": page.get("NextMarker") or rows[-1]}
        assert found == expected


async def test_many_are_deleted_at_once(s3):
    """Each has its own answer; what is not there is no error."""
    await s3("PutObject", Key="a", Body=b"")
    done = await s3("DeleteObjects", Delete={"Objects": [{"Key": "a"}, {"Key": "nothing"}]})
    assert [each["Key"] for each in done["Deleted"]] == ["a", "nothing"]
    assert await s3.refused("DeleteObjects", Delete={"Objects": []}) == ("MalformedXML", 400)


async def test_locked_versions_stay(s3):
    """A legal hold or a retention keeps a version from being removed, not from being hidden."""
    await s3("CreateBucket", Bucket="locked", ObjectLockEnabledForBucket=True)
    asked = {"Bucket": "locked", "Key": "k"}
    version = (await s3("PutObject", **asked, Body=b"x"))["VersionId"]
    await s3("PutObjectLegalHold", **asked, LegalHold={"Status": "ON"})

    assert await s3.refused("DeleteObject", **asked, VersionId=version) == ("AccessDenied", 403)
    assert (await s3("DeleteObject", **asked))["DeleteMarker"]
    await s3("PutObjectLegalHold", **asked, VersionId=version, LegalHold={"Status": "OFF"})
    await s3("DeleteObject", **asked, VersionId=version)
    assert await s3.refused("GetObject", **asked, VersionId=version) == ("NoSuchVersion", 404)


async def test_buckets_are_removed_when_they_are_empty(s3):
    """Not before; uploads that are not complete count too."""
    await s3("PutObject", Key="k", Body=b"")
    assert await s3.refused("DeleteBucket") == ("BucketNotEmpty", 409)
    await s3("DeleteObject", Key="k")
    await s3("DeleteBucket")
    assert await s3.refused("PutObject", Key="k", Body=b"") == ("NoSuchBucket", 404)


async def test_names_of_buckets_are_of_all_accounts(s3, caller, start):
    """One's own may be made again in the oldest region."""
    await s3("CreateBucket")
    other = Plain(caller(await start(), account="999999999999"))
    assert (await other.refused("CreateBucket"))[0] == "BucketAlreadyExists"
    assert await other.refused("GetObject", Key="k") == ("AccessDenied", 403)
    await start.stop()
    assert await s3.refused("CreateBucket", Bucket="No") == ("InvalidBucketName", 400)


async def test_sub_resources_have_defaults_or_errors(s3):
    """What Terraform reads of a bucket that has just been made."""
    errors = {
        "GetBucketPolicy": "NoSuchBucketPolicy",
        "GetBucketCors": "NoSuchCORSConfiguration",
        "GetBucketWebsite": "NoSuchWebsiteConfiguration",
        "GetBucketLifecycleConfiguration": "NoSuchLifecycleConfiguration",
        "GetBucketReplication": "ReplicationConfigurationNotFoundError",
        "GetObjectLockConfiguration": "ObjectLockConfigurationNotFoundError",
        "GetBucketTagging": "NoSuchTagSet",
    }
    for operation, code in errors.items():
        assert await s3.refused(operation) == (code, 404)
    assert await s3("GetBucketVersioning") == {}
    assert await s3("GetBucketRequestPayment") == {"Payer": "BucketOwner"}
    assert await s3("GetBucketLogging") == {}
    block = (await s3("GetPublicAccessBlock"))["PublicAccessBlockConfiguration"]
    assert all(block.values())
    await s3("DeletePublicAccessBlock")
    assert (await s3.refused("GetPublicAccessBlock"))[1] == 404


async def test_public_policies_are_kept_out_while_they_are_blocked(s3):
    """They need the block to be taken away first; the status tells."""
    policy = (
        '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",'
        '"Resource":"arn:aws:s3:::bucket/*"}]}'
    )
    assert await s3.refused("PutBucketPolicy", Policy=policy) == ("AccessDenied", 403)
    await s3("DeletePublicAccessBlock")
    await s3("PutBucketPolicy", Policy=policy)
    assert (await s3("GetBucketPolicyStatus"))["PolicyStatus"]["IsPublic"]
    for bad in ("{", "[]", '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"x"}]}'):
        assert await s3.refused("PutBucketPolicy", Policy=bad) == ("MalformedPolicy", 400)


async def test_events_of_a_bucket_that_is_gone_are_told(start, caller):
    """What was recorded when the last object went is told of the bucket as it was then."""
    service = await start()
    told = []

    class Target:
        async def problem(self, _arn, _bucket):
            return ""

        async def tell(self, arn, bucket, body, _trace):
            told.append((arn, bucket.account, bucket.region, "ObjectRemoved:Delete" in body))

    service.targets["sqs"] = Target()
    s3, arn = caller(service), "arn:aws:sqs:us-east-1:123456789012:q"
    await s3("CreateBucket", Bucket=BUCKET)
    events = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectRemoved:*"]}]}
    await s3("PutBucketNotificationConfiguration", Bucket=BUCKET, NotificationConfiguration=events)
    await s3("PutObject", Bucket=BUCKET, Key="a", Body=Stream(b"x"))
    await s3("DeleteObject", Bucket=BUCKET, Key="a")
    await s3("DeleteBucket", Bucket=BUCKET)
    async with AsyncExitStack() as stack:
        service.open(stack)
        await service.rested()

    assert (arn, "123456789012", "us-east-1", True) in told


async def test_bytes_without_metadata_go_at_once(start, caller, tmp_path):
    """A database that fails leaves no file behind that takes room until the next start."""
    service = await start()
    s3 = caller(service)
    await s3("CreateBucket", Bucket=BUCKET)
    await service.buckets.database.close()
    with pytest.raises(PlatformError):
        await s3("PutObject", Bucket=BUCKET, Key="a", Body=Stream(BIG))

    assert files(tmp_path) == []


async def test_an_upload_may_be_completed_again(s3):
    """By a client that has not heard the answer: it gets the same one, and no second version."""
    await s3("PutBucketVersioning", VersioningConfiguration={"Status": "Enabled"})
    made = await s3("CreateMultipartUpload", Key="k")
    named = {"Key": "k", "UploadId": made["UploadId"]}
    part = await s3("UploadPart", **named, PartNumber=1, Body=b"x")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    first = await s3("CompleteMultipartUpload", **named, MultipartUpload=parts)

    assert await s3("CompleteMultipartUpload", **named, MultipartUpload=parts) == first
    assert len((await s3("ListObjectVersions"))["Versions"]) == 1
    parts["Parts"][0]["ETag"] = "0" * 32
    refused = await s3.refused("CompleteMultipartUpload", **named, MultipartUpload=parts)
    assert refused == ("NoSuchUpload", 404)


async def test_what_is_replaced_while_it_is_read_is_read_whole(start, caller):
    """Small objects, and large ones whose last part is small: these bytes are in the database."""
    service = await start()
    s3 = caller(service)
    await s3("CreateBucket", Bucket=BUCKET)
    named = {"Bucket": BUCKET, "Key": "k"}
    made = await s3("CreateMultipartUpload", **named)
    upload = {**named, "UploadId": made["UploadId"]}
    bodies = [b"a" * (5 << 20), b"end"]
    tags = [
        (await s3("UploadPart", **upload, PartNumber=number, Body=Stream(body)))["ETag"]
        for number, body in enumerate(bodies, start=1)
    ]
    parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, start=1)]
    await s3("CompleteMultipartUpload", **upload, MultipartUpload={"Parts": parts})
    context = RequestContext(ACCOUNT, "us-east-1", "r", "s3", "GetObject", "", "")
    stream = (await service.operations["GetObject"](context, named))["Body"]
    begin = await anext(stream)
    await s3("PutObject", **named, Body=Stream(b"small"))
    rest = [piece async for piece in stream]
    store, bucket = ObjectStore(service.buckets.database), service.buckets.get(BUCKET)
    seen = await store.find(bucket, "k", None, whole=True)
    await s3("PutObject", **named, Body=Stream(b"other"))

    assert begin + b"".join(rest) == b"".join(bodies)
    assert small(seen) == b"small"


async def test_a_copy_is_made_of_what_is_there_now():
    """Again, if its source was replaced before it was made."""
    tries = iter([BlobGoneError("b"), FileNotFoundError(), {"made": True}])

    async def copy():
        each = next(tries)
        if isinstance(each, Exception):
            raise each
        return each

    assert await settled(copy) == {"made": True}
