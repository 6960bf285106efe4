"""The rest-json protocol: Lambda, API Gateway, Scheduler, X-Ray."""

from typing import Any, Final

from emberbox.errors import CallerError
from emberbox.gateway import event_stream
from emberbox.gateway.bindings import read_bindings, read_body, write_bindings
from emberbox.gateway.failures import Failure
from emberbox.gateway.json_errors import error_fields, error_headers
from emberbox.gateway.json_values import (
    decode,
    decode_fields,
    dump,
    encode,
    encode_fields,
    load,
    refuse_strangers,
)
from emberbox.gateway.scalars import check
from emberbox.gateway.shapes import ServiceModel, Shape
from emberbox.gateway.wire import (
    Body,
    Call,
    HttpRequest,
    HttpResponse,
    MalformedError,
    UnreadableError,
    as_body,
)
from emberbox.model.request import Params

_JSON: Final = "application/json"


class RestJson:
    """Codec of rest-json."""

    def parse(self, call: Call, request: HttpRequest) -> Params:
        """Bindings and body together; SerializationException if either cannot be read."""
        shape = call.operation.input
        if shape is None:
            return {}
        try:
            bound = read_bindings(call, shape, request)
            return {**bound, **read_body(shape, request.body, load, decode, decode_fields)}
        except MalformedError as error:
            text = f"Could not parse request body into json: {error}"
            raise CallerError("SerializationException", text, status=400) from None
        except UnreadableError as error:
            raise CallerError("SerializationException", str(error), status=400) from None

    def serialise(self, call: Call, output: Params, request_id: str) -> HttpResponse:
        """The answer with the model's status code."""
        headers = [("x-amzn-RequestId", request_id)]
        shape = call.operation.output
        if shape is None:
            return HttpResponse(call.operation.status, headers)
        refuse_strangers(shape, output)
        status, bound = write_bindings(shape, output)
        content_type, body = _write_body(shape, output)
        headers.extend(bound)
        if content_type and not any(name.lower() == "content-type" for name, _ in bound):
            headers.append(("content-type", content_type))
        return HttpResponse(status or call.operation.status, headers, body)

    def serialise_error(
        self, service: ServiceModel | None, failure: Failure, request_id: str
    ) -> HttpResponse:
        """JSON body, the error's name in a header."""
        del service
        headers = [
            ("x-amzn-RequestId", request_id),
            ("x-amzn-ErrorType", failure.name),
            ("content-type", _JSON),
            *error_headers(failure),
        ]
        return HttpResponse(failure.status, headers, dump(error_fields(failure, encode)))


def _write_body(shape: Shape, output: Params) -> tuple[str, Body]:
    if shape.payload is None:
        if not shape.fields:
            return "", b""
        return _JSON, dump(encode_fields(shape, _of_body(shape, output)))
    return _write_payload(shape.members[shape.payload], output.get(shape.payload))


def _write_payload(payload: Shape, value: Any) -> tuple[str, Body]:
    if payload.event_stream:
        return event_stream.CONTENT_TYPE, event_stream.encode(payload, value, _write_event)
    if value is None:
        return "", b""
    match payload.type:
        case "blob":
            return "application/octet-stream", as_body(value)
        case "string":
            return "text/plain", check(value, str).encode()
        case _:
            return _JSON, dump(encode(payload, value))


def _of_body(shape: Shape, output: Params) -> Params:
    return {member: output[member] for member, _, _ in shape.fields if member in output}


def _write_event(shape: Shape, value: Any) -> tuple[str, bytes]:
    """Content type and bytes of a structure within an event stream."""
    return _JSON, dump(encode(shape, value))
