"""Checks parameters against the constraints of the model and names all violations at once.

The wording is AWS's, down to the punctuation: people and tools match on it.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from emberbox.errors import CallerError
from emberbox.gateway.patterns import matches
from emberbox.gateway.shapes import OperationModel, ServiceModel, Shape
from emberbox.model.request import Params
from emberbox.records import dataclass

EXEMPT: Final[Mapping[str, frozenset[str]]] = {
    "lambda": frozenset({"Runtime"}),
}
"""Top-level members that the service checks itself, with texts of its own. Absence of a required
one is still reported here."""

REQUIRED_ONLY: Final = frozenset({"s3", "sqs", "sns"})
"""Services that never answer with AWS's common wording for anything but an absent member."""

_CODES: Final = {
    "iam": "ValidationError",
    "sts": "ValidationError",
    "sns": "ValidationError",
    "cloudformation": "ValidationError",
    "cloudwatch": "ValidationError",
    "elbv2": "ValidationError",
    "logs": "InvalidParameterException",
    "ecr": "InvalidParameterException",
    "apigateway": "BadRequestException",
    "apigatewayv2": "BadRequestException",
    "s3": "MalformedXML",
    "sqs": "MissingParameter",
}
_MALFORMED_XML: Final = (
    "The XML you provided was not well-formed or did not validate against our published schema"
)
_NOT_NULL: Final = "Member must not be null"
_LISTED_NOT_NULL: Final = frozenset({"lambda"})
_ENUM_ORDERS: Final[Mapping[tuple[str, ...], tuple[str, ...]]] = {
    ("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"): ("LATEST", "AT_TIMESTAMP", "TRIM_HORIZON"),
}
"""Enums that the service does not tell in the model's order."""

_FRACTIONS: Final = frozenset({"float", "double"})
_VIOLATIONS_MAX: Final = 100
_SHOWN_MAX: Final = 4_096
_SCALARS: Final = frozenset(
    {"string", "integer", "long", "float", "double", "boolean", "blob", "timestamp"}
)


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken constraint: where, what stood there (None hides it), which constraint."""

    path: str
    shown: str | None
    constraint: str

    def __str__(self) -> str:
        value = "Value" if self.shown is None else f"Value {self.shown}"
        return f"{value} at '{self.path}' failed to satisfy constraint: {self.constraint}"


def validate(service: ServiceModel, operation: OperationModel, params: Params) -> None:
    """CallerError with every violation in one message; silence if there is none."""
    if operation.input is None:
        return
    found = list(_bounded(_Checker(service.name).top(operation.input, params)))
    if found:
        raise _error(service.name, found)


def _error(service: str, found: list[Violation]) -> CallerError:
    code = _CODES.get(service, "ValidationException")
    if service == "s3":
        return CallerError(code, _MALFORMED_XML, status=400)
    if service == "sqs":
        name = found[0].path
        text = f"The request must contain the parameter {name[:1].upper()}{name[1:]}."
        return CallerError(code, text, status=400)
    count = f"{len(found)} validation error{'s' if len(found) > 1 else ''} detected"
    return CallerError(code, f"{count}: {'; '.join(map(str, found))}", status=400)


def _bounded(violations: Iterator[Violation]) -> Iterator[Violation]:
    for _ in range(_VIOLATIONS_MAX):
        violation = next(violations, None)
        if violation is None:
            return
        yield violation


class _Checker:
    """Walks parameters with their shapes, in the model's order."""

    def __init__(self, service: str) -> None:
        self._exempt = EXEMPT.get(service, frozenset())
        self._required_only = service in REQUIRED_ONLY
        self._listed_not_null = service in _LISTED_NOT_NULL

    def top(self, shape: Shape, params: Params) -> Iterator[Violation]:
        yield from self._absent(shape, params, "")
        for member, member_shape in shape.members.items():
            if member in params and member not in self._exempt:
                yield from self._value(member_shape, params[member], _camel(member))

    def _value(self, shape: Shape, value: Any, path: str) -> Iterator[Violation]:
        if value is None:
            yield Violation(path, "null", _NOT_NULL)
            return
        if not self._required_only:
            for text in _broken(shape, value):
                yield Violation(path, _shown(shape, value), text)
        match shape.type:
            case "structure":
                yield from self._structure(shape, value, path)
            case "list":
                yield from self._list(shape, value, path)
            case "map":
                yield from self._map(shape, value, path)
            case _:
                pass

    def _structure(self, shape: Shape, value: Any, path: str) -> Iterator[Violation]:
        yield from self._absent(shape, value, f"{path}.")
        for member, member_shape in shape.members.items():
            if member in value:
                yield from self._value(member_shape, value[member], f"{path}.{_camel(member)}")

    def _absent(self, shape: Shape, value: Any, prefix: str) -> Iterator[Violation]:
        for member in shape.required:
            if value.get(member) is None and member in shape.members:
                yield Violation(f"{prefix}{_camel(member)}", "null", _NOT_NULL)

    def _list(self, shape: Shape, value: Any, path: str) -> Iterator[Violation]:
        if shape.member.type in _SCALARS:
            if self._some_broken(shape.member, value):
                text = f"Member must satisfy constraint: [{self._listed(shape.member)}]"
                yield Violation(path, _shown(shape, value), text)
            return
        for index, each in enumerate(value, 1):
            yield from self._value(shape.member, each, f"{path}.{index}.member")

    def _map(self, shape: Shape, value: Any, path: str) -> Iterator[Violation]:
        if self._some_broken(shape.key, value):
            text = f"Map keys must satisfy constraint: [{self._listed(shape.key)}]"
            yield Violation(path, _shown(shape, value), text)
        if shape.value.type in _SCALARS:
            if self._some_broken(shape.value, value.values()):
                text = f"Map value must satisfy constraint: [{self._listed(shape.value)}]"
                yield Violation(path, _shown(shape, value), text)
            return
        for key, each in value.items():
            yield from self._value(shape.value, each, f"{path}.{key[:_SHOWN_MAX]}.member")

    def _some_broken(self, shape: Shape, values: Any) -> bool:
        if self._required_only:
            return any(each is None for each in values)
        return any(each is None or next(_broken(shape, each), None) for each in values)

    def _listed(self, shape: Shape) -> str:
        """All constraints on the elements, kept or not: that is how AWS words it."""
        texts = list(_constraints(shape))
        if self._listed_not_null or not texts:
            texts.append(_NOT_NULL)
        return ", ".join(texts)


