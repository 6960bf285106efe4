"""A mapping's function: invoked by the front door like any other, again where there was no room."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from emberbox.clock import Clock
from emberbox.entropy import Entropy
from emberbox.errors import CallerError, PlatformError
from emberbox.invoke.frontdoor import FrontDoor, InvokeRequest
from emberbox.invoke.recursion import RECURSIVE
from emberbox.model.batch_response import failed_records
from emberbox.model.function import FunctionVersion
from emberbox.model.mapping import EventSourceMapping
from emberbox.model.names import LATEST
from emberbox.model.spans import Opened
from emberbox.sources.batch_spans import BatchSpans, trace_of_batch
from emberbox.sources.counting import Count
from emberbox.sources.feed import Batch, Verdict
from emberbox.sources.rights import Rights

_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 5.0
_CLIENT_ERROR: Final = 500
_GONE: Final = 404
_ENTROPY: Final = Entropy()
_MISSING: Final = "Function does not exist."


class NoFunctionError(Exception):
    """The function is not there, or may not read its source."""


class OutOfTimeError(Exception):
    """There was no room for a batch until it was no longer ours."""


class Catalog(Protocol):
    """The functions as the control plane has them now."""

    listeners: list[Callable[[FunctionVersion | None, FunctionVersion | None], None]]

    def version(self, key: tuple[str, str, str], version: str) -> FunctionVersion | None:
        """A version by its number or `$LATEST`, or None."""
        ...

    def has_qualifier(self, key: tuple[str, str, str], qualifier: str) -> bool:
        """Whether a function has a version or an alias of that name."""
        ...


class FunctionWatch:
    """Tells who waits for a function that it has changed."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._waiting: dict[tuple[str, str, str], list[asyncio.Future[None]]] = {}
        catalog.listeners.append(self._changed)

    async def change(self, key: tuple[str, str, str]) -> None:
        """Return when anything of the function has changed."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(key, [])
        waiting.append(future)
        try:
            await future
        finally:
            if future in waiting:
                waiting.remove(future)

    def _changed(self, before: FunctionVersion | None, after: FunctionVersion | None) -> None:
        changed = after or before
        if changed is None:
            return
        for future in self._waiting.pop(changed.key, []):
            if not future.done():
                future.set_result(None)


class Invoker:
    """Invokes the function of one mapping with batches. `actions` are what reading needs."""

    def __init__(
        self,
        mapping: EventSourceMapping,
        front_door: FrontDoor,
        watch: FunctionWatch,
        rights: Rights,
        actions: tuple[str, ...],
        clock: Clock,
        count: Count,
        spans: BatchSpans | None = None,
    ) -> None:
        self._count = count
        self._mapping = mapping
        self._front_door = front_door
        self._watch = watch
        self._rights = rights
        self._actions = actions
        self._clock = clock
        types = mapping.settings.get("FunctionResponseTypes") or ()
        self._spans = spans
        self._reports_items = "ReportBatchItemFailures" in types

    async def ready(self) -> None:
        """NoFunctionError unless the function is there and its role may read the source."""
        mapping, catalog = self._mapping, self._watch.catalog
        function = catalog.version(mapping.function_key, LATEST)
        if function is None or not catalog.has_qualifier(
            mapping.function_key, mapping.qualifier or LATEST
        ):
            raise NoFunctionError(_MISSING)
        for action in self._actions:
            if not await self._rights(function.role, action, mapping.source_arn or "*"):
                raise NoFunctionError(f"The execution role is not authorized to perform: {action}.")

    async def appears(self) -> None:
        """Return when the function has changed."""
        await self._watch.change(self._mapping.function_key)

    async def run(self, event: bytes, batch: Batch) -> Verdict:
        """What came of the batch.

        Throttled, the same batch is tried again until it is no longer ours: OutOfTimeError.
        """
        pause_s, size = _FIRST_PAUSE_S, len(batch.records)
        while True:
            self._count("InvokedEventCount", size)
            try:
                verdict = await self._invoke(event, batch)
            except CallerError as error:
                self._count("FailedInvokeEventCount", size)
                if error.status == _GONE:
                    raise NoFunctionError(_MISSING) from None
                if error.code == RECURSIVE:
                    # The batch has failed; the queue's own dead letters end the loop.
                    return Verdict(None)
                problem = "Lambda was throttled." if error.status == 429 else error.message
            except PlatformError as error:
                self._count("FailedInvokeEventCount", size)
                problem = str(error)
            else:
                failed = size if verdict.failed is None else len(verdict.failed)
                self._count("FailedInvokeEventCount", failed)
                return verdict
            left_s = batch.deadline - self._clock.monotonic()
            if left_s <= pause_s:
                raise OutOfTimeError(problem)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _invoke(self, event: bytes, batch: Batch) -> Verdict:
        spans = self._spans
        span = None if spans is None else spans.begin(self._mapping, batch)
        if spans is None or span is None:
            return await self._answered(event, batch, None)
        try:
            verdict = await self._answered(event, batch, span)
        except Exception as error:
            spans.end(span, self._mapping, batch, str(error) or type(error).__name__)
            raise
        failed = verdict.failed is None or bool(verdict.failed)
        spans.end(span, self._mapping, batch, "records have failed" if failed else None)
        return verdict

    async def _answered(self, event: bytes, batch: Batch, span: Opened | None) -> Verdict:
        mapping = self._mapping
        trace = trace_of_batch(batch) if span is None else span.trace
        answer = await self._front_door.invoke(
            InvokeRequest(
                mapping.account,
                mapping.region,
                _ENTROPY.uuid(),
                mapping.function,
                event,
                qualifier=mapping.qualifier,
                trace=trace,
                is_synchronous=False,
                span=span,
            )
        )
        if answer.failed:
            return Verdict(None)
        if not self._reports_items:
            return Verdict(frozenset())
        return Verdict(failed_records(answer.payload, [r.identifier for r in batch.records]))
