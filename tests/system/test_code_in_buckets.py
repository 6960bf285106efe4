"""Code that stays in a bucket, through stock clients."""

import os

import pytest
from hands import ApiError
from material import ROLE, make_zip

CODE = "def handler(event, context):\n    return {!r}\n"
KEY = "arn:aws:kms:us-east-1:000000000000:key/k"


@pytest.fixture
def packages(boto):
    """A bucket with versioning, and a function's package in it: their names and the version."""
    name = f"packages-{os.getpid()}"
    boto.call("s3", "CreateBucket", Bucket=name)
    enabled = {"Status": "Enabled"}
    boto.call("s3", "PutBucketVersioning", Bucket=name, VersioningConfiguration=enabled)
    body = make_zip(app=CODE.format("from the bucket"))
    made = boto.call("s3", "PutObject", Bucket=name, Key="app.zip", Body=body)
    yield {"S3Bucket": name, "S3Key": "app.zip", "S3ObjectVersion": made["VersionId"]}
    boto.call("s3", "DeleteBucket", Bucket=name)


def test_a_function_runs_from_a_package_that_stays_in_a_bucket(boto, packages):
    """It is shown with the version that was newest, and runs when the object has gone."""
    newest = {name: packages[name] for name in ("S3Bucket", "S3Key")}
    boto.call(
        "lambda",
        "CreateFunction",
        FunctionName="stays",
        Runtime="python3.12",
        Handler="app.handler",
        Role=ROLE,
        Code={**newest, "S3ObjectStorageMode": "REFERENCE", "SourceKMSKeyArn": KEY},
    )
    boto.wait("lambda", "function_active_v2", FunctionName="stays")
    code = boto.call("lambda", "GetFunction", FunctionName="stays")["Code"]
    first = boto.invoke("stays").json()
    gone = {"Key": "app.zip", "VersionId": packages["S3ObjectVersion"]}
    boto.call("s3", "DeleteObject", Bucket=packages["S3Bucket"], **gone)
    boto.call("lambda", "UpdateFunctionConfiguration", FunctionName="stays", MemorySize=256)
    boto.wait("lambda", "function_updated_v2", FunctionName="stays")
    then = boto.invoke("stays").json()
    with pytest.raises(ApiError) as caught:
        boto.call(
            "lambda",
            "UpdateFunctionCode",
            FunctionName="stays",
            S3ObjectStorageMode="REFERENCE",
            **newest,
        )
    boto.call("lambda", "DeleteFunction", FunctionName="stays")

    assert code["ResolvedS3Object"] == packages
    assert code["SourceKMSKeyArn"] == KEY
    assert first == then == "from the bucket"
    assert "S3 Error Code: NoSuchKey" in caught.value.message