def _told(values: tuple[str, ...]) -> tuple[str, ...]:
    """The values of an enum in the order in which the service tells them."""
    return _ENUM_ORDERS.get(values, values)


def _broken(shape: Shape, value: Any) -> Iterator[str]:
    """The constraints of a shape, in AWS's words, that a value does not keep."""
    size = _size(shape, value)
    unit = "value" if isinstance(value, (int, float)) else "length"
    if size is not None and shape.max is not None and size > shape.max:
        yield f"Member must have {unit} less than or equal to {_number(shape, shape.max)}"
    if size is not None and shape.min is not None and size < shape.min:
        yield f"Member must have {unit} greater than or equal to {_number(shape, shape.min)}"
    if isinstance(value, str):
        if shape.pattern is not None and not matches(shape.pattern, value):
            yield f"Member must satisfy regular expression pattern: {shape.pattern}"
        if shape.enum and value not in shape.enum:
            yield f"Member must satisfy enum value set: [{', '.join(_told(shape.enum))}]"


def _constraints(shape: Shape) -> Iterator[str]:
    unit = "length" if shape.type in {"string", "blob"} else "value"
    if shape.max is not None:
        yield f"Member must have {unit} less than or equal to {_number(shape, shape.max)}"
    if shape.min is not None or shape.max is not None:
        least = _number(shape, shape.min or 0)
        yield f"Member must have {unit} greater than or equal to {least}"
    if shape.pattern is not None:
        yield f"Member must satisfy regular expression pattern: {shape.pattern}"
    if shape.enum:
        yield f"Member must satisfy enum value set: [{', '.join(_told(shape.enum))}]"


def _size(shape: Shape, value: Any) -> float | None:
    if shape.type in {"integer", "long", "float", "double"}:
        return float(value) if isinstance(value, float) else int(value)
    if shape.type in {"string", "blob", "list", "map"}:
        return len(value)
    return None


def _number(shape: Shape, bound: float) -> str:
    """As Java prints it: with a fraction where the shape has one."""
    return str(float(bound)) if shape.type in _FRACTIONS else str(int(bound))


def _camel(member: str) -> str:
    return member[:1].lower() + member[1:]


def _shown(shape: Shape, value: Any) -> str | None:
    """The value in quotes as Java prints it; None where the model calls it sensitive."""
    if shape.sensitive:
        return None
    return f"'{_text(shape, value)[:_SHOWN_MAX]}'"


def _text(shape: Shape, value: Any) -> str:
    if shape.sensitive:
        return "***Sensitive Data Redacted***"
    match shape.type:
        case "list" if value is not None:
            return f"[{', '.join(_text(shape.member, each) for each in value)}]"
        case "map" if value is not None:
            pairs = (f"{key}={_text(shape.value, each)}" for key, each in value.items())
            return f"{{{', '.join(pairs)}}}"
        case "structure" if value is not None:
            return f"{shape.name}({_members_text(shape, value)})"
        case _:
            return _scalar_text(value)


def _members_text(shape: Shape, value: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{_camel(member)}={_text(shape.members[member], each)}" for member, each in value.items()
    )


def _scalar_text(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case bytes():
            return f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"
        case datetime():
            return value.isoformat()
        case _:
            return str(value)
