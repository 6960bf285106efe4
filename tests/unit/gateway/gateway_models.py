"""botocore's own models, serialisers and parsers: the other side of every conversation."""

from functools import cache
from urllib.parse import parse_qsl, urlsplit

from botocore import parsers, serialize
from botocore.awsrequest import AWSRequest, HeadersDict, prepare_request_dict
from botocore.loaders import Loader
from botocore.model import ServiceModel

from emberbox.gateway.catalog import Catalog
from emberbox.gateway.wire import HttpRequest

CATALOG = Catalog()
_BY_PROTOCOL = {
    "rest-json": (
        "lambda",
        "scheduler",
        "xray",
        "apigateway",
        "apigatewayv2",
        "apigatewaymanagementapi",
    ),
    "json": (
        "sqs",
        "dynamodb",
        "dynamodbstreams",
        "kinesis",
        "events",
        "logs",
        "ecr",
        "secretsmanager",
        "ssm",
        "kms",
        "application-autoscaling",
        "cloudwatch",
    ),
    "query": ("sns", "iam", "sts", "cloudformation", "elbv2", "cloudwatch"),
    "rest-xml": ("s3",),
    "smithy-rpc-v2-cbor": ("cloudwatch",),
}
PROTOCOLS = [
    (service, protocol) for protocol, services in _BY_PROTOCOL.items() for service in services
]
"""Every service in every protocol that it is spoken to in."""


@cache
def botocore_model(service: str) -> ServiceModel:
    """The service as botocore's clients see it."""
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def sent(service: str, operation: str, params: dict, protocol: str) -> HttpRequest:
    """The request a botocore client would send, signed in name only."""
    model = botocore_model(service)
    serialiser = serialize.create_serializer(protocol, include_validation=False)
    request = serialiser.serialize_to_request(params, model.operation_model(operation))
    prepare_request_dict(request, endpoint_url="http://127.0.0.1:4566")
    prepared = AWSRequest(
        method=request["method"],
        url=request["url"],
        data=request["body"],
        headers=request["headers"],
    ).prepare()
    url = urlsplit(prepared.url)
    body = prepared.body or b""
    headers = {name.lower(): value for name, value in prepared.headers.items()}
    headers["host"] = url.netloc
    headers["authorization"] = (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/"
        f"{model.signing_name}/aws4_request, SignedHeaders=host, Signature=0"
    )
    return HttpRequest(
        method=prepared.method,
        path=url.path,
        query=parse_qsl(url.query, keep_blank_values=True),
        headers=headers,
        body=body.encode() if isinstance(body, str) else bytes(body),
    )


def received(protocol: str, shape, status: int, headers, body) -> dict:
    """What a botocore client makes of an answer."""
    response = {
        "status_code": status,
        "headers": HeadersDict(headers),
        "body": body,
        "context": {"operation_name": "Operation"},
    }
    return parsers.create_parser(protocol).parse(response, shape)
