"""The life of an execution environment, as a table."""

from enum import Enum

from emberbox.machine import Table


class State(Enum):
    """Where an environment is in its life."""

    INIT = "the runtime starts and loads the function"
    IDLE = "initialised and waiting; frozen after a moment"
    BUSY = "an invocation is being served"
    RESETTING = "its processes are being killed after a time-out, a crash or a failed init"
    EMPTY = "no process runs; the next invocation initialises again"
    SHUTDOWN = "its runtime and its extensions are being told to end"
    STOPPED = "gone"

    # Enum's own is a call into Python, four of them for each invocation; a state is only itself.
    __hash__ = object.__hash__


TABLE: Table[State] = {
    State.INIT: frozenset({State.IDLE, State.RESETTING, State.STOPPED}),
    State.IDLE: frozenset({State.BUSY, State.RESETTING, State.SHUTDOWN, State.STOPPED}),
    State.BUSY: frozenset({State.IDLE, State.RESETTING, State.SHUTDOWN, State.STOPPED}),
    State.RESETTING: frozenset({State.EMPTY, State.STOPPED}),
    State.EMPTY: frozenset({State.BUSY, State.STOPPED}),
    State.SHUTDOWN: frozenset({State.STOPPED}),
    State.STOPPED: frozenset(),
}
