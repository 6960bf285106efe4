"""What every operation of every service receives and gives back."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import field
from typing import Any, Protocol

from emberbox.model.policy.principals import Principal
from emberbox.records import dataclass

Params = dict[str, Any]
"""A validated request as botocore shapes it: member names of the model, blobs as bytes, timestamps
as aware datetimes; absent members are absent."""


class BodyStream(Protocol):
    """A body that comes while the operation runs; it can be read once.

    What does not keep what the client announced or signed raises CallerError while it is read.
    """

    @property
    def length(self) -> int | None:
        """Bytes of content that the client has announced, if it has."""
        ...

    @property
    def sha256(self) -> str:
        """The SHA-256 in hexadecimal that the client has announced; empty if it has not."""
        ...

    @property
    def announced(self) -> Sequence[str]:
        """The trailers that the client has announced, names in lower case."""
        ...

    @property
    def trailers(self) -> Mapping[str, str]:
        """Trailers by their names in lower case, once the content has been read."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The content, in pieces."""
        ...


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Who asked for what, decided by the gateway before the operation runs.

    `endpoint` is the scheme, host and port as the client addressed us, for URLs in answers.
    `principal` is who has signed; None where nobody asked, which stands for the account's root.
    `trace` is the X-Amzn-Trace-Id of the request, which goes on with what comes of it.
    `leaves` returns once the client has gone, for operations that wait in its name; None where the
    caller stays.
    `client` is the address the request came from.
    `asks` decides by the caller's policies and those of a resource what `may` is asked; None where
    no policies are enforced.
    """

    account: str
    region: str
    request_id: str
    service: str
    operation: str
    access_key: str
    endpoint: str
    principal: Principal | None = None
    trace: str = ""
    leaves: Callable[[], Awaitable[None]] | None = None
    client: str = ""
    asks: Callable[[str, str, Params], Awaitable[bool]] | None = None

    async def may(self, action: str, arn: str, part: Params | None = None) -> bool:
        """Whether the caller may do this too, beyond what the gateway has asked already.

        `part` are the parameters of the part of the request that is asked for.
        """
        return self.asks is None or await self.asks(action, arn, part or {})


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that differs from the model's default: own status or extra headers."""

    output: Params = field(default_factory=dict)
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


Operation = Callable[[RequestContext, Params], Awaitable[Params | Reply]]


class Service(Protocol):
    """One AWS service: its botocore name and the operations that are built."""

    @property
    def name(self) -> str:
        """The botocore service name, for instance `lambda` or `logs`."""
        ...

    @property
    def operations(self) -> Mapping[str, Operation]:
        """Operation name of the model -> what runs it."""
        ...
