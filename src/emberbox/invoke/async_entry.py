"""The asynchronous side of the front door: what services hand in, and how events are run."""

import uuid
from collections.abc import Callable
from typing import Protocol

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.invoke.asynchronous import AsyncInvoker
from emberbox.invoke.cross_account import Attachments
from emberbox.invoke.frontdoor import FrontDoor, InvokeAnswer, InvokeRequest
from emberbox.invoke.recursion import check_loop
from emberbox.model.alias import Alias
from emberbox.model.async_deliveries import Delivery
from emberbox.model.async_invocation import AsyncPolicy, QueuedEvent, Ran
from emberbox.model.attachment import Kind
from emberbox.model.event_invoke import event_invoke_of
from emberbox.model.function import FunctionVersion
from emberbox.model.names import (
    LATEST,
    BadNameError,
    FunctionReference,
    function_arn,
    parse_function_arn,
)
from emberbox.model.spans import Opened
from emberbox.model.tenancy import check_tenant
from emberbox.model.trace import entered


class Catalog(Attachments, Protocol):
    """The functions as the control plane has them now."""

    def version(self, key: tuple[str, str, str], version: str) -> FunctionVersion | None:
        """A version by its number or `$LATEST`, or None."""
        ...

    def alias(self, key: tuple[str, str, str], name: str) -> Alias | None:
        """An alias of a function, or None."""
        ...

    def reserved(self, key: tuple[str, str, str]) -> int | None:
        """The concurrency that is set aside for a function, or None."""
        ...

    def has_qualifier(self, key: tuple[str, str, str], qualifier: str) -> bool:
        """Whether a function has a version or an alias of that name."""
        ...


class AsyncEntry:
    """Takes events for functions that are named by their ARN: from services and destinations."""

    def __init__(self, catalog: Catalog, invoker: AsyncInvoker, clock: Clock) -> None:
        self._catalog = catalog
        self._invoker = invoker
        self._clock = clock

    async def send(
        self, arn: str, payload: bytes, *, request_id: str | None = None, trace: str = ""
    ) -> str:
        """Queue an event; its request id, once it is on disk. CallerError if there is no function.

        Whether the sender may invoke the function is for the caller to decide.
        """
        return await self._send(arn, payload, request_id or str(uuid.uuid4()), trace, is_safe=False)

    async def pass_on(self, arn: str, payload: bytes, *, trace: str = "") -> str:
        """The same for who keeps the event on disk until this returns: it may run before."""
        return await self._send(arn, payload, str(uuid.uuid4()), trace, is_safe=True)

    async def _send(
        self, arn: str, payload: bytes, request_id: str, trace: str, *, is_safe: bool
    ) -> str:
        reference = _parsed(arn)
        key = (reference.account or "", reference.region or "", reference.name)
        if not self._catalog.has_qualifier(key, reference.qualifier or LATEST):
            wanted = function_arn(*key, reference.qualifier)
            raise CallerError(
                "ResourceNotFoundException", f"Function not found: {wanted}", status=404
            )
        self._check_tenancy(key, reference.qualifier or LATEST)
        now = self._clock.now()
        await self._invoker.accept(
            QueuedEvent(
                *key,
                reference.qualifier or "",
                request_id,
                payload,
                now,
                now,
                trace=trace,
            ),
            is_safe=is_safe,
        )
        return request_id

    def _check_tenancy(self, key: tuple[str, str, str], qualifier: str) -> None:
        """What services hand in names no tenant."""
        alias = self._catalog.alias(key, qualifier)
        function = self._catalog.version(key, qualifier if alias is None else alias.version)
        if function is not None:
            check_tenant(function, None)

    async def deliver(self, delivery: Delivery) -> None:
        """A function as the destination of another's records.

        CallerError for one that was stopped in a loop before: telling of that would be another.
        """
        reference = _parsed(delivery.target)
        key = (reference.account or "", reference.region or "", reference.name)
        _, loops = entered(delivery.trace, key)
        check_loop(self._catalog, key, loops - 1)
        await self.pass_on(delivery.target, delivery.body, trace=delivery.trace)


class FunctionPolicies:
    """Asynchronous configuration by function, version and alias."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def policy(self, event: QueuedEvent) -> AsyncPolicy | None:
        """How an event is to be treated; None if its function is no more."""
        function = self._catalog.version(event.lane, LATEST)
        if function is None:
            return None
        qualifier = event.qualifier or LATEST
        config = self._catalog.attachment(event.lane, Kind.EVENT_INVOKE, qualifier)
        given = event_invoke_of(None if config is None else config.value)
        alias = self._catalog.alias(event.lane, qualifier)
        version = qualifier if alias is None else alias.version
        meant = self._catalog.version(event.lane, version) or function
        return AsyncPolicy(
            retries=given.retries,
            age_max_s=given.age_s,
            on_success=given.on_success or "",
            on_failure=given.on_failure or "",
            dead_letters=meant.dead_letter_arn,
            role=meant.role,
            is_switched_off=self._catalog.reserved(event.lane) == 0,
        )


class EventRunner:
    """Runs events as any other invocation; raises what the front door raises."""

    def __init__(self, front_door: FrontDoor) -> None:
        self._front_door = front_door

    def begin(self, event: QueuedEvent, span: Opened | None, done: Callable[[Ran], None]) -> bool:
        """Run an event without a task if an environment is idle; False if not."""
        return self._front_door.begin(_request(event, span), lambda answer: done(_ran(answer)))

    async def run(self, event: QueuedEvent, span: Opened | None) -> Ran:
        """Run an event, with waiting if need be."""
        return _ran(await self._front_door.invoke(_request(event, span)))


def _request(event: QueuedEvent, span: Opened | None) -> InvokeRequest:
    return InvokeRequest(
        event.account,
        event.region,
        event.request_id,
        event.name,
        event.payload,
        qualifier=event.qualifier or None,
        client_context=event.client_context or None,
        trace=(event.trace or None) if span is None else span.trace,
        is_synchronous=False,
        tenant=event.tenant or None,
        accepted=event.accepted,
        attempt=event.attempts + 1,
        span=span,
    )


def _ran(answer: InvokeAnswer) -> Ran:
    return Ran(answer.payload, answer.executed_version or LATEST, answer.failed)


def _parsed(arn: str) -> FunctionReference:
    try:
        reference = parse_function_arn(arn)
    except BadNameError:
        reference = None
    if reference is None or reference.account is None or reference.region is None:
        raise CallerError("InvalidParameterValueException", f"{arn} is no ARN of a function")
    return reference
