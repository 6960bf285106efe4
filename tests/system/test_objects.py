"""Buckets and objects through stock clients: all ways to put and get, and crashes."""

import io
import os
import random
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from hands import ApiError

from tools.running import running, start

MEBIBYTE = 1 << 20


@pytest.fixture
def bucket(boto):
    """A bucket of this test's own, emptied and removed at the end."""
    name = f"objects-{os.getpid()}-{random.randrange(1 << 30)}"
    boto.call("s3", "CreateBucket", Bucket=name)
    yield name
    versions = boto.call("s3", "ListObjectVersions", Bucket=name)
    gone = [
        {"Key": each["Key"], "VersionId": each["VersionId"]}
        for each in versions.get("Versions", []) + versions.get("DeleteMarkers", [])
    ]
    if gone:
        boto.call("s3", "DeleteObjects", Bucket=name, Delete={"Objects": gone})
    boto.call("s3", "DeleteBucket", Bucket=name)


def client(url, **config):
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="emberbox",
        aws_secret_access_key="emberbox",
        config=Config(retries={"total_max_attempts": 1}, **config),
    )


def _resolve(url, request, **_):
    """What a name server would do for a name with the bucket in it."""
    parts = urlsplit(request.url)
    request.headers["Host"] = parts.netloc
    request.url = url + request.url.partition(parts.netloc)[2]


@pytest.mark.parametrize("style", ["path", "virtual"])
@pytest.mark.parametrize("calculation", ["when_supported", "when_required"])
def test_objects_in_both_styles_with_and_without_checksums(server, bucket, style, calculation):
    """As today's SDKs send by default, and as they did before."""
    s3 = client(
        server.url.replace("127.0.0.1", "s3.localhost"),
        s3={"addressing_style": style},
        request_checksum_calculation=calculation,
    )
    s3.meta.events.register("before-send", partial(_resolve, server.url))
    key = "a b/é+%?&=//x"
    s3.put_object(Bucket=bucket, Key=key, Body=io.BytesIO(b"\0\xff" * 40_000), Metadata={"k": "v"})
    found = s3.get_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")

    assert found["Body"].read() == b"\0\xff" * 40_000
    assert found["Metadata"] == {"k": "v"}
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    s3.delete_object(Bucket=bucket, Key=key)
    with pytest.raises(ClientError) as caught:
        s3.head_object(Bucket=bucket, Key=key)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_uploads_in_parts_with_each_checksum(server, bucket, algorithm):
    """The client's own transfer manager, both ways; it verifies what it gets."""
    s3 = client(server.url)
    data = os.urandom(9 * MEBIBYTE)
    s3.upload_fileobj(io.BytesIO(data), bucket, "parts", ExtraArgs={"ChecksumAlgorithm": algorithm})
    got = io.BytesIO()
    s3.download_fileobj(bucket, "parts", got)
    head = s3.head_object(Bucket=bucket, Key="parts", ChecksumMode="ENABLED")

    assert got.getvalue() == data
    assert head["ETag"].endswith('-2"')
    assert head[f"Checksum{algorithm}"]


def test_links_that_are_signed_ahead(server, bucket):
    """For reading and for writing, by anybody who has them."""
    s3 = client(server.url, signature_version="s3v4")
    where = {"Bucket": bucket, "Key": "linked"}
    request = urllib.request.Request(
        s3.generate_presigned_url("put_object", Params=where), data=b"by link", method="PUT"
    )
    assert urllib.request.urlopen(request).status == 200

    assert urllib.request.urlopen(s3.generate_presigned_url("get_object", Params=where)).read() == (
        b"by link"
    )


def test_the_command_line_copies_trees_both_ways(cli, bucket, tmp_path):
    """`aws s3 sync` up and down: the same tree; `--delete` follows what is removed."""
    source, copy = tmp_path / "source", tmp_path / "copy"
    for number in range(60):
        path = source / f"d{number % 7}" / f"file {number}é.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(number * 50))
    (source / "large").write_bytes(os.urandom(9 * MEBIBYTE))
    cli.run("s3", "sync", str(source), f"s3://{bucket}/tree", "--quiet")
    cli.run("s3", "sync", f"s3://{bucket}/tree", str(copy), "--quiet")

    def content(root):
        return {
            str(each.relative_to(root)): each.read_bytes()
            for each in root.rglob("*")
            if each.is_file()
        }

    assert content(copy) == content(source)
    (source / "large").unlink()
    cli.run("s3", "sync", str(source), f"s3://{bucket}/tree", "--quiet", "--delete")
    listed = cli.call("s3", "ListObjectsV2", Bucket=bucket, Prefix="tree/large")
    assert listed.get("Contents", []) == []


