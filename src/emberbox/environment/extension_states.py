"""The life of an extension, as a table; the names are those of the Extensions API's answers."""

from enum import Enum

from emberbox.machine import Table


class ExtensionState(Enum):
    """Where an extension is in its life."""

    STARTED = "Started"
    REGISTERED = "Registered"
    READY = "Ready"
    RUNNING = "Running"
    INIT_ERROR = "InitError"
    EXIT_ERROR = "ExitError"
    LAUNCH_ERROR = "LaunchError"
    EXITED = "Exited"


_ENDS = frozenset({ExtensionState.EXIT_ERROR, ExtensionState.EXITED})

EXTENSION_TABLE: Table[ExtensionState] = {
    ExtensionState.STARTED: frozenset(
        {ExtensionState.REGISTERED, ExtensionState.LAUNCH_ERROR, ExtensionState.EXITED}
    ),
    ExtensionState.REGISTERED: _ENDS | {ExtensionState.READY, ExtensionState.INIT_ERROR},
    ExtensionState.READY: _ENDS | {ExtensionState.RUNNING},
    ExtensionState.RUNNING: _ENDS | {ExtensionState.READY},
    ExtensionState.INIT_ERROR: frozenset({ExtensionState.EXITED}),
    ExtensionState.EXIT_ERROR: frozenset({ExtensionState.EXITED}),
    ExtensionState.LAUNCH_ERROR: frozenset({ExtensionState.EXITED}),
    ExtensionState.EXITED: frozenset(),
}
