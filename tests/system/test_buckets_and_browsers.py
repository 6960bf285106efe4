"""What browsers do with buckets: forms, pages of other sites, websites."""

import io
import json
import os
import urllib.error
import urllib.request

import boto3
import pytest
from botocore.config import Config
from secured import TRUST, Secured, Someone, allow, secured

PAGE = "https://app.example.com"


@pytest.fixture(scope="module")
def s3(server):
    made = boto3.client(
        "s3",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id="emberbox",
        aws_secret_access_key="emberbox",
        config=Config(signature_version="s3v4"),
    )
    yield made
    made.close()


@pytest.fixture(scope="module")
def bucket(s3):
    name = f"browsers-{os.getpid()}"
    s3.create_bucket(Bucket=name)
    yield name
    for each in s3.list_objects_v2(Bucket=name).get("Contents", []):
        s3.delete_object(Bucket=name, Key=each["Key"])
    s3.delete_bucket(Bucket=name)


def ask(url, method="GET", data=None, **headers):
    """Status, headers and body, whatever the status."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data=data, method=method, headers=named)
    try:
        with urllib.request.build_opener(Stay).open(request) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


class Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirection."""

    def redirect_request(self, *_):
        return None


def form(fields, file, name="a.txt"):
    parts = "".join(
        f'--B\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in fields.items()
    )
    head = f'--B\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return parts.encode() + head.encode() + file + b"\r\n--B--\r\n"


def post(server, bucket, fields, file):
    kind = "multipart/form-data; boundary=B"
    return ask(f"{server.url}/{bucket}", "POST", form(fields, file), Content_Type=kind)


def test_a_form_uploads_what_its_policy_allows(server, s3, bucket):
    """boto3 makes the policy; the file may hold lines that begin as its boundary does."""
    made = s3.generate_presigned_post(
        bucket,
        "forms/${filename}",
        Fields={"Content-Type": "text/x", "success_action_status": "201"},
        Conditions=[
            {"Content-Type": "text/x"},
            {"success_action_status": "201"},
            ["content-length-range", 1, 300_000],
        ],
    )
    file = b"\r\n--x--\r\n-" * 20_000
    status, _, body = post(server, bucket, made["fields"], file)
    found = s3.get_object(Bucket=bucket, Key="forms/a.txt")

    assert status == 201
    assert b"<Key>forms/a.txt</Key>" in body
    assert found["Body"].read() == file
    assert found["ContentType"] == "text/x"
    assert post(server, bucket, made["fields"], b"x" * 300_001)[0] == 400
    assert post(server, bucket, made["fields"], b"")[0] == 400
    assert post(server, bucket, {**made["fields"], "acl": "private"}, b"x")[0] == 403
    assert post(server, bucket, {**made["fields"], "Content-Type": "a/b"}, b"x")[0] == 403
    assert post(server, bucket, {"policy": "?"}, b"x")[0] == 400
    kind = "multipart/form-data; boundary=B"
    assert ask(f"{server.url}/{bucket}", "POST", b"--B\r\nnothing", Content_Type=kind)[0] == 400


def test_pages_of_other_sites_may_do_what_the_bucket_says(server, s3, bucket):
    """Preflights and answers; without a rule they are refused as everywhere on this server."""
    url = f"{server.url}/{bucket}/cors.txt"
    s3.put_object(Bucket=bucket, Key="cors.txt", Body=b"shared")
    assert ask(url, Origin=PAGE)[0] == 403
    s3.put_bucket_cors(
        Bucket=bucket,
        CORSConfiguration={
            "CORSRules": [
                {
                    "AllowedOrigins": ["https://*.example.com"],
                    "AllowedMethods": ["GET", "PUT"],
                    "AllowedHeaders": ["x-amz-*", "content-type"],
                    "ExposeHeaders": ["ETag"],
                    "MaxAgeSeconds": 60,
                }
            ]
        },
    )
    asked = {
        "Access_Control_Request_Method": "PUT",
        "Access_Control_Request_Headers": "Content-Type, x-amz-date",
    }
    status, headers, _ = ask(url, "OPTIONS", Origin=PAGE, **asked)
    assert status == 200
    assert headers["access-control-allow-origin"] == PAGE
    assert headers["access-control-allow-headers"] == "content-type, x-amz-date"
    assert headers["access-control-max-age"] == "60"
    assert ask(url, "OPTIONS", Origin="https://example.org", **asked)[0] == 403
    status, headers, body = ask(url, Origin=PAGE)
    assert (status, body) == (200, b"shared")
    assert headers["access-control-expose-headers"] == "ETag"
    assert ask(url, Origin="https://example.org")[0] == 403
    s3.delete_bucket_cors(Bucket=bucket)


