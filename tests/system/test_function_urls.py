"""Function URLs over plain HTTP, by path and by host name, through a real server."""

import http.client
import itertools
import json
import os
import socket
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from material import ROLE, make_zip
from secured import TRUST, Secured, allow, secured

ACCOUNT = "123456789012"
HANDLERS = """
    import base64, json, os, time

    def lambda_handler(event, context):
        asked = event.get("queryStringParameters") or {}
        return globals()[asked.get("op", "echo")](event, asked)

    def echo(event, asked):
        return event

    def answer(event, asked):
        body = event.get("body", "")
        if event["isBase64Encoded"]:
            body = base64.b64decode(body)
        else:
            body = body.encode()
        return {
            "statusCode": 201,
            "headers": {"Content-Type": "image/png", "Access-Control-Allow-Origin": "mine"},
            "cookies": ["a=b; HttpOnly", "c=d"],
            "body": base64.b64encode(body).decode(),
            "isBase64Encoded": True,
        }

    def fails(event, asked):
        raise ValueError("private")

    def bad(event, asked):
        return {"statusCode": "none"}

    def stream(event, asked):
        yield {"statusCode": 203, "headers": {"x-own": "1"}, "cookies": ["s=t"]}
        yield "first,"
        yield "second"

    def endless(event, asked):
        yield {"statusCode": 200, "headers": {"content-type": "text/plain"}}
        for n in range(int(asked["mb"]) * 16):
            yield b"x" * 65536

    def breaks(event, asked):
        yield {"statusCode": 200}
        yield b"so far"
        raise ValueError("in the middle")

    def raw(event, asked):
        yield b"no prelude"
"""


@pytest.fixture(scope="module")
def new_url(boto):
    """Makes a function with the handlers above and a URL: (name, url)."""
    made, numbers, shared = [], itertools.count(1), boto.client("lambda")

    def make(client=None, role=ROLE, auth="NONE", **settings):
        name = f"url-{os.getpid()}-{next(numbers)}"
        if client is None:
            client = shared
            made.append(name)
        client.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role=role,
            Handler="lambda_function.lambda_handler",
            Code={"ZipFile": make_zip(lambda_function=HANDLERS)},
            MemorySize=512,
            Timeout=60,
        )
        client.get_waiter("function_active_v2").wait(FunctionName=name)
        config = client.create_function_url_config(FunctionName=name, AuthType=auth, **settings)
        return name, config["FunctionUrl"]

    yield make
    for name in made:
        shared.delete_function(FunctionName=name)


@pytest.fixture(scope="module")
def url(new_url):
    """A URL that anybody may call."""
    return new_url()[1]


@pytest.fixture(scope="module")
def streaming_url(new_url):
    """A URL that streams."""
    return new_url(InvokeMode="RESPONSE_STREAM")[1]


class Answer:
    """What a plain HTTP client got."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)


def ask(url, method="GET", body=None, headers=(), host=None):
    """One request on a connection of its own; by host name if one is given."""
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    try:
        named = {"Host": host, **dict(headers)} if host else dict(headers)
        connection.request(method, path, body, named)
        return Answer(connection.getresponse())
    finally:
        connection.close()


def test_a_request_reaches_the_function_as_payload_2_0(url):
    """By path: the function sees the path below its URL."""
    url_id = urlsplit(url).path.split("/")[3]
    headers = {"Content-Type": "application/json", "Cookie": "a=b; c=d", "X-Own": "1"}

    answer = ask(f"{url}deep/path%20x?q=1&q=2", "PUT", b'{"k": 1}', headers)

    event = answer.json
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["x-amzn-requestid"] == event["requestContext"]["requestId"]
    assert (event["version"], event["rawPath"]) == ("2.0", "/deep/path%20x")
    assert event["queryStringParameters"] == {"q": "1,2"}
    assert event["cookies"] == ["a=b", "c=d"]
    assert (event["body"], event["isBase64Encoded"]) == ('{"k": 1}', False)
    assert event["headers"]["x-own"] == "1"
    assert event["headers"]["x-forwarded-prefix"] == f"/_emberbox/url/{url_id}"
    assert event["requestContext"]["http"]["method"] == "PUT"
    assert event["requestContext"]["apiId"] == url_id
    assert event["headers"]["x-amzn-trace-id"] == answer.headers["x-amzn-trace-id"]


def test_a_host_name_is_enough(url):
    """As AWS writes it, under whatever domain points here; another region's is unknown."""
    server, url_id = url.partition("/_emberbox")[0], urlsplit(url).path.split("/")[3]

    here = ask(f"{server}/p", host=f"{url_id}.lambda-url.us-east-1.localhost:4566")
    aws = ask(f"{server}/2015-03-31/functions", host=f"{url_id}.lambda-url.us-east-1.on.aws")
    within = ask(f"{url}x", host=f"{url_id}.lambda-url.us-east-1.on.aws")
    elsewhere = ask(f"{server}/p", host=f"{url_id}.lambda-url.eu-west-1.on.aws")

    assert here.json["rawPath"] == "/p"
    context = here.json["requestContext"]
    assert context["domainName"] == f"{url_id}.lambda-url.us-east-1.localhost"
    assert aws.json["rawPath"] == "/2015-03-31/functions"
    assert within.json["rawPath"] == f"/_emberbox/url/{url_id}/x"
    assert elsewhere.status == 403


