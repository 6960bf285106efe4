"""HTTP requests and answers as the codecs see them, and what a codec is."""

from collections.abc import AsyncIterable, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl

from emberbox.gateway.failures import Failure
from emberbox.gateway.shapes import OperationModel, ServiceModel
from emberbox.model.request import Params
from emberbox.records import dataclass

DEPTH_MAX: Final = 128
"""Levels of nesting that are read or written; DynamoDB allows 32 of its own, two of ours each."""


_FORM_FIELDS_MAX: Final = 50_000


class UnreadableError(ValueError):
    """A request that is not what its protocol or its shapes say; the text tells where and why."""


class MalformedError(UnreadableError):
    """A body that is not even JSON, XML, CBOR or a form."""


class OutputError(TypeError):
    """An operation answered something its model does not allow: a fault of ours."""


@dataclass(frozen=True)
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

    @cached_property
    def form(self) -> Mapping[str, str]:
        """The fields of a form: those in the body or, without one, in the query string.

        MalformedError if the body is no form.
        """
        if not self.body:
            return dict(self.query)
        try:
            text = self.body.decode()
            return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_FORM_FIELDS_MAX))
        except ValueError as error:
            raise MalformedError(str(error)) from None


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


def as_body(value: Any) -> Body:
    """A blob an operation answered with, whole or piece by piece; OutputError if it is neither."""
    if isinstance(value, str):
        return value.encode()
    if not isinstance(value, (bytes, AsyncIterable)):
        raise OutputError(f"expected bytes, got {type(value).__name__}")
    return value
