"""The runtime of one environment, as far as it speaks: what it may ask and say, and when.

It holds the connections of the Runtime API and knows whether the runtime waits for an event. What
follows from a valid call is for the environment to decide.
"""

from collections.abc import Mapping
from typing import Protocol

from emberbox.clock import Clock
from emberbox.environment.beginning import Beginning
from emberbox.environment.current import CurrentInvocation
from emberbox.environment.refusals import RefusedError, illegal_transition
from emberbox.environment.response_stream import ResponseStream
from emberbox.environment.restoring import RESTORED_AT_ONCE
from emberbox.environment.runtime_api import RuntimeConnection
from emberbox.environment.states import State
from emberbox.model import invocation as failures
from emberbox.model.initialization import Initialization
from emberbox.model.invocation import Failure, Flow
from emberbox.model.limits import RESPONSE_PAYLOAD_MAX_BYTES

_API_STATES = {State.INIT: "Started", State.IDLE: "Ready", State.BUSY: "Running"}


class Phases(Protocol):
    """The environment, as its runtime sees it."""

    current: CurrentInvocation | None
    beginning: Beginning

    @property
    def state(self) -> State:
        """Where it is in its life."""
        ...

    @property
    def version(self) -> str:
        """The function's version."""
        ...

    def advance(self) -> None:
        """Something waits for its next event: a phase may have come to its end."""
        ...

    def answered(self, payload: bytes, *, failed: bool = False, error_type: str = "") -> None:
        """The runtime's result of the current invocation."""
        ...

    def fail(self, failure: Failure) -> None:
        """The current invocation has failed, the runtime lives on."""
        ...

    def fail_init(self, error_type: str, body: bytes) -> None:
        """The function cannot be initialised."""
        ...

    def fail_restore(self, error_type: str, body: bytes) -> None:
        """A hook has failed after RESTORE."""
        ...

    def connected(self) -> None:
        """A process has connected."""
        ...

    def stream_broke_off(self) -> None:
        """A streamed response ended in the middle; why may be known in a moment."""
        ...


