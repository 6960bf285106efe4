"""The extensions of one environment: who has registered for what, and who waits for an event.

Source: "Using the Lambda Extensions API to create extensions" of AWS's guide; the texts of errors
are those of AWS's runtime interface emulator.
"""

import uuid
from collections.abc import Iterable
from typing import Protocol

from emberbox.environment.extension_states import EXTENSION_TABLE, ExtensionState
from emberbox.environment.refusals import RefusedError
from emberbox.machine import Machine
from emberbox.model.limits import EXTENSIONS_MAX

INVOKE, SHUTDOWN = "INVOKE", "SHUTDOWN"
_NAME_MAX = 255


class Waiting(Protocol):
    """A connection that has asked for the next event."""

    def reply(self, status: int, body: bytes, headers: str = "") -> bool:
        """Answer it; False if it has gone."""
        ...


class Extension:
    """One extension: a program of its own (external), or a part of the runtime's (internal)."""

    def __init__(self, name: str, *, is_external: bool) -> None:
        self.name = name
        self.is_external = is_external
        self.id = str(uuid.uuid4())
        self.events: frozenset[str] = frozenset()
        self.waiting: Waiting | None = None
        self.error_type = ""
        self._machine = Machine(EXTENSION_TABLE, ExtensionState.STARTED)

    def __repr__(self) -> str:
        return f"<extension {self.name} {self.state.name}>"

    @property
    def state(self) -> ExtensionState:
        """Where it is in its life."""
        return self._machine.state

    def move(self, to: ExtensionState) -> None:
        """Go on; RefusedError, in the API's words, if that is not possible from here."""
        if not self._machine.can(to):
            raise RefusedError(
                403,
                "Extension.InvalidExtensionState",
                f"State transition from {self.state.value} to {to.value} failed for extension "
                f"{self.id if self.events else self.name}. Error: State transition is not allowed",
            )
        self._machine.move(to)

    def fail(self, state: ExtensionState, error_type: str) -> None:
        """It has failed, and how AWS calls that."""
        self.move(state)
        self.error_type = error_type

    def ended(self) -> None:
        """Its process is gone."""
        self.waiting = None
        if self._machine.can(ExtensionState.EXITED):
            self._machine.move(ExtensionState.EXITED)

    def give(self, event: bytes) -> None:
        """Give it the event that it waits for; if it has gone meanwhile, the event is lost."""
        self.move(ExtensionState.RUNNING)
        waiting, self.waiting = self.waiting, None
        if waiting is not None:
            headers = f"Lambda-Extension-Event-Identifier: {uuid.uuid4()}\r\n"
            waiting.reply(200, event, headers)


class Extensions:
    """All of one environment, from one INIT to the reset that ends it."""

    def __init__(self) -> None:
        self._by_name: dict[str, Extension] = {}
        self._is_open = True
        self._last_event: bytes | None = None

    def __bool__(self) -> bool:
        return bool(self._by_name)

    def all(self) -> list[Extension]:
        """In the order of their start or registration."""
        return list(self._by_name.values())

    def external(self) -> list[Extension]:
        """Those with a process of their own."""
        return [extension for extension in self._by_name.values() if extension.is_external]

    def started(self, names: Iterable[str]) -> None:
        """Their processes run: they are expected to register."""
        for name in names:
            self._by_name[name] = Extension(name, is_external=True)

    def named(self, name: str) -> Extension | None:
        """By its file's name."""
        return self._by_name.get(name)

    def register(self, name: str, events: list[str]) -> Extension:
        """Take it in; RefusedError if it may not come in, or not with these events."""
        if not name:
            raise RefusedError(403, "Extension.InvalidExtensionName", "Empty extension name")
        if len(name) > _NAME_MAX:
            raise RefusedError(403, "Extension.InvalidExtensionName", "Extension name is too long")
        known = self._by_name.get(name)
        is_external = known is not None and known.is_external
        _check_events(events, is_external=is_external)
        if known is None or not is_external:
            known = self._add_internal(name, known)
        known.move(ExtensionState.REGISTERED)
        known.events = frozenset(events)
        return known

    def _add_internal(self, name: str, known: Extension | None) -> Extension:
        if not self._is_open:
            raise RefusedError(
                403, "Extension.RegistrationClosed", "Extension registration closed already"
            )
        if known is not None:
            raise RefusedError(
                403,
                "Extension.InvalidExtensionState",
                "Extension with this name already registered",
            )
        if len(self._by_name) >= EXTENSIONS_MAX:
            raise RefusedError(
                403,
                "Extension.TooManyExtensions",
                f"Extension limit ({EXTENSIONS_MAX}) reached",
            )
        extension = self._by_name[name] = Extension(name, is_external=False)
        return extension

    def close_registration(self) -> None:
        """The runtime is up: no more come in."""
        self._is_open = False

    def identified(self, identifier: str | None) -> Extension:
        """By the identifier it was given; RefusedError if there is none such here."""
        if not identifier:
            raise RefusedError(
                403,
                "Extension.MissingExtensionIdentifier",
                "Missing Lambda-Extension-Identifier header",
            )
        try:
            canonical = str(uuid.UUID(identifier))
        except ValueError:
            raise RefusedError(
                403, "Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier"
            ) from None
        for extension in self._by_name.values():
            if extension.id == canonical and extension.state is not ExtensionState.STARTED:
                return extension
        raise RefusedError(
            403, "Extension.UnknownExtensionIdentifier", f"Unknown extension {canonical}"
        )

    def asks_next(self, extension: Extension, waiting: Waiting) -> None:
        """It waits for its next event."""
        extension.move(ExtensionState.READY)
        extension.waiting = waiting
        if self._last_event is not None and SHUTDOWN in extension.events:
            extension.give(self._last_event)

    def connection_lost(self, waiting: Waiting) -> None:
        """Whoever waited there does so no more."""
        for extension in self._by_name.values():
            if extension.waiting is waiting:
                extension.waiting = None

    @property
    def are_registered(self) -> bool:
        """Whether all processes that were started have registered: the runtime may start."""
        return all(e.state is not ExtensionState.STARTED for e in self._by_name.values())

    @property
    def are_ready(self) -> bool:
        """Whether all wait for their next event: no phase has to wait for them."""
        return all(e.state is ExtensionState.READY for e in self._by_name.values())

    def give_invoke(self, event: bytes) -> None:
        """Tell of an invocation to those who have registered for that."""
        for extension in self._by_name.values():
            if INVOKE in extension.events:
                extension.give(event)

    def give_shutdown(self, event: bytes) -> set[str]:
        """Tell the external ones who have registered for it of the end; the names of those.

        Who is busy is told as soon as it asks.
        """
        self._last_event = event
        told = [
            extension
            for extension in self.external()
            if SHUTDOWN in extension.events
            and extension.state in (ExtensionState.READY, ExtensionState.RUNNING)
        ]
        for extension in told:
            if extension.state is ExtensionState.READY:
                extension.give(event)
        return {extension.name for extension in told}


def _check_events(events: list[str], *, is_external: bool) -> None:
    allowed = (INVOKE, SHUTDOWN) if is_external else (INVOKE,)
    for event in events:
        if event not in allowed:
            reason = (
                "ShutdownEventNotSupportedForInternalExtension"
                if event == SHUTDOWN
                else "InvalidEventType"
            )
            raise RefusedError(403, "Extension.InvalidEventType", f"{event[:64]}: {reason}")
