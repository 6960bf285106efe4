"""InvokeAsync, the old form of an invocation with InvocationType Event."""

import json
from typing import Protocol

from emberbox.errors import CallerError, PlatformError
from emberbox.functions.finding import found
from emberbox.functions.references import target_of
from emberbox.model.async_invocation import EVENT_PAYLOAD_MAX_BYTES
from emberbox.model.request import Operation, Params, Reply, RequestContext
from emberbox.storage.catalog import FunctionCatalog

ACCEPTED = 202


class Send(Protocol):
    """Who keeps events."""

    async def __call__(self, arn: str, payload: bytes, *, request_id: str | None) -> object:
        """Keep an event for the function with this ARN; returns once it is on disk."""
        ...


class InvokingAsync:
    """The operation. `send` is set by who keeps events."""

    def __init__(self, catalog: FunctionCatalog) -> None:
        self._catalog = catalog
        self.send: Send | None = None

    @property
    def operations(self) -> dict[str, Operation]:
        """By its name in the model."""
        return {"InvokeAsync": self.invoke_async}

    async def invoke_async(self, context: RequestContext, params: Params) -> Reply:
        """Queue an event for a function."""
        target = target_of(context, params)
        found(self._catalog, target)
        payload = params["InvokeArgs"]
        if len(payload) > EVENT_PAYLOAD_MAX_BYTES:
            raise _unreadable(f"more than {EVENT_PAYLOAD_MAX_BYTES} bytes")
        try:
            json.loads(payload or b"null")
        except (ValueError, RecursionError) as error:
            raise _unreadable(str(error)) from None
        if self.send is None:
            raise PlatformError("this server has no queue for asynchronous invocation")
        await self.send(target.arn, payload or b"{}", request_id=context.request_id)
        return Reply({"Status": ACCEPTED}, status=ACCEPTED)


def _unreadable(why: str) -> CallerError:
    return CallerError(
        "InvalidRequestContentException",
        f"Could not parse request body into json: {why}",
        status=400,
    )