def test_an_answer_with_status_headers_cookies_and_bytes(url):
    """All of it arrives."""
    answer = ask(f"{url}?op=answer", "POST", bytes(range(256)))

    assert (answer.status, answer.body) == (201, bytes(range(256)))
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers.get_all("set-cookie") == ["a=b; HttpOnly", "c=d"]


@pytest.mark.parametrize("op", ["fails", "bad", "absent"])
def test_a_function_that_fails_is_a_bad_gateway(url, op):
    """What went wrong is in its log, not in the answer."""
    answer = ask(f"{url}?op={op}")

    assert (answer.status, answer.body) == (502, b"Internal Server Error")


def test_an_unknown_url_is_forbidden(server):
    """Nobody learns which there are."""
    answer = ask(f"{server.url}/_emberbox/url/{'a' * 32}/")

    assert (answer.status, answer.json) == (403, {"Message": None})
    assert answer.headers["x-amzn-errortype"] == "AccessDeniedException"


def test_a_connection_serves_one_request_after_another(url):
    """HTTP/1.1 keep-alive, pages of errors among them."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    connection.connect()
    held = connection.sock

    statuses = []
    for query in ("", "?op=fails", "?op=answer", ""):
        connection.request("POST", parts.path + query, b"x")
        response = connection.getresponse()
        response.read()
        statuses.append(response.status)
        assert connection.sock is held
    connection.close()

    assert statuses == [200, 502, 201, 200]


def test_a_body_of_megabytes_arrives_and_one_too_large_does_not(url):
    """Six megabytes is what an event may have; base64 makes more of a body."""
    text = {"Content-Type": "text/plain"}

    fits = ask(f"{url}?op=answer", "POST", b"a" * 3_000_000, text)
    as_base64 = ask(f"{url}?op=answer", "POST", bytes(5_000_000))
    announced = ask(f"{url}?op=answer", "POST", b"a" * 20_000_000, text)
    chunked = ask(f"{url}?op=answer", "POST", iter([b"a" * 65_536] * 200), text)

    assert (fits.status, len(fits.body)) == (201, 3_000_000)
    assert [each.status for each in (as_base64, announced, chunked)] == [413, 413, 413]
    assert "6291456 bytes" in announced.json["message"]


def test_browsers_are_answered_as_cors_says(new_url):
    """Preflights without the function, and its own words replaced; a stranger gets no header."""
    origin = "https://app.example"
    cors = {"AllowOrigins": [origin], "AllowMethods": ["POST"], "AllowHeaders": ["x-a"]}
    url = new_url(Cors={**cors, "MaxAge": 5})[1]
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}

    preflight = ask(url, "OPTIONS", headers=asked)
    stranger = ask(url, "OPTIONS", headers={**asked, "Origin": "https://evil.example"})
    real = ask(f"{url}?op=answer", "POST", b"x", {"Origin": origin})
    options = ask(url, "OPTIONS", headers={"Origin": origin})

    assert (preflight.status, preflight.body) == (200, b"")
    assert preflight.headers["access-control-allow-origin"] == origin
    assert preflight.headers["access-control-allow-methods"] == "POST"
    assert preflight.headers["access-control-max-age"] == "5"
    assert (stranger.status, "access-control-allow-origin" in stranger.headers) == (200, False)
    assert real.headers.get_all("access-control-allow-origin") == [origin]
    assert options.json["requestContext"]["http"]["method"] == "OPTIONS"


def test_without_cors_the_function_answers_browsers_itself(url):
    """Any site's page may ask a URL; what it may read is the function's word."""
    answer = ask(f"{url}?op=answer", "POST", b"x", {"Origin": "https://app.example"})

    assert answer.headers["access-control-allow-origin"] == "mine"


def test_a_function_without_concurrency_throttles_its_url(new_url, boto):
    """429, with the reason, as Invoke answers it."""
    name, url = new_url()
    boto.call(
        "lambda",
        "PutFunctionConcurrency",
        FunctionName=name,
        ReservedConcurrentExecutions=0,
    )

    answer = ask(url, headers={"X-Amzn-Trace-Id": "no trace"})

    assert answer.status == 429
    assert answer.json["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert answer.headers["x-amzn-errortype"] == "TooManyRequestsException"


def test_an_alias_has_a_url_of_its_own(new_url, boto):
    """Which runs the alias's version."""
    name, _ = new_url()
    client = boto.client("lambda")
    version = client.publish_version(FunctionName=name)["Version"]
    client.get_waiter("published_version_active").wait(FunctionName=name, Qualifier=version)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    config = client.create_function_url_config(FunctionName=name, Qualifier="live", AuthType="NONE")

    assert ask(config["FunctionUrl"]).json["rawPath"] == "/"