def test_a_website_by_path_and_by_host(server, s3, bucket):
    """The same pages, also for pages of other sites: it is the web."""
    s3.put_bucket_website(
        Bucket=bucket, WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}}
    )
    s3.put_object(Bucket=bucket, Key="index.html", Body=b"<h1>", ContentType="text/html")
    host = f"{bucket}.s3-website.localhost"
    by_path = ask(f"{server.url}/_emberbox/website/{bucket}/", Origin=PAGE)
    by_host = ask(f"{server.url}/", Host=host)

    assert by_path[::2] == by_host[::2] == (200, b"<h1>")
    assert ask(f"{server.url}/nothing", Host=host)[0] == 404
    assert ask(f"{server.url}/", "POST", b"", Host=host)[0] == 405


def test_redirections_of_a_website_stay_in_it(server, s3, bucket):
    """To a folder below the path that the site has, and never to a host that a key names."""
    s3.put_bucket_website(
        Bucket=bucket, WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}}
    )
    for folder in ("docs", "/other.example", "über"):
        s3.put_object(Bucket=bucket, Key=f"{folder}/index.html", Body=b"")
    site, host = f"/_emberbox/website/{bucket}", f"{bucket}.s3-website.localhost"

    def location(path, **headers):
        return ask(f"{server.url}{path}", **headers)[1]["location"]

    assert location(f"{site}/docs") == f"{site}/docs/"
    assert location("/docs", Host=host) == "/docs/"
    assert location("/%2Fother.example", Host=host) == "/%2Fother.example/"
    assert location("/%C3%BCber", Host=host) == "/%C3%BCber/"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server that enforces policies."""
    place = tmp_path_factory.mktemp("guarded")
    with secured(place) as server:
        yield Secured(server, place)


def test_a_secured_bucket_lets_in_whom_its_policy_names(guarded):
    """Nobody without a policy, anybody with a public one once the block is gone."""
    s3 = guarded.as_root.client("s3")
    s3.create_bucket(Bucket="guarded")
    s3.put_object(Bucket="guarded", Key="k", Body=b"x" * 100_000)
    url = f"{guarded.server.url}/guarded/k"
    assert ask(url)[0] == 403
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::guarded/*",
    }
    s3.delete_public_access_block(Bucket="guarded")
    s3.put_bucket_policy(Bucket="guarded", Policy=json.dumps({"Statement": [statement]}))

    assert ask(url)[::2] == (200, b"x" * 100_000)
    assert ask(url, "PUT", b"y")[0] == 403
    assert ask(f"{guarded.server.url}/guarded?list-type=2")[0] == 403
    s3.put_public_access_block(
        Bucket="guarded", PublicAccessBlockConfiguration={"RestrictPublicBuckets": True}
    )
    assert ask(url)[0] == 403
    assert s3.get_object(Bucket="guarded", Key="k")["ContentLength"] == 100_000


def test_signed_uploads_of_all_kinds_are_verified(guarded):
    """Whole, in signed and unsigned chunks, by form and by link; a wrong secret is found out."""
    s3 = guarded.as_root.client("s3")
    s3.create_bucket(Bucket="signed")
    for number, body in enumerate((b"", b"small", os.urandom(9 << 20))):
        s3.upload_fileobj(io.BytesIO(body), "signed", f"k{number}")
        assert s3.get_object(Bucket="signed", Key=f"k{number}")["Body"].read() == body
    s3 = boto3.client(
        "s3",
        endpoint_url=guarded.server.url,
        region_name="us-east-1",
        aws_access_key_id=guarded.root_key[0],
        aws_secret_access_key=guarded.root_key[1],
        config=Config(signature_version="s3v4"),
    )
    made = s3.generate_presigned_post("signed", "form")
    assert post(guarded.server, "signed", made["fields"], b"x")[0] == 204
    assert post(guarded.server, "signed", {"key": "form"}, b"x")[0] == 403
    fields = {**made["fields"], "x-amz-signature": "0" * 64}
    assert post(guarded.server, "signed", fields, b"x")[0] == 403
    fields = {**made["fields"], "x-amz-signature": "é"}
    assert post(guarded.server, "signed", fields, b"x")[0] == 403
    link = s3.generate_presigned_url("put_object", Params={"Bucket": "signed", "Key": "link"})
    assert ask(link, "PUT", b"by link")[0] == 200
    assert ask(link.replace("link", "other"), "PUT", b"by link")[0] == 403
    liar = Someone(guarded.server.url, guarded.root_key[0], "wrong")
    assert liar.denied("s3", "put_object", Bucket="signed", Key="k", Body=b"x")[0] == (
        "SignatureDoesNotMatch"
    )


def test_a_secured_function_hears_only_of_buckets_that_it_lets_in(guarded):
    """AddPermission for S3 with the bucket as source, as every tool does it."""
    s3 = guarded.as_root.client("s3")
    for bucket in ("told", "untold"):
        s3.create_bucket(Bucket=bucket)
    role = guarded.role("listener", TRUST)
    guarded.function("listens", role, "def lambda_handler(event, context):\n    pass")
    arn = "arn:aws:lambda:us-east-1:123456789012:function:listens"
    guarded.as_root.client("lambda").add_permission(
        FunctionName="listens",
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn="arn:aws:s3:::told",
        SourceAccount="123456789012",
    )
    told = {
        "LambdaFunctionConfigurations": [
            {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
        ]
    }
    s3.put_bucket_notification_configuration(Bucket="told", NotificationConfiguration=told)
    code, text, _ = guarded.as_root.denied(
        "s3",
        "put_bucket_notification_configuration",
        Bucket="untold",
        NotificationConfiguration=told,
    )
    assert code == "InvalidArgument"
    assert text == "Unable to validate the following destination configurations"


def test_users_do_with_buckets_what_their_policies_allow(guarded):
    """By bucket and by key; anybody else's is denied."""
    guarded.as_root.may("s3", "create_bucket", Bucket="shared")
    user = guarded.user(
        "writer", allow(["s3:PutObject", "s3:GetObject"], "arn:aws:s3:::shared/mine/*")
    )
    user.may("s3", "put_object", Bucket="shared", Key="mine/k", Body=b"x" * 50_000)
    user.may("s3", "get_object", Bucket="shared", Key="mine/k")
    for key in ("other", "mine"):
        asked = {"Bucket": "shared", "Key": key, "Body": b""}
        assert user.denied("s3", "put_object", **asked)[0] == "AccessDenied"
    assert user.denied("s3", "list_objects_v2", Bucket="shared")[0] == "AccessDenied"


