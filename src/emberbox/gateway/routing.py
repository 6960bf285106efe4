"""Which service and operation a request is for, and in which protocol it speaks.

The order is that of AWS's own hints, strongest first: credential scope, X-Amz-Target, the form's
Action, the path of Smithy's RPC, host name, and for Lambda the date its paths begin with.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote_to_bytes

from emberbox.errors import CallerError
from emberbox.gateway.catalog import SERVICES, Catalog
from emberbox.gateway.hosts import bucket_of_signed_s3, read_host
from emberbox.gateway.rest_routes import RestRoutes
from emberbox.gateway.shapes import ServiceModel, UnknownOperationError
from emberbox.gateway.sigv4_scope import Scope
from emberbox.gateway.wire import Call, HttpRequest, UnreadableError
from emberbox.records import dataclass

SIGNING_NAMES: Final = {
    "lambda": "lambda",
    "sqs": "sqs",
    "sns": "sns",
    "s3": "s3",
    "dynamodb": "dynamodb",
    "kinesis": "kinesis",
    "events": "events",
    "scheduler": "scheduler",
    "logs": "logs",
    "monitoring": "cloudwatch",
    "apigateway": "apigateway",
    "execute-api": "apigatewaymanagementapi",
    "iam": "iam",
    "sts": "sts",
    "cloudformation": "cloudformation",
    "ecr": "ecr",
    "secretsmanager": "secretsmanager",
    "ssm": "ssm",
    "xray": "xray",
    "kms": "kms",
    "application-autoscaling": "application-autoscaling",
    "elasticloadbalancing": "elbv2",
}
"""Signing name -> service; dynamodbstreams and apigatewayv2 share theirs with another service."""

TARGETS: Final = {
    "AmazonSQS": "sqs",
    "DynamoDB_20120810": "dynamodb",
    "DynamoDBStreams_20120810": "dynamodbstreams",
    "Kinesis_20131202": "kinesis",
    "AWSEvents": "events",
    "Logs_20140328": "logs",
    "GraniteServiceVersion20100801": "cloudwatch",
    "AmazonEC2ContainerRegistry_V20150921": "ecr",
    "secretsmanager": "secretsmanager",
    "AmazonSSM": "ssm",
    "TrentService": "kms",
    "AnyScaleFrontendService": "application-autoscaling",
}
"""Prefix of X-Amz-Target -> service."""

VERSIONS: Final = {
    "2012-11-05": "sqs",
    "2010-03-31": "sns",
    "2010-05-08": "iam",
    "2011-06-15": "sts",
    "2010-05-15": "cloudformation",
    "2010-08-01": "cloudwatch",
    "2015-12-01": "elbv2",
}
"""Version field of a query request -> service."""

_LAMBDA_RELATIVES: Final = {
    "2026-04-30": "lambda-core",
    "2025-03-07": "lambda-web",
    "2025-09-09": "lambda-microvms",
}
_LAMBDA_DATE: Final = re.compile(r"/(20\d\d-\d\d-\d\d)/")
_RPC_PATH: Final = re.compile(r"/service/([A-Za-z0-9_]{1,64})/operation/([A-Za-z0-9_]{1,128})/?")
_CONNECTIONS: Final = "/@connections"
_NO_FORM: Final[Mapping[str, str]] = MappingProxyType({})
_REST: Final = "rest-json"
_FORM: Final = "application/x-www-form-urlencoded"

QUERY: Final = "query"
JSON: Final = "json"
CBOR: Final = "smithy-rpc-v2-cbor"


class NoRouteError(Exception):
    """An unsigned request that no AWS client would send."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a request goes, its protocol, and the request as the codec should see it.

    `prefix` is what the client's endpoint has in front of the operation's own path.
    """

    call: Call
    protocol: str
    request: HttpRequest
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Aim:
    """The service and protocol a request speaks; known before its body is read, but for forms."""

    service: str
    protocol: str


class Router:
    """Finds the destination of requests; reads models and builds route tables when first needed."""

    def __init__(self, catalog: Catalog, *, anonymous_s3: bool = False) -> None:
        self._catalog = catalog
        self._anonymous_s3 = anonymous_s3
        self._tables: dict[str, RestRoutes] = {}

    def aim(self, scope: Scope, request: HttpRequest) -> Aim:
        """Which service; CallerError for one we do not know, NoRouteError if there is no hint."""
        hints = _Hints(request)
        service = (
            _of_signature(scope, hints)
            or TARGETS.get(hints.target[0])
            or VERSIONS.get(hints.form.get("Version", ""))
            or TARGETS.get(hints.rpc[0])
            or read_host(hints.host).service
            or _of_path(request.path)
            or ("s3" if self._anonymous_s3 and request.path != "/" else "")
        )
        if not service:
            raise NoRouteError
        protocol = self._protocol(service, hints)
        if service not in SERVICES:
            raise UnservedError(service, protocol)
        return Aim(service, protocol)

    def find(self, aim: Aim, request: HttpRequest) -> Destination:
        """The operation; CallerError UnknownOperationException if the service has none like it."""
        service = self._catalog.model(aim.service)
        hints = _Hints(request)
        match aim.protocol:
            case "json":
                return Destination(_call(service, hints.target[1]), JSON, request)
            case "query":
                action = hints.form.get("Action", "")
                return Destination(_call(service, action), QUERY, request)
            case "smithy-rpc-v2-cbor":
                return Destination(_call(service, hints.rpc[1]), CBOR, request)
            case _:
                return self._find_rest(service, aim.protocol, request)

    def warm(self, service: ServiceModel) -> None:
        """Build the route table of a REST service ahead of its first request."""
        if service.protocols[0].startswith("rest"):
            self._table(service)

    def _protocol(self, service: str, hints: "_Hints") -> str:
        """Services that speak several protocols are told apart by what the request looks like."""
        if service not in SERVICES:
            return hints.looks_like
        speaks = _PROTOCOLS.get(service)
        if speaks is None:
            return self._catalog.model(service).protocols[0]
        return hints.looks_like if hints.looks_like in speaks else speaks[0]

    def _find_rest(self, service: ServiceModel, protocol: str, request: HttpRequest) -> Destination:
        prefix = ""
        if service.name == "s3":
            request = _path_style(request)
        elif service.name == "apigatewaymanagementapi":
            prefix, request = _without_stage(request)
        found = self._table(service).find(request)
        if found is None:
            raise _unknown_operation(f"{request.method} {request.path[:200]}")
        return Destination(Call(service, found[0], found[1]), protocol, request, prefix)

    def _table(self, service: ServiceModel) -> RestRoutes:
        table = self._tables.get(service.name)
        if table is None:
            table = self._tables[service.name] = RestRoutes(service)
        return table


class UnservedError(Exception):
    """A service of AWS that has no place in Emberbox, and the protocol to say so in."""

    def __init__(self, service: str, protocol: str) -> None:
        super().__init__(service)
        self.service = service
        self.protocol = protocol


class _Hints:
    """What a request tells about itself, each looked at only when needed."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self.host = request.headers.get("host", "")
        self.path = request.path

    @cached_property
    def target(self) -> tuple[str, str]:
        prefix, _, operation = self._request.headers.get("x-amz-target", "").rpartition(".")
        return prefix, operation

    @property
    def form(self) -> Mapping[str, str]:
        """The fields of a form, if the request looks like one."""
        content_type = self._request.headers.get("content-type", "")
        if self._request.body and not content_type.startswith(_FORM):
            return _NO_FORM
        try:
            return self._request.form
        except UnreadableError as error:
            raise CallerError("MalformedQueryString", str(error), status=400) from None

    @cached_property
    def rpc(self) -> tuple[str, str]:
        found = _RPC_PATH.fullmatch(self._request.path)
        return (found[1], found[2]) if found is not None else ("", "")

    @property
    def looks_like(self) -> str:
        if self.target[1]:
            return JSON
        if self.rpc[1]:
            return CBOR
        return QUERY if "Action" in self.form else _REST


