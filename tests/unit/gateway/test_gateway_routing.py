"""Which service, protocol and operation a request is for."""

import pytest
from gateway_asgi import authorization
from gateway_models import CATALOG, PROTOCOLS, botocore_model

from emberbox.errors import CallerError
from emberbox.gateway.catalog import SERVICES
from emberbox.gateway.hosts import bucket_of_signed_s3, read_host
from emberbox.gateway.rest_routes import RestRoutes, _compiled
from emberbox.gateway.routing import (
    SIGNING_NAMES,
    TARGETS,
    VERSIONS,
    NoRouteError,
    Router,
    UnservedError,
)
from emberbox.gateway.sigv4_scope import ScopeReader
from emberbox.gateway.wire import HttpRequest

ROUTER = Router(CATALOG)
SCOPES = ScopeReader("000000000000", "us-east-1")
FORM = "application/x-www-form-urlencoded; charset=utf-8"


def request_of(method="POST", path="/", *, signed="", query=(), body=b"", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if signed:
        named["authorization"] = authorization(signed)
    return HttpRequest(method, path, query, {"host": "127.0.0.1:4566", **named}, body)


def route(request, router=ROUTER):
    aim = router.aim(SCOPES.of_request(request.headers, request.query), request)
    found = router.find(aim, request)
    return aim.service, found.protocol, found.call.operation.name, dict(found.call.labels)


@pytest.mark.parametrize(
    ("request_", "service", "protocol", "operation"),
    [
        (
            request_of(signed="dynamodb", x_amz_target="DynamoDB_20120810.GetItem"),
            "dynamodb",
            "json",
            "GetItem",
        ),
        (
            request_of(signed="dynamodb", x_amz_target="DynamoDBStreams_20120810.ListStreams"),
            "dynamodbstreams",
            "json",
            "ListStreams",
        ),
        (
            request_of("GET", "/restapis", signed="apigateway"),
            "apigateway",
            "rest-json",
            "GetRestApis",
        ),
        (
            request_of("GET", "/v2/apis", signed="apigateway"),
            "apigatewayv2",
            "rest-json",
            "GetApis",
        ),
        (
            request_of("POST", "/prod/%40connections/abc=", signed="execute-api"),
            "apigatewaymanagementapi",
            "rest-json",
            "PostToConnection",
        ),
        (
            request_of(
                signed="elasticloadbalancing", body=b"Action=DescribeRules&Version=2015-12-01"
            ),
            "elbv2",
            "query",
            "DescribeRules",
        ),
        (
            request_of(signed="monitoring", body=b"Action=ListMetrics&Version=2010-08-01"),
            "cloudwatch",
            "query",
            "ListMetrics",
        ),
        (
            request_of(
                signed="monitoring", x_amz_target="GraniteServiceVersion20100801.ListMetrics"
            ),
            "cloudwatch",
            "json",
            "ListMetrics",
        ),
        (
            request_of(
                path="/service/GraniteServiceVersion20100801/operation/ListMetrics",
                smithy_protocol="rpc-v2-cbor",
            ),
            "cloudwatch",
            "smithy-rpc-v2-cbor",
            "ListMetrics",
        ),
        (
            request_of(signed="sqs", body=b"Action=ListQueues&Version=2012-11-05"),
            "sqs",
            "query",
            "ListQueues",
        ),
        (
            request_of(signed="sqs", x_amz_target="AmazonSQS.ListQueues", body=b"{}"),
            "sqs",
            "json",
            "ListQueues",
        ),
        (
            request_of(body=b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15"),
            "sts",
            "query",
            "AssumeRoleWithWebIdentity",
        ),
        (
            request_of(
                "GET",
                query=[
                    ("Action", "GetCallerIdentity"),
                    ("Version", "2011-06-15"),
                    ("X-Amz-Credential", "AKID/20260101/us-east-1/sts/aws4_request"),
                ],
            ),
            "sts",
            "query",
            "GetCallerIdentity",
        ),
        (request_of(x_amz_target="TrentService.Encrypt"), "kms", "json", "Encrypt"),
        (
            request_of("GET", "/2015-03-31/functions/"),
            "lambda",
            "rest-json",
            "ListFunctions",
        ),
        (
            request_of(
                "GET", "/", host="logs.eu-west-1.example.org", x_amz_target=".DescribeLogGroups"
            ),
            "logs",
            "json",
            "DescribeLogGroups",
        ),
    ],
)
def test_the_strongest_hint_decides(request_, service, protocol, operation):
    """Scope, target, form, RPC path, host name and Lambda's dates are read in that order."""
    if request_.body and "content-type" not in request_.headers:
        request_.headers["content-type"] = FORM

    assert route(request_)[:3] == (service, protocol, operation)


@pytest.mark.parametrize(
    ("date", "service"),
    [
        ("2026-04-30", "lambda-core"),
        ("2025-03-07", "lambda-web"),
        ("2025-09-09", "lambda-microvms"),
    ],
)
def test_relatives_of_lambda_are_known_by_the_date_in_their_paths(date, service):
    """They all sign as lambda; none has a place here, and that is said by name."""
    request = request_of("GET", f"/{date}/things", signed="lambda")

    with pytest.raises(UnservedError) as caught:
        route(request)

    assert (caught.value.service, caught.value.protocol) == (service, "rest-json")


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("f", "f"),
        ("f:prod", "f:prod"),
        ("arn:aws:lambda:eu-west-1:123456789012:function:f:1", None),
        ("arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Af%3A1", None),
    ],
)
@pytest.mark.parametrize("slash", ["", "/"])
def test_function_names_may_be_arns_encoded_or_not(name, label, slash):
    """A label holds what the client meant, with and without a trailing slash."""
    found = route(request_of("GET", f"/2015-03-31/functions/{name}{slash}", signed="lambda"))

    wanted = label or "arn:aws:lambda:eu-west-1:123456789012:function:f:1"
    assert found[2:] == ("GetFunction", {"FunctionName": wanted})


