"""Service models as the gateway sees them: operations, shapes, wire traits; resolved lazily.

It reads the JSON that botocore ships and none of botocore's code, whose import alone would cost a
third of the server's start. Uses of a shape carry their own traits (a member's wire name, its place
in the request); what lies below a shape is built once and shared, so recursive shapes stay finite.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

Raw = Mapping[str, Any]

_CHILD_TRAITS: Final = ("shape", "documentation", "box", "deprecated", "deprecatedMessage")
_HINT: Final = "x-id"
"""A query parameter that merely repeats the operation's name; not all clients send it."""


class UnknownOperationError(KeyError):
    """The service's model has no operation of that name."""


class Shape:
    """One use of a shape: the shape's own traits with those of the use laid over them."""

    __slots__ = (
        "_body",
        "enum",
        "error",
        "event_payload",
        "event_stream",
        "fault",
        "flattened",
        "location",
        "max",
        "min",
        "name",
        "pattern",
        "payload",
        "query_name",
        "required",
        "sensitive",
        "timestamp_format",
        "type",
        "wire_name",
        "xml_attribute",
        "xml_namespace",
    )

    def __init__(self, name: str, traits: Raw, body: "_Body") -> None:
        self._body = body
        self.name = name
        self.type: str = traits["type"]
        self.wire_name: str | None = traits.get("locationName")
        self.query_name: str | None = traits.get("queryName")
        self.location: str | None = traits.get("location")
        self.flattened: bool = bool(traits.get("flattened"))
        self.payload: str | None = traits.get("payload")
        self.event_stream: bool = bool(traits.get("eventstream"))
        self.event_payload: bool = bool(traits.get("eventpayload"))
        stamp = traits.get("timestampFormat")
        self.timestamp_format: str | None = stamp.lower() if stamp else None
        self.xml_attribute: bool = bool(traits.get("xmlAttribute"))
        self.xml_namespace: Raw | None = traits.get("xmlNamespace")
        self.required: tuple[str, ...] = tuple(traits.get("required", ()))
        self.min: float | None = traits.get("min")
        self.max: float | None = traits.get("max")
        self.pattern: str | None = traits.get("pattern")
        self.enum: tuple[str, ...] = tuple(traits.get("enum", ()))
        self.sensitive: bool = bool(traits.get("sensitive"))
        self.fault: bool = bool(traits.get("fault"))
        self.error: Raw = traits.get("error", {})

    @property
    def members(self) -> Mapping[str, "Shape"]:
        """Members of a structure, in the model's order; empty for other types."""
        return self._body.members

    @property
    def fields(self) -> tuple[tuple[str, str, "Shape"], ...]:
        """(member, wire name, shape) of the members that travel in the body."""
        return self._body.fields

    @property
    def located(self) -> tuple[tuple[str, str, "Shape"], ...]:
        """(member, wire name, shape) of the members in path, query string, headers or status."""
        return self._body.located

    @property
    def member(self) -> "Shape":
        """What a list holds."""
        return self._body.part("member")

    @property
    def key(self) -> "Shape":
        """What a map's keys are."""
        return self._body.part("key")

    @property
    def value(self) -> "Shape":
        """What a map's values are."""
        return self._body.part("value")

    @property
    def event_stream_member(self) -> str | None:
        """The member that is an event stream, if there is one."""
        return next((name for name, shape in self.members.items() if shape.event_stream), None)

    def __repr__(self) -> str:
        return f"<{self.type} {self.name}>"


class _Body:
    """What lies below a shape, the same for all its uses; built on first need."""

    def __init__(self, raw: Raw, shapes: "_Shapes") -> None:
        self._raw = raw
        self._shapes = shapes
        self._parts: dict[str, Shape] = {}

    @cached_property
    def members(self) -> Mapping[str, Shape]:
        refs: Mapping[str, Raw] = self._raw.get("members", {})
        return MappingProxyType({name: self._shapes.use(ref) for name, ref in refs.items()})

    @cached_property
    def fields(self) -> tuple[tuple[str, str, Shape], ...]:
        return tuple(each for each in self._named() if each[2].location is None)

    @cached_property
    def located(self) -> tuple[tuple[str, str, Shape], ...]:
        return tuple(each for each in self._named() if each[2].location is not None)

    def _named(self) -> Iterator[tuple[str, str, Shape]]:
        for name, shape in self.members.items():
            yield name, shape.wire_name or name, shape

    def part(self, which: str) -> Shape:
        found = self._parts.get(which)
        if found is None:
            found = self._parts[which] = self._shapes.use(self._raw[which])
        return found


