"""Smithy's RPC v2 protocol with CBOR bodies, which CloudWatch offers beside json and query."""

from typing import Any, Final

from emberbox.errors import CallerError
from emberbox.gateway.cbor import dumps, loads
from emberbox.gateway.failures import Failure
from emberbox.gateway.json_errors import error_fields, error_headers
from emberbox.gateway.json_rpc import query_error
from emberbox.gateway.json_values import refuse_strangers
from emberbox.gateway.scalars import as_datetime, check, from_epoch, in_range
from emberbox.gateway.shapes import ServiceModel, Shape
from emberbox.gateway.wire import (
    DEPTH_MAX,
    Call,
    HttpRequest,
    HttpResponse,
    OutputError,
    UnreadableError,
)
from emberbox.model.request import Params

_CBOR: Final = "application/cbor"
_PYTHON: Final[dict[str, type | tuple[type, ...]]] = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "blob": bytes,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
}


class CborRpc:
    """Codec of smithy-rpc-v2-cbor."""

    def parse(self, call: Call, request: HttpRequest) -> Params:
        """The CBOR body as parameters; SerializationException if it cannot be read."""
        shape = call.operation.input
        if shape is None or not request.body:
            return {}
        try:
            found: Params = _decode(shape, loads(request.body))
        except UnreadableError as error:
            raise CallerError("SerializationException", str(error), status=400) from None
        return found

    def serialise(self, call: Call, output: Params, request_id: str) -> HttpResponse:
        """The CBOR answer."""
        shape = call.operation.output
        body = dumps(_encode(shape, output)) if shape is not None else b""
        return HttpResponse(200, _headers(request_id), body)

    def serialise_error(
        self, service: ServiceModel | None, failure: Failure, request_id: str
    ) -> HttpResponse:
        """CBOR body with the error's name in `__type`."""
        headers = [*_headers(request_id), *error_headers(failure)]
        if service is not None and service.query_compatible:
            headers.append(("x-amzn-query-error", query_error(failure)))
        body = {"__type": failure.name, **error_fields(failure, _encode)}
        return HttpResponse(failure.status, headers, dumps(body))


def _headers(request_id: str) -> list[tuple[str, str]]:
    return [
        ("x-amzn-RequestId", request_id),
        ("smithy-protocol", "rpc-v2-cbor"),
        ("content-type", _CBOR),
    ]


def _decode(shape: Shape, value: Any) -> Any:
    """The reader has bounded the depth already."""
    if not _is(shape, value):
        raise UnreadableError(f"{type(value).__name__} found where a {shape.type} was expected")
    match shape.type:
        case "structure":
            return {
                member: _decode(member_shape, value[wire_name])
                for member, wire_name, member_shape in shape.fields
                if value.get(wire_name) is not None
            }
        case "list":
            return [None if each is None else _decode(shape.member, each) for each in value]
        case "map":
            held = shape.value
            return {k: None if each is None else _decode(held, each) for k, each in value.items()}
        case _:
            return _decode_scalar(shape, value)


def _is(shape: Shape, value: Any) -> bool:
    if isinstance(value, bool):
        return shape.type == "boolean"
    return isinstance(value, _PYTHON[shape.type])


def _decode_scalar(shape: Shape, value: Any) -> Any:
    match shape.type:
        case "timestamp":
            return from_epoch(value)
        case "integer" | "long":
            return in_range(shape, value)
        case "float" | "double":
            return float(value)
        case _:
            return value


def _encode(shape: Shape, value: Any, depth: int = 0) -> Any:
    if depth > DEPTH_MAX:
        raise OutputError(f"{shape.name} is nested too deeply")
    match shape.type:
        case "structure":
            refuse_strangers(shape, value)
            return {
                wire_name: _encode(member_shape, value[member], depth + 1)
                for member, wire_name, member_shape in shape.fields
                if value.get(member) is not None
            }
        case "list":
            return [_encode(shape.member, each, depth + 1) for each in check(value, (list, tuple))]
        case "map":
            return {key: _encode(shape.value, each, depth + 1) for key, each in value.items()}
        case _:
            return _encode_scalar(shape, value)


def _encode_scalar(shape: Shape, value: Any) -> Any:
    match shape.type:
        case "timestamp":
            return as_datetime(value)
        case "blob":
            return value.encode() if isinstance(value, str) else check(value, bytes)
        case "float" | "double":
            return float(check(value, (int, float)))
        case _:
            return check(value, _PYTHON[shape.type])