@pytest.mark.parametrize(
    ("query", "operation"),
    [
        ([("List", "ALL")], "ListProvisionedConcurrencyConfigs"),
        ([("List", "ALL"), ("Marker", "x")], "ListProvisionedConcurrencyConfigs"),
        ([("Qualifier", "1")], "GetProvisionedConcurrencyConfig"),
        ([], "GetProvisionedConcurrencyConfig"),
        ([("List", "some")], "GetProvisionedConcurrencyConfig"),
    ],
)
def test_fixed_query_parameters_tell_operations_apart(query, operation):
    """Without the fixed one the other operation is meant, whose validation then speaks."""
    path = "/2019-09-30/functions/f/provisioned-concurrency"

    assert route(request_of("GET", path, signed="lambda", query=query))[2] == operation


@pytest.mark.parametrize(
    ("query", "operation"),
    [([("find", "LayerVersion"), ("Arn", "a")], "GetLayerVersionByArn"), ([], "ListLayers")],
)
def test_a_layer_is_found_by_arn_beside_the_list_of_layers(query, operation):
    """The two share method and path."""
    found = route(request_of("GET", "/2018-10-31/layers", signed="lambda", query=query))

    assert found[2] == operation


@pytest.mark.parametrize(
    "case",
    [
        ("GET", "/", [], {}, "ListBuckets", None),
        ("PUT", "/b", [], {}, "CreateBucket", None),
        ("PUT", "/b/", [], {}, "CreateBucket", None),
        ("GET", "/b", [("list-type", "2")], {}, "ListObjectsV2", None),
        ("GET", "/b", [("x-id", "ListObjects")], {}, "ListObjects", None),
        (
            "GET",
            "/b",
            [("analytics", ""), ("id", "1")],
            {},
            "GetBucketAnalyticsConfiguration",
            None,
        ),
        ("GET", "/b", [("analytics", "")], {}, "ListBucketAnalyticsConfigurations", None),
        ("GET", "/b", [("lifecycle", "")], {}, "GetBucketLifecycleConfiguration", None),
        ("POST", "/b", [("delete", "")], {}, "DeleteObjects", None),
        ("PUT", "/b/k", [], {}, "PutObject", "k"),
        ("PUT", "/b/folder/", [], {}, "PutObject", "folder/"),
        ("PUT", "/b//twice", [], {}, "PutObject", "/twice"),
        ("PUT", "/b/a%2Fb%20c+d", [], {}, "PutObject", "a/b c+d"),
        ("PUT", "/b/k", [], {"x_amz_copy_source": "b/o"}, "CopyObject", "k"),
        ("PUT", "/b/k", [("partNumber", "1"), ("uploadId", "u")], {}, "UploadPart", "k"),
        (
            "PUT",
            "/b/k",
            [("partNumber", "1"), ("uploadId", "u")],
            {"x_amz_copy_source": "b/o"},
            "UploadPartCopy",
            "k",
        ),
        ("GET", "/b/k", [("uploadId", "u")], {}, "ListParts", "k"),
        ("GET", "/b/k", [("tagging", "")], {}, "GetObjectTagging", "k"),
        ("POST", "/b/k", [("uploadId", "u")], {}, "CompleteMultipartUpload", "k"),
        ("POST", "/b/k", [("uploads", "")], {}, "CreateMultipartUpload", "k"),
        ("HEAD", "/b/k", [], {}, "HeadObject", "k"),
        ("DELETE", "/b/k", [("uploadId", "u")], {}, "AbortMultipartUpload", "k"),
    ],
)
def test_s3_operations_that_share_a_path(case):
    """Query parameters and headers decide, and keys keep their slashes."""
    method, path, query, headers, operation, key = case

    found = route(request_of(method, path, signed="s3", query=query, **headers))

    assert (found[2], found[3].get("Key")) == (operation, key)


@pytest.mark.parametrize(
    "host",
    [
        "my.bucket.s3.eu-west-1.amazonaws.com",
        "my.bucket.s3-eu-west-1.amazonaws.com",
        "my.bucket.s3.localhost.example:4566",
        "my.bucket.localhost:4566",
    ],
)
def test_a_bucket_may_stand_in_the_host_name(host):
    """Virtual-host addressing reaches the same operation with the same labels."""
    found = route(request_of("GET", "/a/key", signed="s3", host=host))

    assert found[2:] == ("GetObject", {"Bucket": "my.bucket", "Key": "a/key"})