class Extended(Protocol):
    """What serves the calls of extensions."""

    def call(
        self,
        caller: RuntimeConnection,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> None:
        """One call; RefusedError if it is not accepted."""
        ...

    def connection_lost(self, caller: RuntimeConnection) -> None:
        """Whoever waited there does so no more."""
        ...


class RuntimeSide:
    """See the module; `RuntimeHost` is what its connections see of it."""

    def __init__(self, environment: Phases, extensions: Extended, clock: Clock) -> None:
        self._environment = environment
        self._extensions = extensions
        self._clock = clock
        self._connections: set[RuntimeConnection] = set()
        self.waiting: RuntimeConnection | None = None

    def connection(self) -> RuntimeConnection:
        """A protocol for one connection to the Runtime API."""
        return RuntimeConnection(self, self._connections)

    def disconnect(self) -> None:
        """End all connections: their processes are, or will be, gone."""
        for connection in list(self._connections):
            connection.close()
        self.waiting = None

    def deliver(self, current: CurrentInvocation, deadline_ms: int) -> None:
        """Give the invocation to the runtime, which waits for it."""
        waiting, self.waiting = self.waiting, None
        if waiting is not None:
            head = current.head(deadline_ms)
            current.is_delivered = waiting.deliver(head, current.invocation.payload)

    # -- what the connections call ------------------------------------------------------------

    def runtime_asks_next(self, connection: RuntimeConnection) -> None:
        """The runtime is ready: for the first time, again, or for a delivery that waits."""
        environment = self._environment
        current, state = environment.current, environment.state
        is_owing = current is not None and current.is_delivered and current.result is None
        # A process that is being killed must not get what its successor is for.
        if self.waiting is not None or is_owing or state not in _API_STATES:
            raise _illegal(state, "Ready")
        self.waiting = connection
        environment.advance()

    def expects_answer(self, request_id: str) -> None:
        """Only the invocation that was delivered may be answered, which begins now."""
        self._expected(request_id).response_began = self._clock.monotonic()

    def _expected(self, request_id: str) -> CurrentInvocation:
        current = self._environment.current
        if (
            current is None
            or current.result is not None
            or not current.is_delivered
            or current.invocation.request_id != request_id
        ):
            raise RefusedError(400, "InvalidRequestID", "Invalid request ID")
        return current

    def runtime_responds(self, request_id: str, body: bytes, *, too_large: bool) -> None:
        """The handler's result, or one that is too large to pass on."""
        self._expected(request_id)
        if too_large:
            self._environment.fail(failures.response_too_large(RESPONSE_PAYLOAD_MAX_BYTES))
        else:
            self._environment.answered(body)

    def runtime_fails(self, request_id: str, error_type: str, body: bytes) -> None:
        """The handler's failure; the process lives on."""
        self._expected(request_id)
        self._environment.answered(body, failed=True, error_type=error_type)

    def runtime_streams(self, request_id: str, content_type: str, flow: Flow) -> ResponseStream:
        """The handler's result is on its way, piece by piece."""
        current = self._expected(request_id)
        if current.stream is not None:
            raise _illegal(self._environment.state, "Responding")
        version = self._environment.version
        current.stream = ResponseStream(current.invocation, version, content_type, flow)
        return current.stream

    def runtime_ends_stream(self, request_id: str, error_type: str, error: bytes) -> None:
        """All of the result has come, or the handler has failed in the middle of it."""
        stream = self._expected(request_id).stream
        if stream is None:
            return
        payload = stream.end()
        if stream.is_too_large:
            self._environment.fail(failures.response_too_large(stream.limit_bytes))
        elif error_type:
            self._environment.answered(error, failed=True, error_type=error_type)
        else:
            self._environment.answered(payload)

    def runtime_breaks_stream(self) -> None:
        """The connection of a result that was on its way is gone."""
        self._environment.stream_broke_off()

    def runtime_names_no_mode(self, request_id: str) -> None:
        """The handler's result has a mode that there is not."""
        self._expected(request_id)
        self._environment.fail(failures.invalid_response_mode(request_id))

    def expects_init_error(self) -> None:
        """Only while the runtime initialises."""
        environment = self._environment
        current = environment.current
        initialising = environment.state is State.INIT or (
            environment.state is State.BUSY
            and current is not None
            and not current.is_delivered
            and self.waiting is None
        )
        if not initialising:
            raise _illegal(environment.state, "InitError")

    def runtime_fails_init(self, error_type: str, body: bytes) -> None:
        """The function cannot be initialised; the process will end by itself or be ended."""
        self.expects_init_error()
        self._environment.fail_init(error_type, body)

    def runtime_awaits_restore(self, connection: RuntimeConnection, snapshot: str) -> None:
        """Without a snapshot there is nothing to wait for: INIT goes on with the hooks."""
        self.expects_restore_error()
        connection.deliver(RESTORED_AT_ONCE, b"")

    def expects_restore_error(self) -> None:
        """Only while the runtime initialises, and only with SnapStart."""
        if self._environment.beginning.initialization is not Initialization.SNAP_START:
            raise _illegal(self._environment.state, "Restoring")
        self.expects_init_error()

    def runtime_fails_restore(self, error_type: str, body: bytes) -> None:
        """A hook has failed after RESTORE; the process will end by itself or be ended."""
        self.expects_restore_error()
        self._environment.fail_restore(error_type, body)

    def runtime_connected(self) -> None:
        """A process has connected."""
        self._environment.connected()

    def extension_calls(
        self,
        connection: RuntimeConnection,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> None:
        """The APIs for extensions are on the same address."""
        self._extensions.call(connection, method, path, headers, body)

    def connection_lost(self, connection: RuntimeConnection) -> None:
        """A process has closed its connection."""
        if self.waiting is connection:
            self.waiting = None
        self._extensions.connection_lost(connection)


def _illegal(state: State, to: str) -> RefusedError:
    return illegal_transition(_API_STATES.get(state, "Stopped"), to)
