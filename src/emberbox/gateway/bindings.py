"""Where REST operations put things: path labels, query string, headers, status code, body."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar

from emberbox.gateway.scalars import ISO8601, RFC822, check, read_text, write_text
from emberbox.gateway.shapes import Shape
from emberbox.gateway.wire import Call, HttpRequest, MalformedError, OutputError, UnreadableError
from emberbox.model.request import Params

_ITEMS_MAX: Final = 1_000

Document = TypeVar("Document")


def read_bindings(call: Call, shape: Shape, request: HttpRequest) -> Params:
    """The members of the input that came in the path, the query string and the headers."""
    query = _by_name(request)
    found: Params = {}
    for member, name, member_shape in shape.located:
        match member_shape.location:
            case "uri":
                value = _read_one(member_shape, call.labels.get(name))
            case "querystring":
                value = _read_query(member_shape, name, query, call)
            case "header":
                value = _read_header(member_shape, request.headers.get(name.lower()))
            case "headers":
                value = _read_prefixed(name.lower(), request.headers)
            case _:
                value = None
        if value is not None:
            found[member] = value
    return found


def read_body(
    shape: Shape,
    body: bytes,
    parse: Callable[[bytes], Document],
    decode: Callable[[Shape, Document], Any],
    decode_fields: Callable[[Shape, Document], Params],
) -> Params:
    """What the body holds; an empty body holds nothing, not even an empty payload."""
    if not body:
        return {}
    if shape.payload is None:
        return decode_fields(shape, parse(body)) if shape.fields else {}
    payload = shape.members[shape.payload]
    match payload.type:
        case "blob":
            return {shape.payload: body}
        case "string":
            return {shape.payload: _text(body)}
        case _:
            return {shape.payload: decode(payload, parse(body))}


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise MalformedError(str(error)) from None


def write_bindings(shape: Shape, output: Params) -> tuple[int | None, list[tuple[str, str]]]:
    """The status code that the output itself holds, if any, and the headers it is bound to."""
    status: int | None = None
    headers: list[tuple[str, str]] = []
    for member, name, member_shape in shape.located:
        value = output.get(member)
        if value is None:
            continue
        match member_shape.location:
            case "statusCode":
                status = check(value, int)
            case "header":
                headers.append((name, _header_text(member_shape, value)))
            case "headers":
                headers.extend((name + key, check(each, str)) for key, each in value.items())
            case _:
                raise OutputError(f"{shape.name}.{member} cannot stand in an answer")
    return status, headers


def _by_name(request: HttpRequest) -> dict[str, list[str]]:
    query: dict[str, list[str]] = {}
    for name, value in request.query:
        query.setdefault(name, []).append(value)
    return query


def _read_one(shape: Shape, text: str | None) -> Any:
    return None if text is None else read_text(shape, text, ISO8601)


def _read_query(shape: Shape, name: str, query: dict[str, list[str]], call: Call) -> Any:
    if shape.type == "map":
        return _read_query_map(shape, query, call)
    given = query.get(name)
    if given is None:
        return None
    if shape.type == "list":
        return [read_text(shape.member, each, ISO8601) for each in _bounded(given)]
    return read_text(shape, given[0], ISO8601)


def _read_query_map(shape: Shape, query: dict[str, list[str]], call: Call) -> Any:
    """A map bound to the query string holds every parameter that nothing else accounts for."""
    whole = call.operation.input
    taken = set(call.operation.fixed_query)
    if whole is not None:
        taken |= {name for _, name, other in whole.located if other.location == "querystring"}
    rest = {name: values for name, values in query.items() if name not in taken}
    if shape.value.type == "list":
        return rest or None
    return {name: values[0] for name, values in rest.items()} or None


def _read_header(shape: Shape, text: str | None) -> Any:
    if text is None:
        return None
    if shape.type == "list":
        return [read_text(shape.member, each, RFC822) for each in _bounded(_split(text))]
    return read_text(shape, text.strip() if shape.type != "string" else text, RFC822)


def _read_prefixed(prefix: str, headers: Mapping[str, str]) -> dict[str, str] | None:
    found = {
        name[len(prefix) :]: value for name, value in headers.items() if name.startswith(prefix)
    }
    return found or None


def _split(text: str) -> list[str]:
    """Split at commas outside double quotes; within quotes a backslash escapes a quote."""
    return [_unquoted(part) for part in _parts(text)]


def _parts(text: str) -> Iterator[str]:
    start, quoted = 0, False
    for index, character in enumerate(text):
        if character == '"' and not (index and text[index - 1] == "\\"):
            quoted = not quoted
        elif character == "," and not quoted:
            yield text[start:index].strip()
            start = index + 1
    yield text[start:].strip()


def _unquoted(part: str) -> str:
    if len(part) > 1 and part.startswith('"') and part.endswith('"'):
        return part[1:-1].replace('\\"', '"')
    return part


def _bounded(items: list[str]) -> list[str]:
    if len(items) > _ITEMS_MAX:
        raise UnreadableError(f"more than {_ITEMS_MAX} values in one parameter")
    return items


def _header_text(shape: Shape, value: Any) -> str:
    if shape.type == "list":
        return ",".join(_quoted(write_text(shape.member, each, RFC822)) for each in value)
    return write_text(shape, value, RFC822)


def _quoted(text: str) -> str:
    if "," in text or '"' in text:
        return '"' + text.replace('"', '\\"') + '"'
    return text