def test_older_presigned_urls_are_for_s3():
    """A query with AWSAccessKeyId and Signature carries no scope but can be nothing else."""
    query = [("AWSAccessKeyId", "AKID"), ("Signature", "x"), ("Expires", "1")]

    assert route(request_of("GET", "/b/k", query=query))[:3] == ("s3", "rest-xml", "GetObject")


def test_unsigned_requests_are_for_s3_where_there_is_one():
    """Anonymous reads of a bucket work, but the root is nobody's."""
    router = Router(CATALOG, anonymous_s3=True)

    assert route(request_of("GET", "/b/k"), router)[0] == "s3"
    with pytest.raises(NoRouteError):
        route(request_of("GET", "/"), router)


def test_an_unsigned_request_without_a_hint_has_no_route():
    """A browser's request is told from an AWS client's."""
    with pytest.raises(NoRouteError):
        route(request_of("GET", "/favicon.ico"))


def test_the_path_before_connections_is_the_endpoint_s():
    """The management API of a stage keeps the stage out of its operations' paths."""
    request = request_of("DELETE", "/api/stage/@connections/c", signed="execute-api")
    aim = ROUTER.aim(SCOPES.of_request(request.headers, ()), request)

    found = ROUTER.find(aim, request)

    assert (found.prefix, found.call.labels) == ("/api/stage", {"connectionId": "c"})


@pytest.mark.parametrize(
    "request_",
    [
        request_of("GET", "/2015-03-31/nothing", signed="lambda"),
        request_of("PATCH", "/2015-03-31/functions/f", signed="lambda"),
        request_of(signed="logs", x_amz_target="Logs_20140328.Nothing"),
        request_of(signed="logs"),
        request_of(signed="iam", body=b"Action=Nothing", content_type=FORM),
        request_of(signed="iam", body=b"{}", content_type="application/json"),
    ],
)
def test_an_operation_that_the_model_lacks_is_unknown(request_):
    """404 UnknownOperationException, whatever the protocol."""
    with pytest.raises(CallerError) as caught:
        route(request_)

    assert (caught.value.code, caught.value.status) == ("UnknownOperationException", 404)


def test_a_form_that_is_none_is_malformed():
    """Bytes that are no text cannot be a form."""
    with pytest.raises(CallerError) as caught:
        route(request_of(body=b"Action=\xff", content_type=FORM))

    assert caught.value.code == "MalformedQueryString"


def test_the_tables_of_hints_say_what_the_models_say():
    """Signing names, target prefixes and API versions are copies, made to save reading models."""
    for service in SERVICES:
        model = botocore_model(service)
        if service not in {"dynamodbstreams", "apigatewayv2"}:
            assert SIGNING_NAMES[model.signing_name] == service
        if "targetPrefix" in model.metadata:
            assert TARGETS[model.metadata["targetPrefix"]] == service
    for service, protocol in PROTOCOLS:
        if protocol == "query":
            assert VERSIONS[botocore_model(service).api_version] == service


@pytest.mark.parametrize(
    ("host", "hint"),
    [
        ("127.0.0.1:4566", ("", "", "")),
        ("[::1]:4566", ("", "", "")),
        ("localhost:4566", ("", "", "")),
        ("", ("", "", "")),
        ("sqs.us-east-1.amazonaws.com", ("sqs", "", "")),
        ("streams.dynamodb.us-east-1.amazonaws.com", ("dynamodbstreams", "", "")),
        ("api.ecr.us-east-1.amazonaws.com", ("ecr", "", "")),
        ("s3.us-east-1.amazonaws.com", ("s3", "", "")),
        ("b.s3.amazonaws.com", ("s3", "b", "")),
        ("abc.lambda-url.us-east-1.localhost:4566", ("", "", "lambda-url")),
        ("abc.execute-api.us-east-1.amazonaws.com", ("", "", "execute-api")),
        ("Abc.Lambda-URL.us-east-1.on.aws.", ("", "", "lambda-url")),
        ("example.org", ("", "", "")),
    ],
)
def test_what_a_host_name_tells(host, hint):
    """A service, a bucket or a front; addresses and other names tell nothing."""
    found = read_host(host)

    assert (found.service, found.bucket, found.front) == hint


def test_the_bare_loopback_name_is_no_bucket():
    """`localhost` and addresses are the server itself."""
    assert bucket_of_signed_s3("localhost:4566") == ""
    assert bucket_of_signed_s3("127.0.0.1:4566") == ""
    assert bucket_of_signed_s3("s3.localhost:4566") == ""


def test_no_path_is_compiled_before_it_may_fit():
    """A table is built without, and a request compiles those that begin as its path does."""
    routes = RestRoutes(CATALOG.model("xray"))
    before = _compiled.cache_info().misses

    found = routes.find(request_of(path="/TraceSegments"))

    assert found is not None
    assert _compiled.cache_info().misses <= before + 1
