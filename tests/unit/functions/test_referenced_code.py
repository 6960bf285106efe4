"""Code that stays in a bucket, and packages that name a key."""

import pytest

from emberbox.functions.code import NoSuchBlobError

KEY = "arn:aws:kms:us-east-1:123456789012:key/k"
INVALID = "InvalidParameterValueException"
GIVEN = {"S3Bucket": "b", "S3Key": "app.zip"}
REFERENCE = {**GIVEN, "S3ObjectStorageMode": "REFERENCE"}


class Bucket:
    """One bucket as the functions see it: objects by key and version, the newest last."""

    def __init__(self):
        self.objects = {}

    async def read(self, context, bucket, key, version, max_bytes):
        """The bytes of a version."""
        found = await self.version_of(context, bucket, key, version)
        return self.objects[key][found][: max_bytes + 1]

    async def version_of(self, _context, _bucket, key, version):
        """The id of a version, of the newest for None."""
        versions = self.objects.get(key, {})
        if not versions or (version and version not in versions):
            raise NoSuchBlobError("NoSuchKey", "The specified key does not exist.")
        return version or list(versions)[-1]


@pytest.fixture
def bucket():
    """A bucket."""
    return Bucket()


@pytest.fixture
async def api(make_api, bucket):
    """The service beside that bucket."""
    api = make_api(blobs=bucket)
    bucket.objects["app.zip"] = {"v1": api.zipped("one"), "v2": api.zipped("two")}
    bucket.objects["plain.zip"] = {"null": api.zipped()}
    yield api
    await api.service.close()


def resolved(version):
    """The object as answers show it."""
    return {"S3Bucket": "b", "S3Key": "app.zip", "S3ObjectVersion": version}


async def total(api):
    """How much code the account has, as it is told."""
    settings = await api("GetAccountSettings")
    return settings["AccountUsage"]["TotalCodeSize"]


async def code_of(api, **which):
    """Where the code of the function is."""
    return (await api("GetFunction", FunctionName="f", **which))["Code"]


async def test_code_that_stays_in_a_bucket_does_not_count(api):
    """The newest version is the one that is meant; versions of the function share it."""
    shown = await api.created(Code=REFERENCE)
    await api("PublishVersion", FunctionName="f")

    assert (await code_of(api))["ResolvedS3Object"] == resolved("v2")
    assert (await code_of(api, Qualifier="1"))["ResolvedS3Object"] == resolved("v2")
    assert shown["CodeSize"] > 0
    assert await total(api) == 0
    assert (await api.store.get(api.key())).code_object.version == "v2"


async def test_each_update_says_anew_where_code_stays(api):
    """Without the mode code is copied and counts; back in the bucket it counts no more."""
    await api.created(Code={**REFERENCE, "S3ObjectVersion": "v1"})
    first = (await code_of(api))["ResolvedS3Object"]
    copied = await api("UpdateFunctionCode", FunctionName="f", **GIVEN)
    await api.service.close()
    code, counted = await code_of(api), await total(api)
    await api("UpdateFunctionCode", FunctionName="f", **REFERENCE)
    await api.service.close()

    assert first == resolved("v1")
    assert "ResolvedS3Object" not in code
    assert counted == copied["CodeSize"]
    assert await total(api) == 0
    await api("DeleteFunction", FunctionName="f")
    assert await total(api) == 0


async def test_a_function_lives_on_when_its_object_goes(api, bucket):
    """Its configuration can change and it can be published; new code cannot come from there."""
    await api.created(Code=REFERENCE)
    del bucket.objects["app.zip"]
    await api("UpdateFunctionConfiguration", FunctionName="f", Description="d")
    await api.service.close()
    version = await api("PublishVersion", FunctionName="f")
    error = await api.refusal(api("UpdateFunctionCode", FunctionName="f", **REFERENCE))

    assert (version["State"], version["Version"]) == ("Active", "1")
    assert "S3 Error Code: NoSuchKey" in error.message


async def test_layers_stay_in_a_bucket_too(api):
    """And count no more than functions do, when they come and when they go."""
    made = await api("PublishLayerVersion", LayerName="l", Content=REFERENCE)
    counted = await total(api)
    await api("PublishLayerVersion", LayerName="l", Content=GIVEN)
    found = await api("GetLayerVersion", LayerName="l", VersionNumber=1)
    copy = await api("GetLayerVersion", LayerName="l", VersionNumber=2)
    both = await total(api)
    await api("DeleteLayerVersion", LayerName="l", VersionNumber=1)

    assert counted == 0
    assert found["Content"]["ResolvedS3Object"] == resolved("v2")
    assert made["Content"]["ResolvedS3Object"] == resolved("v2")
    assert "ResolvedS3Object" not in copy["Content"]
    assert both == await total(api) == copy["Content"]["CodeSize"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ({"ZipFile": b"x", "S3ObjectStorageMode": "REFERENCE"}, "give S3Bucket and S3Key"),
        ({**REFERENCE, "S3Key": "plain.zip"}, "needs versioning of the bucket b"),
        ({**REFERENCE, "S3ObjectVersion": "v9"}, "S3 Error Code: NoSuchKey"),
        ({**GIVEN, "SourceKMSKeyArn": "arn:aws:s3:::b"}, "is not the ARN of a KMS key"),
    ],
)
async def test_what_cannot_be_kept_is_refused(api, code, message):
    """And nothing is made."""
    error = await api.refusal(api.create(Code=code))

    assert error.code == INVALID
    assert message in error.message
    assert api.catalog.lookup(*api.key()) is None


async def test_the_key_of_a_package_is_kept_and_shown(api):
    """It belongs to the package: one that names no key has none."""
    await api.created(Code={"ZipFile": api.zipped(), "SourceKMSKeyArn": KEY})
    first = await code_of(api)
    await api("UpdateFunctionCode", FunctionName="f", ZipFile=api.zipped("two"))
    await api.service.close()

    assert first["SourceKMSKeyArn"] == KEY
    assert "SourceKMSKeyArn" not in await code_of(api)


async def test_images_have_neither(api):
    """Both are of packages."""
    uri = "123456789012.dkr.ecr.us-east-1.amazonaws.com/image:1"
    image = {"Runtime": None, "Handler": None, "PackageType": "Image"}
    error = await api.refusal(api.create(Code={"ImageUri": uri, "SourceKMSKeyArn": KEY}, **image))

    assert error.code == INVALID
    assert "leave them out" in error.message
