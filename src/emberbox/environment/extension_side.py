"""The extensions of one environment, as far as they speak: the Extensions, Telemetry and Logs API.

What follows from a valid call is for the environment to decide.
"""

import re
from collections.abc import Callable, Mapping
from typing import Protocol

import orjson

from emberbox.environment.chronicle import Chronicle
from emberbox.environment.current import CurrentInvocation
from emberbox.environment.extension_states import ExtensionState
from emberbox.environment.extensions import INVOKE, Extension, Extensions, Waiting
from emberbox.environment.refusals import RefusedError
from emberbox.environment.telemetry_hub import TelemetryHub
from emberbox.model.function import FunctionVersion
from emberbox.model.telemetry import BadSubscriptionError, parse_subscription

_EXTENSION = "/2020-01-01/extension/"
_ERROR_TYPE = "lambda-extension-function-error-type"
_VISIBLE = re.compile(r"[\x20-\x7e]{1,256}\Z")

Headers = Mapping[str, str]


class ExtensionPhases(Protocol):
    """The environment, as its extensions see it."""

    def advance(self) -> None:
        """Somebody waits for the next event: a phase may have come to its end."""
        ...

    def extension_registered(self) -> None:
        """One more; when all processes have, the runtime may start."""
        ...

    def extension_failed(self, extension: Extension, text: str) -> None:
        """It has reported an error or has ended; its `error_type` says which."""
        ...


class ExtensionSide:
    """See the module. `known` holds them from one INIT to the next."""

    def __init__(
        self,
        environment: ExtensionPhases,
        function: FunctionVersion,
        chronicle: Chronicle,
        hub: TelemetryHub,
    ) -> None:
        self.known = Extensions()
        self._environment = environment
        self._function = function
        self._chronicle = chronicle
        self._hub = hub
        self._routes: dict[tuple[str, str], Callable[[Waiting, Headers, bytes], None]] = {
            ("POST", f"{_EXTENSION}register"): self._register,
            ("GET", f"{_EXTENSION}event/next"): self._next,
            ("POST", f"{_EXTENSION}init/error"): self._init_error,
            ("POST", f"{_EXTENSION}exit/error"): self._exit_error,
            ("PUT", "/2022-07-01/telemetry"): self._telemetry,
            ("PUT", "/2020-08-15/logs"): self._logs,
        }

    def connection_lost(self, caller: Waiting) -> None:
        """Whoever waited there does so no more."""
        self.known.connection_lost(caller)

    def forget(self) -> None:
        """All processes are gone, or about to: the next INIT begins with none."""
        self.known = Extensions()

    def call(self, caller: Waiting, method: str, path: str, headers: Headers, body: bytes) -> None:
        """One call; RefusedError if it is not accepted. The caller is answered now or later."""
        route = self._routes.get((method, path))
        if route is None:
            raise RefusedError(404, "NotFound", "404 page not found")
        route(caller, headers, body)

    def _register(self, caller: Waiting, headers: Headers, body: bytes) -> None:
        events = _events_of(body)
        extension = self.known.register(headers.get("lambda-extension-name", ""), events)
        function = self._function
        answer = {
            "functionName": function.name,
            "functionVersion": function.version,
            "handler": function.handler,
        }
        features = headers.get("lambda-extension-accept-feature", "").split(",")
        if "accountId" in [feature.strip() for feature in features]:
            answer["accountId"] = function.account
        identifier = f"Lambda-Extension-Identifier: {extension.id}\r\n"
        caller.reply(200, orjson.dumps(answer), identifier)
        self._environment.extension_registered()

    def _next(self, caller: Waiting, headers: Headers, _body: bytes) -> None:
        self.known.asks_next(self._of(headers), caller)
        self._environment.advance()

    def _init_error(self, caller: Waiting, headers: Headers, _body: bytes) -> None:
        self._error(caller, headers, ExtensionState.INIT_ERROR)

    def _exit_error(self, caller: Waiting, headers: Headers, _body: bytes) -> None:
        self._error(caller, headers, ExtensionState.EXIT_ERROR)

    def _error(self, caller: Waiting, headers: Headers, state: ExtensionState) -> None:
        error_type = headers.get(_ERROR_TYPE, "")
        if not _VISIBLE.match(error_type):
            raise RefusedError(
                403, "Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found"
            )
        extension = self._of(headers)
        extension.fail(state, f"Extension.{state.value}")
        caller.reply(202, b'{"status":"OK"}')
        self._environment.extension_failed(extension, error_type)

    def _telemetry(self, caller: Waiting, headers: Headers, body: bytes) -> None:
        self._subscribe(caller, headers, body, is_legacy=False)

    def _logs(self, caller: Waiting, headers: Headers, body: bytes) -> None:
        self._subscribe(caller, headers, body, is_legacy=True)

    def _subscribe(
        self, caller: Waiting, headers: Headers, body: bytes, *, is_legacy: bool
    ) -> None:
        extension = self._of(headers)
        if extension.state is not ExtensionState.REGISTERED:
            word = "Logs" if is_legacy else "Telemetry"
            text = f"{word} API subscription is closed already"
            raise RefusedError(403, f"{word}.ServiceClosed", text)
        try:
            subscription = parse_subscription(body, is_legacy=is_legacy)
        except BadSubscriptionError as error:
            raise RefusedError(400, "ValidationError", str(error)) from None
        self._hub.subscribe(extension.name, subscription)
        self._chronicle.subscribed(extension, subscription)
        caller.reply(200, b'"OK"')

    def _of(self, headers: Headers) -> Extension:
        return self.known.identified(headers.get("lambda-extension-identifier"))

    def give_invoke(self, current: CurrentInvocation, deadline_ms: int) -> None:
        """Tell of an invocation to those who have registered for that."""
        invocation = current.invocation
        event = {
            "eventType": INVOKE,
            "deadlineMs": deadline_ms,
            "requestId": invocation.request_id,
            "invokedFunctionArn": invocation.invoked_arn,
            "tracing": {"type": "X-Amzn-Trace-Id", "value": invocation.trace},
        }
        self.known.give_invoke(orjson.dumps(event))


def _events_of(body: bytes) -> list[str]:
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RefusedError(403, "InvalidRequestFormat", str(error)) from None
    events = given.get("events", []) if isinstance(given, dict) else None
    if not isinstance(events, list) or not all(isinstance(event, str) for event in events):
        raise RefusedError(403, "InvalidRequestFormat", "events is a list of strings")
    return events
