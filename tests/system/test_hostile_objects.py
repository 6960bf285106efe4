"""Uploads that mean harm, byte by byte on the wire: keys, paths, heads, framing, checksums."""

import http.client
import os
import socket
from urllib.parse import quote, urlsplit

import pytest
from hands import ApiError

STREAMED = {
    "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "content-encoding": "aws-chunked",
    "x-amz-decoded-content-length": "5",
    "x-amz-trailer": "x-amz-checksum-crc32",
}
RIGHT = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"


@pytest.fixture(scope="module")
def bucket(boto):
    """A bucket for all of these, emptied and removed at the end."""
    name = f"hostile-{os.getpid()}"
    boto.call("s3", "CreateBucket", Bucket=name)
    yield name
    for each in boto.call("s3", "ListObjectsV2", Bucket=name).get("Contents", []):
        boto.call("s3", "DeleteObject", Bucket=name, Key=each["Key"])
    boto.call("s3", "DeleteBucket", Bucket=name)


@pytest.fixture
def ask(server, bucket):
    """Sends a request for a path below the bucket, just as it is: (status, body)."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)

    def send(method, path, body=b"", **headers):
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, f"/{bucket}/{path}", body, given)
        answer = connection.getresponse()
        return answer.status, answer.read()

    yield send
    connection.close()


def keys(boto, bucket):
    """All there are."""
    pages = boto.call("s3", "ListObjectsV2", Bucket=bucket)
    return {each["Key"] for each in pages.get("Contents", [])}


def test_keys_of_every_byte_are_names_and_come_back(ask, boto, bucket):
    """What is text is kept, listed and read as it was sent; what is no UTF-8 is refused."""
    for byte in range(256):
        key = b"every " + bytes([byte])
        status, body = ask("PUT", quote(key, safe=""), bytes([byte]))
        assert status == (200 if byte < 0x80 else 400), (byte, body)
        if byte < 0x80:
            assert ask("GET", quote(key, safe="")) == (200, bytes([byte]))
    assert keys(boto, bucket) == {f"every {chr(byte)}" for byte in range(0x80)}
    for byte in range(0x80):
        assert ask("DELETE", quote(f"every {chr(byte)}"))[0] == 204


@pytest.mark.parametrize(
    "path",
    [
        "%2e%2e/%2e%2e/escaped",
        "..%2f..%2fescaped",
        "../../escaped",
        "a/../../../escaped",
        "%2fescaped",
        "..%5c..%5cescaped",
        "escaped%00.txt",
    ],
)
def test_no_path_leads_out_of_the_bucket(ask, boto, bucket, path):
    """Dots and slashes are a key like any other; the object is in this bucket and nowhere else."""
    status, _ = ask("PUT", path, b"x")
    assert status == 200
    (key,) = keys(boto, bucket)
    assert "escaped" in key
    assert ask("GET", path) == (200, b"x")
    boto.call("s3", "DeleteObject", Bucket=bucket, Key=key)


def test_metadata_is_bounded(ask, boto, bucket):
    """Two kilobytes of names and values; more is refused, and nothing is stored."""
    fits = {"x-amz-meta-a": "v" * 2_047}
    assert ask("PUT", "meta", b"x", **fits)[0] == 200
    status, body = ask("PUT", "meta-2", b"x", **{"x-amz-meta-a": "v" * 2_048})
    assert status == 400
    assert b"<Code>MetadataTooLarge</Code>" in body
    with pytest.raises(ApiError):
        boto.call("s3", "GetObject", Bucket=bucket, Key="meta-2")
    boto.call("s3", "DeleteObject", Bucket=bucket, Key="meta")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (RIGHT[:6], b"IncompleteBody"),
        (RIGHT[:10], b"IncompleteBody"),
        (RIGHT.replace(b"NhCmhg", b"AAAAAA"), b"BadDigest"),
        (b"fffffffffffffffff\r\nhello", b"IncompleteBody"),
        (b"-5\r\nhello\r\n0\r\n\r\n", b"IncompleteBody"),
        (b"6\r\nhello!\r\n0\r\n\r\n", b"IncompleteBody"),
    ],
    ids=["half a chunk", "no end", "wrong sum", "huge chunk", "negative chunk", "too much"],
)
def test_broken_framing_leaves_nothing(ask, boto, bucket, body, code):
    """The right error, and no object; the right framing is taken."""
    status, said = ask("PUT", "framed", body, **STREAMED)
    assert status == 400
    assert b"<Code>" + code + b"</Code>" in said
    assert keys(boto, bucket) == set()


def test_right_framing_is_taken(ask, boto, bucket):
    """So that what is refused above is refused for its fault alone."""
    assert ask("PUT", "framed", RIGHT, **STREAMED)[0] == 200
    assert ask("GET", "framed") == (200, b"hello")
    boto.call("s3", "DeleteObject", Bucket=bucket, Key="framed")


def test_a_client_that_leaves_in_the_middle_leaves_nothing(server, boto, bucket):
    """The object of before stays, whole."""
    boto.call("s3", "PutObject", Bucket=bucket, Key="k", Body=b"before")
    url = urlsplit(server.url)
    with socket.create_connection((url.hostname, url.port), timeout=30) as connection:
        head = f"PUT /{bucket}/k HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: 9000000\r\n\r\n"
        connection.sendall(head.encode() + bytes(2_000_000))
    assert boto.call("s3", "GetObject", Bucket=bucket, Key="k")["Body"].read() == b"before"
    boto.call("s3", "DeleteObject", Bucket=bucket, Key="k")
