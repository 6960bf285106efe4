"""The json protocol, versions 1.0 and 1.1: SQS, DynamoDB, Kinesis, EventBridge, Logs and more."""

import zlib
from collections.abc import Iterator
from typing import Any, Final

from emberbox.errors import CallerError
from emberbox.gateway import event_stream
from emberbox.gateway.failures import Failure
from emberbox.gateway.json_errors import error_fields, error_headers
from emberbox.gateway.json_values import decode_fields, dump, encode, encode_fields, load
from emberbox.gateway.shapes import ServiceModel, Shape
from emberbox.gateway.wire import Call, HttpRequest, HttpResponse, UnreadableError
from emberbox.model.request import Params

_NAMESPACES: Final = {
    "sqs": "com.amazonaws.sqs#",
    "dynamodb": "com.amazonaws.dynamodb.v20120810#",
    "dynamodbstreams": "com.amazonaws.dynamodb.v20120810#",
}
_CHECKSUMMED: Final = frozenset({"dynamodb", "dynamodbstreams"})
_FRAMEWORK: Final = "com.amazon.coral.service#"
_VALIDATION: Final = "com.amazon.coral.validate#"
_FRAMEWORK_ERRORS: Final = frozenset({"SerializationException", "UnknownOperationException"})


class JsonRpc:
    """Codec of json 1.x."""

    def parse(self, call: Call, request: HttpRequest) -> Params:
        """The JSON body as parameters; SerializationException if it cannot be read."""
        shape = call.operation.input
        if shape is None or not request.body:
            return {}
        try:
            return decode_fields(shape, load(request.body))
        except UnreadableError as error:
            raise CallerError("SerializationException", str(error), status=400) from None

    def serialise(self, call: Call, output: Params, request_id: str) -> HttpResponse:
        """The JSON answer; an event stream if the output holds one."""
        headers = [("x-amzn-RequestId", request_id)]
        shape = call.operation.output
        stream = shape.event_stream_member if shape is not None else None
        if shape is not None and stream is not None:
            headers.append(("content-type", event_stream.CONTENT_TYPE))
            return HttpResponse(200, headers, _stream(shape, stream, output))
        body = dump(encode_fields(shape, output)) if shape is not None else b""
        headers.extend(_body_headers(call.service, body))
        return HttpResponse(200, headers, body)

    def serialise_error(
        self, service: ServiceModel | None, failure: Failure, request_id: str
    ) -> HttpResponse:
        """JSON body with the error's name in `__type`."""
        body = dump({"__type": _type(service, failure), **error_fields(failure, encode)})
        headers = [
            ("x-amzn-RequestId", request_id),
            *_body_headers(service, body),
            *error_headers(failure),
        ]
        if service is not None and service.query_compatible:
            headers.append(("x-amzn-query-error", query_error(failure)))
        return HttpResponse(failure.status, headers, body)


def query_error(failure: Failure) -> str:
    """The header that tells clients of a former query service the code they used to see."""
    return f"{failure.code};{'Sender' if failure.is_callers else 'Receiver'}"


def _body_headers(service: ServiceModel | None, body: bytes) -> Iterator[tuple[str, str]]:
    """The content type of the service's JSON version, and the checksum DynamoDB's clients check."""
    version = service.json_version if service is not None else "1.1"
    yield "content-type", f"application/x-amz-json-{version}"
    if service is not None and service.name in _CHECKSUMMED:
        yield "x-amz-crc32", str(zlib.crc32(body))


def _type(service: ServiceModel | None, failure: Failure) -> str:
    if failure.name in _FRAMEWORK_ERRORS:
        return _FRAMEWORK + failure.name
    namespace = _NAMESPACES.get(service.name, "") if service is not None else ""
    if namespace and failure.name == "ValidationException":
        return _VALIDATION + failure.name
    return namespace + failure.name


def _stream(shape: Shape, stream: str, output: Params) -> Any:
    initial = {member: value for member, value in output.items() if member != stream}
    return event_stream.encode(
        shape.members[stream],
        output.get(stream),
        _write_event,
        initial=_write_event(shape, initial),
    )


def _write_event(shape: Shape, value: Any) -> tuple[str, bytes]:
    return "application/json", dump(encode(shape, value))
