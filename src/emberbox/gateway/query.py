"""The query protocol, forms in and XML out: IAM, STS, SNS, CloudFormation, ELB.

Older clients of SQS and CloudWatch speak it too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any, Final

from emberbox.errors import CallerError
from emberbox.gateway.failures import Failure
from emberbox.gateway.scalars import ISO8601, read_text, write_text
from emberbox.gateway.shapes import ServiceModel, Shape
from emberbox.gateway.sqs_query import add_queue_url
from emberbox.gateway.wire import Call, HttpRequest, HttpResponse, UnreadableError
from emberbox.gateway.xml_values import encode_fields, escape
from emberbox.model.request import Params
from emberbox.records import dataclass

_PARTS_MAX: Final = 64
_INDEX_DIGITS: Final = 6
_XML: Final = "text/xml"


@dataclass(slots=True)
class _Node:
    """The parameters below one name: `A.member.1=x` has the nodes A, member and 1."""

    text: str | None = None
    children: dict[str, "_Node"] = field(default_factory=dict)

    def child(self, name: str) -> "_Node | None":
        return self.children.get(name)


class Query:
    """Codec of the query protocol."""

    def parse(self, call: Call, request: HttpRequest) -> Params:
        """The form's fields as parameters; MalformedQueryString or MalformedInput if unreadable."""
        shape = call.operation.input
        if shape is None:
            return {}
        try:
            params = _read_structure(shape, _tree(request.form))
        except UnreadableError as error:
            raise CallerError("MalformedInput", str(error), status=400) from None
        if call.service.name == "sqs":
            add_queue_url(params, shape, request.path)
        return params

    def serialise(self, call: Call, output: Params, request_id: str) -> HttpResponse:
        """`<OperationResponse>` with the result and the request id."""
        operation = call.operation
        body = "".join(_response(call, output, request_id))
        headers = [("x-amzn-RequestId", request_id), ("content-type", _XML)]
        return HttpResponse(operation.status, headers, body.encode())

    def serialise_error(
        self, service: ServiceModel | None, failure: Failure, request_id: str
    ) -> HttpResponse:
        """`<ErrorResponse>`, the blame as Sender or Receiver."""
        namespace = _namespace(service)
        blame = "Sender" if failure.is_callers else "Receiver"
        body = (
            f"<ErrorResponse{namespace}><Error><Type>{blame}</Type>"
            f"<Code>{escape(failure.code)}</Code><Message>{escape(failure.message)}</Message>"
            f"{_extra_fields(failure)}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        headers = [
            ("x-amzn-RequestId", request_id),
            ("content-type", _XML),
            *failure.headers.items(),
        ]
        return HttpResponse(failure.status, headers, body.encode())


def _tree(fields: Mapping[str, str]) -> _Node:
    root = _Node()
    for name, text in fields.items():
        if name.count(".") > _PARTS_MAX:
            raise UnreadableError("a parameter is nested too deeply")
        node = root
        for part in name.split("."):
            node = node.children.setdefault(part, _Node())
        node.text = text
    return root


def _read(shape: Shape, node: _Node) -> Any:
    match shape.type:
        case "structure":
            return _read_structure(shape, node)
        case "list":
            return _read_list(shape, node)
        case "map":
            return _read_map(shape, node if shape.flattened else node.child("entry") or _Node())
        case _:
            if node.text is None:
                raise UnreadableError(f"Unexpected complex element where {shape.type} was expected")
            return read_text(shape, node.text, ISO8601)


def _read_structure(shape: Shape, node: _Node) -> Params:
    found: Params = {}
    for member, wire_name, member_shape in shape.fields:
        child = node.child(_field_name(member_shape, wire_name)) or node.child(wire_name)
        if child is not None:
            found[member] = _read(member_shape, child)
    return found


def _field_name(shape: Shape, wire_name: str) -> str:
    if shape.type == "list" and shape.flattened:
        return shape.member.wire_name or wire_name
    return shape.query_name or wire_name


def _read_list(shape: Shape, node: _Node) -> list[Any]:
    if not shape.flattened:
        node = node.child(shape.member.wire_name or "member") or node
    return [_read(shape.member, item) for item in _numbered(node)]


def _read_map(shape: Shape, node: _Node) -> dict[str, Any]:
    found = {}
    for entry in _numbered(node):
        key = entry.child(shape.key.wire_name or "key")
        value = entry.child(shape.value.wire_name or "value")
        if key is None or value is None:
            raise UnreadableError(f"an entry of {shape.name} lacks its key or its value")
        found[_read(shape.key, key)] = _read(shape.value, value)
    return found


def _numbered(node: _Node) -> Iterator[_Node]:
    """Children under numbers, in the order of the numbers; gaps do not matter."""
    if not all(name.isdecimal() and len(name) <= _INDEX_DIGITS for name in node.children):
        raise UnreadableError("Unexpected list element termination")
    return (node.children[index] for index in sorted(node.children, key=int))


def _response(call: Call, output: Params, request_id: str) -> Iterator[str]:
    name, shape = call.operation.name, call.operation.output
    yield f"<{name}Response{_namespace(call.service)}>"
    if shape is not None:
        yield f"<{call.operation.result_wrapper}>"
        yield from encode_fields(shape, output)
        yield f"</{call.operation.result_wrapper}>"
    yield f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
    yield f"</{name}Response>"


def _namespace(service: ServiceModel | None) -> str:
    if service is None or not service.xml_namespace:
        return ""
    return f' xmlns="{escape(service.xml_namespace)}"'


def _extra_fields(failure: Failure) -> str:
    """Further members of the error shape; those that are not plain text have no place in XML."""
    pieces = []
    for member, value in failure.fields.items():
        shape = failure.shape.members.get(member) if failure.shape is not None else None
        if shape is not None and isinstance(value, str):
            name = shape.wire_name or member
            pieces.append(f"<{name}>{escape(write_text(shape, value, ISO8601))}</{name}>")
    return "".join(pieces)
