"""JSON values of the AWS JSON protocols <-> parameters; used by json, rest-json and event streams.

The error texts are those of AWS's own JSON reader, which clients and their users know.
"""

from collections.abc import Callable
from typing import Any, Final

import orjson

from emberbox.gateway.scalars import (
    check,
    from_epoch,
    in_range,
    read_blob,
    read_float,
    read_timestamp,
    special_or_float,
    to_epoch,
    write_blob,
    write_timestamp,
)
from emberbox.gateway.shapes import Shape
from emberbox.gateway.wire import DEPTH_MAX, MalformedError, OutputError, UnreadableError

_STAMP: Final = "unixtimestamp"
_NAMES: Final = {
    "string": "a String",
    "integer": "an Integer",
    "long": "a Long",
    "float": "a Float",
    "double": "a Double",
    "boolean": "a Boolean",
    "timestamp": "a Date",
    "blob": "a Blob",
}


def load(body: bytes) -> Any:
    """The JSON document of a body; MalformedError with the parser's words."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedError(str(error)) from None


def dump(document: Any) -> bytes:
    """The bytes of a document made by `encode`."""
    return orjson.dumps(document)


def decode(shape: Shape, value: Any, depth: int = 0) -> Any:
    """The parameter that a JSON value is for a shape; UnreadableError if it has another type."""
    if depth > DEPTH_MAX:
        raise UnreadableError("The document is nested too deeply")
    return _DECODERS[shape.type](shape, value, depth)


def encode(shape: Shape, value: Any, depth: int = 0) -> Any:
    """The JSON value of an output; OutputError if the model does not allow it."""
    if depth > DEPTH_MAX:
        raise OutputError(f"{shape.name} is nested too deeply")
    return _ENCODERS[shape.type](shape, value, depth)


def decode_fields(shape: Shape, value: Any, depth: int = 0) -> dict[str, Any]:
    """The members that travel in the body; nulls and members the model does not know are absent."""
    if not isinstance(value, dict):
        raise _mismatch(shape, value)
    found = {}
    for member, wire_name, member_shape in shape.fields:
        given = value.get(wire_name)
        if given is not None:
            found[member] = decode(member_shape, given, depth + 1)
    return found


def encode_fields(shape: Shape, value: Any, depth: int = 0) -> dict[str, Any]:
    """The JSON object of the members that travel in the body; None means absent."""
    fields = {
        wire_name: encode(member_shape, value[member], depth + 1)
        for member, wire_name, member_shape in shape.fields
        if value.get(member) is not None
    }
    refuse_strangers(shape, value)
    return fields


def refuse_strangers(shape: Shape, value: Any) -> None:
    """OutputError if an output holds members that its shape has not."""
    if not value.keys() <= shape.members.keys():
        strangers = sorted(value.keys() - shape.members.keys())
        raise OutputError(f"{shape.name} has no members {strangers}")


def _decode_list(shape: Shape, value: Any, depth: int) -> list[Any]:
    if not isinstance(value, list):
        raise _mismatch(shape, value)
    member = shape.member
    return [None if each is None else decode(member, each, depth + 1) for each in value]


def _decode_map(shape: Shape, value: Any, depth: int) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _mismatch(shape, value)
    held = shape.value
    return {
        key: None if each is None else decode(held, each, depth + 1) for key, each in value.items()
    }


def _decode_string(shape: Shape, value: Any, _depth: int) -> str:
    if not isinstance(value, str):
        raise _mismatch(shape, value)
    return value


def _decode_integer(shape: Shape, value: Any, _depth: int) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _mismatch(shape, value)
    return in_range(shape, value)


def _decode_float(shape: Shape, value: Any, _depth: int) -> float:
    if isinstance(value, str):
        return read_float(value)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise _mismatch(shape, value)
    return float(value)


def _decode_boolean(shape: Shape, value: Any, _depth: int) -> bool:
    if not isinstance(value, bool):
        raise _mismatch(shape, value)
    return value


def _decode_blob(shape: Shape, value: Any, _depth: int) -> bytes:
    if not isinstance(value, str):
        raise _mismatch(shape, value)
    return read_blob(value)


def _decode_timestamp(shape: Shape, value: Any, _depth: int) -> Any:
    if isinstance(value, str):
        return read_timestamp(value, shape.timestamp_format or _STAMP)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise _mismatch(shape, value)
    return from_epoch(value)


def _mismatch(shape: Shape, value: Any) -> UnreadableError:
    if isinstance(value, dict):
        return UnreadableError("Start of structure or map found where not expected")
    if isinstance(value, list):
        return UnreadableError("Start of list found where not expected")
    if shape.type not in _NAMES:
        kind = "list" if shape.type == "list" else "map" if shape.type == "map" else "structure"
        return UnreadableError(f"Expected {kind} or null")
    return UnreadableError(f"{_token(value)} can not be converted to {_NAMES[shape.type]}")


def _token(value: Any) -> str:
    match value:
        case True:
            return "TRUE_VALUE"
        case False:
            return "FALSE_VALUE"
        case str():
            return "STRING_VALUE"
        case float():
            return "DECIMAL_VALUE"
        case _:
            return "NUMBER_VALUE"


def _encode_list(shape: Shape, value: Any, depth: int) -> list[Any]:
    member = shape.member
    items = check(value, (list, tuple))
    return [None if each is None else encode(member, each, depth + 1) for each in items]


def _encode_map(shape: Shape, value: Any, depth: int) -> dict[str, Any]:
    held = shape.value
    return {
        check(key, str): None if each is None else encode(held, each, depth + 1)
        for key, each in value.items()
    }


def _encode_string(_shape: Shape, value: Any, _depth: int) -> str:
    text: str = check(value, str)
    return text


def _encode_integer(_shape: Shape, value: Any, _depth: int) -> int:
    number: int = check(value, int)
    return number


def _encode_float(_shape: Shape, value: Any, _depth: int) -> float | str:
    return special_or_float(value)


def _encode_boolean(_shape: Shape, value: Any, _depth: int) -> bool:
    flag: bool = check(value, bool)
    return flag


def _encode_blob(_shape: Shape, value: Any, _depth: int) -> str:
    return write_blob(value)


def _encode_timestamp(shape: Shape, value: Any, _depth: int) -> int | float | str:
    if (shape.timestamp_format or _STAMP) == _STAMP:
        return to_epoch(value)
    return write_timestamp(value, shape.timestamp_format or _STAMP)


_Coder = Callable[[Shape, Any, int], Any]

_DECODERS: Final[dict[str, _Coder]] = {
    "structure": decode_fields,
    "list": _decode_list,
    "map": _decode_map,
    "string": _decode_string,
    "integer": _decode_integer,
    "long": _decode_integer,
    "float": _decode_float,
    "double": _decode_float,
    "boolean": _decode_boolean,
    "blob": _decode_blob,
    "timestamp": _decode_timestamp,
}

_ENCODERS: Final[dict[str, _Coder]] = {
    "structure": encode_fields,
    "list": _encode_list,
    "map": _encode_map,
    "string": _encode_string,
    "integer": _encode_integer,
    "long": _encode_integer,
    "float": _encode_float,
    "double": _encode_float,
    "boolean": _encode_boolean,
    "blob": _encode_blob,
    "timestamp": _encode_timestamp,
}