def test_a_stream_begins_with_its_head(streaming_url):
    """Status, headers and cookies of the prelude, then the pieces, chunked."""
    answer = ask(f"{streaming_url}?op=stream")
    plain = ask(f"{streaming_url}?op=raw")
    whole = ask(f"{streaming_url}?op=answer")

    assert (answer.status, answer.body) == (203, b"first,second")
    assert answer.headers["transfer-encoding"] == "chunked"
    assert (answer.headers["x-own"], answer.headers["set-cookie"]) == ("1", "s=t")
    assert (plain.status, plain.body) == (200, b"no prelude")
    assert (whole.status, whole.json["statusCode"]) == (200, 201)


@pytest.mark.parametrize(("op", "body"), [("raw", b"no prelude"), ("stream", b"first,second")])
def test_a_client_of_http_1_0_gets_no_chunks(streaming_url, op, body):
    """It would take their sizes for a part of the body, which ends with the connection."""
    parts = urlsplit(streaming_url)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as client:
        request = f"GET {parts.path}?op={op} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
        client.sendall(request.encode())
        answer = b"".join(iter(lambda: client.recv(65_536), b""))

    head, _, rest = answer.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert b"connection: close" in head.lower()
    assert rest == body


def test_a_stream_that_breaks_off_is_seen_to(streaming_url):
    """The connection ends before the answer does; before the head there is still a 502."""
    parts = urlsplit(streaming_url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    connection.request("GET", f"{parts.path}?op=breaks")
    response = connection.getresponse()

    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        response.read()
    connection.close()
    assert ask(f"{streaming_url}?op=fails").status == 502


def test_a_streaming_function_behind_a_buffered_url(url):
    """The prelude is understood there, too."""
    answer = ask(f"{url}?op=stream")

    assert (answer.status, answer.body) == (203, b"first,second")
    assert answer.headers["content-length"] == "12"


def test_a_client_that_leaves_harms_nobody(streaming_url):
    """In the middle of a stream, and in the middle of its own request."""
    parts = urlsplit(streaming_url)
    for request in (
        f"GET {parts.path}?op=endless&mb=20 HTTP/1.1\r\nHost: x\r\n\r\n",
        f"POST {parts.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc",
        "GET /",
    ):
        with socket.create_connection((parts.hostname, parts.port), timeout=30) as client:
            client.sendall(request.encode())
            if "GET" in request and "HTTP" in request:
                assert client.recv(1000).startswith(b"HTTP/1.1 200")

    assert ask(f"{streaming_url}?op=raw").body == b"no prelude"


def test_a_client_that_reads_slowly_gets_all_of_it(streaming_url):
    """Twenty megabytes, most of which wait for it in the function."""
    parts = urlsplit(f"{streaming_url}?op=endless&mb=20")
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    connection.request("GET", f"{parts.path}?{parts.query}")
    response = connection.getresponse()
    first = response.read(10)
    others = [ask(f"{streaming_url}?op=raw").status for _ in range(3)]
    rest = response.read()
    connection.close()

    assert others == [200, 200, 200]
    assert len(first) + len(rest) == 20 << 20


def test_calls_of_a_url_are_counted(new_url, boto, server):
    """As requests of the URL, by class of their answers."""
    name, url = new_url()
    for op in ("echo", "fails", "echo"):
        ask(f"{url}?op={op}")

    def total(metric):
        client = boto.client("cloudwatch")
        now = datetime.now(UTC)
        points = client.get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName=metric,
            Dimensions=[{"Name": "FunctionName", "Value": name}],
            StartTime=now - timedelta(minutes=10),
            EndTime=now + timedelta(minutes=10),
            Period=3600,
            Statistics=["Sum"],
        )
        return sum(point["Sum"] for point in points["Datapoints"])

    assert [total(m) for m in ("UrlRequestCount", "Url5xxCount", "Url4xxCount")] == [3, 1, 0]


