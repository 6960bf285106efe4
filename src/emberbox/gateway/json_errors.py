"""The body of an error in the protocols whose bodies are objects: json, rest-json, cbor."""

from collections.abc import Callable
from typing import Any

from emberbox.gateway.failures import Failure
from emberbox.gateway.scalars import write_text
from emberbox.gateway.shapes import Shape

Encode = Callable[[Shape, Any], Any]


def error_fields(failure: Failure, encode: Encode) -> dict[str, Any]:
    """The members of the error's body by wire name, the message among them."""
    body: dict[str, Any] = {}
    for member, value in failure.fields.items():
        shape = _member(failure, member)
        if shape is None:
            body[member] = value
        elif shape.location is None:
            body[shape.wire_name or member] = _value(shape, value, encode)
    body[failure.message_key] = failure.message
    return body


def error_headers(failure: Failure) -> list[tuple[str, str]]:
    """The headers of an error: those its shape binds, then those the raiser asked for."""
    bound = [
        (shape.wire_name or member, str(value))
        for member, value in failure.fields.items()
        if (shape := _member(failure, member)) is not None and shape.location == "header"
    ]
    return [*bound, *failure.headers.items()]


def _member(failure: Failure, member: str) -> Shape | None:
    return failure.shape.members.get(member) if failure.shape is not None else None


def _value(shape: Shape, value: Any, encode: Encode) -> Any:
    """A field as its shape wants it; raisers may give numbers and the like as text."""
    if isinstance(value, str) and shape.type in {"integer", "long"}:
        return int(value)
    if isinstance(value, str) and shape.type == "string":
        return write_text(shape, value, "")
    return encode(shape, value)
