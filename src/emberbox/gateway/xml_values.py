"""XML values of the AWS XML protocols <-> parameters; used by query (answers) and rest-xml."""

import re
from typing import Any, Final

from emberbox.gateway.scalars import ISO8601, check, read_text, write_text
from emberbox.gateway.shapes import Shape
from emberbox.gateway.wire import DEPTH_MAX, OutputError, UnreadableError
from emberbox.gateway.xml_reader import Element

_ESCAPES: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}
)
_ILLEGAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_SPECIAL: Final = re.compile(f'[&<>"\r{_ILLEGAL.pattern[1:]}')
"""What is not written as it is."""
_ATTRIBUTE_ESCAPES: Final = str.maketrans({"\n": "&#10;", "\t": "&#9;"})


def escape(text: str) -> str:
    """Text fit for XML; what XML 1.0 cannot hold becomes the replacement character."""
    if _SPECIAL.search(text) is None:
        return text
    return _ILLEGAL.sub("\ufffd", text).translate(_ESCAPES)


def decode(shape: Shape, element: Element, depth: int = 0) -> Any:
    """The parameter that an element is for a shape."""
    if depth > DEPTH_MAX:
        raise UnreadableError("the document is nested too deeply")
    match shape.type:
        case "structure":
            return decode_fields(shape, element, depth)
        case "list":
            return [decode(shape.member, child, depth + 1) for child in element.children]
        case "map":
            return _decode_entries(shape, element.children, depth)
        case "string":
            return element.text
        case _:
            return read_text(shape, element.text.strip(), ISO8601)


def decode_fields(shape: Shape, element: Element, depth: int = 0) -> dict[str, Any]:
    """The members of a structure that stand in an element; unknown children are passed over."""
    found = {}
    for member, wire_name, member_shape in shape.fields:
        value = _decode_member(member_shape, _field_name(member_shape, wire_name), element, depth)
        if value is not None:
            found[member] = value
    return found


def encode(
    shape: Shape, value: Any, name: str, *, namespace: str = "", depth: int = 0
) -> list[str]:
    """The pieces of the element `name` for an output value."""
    out: list[str] = []
    _write(out, shape, value, name, depth, namespace)
    return out


def encode_fields(shape: Shape, value: Any, *, depth: int = 0) -> list[str]:
    """The elements of a structure's members; None means absent."""
    out: list[str] = []
    _write_fields(out, shape, value, depth)
    return out


def _write(
    out: list[str], shape: Shape, value: Any, name: str, depth: int, namespace: str = ""
) -> None:
    if depth > DEPTH_MAX:
        raise OutputError(f"{shape.name} is nested too deeply")
    spaces = _namespaces(shape, namespace) if namespace or shape.xml_namespace else ""
    match shape.type:
        case "structure":
            out.append(f"<{name}{spaces}{_attributes(shape, value)}>")
            _write_fields(out, shape, value, depth)
        case "list":
            out.append(f"<{name}{spaces}>")
            _write_items(out, shape, value, shape.member.wire_name or "member", depth)
        case "map":
            out.append(f"<{name}{spaces}>")
            _write_entries(out, shape, value, "entry", depth)
        case _:
            text = escape(write_text(shape, value, ISO8601))
            out.append(f"<{name}{spaces}>{text}</{name}>")
            return
    out.append(f"</{name}>")


def _write_fields(out: list[str], shape: Shape, value: Any, depth: int) -> None:
    if not value.keys() <= shape.members.keys():
        strangers = sorted(value.keys() - shape.members.keys())
        raise OutputError(f"{shape.name} has no members {strangers}")
    for member, wire_name, member_shape in shape.fields:
        given = value.get(member)
        if given is None or member_shape.xml_attribute:
            continue
        name = _field_name(member_shape, wire_name)
        if member_shape.flattened and member_shape.type == "list":
            _write_items(out, member_shape, given, name, depth)
        elif member_shape.flattened and member_shape.type == "map":
            _write_entries(out, member_shape, given, name, depth)
        else:
            _write(out, member_shape, given, name, depth + 1)


def _field_name(shape: Shape, wire_name: str) -> str:
    """The element's name: a flattened list's own elements may have one that differs."""
    if shape.flattened and shape.type == "list":
        return shape.member.wire_name or wire_name
    return shape.query_name or wire_name


def _decode_member(shape: Shape, name: str, parent: Element, depth: int) -> Any:
    if shape.xml_attribute:
        return _attribute(parent, name)
    children = parent.named(name)
    if not children:
        return None
    if shape.flattened and shape.type == "list":
        return [decode(shape.member, child, depth + 1) for child in children]
    if shape.flattened and shape.type == "map":
        return _decode_entries(shape, children, depth)
    return decode(shape, children[0], depth + 1)


def _decode_entries(shape: Shape, entries: list[Element], depth: int) -> dict[str, Any]:
    found = {}
    for entry in entries:
        keys = entry.named(shape.key.wire_name or "key")
        values = entry.named(shape.value.wire_name or "value")
        if not keys or not values:
            raise UnreadableError(f"an entry of {shape.name} lacks its key or its value")
        found[keys[0].text] = decode(shape.value, values[0], depth + 1)
    return found


def _attribute(element: Element, name: str) -> str | None:
    """An attribute by its local name: clients choose their own prefixes."""
    local = name.rpartition(":")[2]
    for given, value in element.attributes.items():
        if given.rpartition(":")[2] == local and not given.startswith("xmlns"):
            return value
    return None


def _write_items(out: list[str], shape: Shape, value: Any, name: str, depth: int) -> None:
    member = shape.member
    for each in check(value, (list, tuple)):
        _write(out, member, each, name, depth + 1)


def _write_entries(out: list[str], shape: Shape, value: Any, name: str, depth: int) -> None:
    key_name = shape.key.wire_name or "key"
    value_name = shape.value.wire_name or "value"
    for key, each in value.items():
        out.append(f"<{name}><{key_name}>{escape(check(key, str))}</{key_name}>")
        _write(out, shape.value, each, value_name, depth + 1)
        out.append(f"</{name}>")


def _namespaces(shape: Shape, namespace: str) -> str:
    if shape.xml_namespace is not None:
        prefix = shape.xml_namespace.get("prefix")
        return f' xmlns{":" + prefix if prefix else ""}="{escape(shape.xml_namespace["uri"])}"'
    return f' xmlns="{escape(namespace)}"' if namespace else ""


def _attributes(shape: Shape, value: Any) -> str:
    return "".join(
        f' {name}="{escape(check(value[member], str)).translate(_ATTRIBUTE_ESCAPES)}"'
        for member, name, member_shape in shape.fields
        if member_shape.xml_attribute and value.get(member) is not None
    )