# -- who may ----------------------------------------------------------------------------------


def signed(url, keys, service="lambda", method="GET", body=b"", *, query=False):
    """A signed request by one of botocore's signers."""
    request = AWSRequest(method, url, data=body)
    signer = (SigV4QueryAuth if query else SigV4Auth)(Credentials(*keys), service, "us-east-1")
    signer.add_auth(request)
    prepared = request.prepare()
    return ask(prepared.url, method, body or None, prepared.headers.items())


@pytest.fixture(scope="module")
def enforced(tmp_path_factory):
    """A server that enforces policies."""
    place = tmp_path_factory.mktemp("urls-secured")
    with secured(place) as server:
        yield Secured(server, place)


@pytest.fixture(scope="module")
def role(enforced):
    """The role of functions there."""
    return enforced.role("url-role", TRUST, allow("logs:*"))


@pytest.fixture(scope="module")
def locked(enforced, role, new_url):
    """A function there: (client of root, name, arn, url) with AWS_IAM."""
    client = enforced.as_root.client("lambda")
    name, url = new_url(client, role, "AWS_IAM")
    return client, name, f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}", url


def test_iam_lets_in_who_has_both_rights(enforced, locked):
    """To call the URL, and to invoke the function through it."""
    _, _, arn, url = locked
    both = allow(["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"], arn)
    may = enforced.user("may", both)
    half = enforced.user("half", allow("lambda:InvokeFunctionUrl", arn))
    via = {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}
    narrow = enforced.user(
        "narrow",
        allow("lambda:InvokeFunctionUrl", arn),
        allow("lambda:InvokeFunction", arn, Condition=via),
    )

    answer = signed(f"{url}a?b=c", may.keys[:2])

    assert answer.status == 200
    context = answer.json["requestContext"]
    assert context["authorizer"]["iam"]["userArn"] == f"arn:aws:iam::{ACCOUNT}:user/may"
    assert context["accountId"] == ACCOUNT
    assert "authorization" not in answer.json["headers"]
    assert signed(url, may.keys[:2], query=True).status == 200
    assert signed(url, narrow.keys[:2]).status == 200
    assert narrow.denied("lambda", "invoke", FunctionName=arn)[0] == "AccessDeniedException"
    refused = signed(url, half.keys[:2])
    assert refused.status == 403
    assert refused.json["Message"].startswith("Forbidden. For troubleshooting")


def test_iam_refuses_who_proves_nothing(enforced, locked):
    """No signature, another's secret, another service's, a body that was not signed."""
    _, _, _, url = locked
    key, secret = enforced.root_key

    unsigned = ask(url)
    wrong = signed(url, (key, secret[::-1]))
    other = signed(url, (key, secret), service="execute-api")

    assert [each.status for each in (unsigned, wrong, other)] == [403, 403, 403]
    assert unsigned.json["Message"].startswith("Forbidden")
    assert wrong.headers["x-amzn-errortype"] == "InvalidSignatureException"


def test_a_public_url_needs_both_statements(enforced, role, new_url):
    """On a server that enforces policies, anybody means anybody whom the policy names."""
    client = enforced.as_root.client("lambda")
    name, url = new_url(client, role)
    statuses = [ask(url).status]

    client.add_permission(
        FunctionName=name,
        StatementId="url",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
    )
    statuses.append(ask(url).status)
    client.add_permission(
        FunctionName=name,
        StatementId="invoke",
        Action="lambda:InvokeFunction",
        Principal="*",
        InvokedViaFunctionUrl=True,
    )
    answer = ask(url)

    assert [*statuses, answer.status] == [403, 403, 200]
    assert answer.json["requestContext"]["accountId"] == "anonymous"


def test_on_an_open_server_credentials_only_say_who_calls(new_url):
    """Without any there is no caller; another account needs the function's word."""
    _, url = new_url(auth="AWS_IAM")

    own = signed(url, (ACCOUNT, "any"))
    stranger = signed(url, ("210987654321", "any"))

    assert ask(url).status == 403
    assert own.json["requestContext"]["authorizer"]["iam"]["accountId"] == ACCOUNT
    assert stranger.status == 403