def test_a_user_lists_and_puts_only_as_conditions_say(guarded):
    """Below a prefix, and encrypted as asked; an old version needs a right of its own."""
    s3 = guarded.as_root.client("s3")
    s3.create_bucket(Bucket="conditions")
    s3.put_bucket_versioning(Bucket="conditions", VersioningConfiguration={"Status": "Enabled"})
    old = s3.put_object(Bucket="conditions", Key="home/k", Body=b"old")["VersionId"]
    s3.put_object(Bucket="conditions", Key="home/k", Body=b"new")
    objects = "arn:aws:s3:::conditions/*"
    below = {"StringLike": {"s3:prefix": "home/*"}}
    plain = {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}
    user = guarded.user(
        "conditional",
        allow("s3:ListBucket", "arn:aws:s3:::conditions", Condition=below),
        allow(["s3:GetObject", "s3:PutObject"], objects),
        {"Effect": "Deny", "Action": "s3:PutObject", "Resource": objects, "Condition": plain},
    )
    put = {"Bucket": "conditions", "Key": "home/p", "ServerSideEncryption": "aws:kms"}

    assert user.may("s3", "list_objects_v2", Bucket="conditions", Prefix="home/")["KeyCount"] == 1
    assert user.denied("s3", "list_objects_v2", Bucket="conditions")[0] == "AccessDenied"
    user.may("s3", "put_object", **put, Body=b"")
    assert user.denied("s3", "put_object", **(put | {"ServerSideEncryption": "AES256"}))
    user.may("s3", "copy_object", **put, CopySource="conditions/home/k")
    source = {"Bucket": "conditions", "Key": "home/k", "VersionId": old}
    assert "GetObjectVersion" in user.denied("s3", "copy_object", **put, CopySource=source)[1]