class _Shapes:
    """The shapes of one model by name."""

    def __init__(self, raw: Mapping[str, Raw]) -> None:
        self._raw = raw
        self._bodies: dict[str, _Body] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def use(self, ref: Raw) -> Shape:
        name: str = ref["shape"]
        raw = self._raw[name]
        body = self._bodies.get(name)
        if body is None:
            body = self._bodies[name] = _Body(raw, self)
        own = {trait: value for trait, value in ref.items() if trait not in _CHILD_TRAITS}
        return Shape(name, {**raw, **own} if own else raw, body)


class OperationModel:
    """One operation: its HTTP binding, input and output.

    `path` is a template with labels; `fixed_query` are the parameters that belong to the URI
    itself, with None where only the presence counts.
    """

    def __init__(self, name: str, raw: Raw, shapes: _Shapes) -> None:
        http: Raw = raw.get("http", {})
        self.name = name
        self.method: str = http.get("method", "POST")
        self.path, _, query = http.get("requestUri", "/").partition("?")
        self.fixed_query: Mapping[str, str | None] = _fixed(query)
        self.status: int = http.get("responseCode", 200)
        self.deprecated: bool = bool(raw.get("deprecated"))
        self.result_wrapper: str = raw.get("output", {}).get("resultWrapper", f"{name}Result")
        self._raw = raw
        self._shapes = shapes

    @cached_property
    def input(self) -> Shape | None:
        """The shape of the parameters, if the operation has any."""
        return self._shapes.use(self._raw["input"]) if "input" in self._raw else None

    @cached_property
    def output(self) -> Shape | None:
        """The shape of the answer, if the operation has one."""
        return self._shapes.use(self._raw["output"]) if "output" in self._raw else None

    def __repr__(self) -> str:
        return f"<operation {self.name}>"


class ServiceModel:
    """One service of botocore: metadata, operations and errors."""

    def __init__(self, name: str, raw: Raw) -> None:
        metadata: Raw = raw["metadata"]
        self.name = name
        self.protocols: tuple[str, ...] = tuple(
            metadata.get("protocols") or (metadata["protocol"],)
        )
        self.json_version: str = metadata.get("jsonVersion", "1.0")
        self.xml_namespace: str = metadata.get("xmlNamespace", "")
        self.query_compatible: bool = "awsQueryCompatible" in metadata
        self.operation_names: frozenset[str] = frozenset(raw["operations"])
        self._raw = raw
        self._shapes = _Shapes(raw["shapes"])
        self._operations: dict[str, OperationModel] = {}

    def operation(self, name: str) -> OperationModel:
        """The operation of that name; UnknownOperationError if the model has none."""
        found = self._operations.get(name)
        if found is None:
            raw = self._raw["operations"].get(name)
            if raw is None:
                raise UnknownOperationError(name)
            found = self._operations[name] = OperationModel(name, raw, self._shapes)
        return found

    def operations(self) -> Iterator[OperationModel]:
        """Every operation of the model."""
        return (self.operation(name) for name in self._raw["operations"])

    @cached_property
    def errors(self) -> Mapping[str, Shape]:
        """Error shapes by their own name and by the code they have on the wire."""
        found: dict[str, Shape] = {}
        for name in self._shapes:
            if not self._raw["shapes"][name].get("exception"):
                continue
            shape = self._shapes.use({"shape": name})
            found[name] = shape
            found.setdefault(shape.error.get("code", name), shape)
        return MappingProxyType(found)

    def __repr__(self) -> str:
        return f"<service {self.name}>"


def _fixed(query: str) -> Mapping[str, str | None]:
    fixed: dict[str, str | None] = {}
    for part in filter(None, query.split("&")):
        name, has_value, value = part.partition("=")
        if name != _HINT:
            fixed[name] = value if has_value else None
    return MappingProxyType(fixed)
