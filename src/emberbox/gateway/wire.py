"""HTTP requests and answers as the codecs see them, and what a codec is."""

from collections.abc import AsyncIterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from emberbox.gateway.failures import Failure
from emberbox.gateway.shapes import OperationModel, ServiceModel
from emberbox.model.request import Params

DEPTH_MAX: Final = 128
"""Levels of nesting that are read or written; DynamoDB allows 32 of its own, two of ours each."""


class UnreadableError(ValueError):
    """A request that is not what its protocol or its shapes say; the text tells where and why."""


class MalformedError(UnreadableError):
    """A body that is not even JSON, XML, CBOR or a form."""


class OutputError(TypeError):
    """An operation answered something its model does not allow: a fault of ours."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request with its body complete.

    `path` is still percent-encoded and starts with a slash; `query` is decoded, in order; header
    names are lower case, repeated ones joined with commas.
    """

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


Body = bytes | AsyncIterable[bytes]


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer; a body that is not bytes is sent piece by piece as it comes."""

    status: int
    headers: list[tuple[str, str]]
    body: Body = b""


@dataclass(frozen=True, slots=True)
class Call:
    """Which operation of which service a request is for, and the labels found in its path."""

    service: ServiceModel
    operation: OperationModel
    labels: Mapping[str, str] = field(default_factory=dict)


class Codec(Protocol):
    """One AWS protocol, seen from the server."""

    def parse(self, call: Call, request: HttpRequest) -> Params:
        """The parameters in a request; CallerError in the protocol's own words if unreadable."""
        ...

    def serialise(self, call: Call, output: Params, request_id: str) -> HttpResponse:
        """The answer for an operation's output; OutputError if the model does not allow it."""
        ...

    def serialise_error(
        self, service: ServiceModel | None, failure: Failure, request_id: str
    ) -> HttpResponse:
        """The protocol's envelope of an error."""
        ...
