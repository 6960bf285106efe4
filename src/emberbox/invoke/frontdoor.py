"""Where every invocation enters: resolve, admit, run, answer.

Source: API reference of Lambda, operation Invoke; the literals are the service's own.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

from emberbox.clock import Clock
from emberbox.entropy import Entropy
from emberbox.environment.fleet import Fleet, StaleFunctionError
from emberbox.errors import CallerError, PlatformError
from emberbox.invoke.activation import Activation, busy
from emberbox.invoke.admission import Admission, Admitted, Limits, Reservations
from emberbox.invoke.asking import reference_of, violation, wants_tail
from emberbox.invoke.cross_account import check_invoke
from emberbox.invoke.payloads import checked_payload, client_context, too_large
from emberbox.invoke.peaks import Most
from emberbox.invoke.recursion import check_loop
from emberbox.invoke.tracing import Tracing
from emberbox.invoke.turns import Turn, Turns, Versions
from emberbox.invoke.waiting_room import WaitingRoom
from emberbox.model.async_invocation import EVENT_PAYLOAD_MAX_BYTES, QueuedEvent
from emberbox.model.function import FunctionVersion, State
from emberbox.model.invocation import Invocation, Outcome, ResponseSink
from emberbox.model.names import FunctionReference, function_arn
from emberbox.model.spans import Opened
from emberbox.model.tenancy import check_tenant
from emberbox.model.throttling import THROTTLED
from emberbox.model.trace import LOOPS_MAX, SAMPLED, entered, is_trace, trace_of
from emberbox.storage.hot_code import HotCode

_STALE_TRIES = 5
_ENTROPY = Entropy()


class InvokeRequest(NamedTuple):
    """One Invoke call as it arrived, header values undecoded.

    With a `sink`, a response that the function streams goes there as it comes. `is_synchronous`
    says that a client waits for it, not one of our queues: such requests have a rate. An event of a
    queue says when it was `accepted` (epoch seconds) and which `attempt` this is. `span` is what is
    recorded of the request, None for nothing.
    """

    account: str
    region: str
    request_id: str
    function: str
    payload: bytes
    qualifier: str | None = None
    invocation_type: str = "RequestResponse"
    log_type: str = "None"
    client_context: str | None = None
    trace: str | None = None
    sink: ResponseSink | None = None
    is_synchronous: bool = True
    tenant: str | None = None
    accepted: float = 0.0
    attempt: int = 1
    span: Opened | None = None


class InvokeAnswer(NamedTuple):
    """What to send back. `status` 204 has no body and no version.

    `streamed`: the response has gone to the request's sink already, see `Outcome`.
    """

    status: int
    payload: bytes = b""
    executed_version: str | None = None
    failed: bool = False
    log_tail: bytes | None = None
    trace: str = ""
    notice: str = ""
    error_type: str = ""
    streamed: bool = False


class Kept(NamedTuple):
    """An event on its way to disk; what to answer once it is `written`, not to be cancelled."""

    answer: InvokeAnswer
    written: "asyncio.Future[None]"


class Keeper(Protocol):
    """Keeps events of asynchronous invocations and runs them."""

    @property
    def arriving(self) -> int:
        """How many events are being written."""
        ...

    def keep(self, event: QueuedEvent) -> "asyncio.Future[None]":
        """Keep an event: done, and not to be cancelled, once it is on disk."""
        ...


Refused = Callable[[tuple[str, str, str], str | None], None]
"""Hears of a request that was refused: its function, and the qualifier that it gave."""


class Catalog(Versions, Reservations, Protocol):
    """The functions as the control plane has them now."""


class FrontDoor:
    """Runs invocations; `limits` are those on how many, per account and region.

    `throttled` hears of each refusal for want of concurrency, `recursive` of each loop cut off.
    `events` keeps those of asynchronous ones.
    `hot_code` reads the code of functions whose code is a directory.
    """

    def __init__(self, catalog: Catalog, fleet: Fleet, clock: Clock, limits: Limits) -> None:
        self._catalog = catalog
        self._turns = Turns(catalog)
        self._fleet = fleet
        self._clock = clock
        self._admission = Admission(catalog, limits.concurrency, limits.rate)
        self._room = WaitingRoom(self._admission, limits.wait_s)
        self.activation = Activation(catalog)
        self.tracing = Tracing(clock)
        self.is_draining = False
        self.throttled: Refused = _nobody_counts
        self.recursive: Refused = _nobody_counts
        self.events: Keeper | None = None
        self.hot_code: HotCode | None = None

    @property
    def in_flight(self) -> int:
        """Invocations that run or wait now, and events that are being written."""
        return self._admission.total + (self.events.arriving if self.events is not None else 0)

    def take_peaks(self) -> Most:
        """How many ran at once since this was last asked."""
        return self._admission.take_peaks()

    def function_changed(
        self, before: FunctionVersion | None, after: FunctionVersion | None
    ) -> None:
        """Listener of the catalog."""
        self._turns.function_changed(before, after)
        self.activation.function_changed(before, after)

    def begin(self, request: InvokeRequest, done: Callable[[InvokeAnswer], None]) -> bool:
        """Serve one Invoke call without a task if an environment is idle; False if not.

        CallerError for what AWS refuses. `done` is called later, once. After False, use `invoke`.
        """
        if request.invocation_type != "RequestResponse":
            return False
        reference = reference_of(request.function, request.qualifier)
        turn = self._at_hand(request, reference)
        if turn is None:
            return False
        function = turn.function
        if self.tracing.concerns(function, request.trace):
            return False
        invocation = self._invocation(request, reference, function)
        if self._room.must_wait(function.key):
            return False
        admitted = self._admit(request, reference, function.key)
        finish = partial(self._finish, admitted, function, invocation.trace, done)
        if request.span is not None:
            invocation = self.tracing.begin_span(invocation, request.span)
        if self._fleet.begin(function, invocation, finish):
            self._turns.taken(turn)
            return True
        self._admission.withdraw(admitted)
        self.tracing.forget(request.request_id)
        return False

    def begin_event(self, request: InvokeRequest) -> Kept | None:
        """Take the event of an Invoke call without a task; None if it needs `invoke`.

        CallerError for what AWS refuses.
        """
        if request.invocation_type != "Event" or request.sink is not None:
            return None
        reference = reference_of(request.function, request.qualifier)
        turn = self._at_hand(request, reference)
        return None if turn is None else self._keep(request, reference, turn.function)

    def _at_hand(self, request: InvokeRequest, reference: FunctionReference) -> Turn | None:
        """What to run, if this is the plainest of calls."""
        key = (request.account, request.region, reference.name)
        turn = self._turns.next(key, reference.qualifier)
        is_plain = (
            turn is not None
            and turn.function.state is State.ACTIVE
            and not turn.function.source_directory
            and reference.account in (None, request.account)
            and reference.region in (None, request.region)
        )
        return turn if is_plain else None

    def _finish(
        self,
        admitted: Admitted,
        function: FunctionVersion,
        trace: str,
        done: Callable[[InvokeAnswer], None],
        outcome: Outcome,
    ) -> None:
        self._release(admitted)
        done(self._answer(function, trace, outcome))

    def _answer(self, function: FunctionVersion, trace: str, outcome: Outcome) -> InvokeAnswer:
        payload, failed, log_tail, error_type, streamed = outcome
        notice = self._fleet.notice(function)
        return InvokeAnswer(
            200, payload, function.version, failed, log_tail, trace, notice, error_type, streamed
        )

    def _invocation(
        self, request: InvokeRequest, reference: FunctionReference, function: FunctionVersion
    ) -> Invocation:
        context, key = request.client_context, function.key
        if request.tenant is not None or function.tenant_isolation:
            check_tenant(function, request.tenant)
        trace, loops = entered(self._trace(request, function), key)
        if loops >= LOOPS_MAX:
            self._check_loop(key, reference, loops)
        arn = function_arn(function.account, function.region, function.name, reference.qualifier)
        return Invocation(
            request.request_id,
            checked_payload(request.payload),
            function.timeout_s,
            arn,
            trace,
            client_context(context) if context else None,
            wants_tail(request.log_type),
            request.sink,
            request.tenant or "",
        )

    def _trace(self, request: InvokeRequest, function: FunctionVersion) -> str:
        """The trace of an invocation; recorded, if that is wanted and nobody has said otherwise."""
        if not function.is_traced:
            return trace_of(request.trace, self._clock.now(), _ENTROPY.hex(40), sampled=False)
        if request.trace and is_trace(request.trace):
            return self.tracing.decided(function, request.trace)
        sampled = self.tracing.samples(function)
        return trace_of(None, self._clock.now(), _ENTROPY.hex(40), sampled=sampled)

    def _check_loop(
        self, key: tuple[str, str, str], reference: FunctionReference, loops: int
    ) -> None:
        try:
            check_loop(self._catalog, key, loops)
        except CallerError:
            self.recursive(key, reference.qualifier)
            raise

    async def invoke(self, request: InvokeRequest) -> InvokeAnswer:
        """Serve one Invoke call; CallerError for what AWS refuses."""
        answered: asyncio.Future[InvokeAnswer] = asyncio.get_running_loop().create_future()

        def done(answer: InvokeAnswer) -> None:
            if not answered.done():
                answered.set_result(answer)

        await self.serve(request, done)
        return await answered

    async def serve(self, request: InvokeRequest, done: Callable[[InvokeAnswer], None]) -> None:
        """Serve one Invoke call that may have to wait for an environment.

        `done` is called once with the answer, maybe after this returns; or else this raises:
        CallerError for what AWS refuses.
        """
        reference = reference_of(request.function, request.qualifier)
        turn = await self._resolve(request, reference)
        function = turn.function
        if request.invocation_type == "Event" and request.sink is None:
            answer, written = self._keep(request, reference, function)
            await asyncio.shield(written)
            done(answer)
            return
        if request.invocation_type != "RequestResponse":
            done(_other_type(request))
            return
        invocation = self._invocation(request, reference, function)
        trace = invocation.trace
        if SAMPLED not in trace:
            await self._admit_and_run(request, reference, turn, invocation, done)
            return
        seen = self.tracing.begin(
            request.request_id,
            trace,
            accepted=request.accepted,
            attempt=request.attempt,
            caller=request.span,
        )
        invocation = invocation._replace(trace=seen)

        def traced(answer: InvokeAnswer) -> None:
            done(answer._replace(trace=trace))

        try:
            await self._admit_and_run(request, reference, turn, invocation, traced)
        except BaseException as error:
            self.tracing.refused(function, request.request_id, error)
            raise

    async def _admit_and_run(
        self,
        request: InvokeRequest,
        reference: FunctionReference,
        turn: Turn,
        invocation: Invocation,
        done: Callable[[InvokeAnswer], None],
    ) -> None:
        function = turn.function
        admitted = await self._admit_in_time(request, reference, function.key)
        self._turns.taken(turn)
        try:
            await self._run(request, reference, function, invocation, admitted, done)
        except BaseException as error:
            if isinstance(error, CallerError) and error.status == THROTTLED:
                self.throttled(function.key, reference.qualifier)
            self._release(admitted)
            raise

    def _keep(
        self, request: InvokeRequest, reference: FunctionReference, function: FunctionVersion
    ) -> Kept:
        if self.events is None:
            raise PlatformError("this server has no queue for asynchronous invocation")
        event = self._event(request, reference, function)
        return Kept(InvokeAnswer(202, trace=event.trace), self.events.keep(event))

    def _event(
        self, request: InvokeRequest, reference: FunctionReference, function: FunctionVersion
    ) -> QueuedEvent:
        now = self._clock.now()
        check_tenant(function, request.tenant)
        if len(request.payload) > EVENT_PAYLOAD_MAX_BYTES:
            raise too_large(len(request.payload), "Event", EVENT_PAYLOAD_MAX_BYTES)
        if request.client_context:
            client_context(request.client_context)
        return QueuedEvent(
            *function.key,
            reference.qualifier or "",
            request.request_id,
            checked_payload(request.payload),
            now,
            now,
            trace=self._trace(request, function),
            client_context=request.client_context or "",
            tenant=request.tenant or "",
        )

    async def _run(
        self,
        request: InvokeRequest,
        reference: FunctionReference,
        function: FunctionVersion,
        invocation: Invocation,
        admitted: Admitted,
        done: Callable[[InvokeAnswer], None],
    ) -> None:
        for _ in range(_STALE_TRIES):
            if function.source_directory and self.hot_code is not None:
                function = await self.hot_code.current(function)
                self._fleet.show(function)
            finish = partial(self._finish, admitted, function, invocation.trace, done)
            try:
                await self._fleet.give(function, invocation, finish)
            except StaleFunctionError:
                function = (await self._resolve(request, reference)).function
            else:
                return
        raise busy(function)

    def _admit(
        self, request: InvokeRequest, reference: FunctionReference, key: tuple[str, str, str]
    ) -> Admitted:
        self._check_open()
        try:
            return self._admission.admit(key, self._asked(request))
        except CallerError:
            self.throttled(key, reference.qualifier)
            raise

    async def _admit_in_time(
        self, request: InvokeRequest, reference: FunctionReference, key: tuple[str, str, str]
    ) -> Admitted:
        """The same for one that may have to wait for it."""
        asked = self._asked(request)
        if not self._room.must_wait(key):
            return self._admit(request, reference, key)
        self._check_open()
        try:
            return await self._room.admit(key, asked)
        except CallerError:
            self.throttled(key, reference.qualifier)
            raise

    def _asked(self, request: InvokeRequest) -> float | None:
        return self._clock.monotonic() if request.is_synchronous else None

    def _release(self, admitted: Admitted) -> None:
        self._admission.release(admitted)
        self._room.vacated()

    def _check_open(self) -> None:
        if self.is_draining:
            raise CallerError("ServiceException", "The server is shutting down.", status=500)

    async def _resolve(self, request: InvokeRequest, reference: FunctionReference) -> Turn:
        region = request.region
        if reference.region is not None and reference.region != region:
            raise CallerError(
                "ResourceNotFoundException",
                f"Functions from '{reference.region}' are not reachable in this region "
                f"('{region}')",
                status=404,
            )
        account = reference.account or request.account
        if account != request.account:
            key = (account, region, reference.name)
            check_invoke(self._catalog, request.account, key, reference.qualifier)
        turn = self._turns.next((account, region, reference.name), reference.qualifier)
        if turn is None:
            arn = function_arn(account, region, reference.name, reference.qualifier)
            raise CallerError("ResourceNotFoundException", f"Function not found: {arn}", status=404)
        if turn.function.state is State.ACTIVE:
            return turn
        return turn._replace(function=await self.activation.wait(turn.function))


def _nobody_counts(_key: tuple[str, str, str], _qualifier: str | None) -> None:
    """Until somebody counts what is refused."""


def _other_type(request: InvokeRequest) -> InvokeAnswer:
    if request.invocation_type == "DryRun":
        return InvokeAnswer(status=204)
    known = "RequestResponse, DryRun" if request.sink else "Event, RequestResponse, DryRun"
    raise violation("invocationType", request.invocation_type, f"enum value set: [{known}]")
