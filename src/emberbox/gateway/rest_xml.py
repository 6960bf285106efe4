"""The rest-xml protocol, which is S3's here: XML bodies, and much in headers and query strings."""

from typing import Any, Final

from emberbox.errors import CallerError
from emberbox.gateway import event_stream
from emberbox.gateway.bindings import read_bindings, read_body, write_bindings
from emberbox.gateway.failures import Failure
from emberbox.gateway.scalars import check
from emberbox.gateway.shapes import ServiceModel, Shape
from emberbox.gateway.wire import (
    Body,
    Call,
    HttpRequest,
    HttpResponse,
    UnreadableError,
    as_body,
)
from emberbox.gateway.xml_reader import read_xml
from emberbox.gateway.xml_values import decode, decode_fields, encode, encode_fields, escape
from emberbox.model.request import Params

_XML: Final = "application/xml"
_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
_MALFORMED: Final = (
    "The XML you provided was not well-formed or did not validate against our published schema"
)
_ROOTS: Final = {
    "ListBuckets": "ListAllMyBucketsResult",
    "ListDirectoryBuckets": "ListAllMyDirectoryBucketsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListParts": "ListPartsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "DeleteObjects": "DeleteResult",
    "GetBucketAcl": "AccessControlPolicy",
    "GetObjectAcl": "AccessControlPolicy",
    "GetBucketTagging": "Tagging",
    "GetObjectTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetBucketCors": "CORSConfiguration",
    "GetBucketWebsite": "WebsiteConfiguration",
    "GetBucketLogging": "BucketLoggingStatus",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketNotificationConfiguration": "NotificationConfiguration",
    "GetBucketAccelerateConfiguration": "AccelerateConfiguration",
    "GetBucketRequestPayment": "RequestPaymentConfiguration",
}
"""Roots that the model has lost; for the rest the shape's name with Result for Output."""

_LOCATION: Final = "GetBucketLocation"


class RestXml:
    """Codec of rest-xml."""

    def parse(self, call: Call, request: HttpRequest) -> Params:
        """Bindings and body; MalformedXML or InvalidArgument if one cannot be read."""
        shape = call.operation.input
        if shape is None:
            return {}
        try:
            bound = read_bindings(call, shape, request)
        except UnreadableError as error:
            raise CallerError("InvalidArgument", str(error), status=400) from None
        try:
            return {**bound, **read_body(shape, request.body, read_xml, decode, decode_fields)}
        except UnreadableError:
            raise CallerError("MalformedXML", _MALFORMED, status=400) from None

    def serialise(self, call: Call, output: Params, request_id: str) -> HttpResponse:
        """The answer with the model's status code."""
        headers = _identity(request_id)
        shape = call.operation.output
        if shape is None:
            return HttpResponse(call.operation.status, headers)
        _, bound = write_bindings(shape, output)
        content_type, body = _write_body(call.operation.name, shape, output)
        headers.extend(bound)
        if content_type and not any(name.lower() == "content-type" for name, _ in bound):
            headers.append(("content-type", content_type))
        return HttpResponse(call.operation.status, headers, body)

    def serialise_error(
        self, service: ServiceModel | None, failure: Failure, request_id: str
    ) -> HttpResponse:
        """`<Error>` with code, message, further fields and the request's ids."""
        del service
        fields = "".join(
            f"<{name}>{escape(value)}</{name}>"
            for name, value in failure.fields.items()
            if isinstance(value, str)
        )
        body = (
            f"{_DECLARATION}<Error><Code>{escape(failure.code)}</Code>"
            f"<Message>{escape(failure.message)}</Message>{fields}"
            f"<RequestId>{request_id}</RequestId><HostId>{_host_id(request_id)}</HostId></Error>"
        )
        headers = [
            *_identity(request_id),
            ("content-type", _XML),
            *failure.headers.items(),
        ]
        return HttpResponse(failure.status, headers, body.encode())


def _identity(request_id: str) -> list[tuple[str, str]]:
    return [("x-amz-request-id", request_id), ("x-amz-id-2", _host_id(request_id))]


def _host_id(request_id: str) -> str:
    return f"{request_id.replace('-', '')}="


def _write_body(operation: str, shape: Shape, output: Params) -> tuple[str, Body]:
    if shape.payload is not None:
        return _write_payload(shape, shape.payload, output)
    if operation == _LOCATION:
        return _XML, _location(output)
    if not shape.fields:
        return "", b""
    root = _ROOTS.get(operation) or shape.name.removesuffix("Output") + "Result"
    fields = "".join(encode_fields(shape, output))
    return _XML, f'{_DECLARATION}<{root} xmlns="{_NAMESPACE}">{fields}</{root}>'.encode()


def _write_payload(shape: Shape, member: str, output: Params) -> tuple[str, Body]:
    payload, value = shape.members[member], output.get(member)
    if payload.event_stream:
        return event_stream.CONTENT_TYPE, event_stream.encode(payload, value, _write_event)
    if value is None:
        return "", b""
    match payload.type:
        case "blob":
            return "binary/octet-stream", as_body(value)
        case "string":
            return "application/json", check(value, str).encode()
        case _:
            root = payload.wire_name or payload.name
            return _XML, (_DECLARATION + _element(payload, value, root)).encode()


def _element(shape: Shape, value: Any, root: str) -> str:
    return "".join(encode(shape, value, root, namespace=_NAMESPACE))


def _location(output: Params) -> bytes:
    """The one answer whose root is the value itself; the oldest region is an empty text."""
    region = escape(output.get("LocationConstraint") or "")
    root = "LocationConstraint"
    return f'{_DECLARATION}<{root} xmlns="{_NAMESPACE}">{region}</{root}>'.encode()


def _write_event(shape: Shape, value: Any) -> tuple[str, bytes]:
    return "text/xml", _element(shape, value, shape.name).encode()