def test_errors_are_those_of_s3(hands, bucket):
    """Codes that programs look at."""
    where = {"Bucket": bucket, "Key": "nothing"}
    with pytest.raises(ApiError) as missing:
        hands.call("s3", "GetObjectTagging", **where)
    with pytest.raises(ApiError) as policy:
        hands.call("s3", "GetBucketPolicy", Bucket=bucket)

    assert missing.value.code == "NoSuchKey"
    assert policy.value.code == "NoSuchBucketPolicy"


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]><Delete><Object><Key>&a;</Key></Object></Delete>',
        b"<Delete>" + b"<a>" * 5_000,
        b"<Delete",
        b"\0",
    ],
)
def test_documents_that_are_bombs_or_none(server, bucket, body):
    """They are malformed, whatever they would grow to."""
    request = urllib.request.Request(f"{server.url}/{bucket}?delete", data=body, method="POST")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == 400
    assert b"<Code>MalformedXML</Code>" in caught.value.read()


def _upload(s3, number, done):
    """One object after the other, in one piece or in parts, until the server is gone."""
    turn = 0
    while True:
        key, turn = f"w{number}/{turn}", turn + 1
        data = os.urandom(random.choice([10, 50_000, 6 * MEBIBYTE]))
        try:
            if len(data) > MEBIBYTE:
                upload = s3.create_multipart_upload(Bucket="crash", Key=key)["UploadId"]
                where = {"Bucket": "crash", "Key": key, "UploadId": upload}
                parts = [
                    {
                        "PartNumber": n,
                        "ETag": s3.upload_part(**where, PartNumber=n, Body=body)["ETag"],
                    }
                    for n, body in ((1, data[: 5 * MEBIBYTE]), (2, data[5 * MEBIBYTE :]))
                ]
                s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
            else:
                s3.put_object(Bucket="crash", Key=key, Body=data)
        except (BotoCoreError, ClientError, ConnectionError):
            return
        done[key] = data


def test_a_server_that_is_killed_loses_no_object_and_shows_no_half(tmp_path):
    """kill -9 while objects and parts are uploaded, again and again: what was acknowledged is
    there, byte for byte; what was not is whole or absent; no file is left over."""
    data, log = tmp_path / "data", tmp_path / "log"
    done = {}
    for turn in range(2):
        server = start(data, log)
        s3 = client(server.url, max_pool_connections=8)
        if not turn:
            s3.create_bucket(Bucket="crash")
        enough, deadline = len(done) + random.randrange(3, 30), time.monotonic() + 40
        with ThreadPoolExecutor(4) as pool:
            uploads = [pool.submit(_upload, s3, f"{turn}-{n}", done) for n in range(4)]
            while len(done) < enough and time.monotonic() < deadline:
                wait(uploads, timeout=random.random() / 20)
            server.kill()
    with running(data, log) as server:
        s3 = client(server.url)
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket="crash")
        there = {each["Key"]: each for page in pages for each in page.get("Contents", [])}

        assert len(done) >= 6
        assert done.keys() <= there.keys()
        for key, listed in there.items():
            body = s3.get_object(Bucket="crash", Key=key)["Body"].read()
            assert body == done.get(key, body)
            assert len(body) == listed["Size"]
        for each in s3.list_multipart_uploads(Bucket="crash").get("Uploads", []):
            s3.abort_multipart_upload(Bucket="crash", Key=each["Key"], UploadId=each["UploadId"])
        gone = [{"Key": key} for key in there]
        for first in range(0, len(gone), 1_000):
            part = gone[first : first + 1_000]
            s3.delete_objects(Bucket="crash", Delete={"Objects": part})
        deadline = time.monotonic() + 60
        while any(each.is_file() for each in (data / "objects").rglob("*")):
            assert time.monotonic() < deadline, "files of removed objects stay"
            threading.Event().wait(0.1)


def test_a_refused_upload_leaves_its_connection_in_order(server, bucket):
    """The client was never asked for the body: what it sends next is no part of it."""
    s3 = client(server.url, max_pool_connections=1)
    for _ in range(2):
        with pytest.raises(ClientError, match="NoSuchBucket"):
            s3.put_object(Bucket=f"no-{bucket}", Key="k", Body=b"x" * 1_000)
        assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