_PROTOCOLS: Final = {
    "sqs": (JSON, QUERY),
    "cloudwatch": (JSON, QUERY, CBOR),
}
"""Services with more than one protocol, the preferred one first; for others the model decides."""


def _of_signature(scope: Scope, hints: _Hints) -> str:
    if not scope.is_signed:
        return ""
    service = SIGNING_NAMES.get(scope.service, scope.service)
    if service == "lambda":
        return _of_path(hints.path) or service
    if service == "dynamodb":
        return TARGETS.get(hints.target[0], service)
    if service == "apigateway" and hints.path.startswith("/v2/"):
        return "apigatewayv2"
    return service


def _of_path(path: str) -> str:
    """The Lambda family, whose paths begin with a date of theirs."""
    found = _LAMBDA_DATE.match(path)
    return _LAMBDA_RELATIVES.get(found[1], "lambda") if found is not None else ""


def _call(service: ServiceModel, operation: str) -> Call:
    try:
        return Call(service, service.operation(operation))
    except UnknownOperationError:
        raise _unknown_operation(operation[:200]) from None


def _unknown_operation(what: str) -> CallerError:
    text = f"There is no operation {what}" if what else "The request names no operation"
    return CallerError("UnknownOperationException", text, status=404)


def _path_style(request: HttpRequest) -> HttpRequest:
    """S3 with the bucket in the host name, as if it stood in the path."""
    try:
        unquote_to_bytes(request.path).decode()
    except UnicodeDecodeError:
        raise CallerError("InvalidURI", "Couldn't parse the specified URI.", status=400) from None
    bucket = bucket_of_signed_s3(request.headers.get("host", ""))
    return replace(request, path=f"/{bucket}{request.path}") if bucket else request


def _without_stage(request: HttpRequest) -> tuple[str, HttpRequest]:
    """The management API hangs below an API's own path; its operations start at @connections."""
    path = request.path.replace("%40", "@")
    prefix, found, rest = path.partition(_CONNECTIONS)
    return (prefix, replace(request, path=found + rest)) if found else ("", request)
