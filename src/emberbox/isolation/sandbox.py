"""What the environment layer sees of an isolated sandbox, whatever makes it.

A sandbox is made blank: isolated and waiting. It is then given a function's code and started, once
or again after its processes have been killed. All methods are synchronous and quick; what takes
time is announced through `SandboxEvents`.
"""

import socket
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from emberbox.records import dataclass

CPU_PERIOD_S = 0.1
"""Processor shares are accounted over periods of this length, in seconds."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Hard limits of one sandbox. `cpus` is processor time per time, 0 for no limit."""

    memory_bytes: int
    cpus: float
    tmp_bytes: int


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a sandbox's processes find us: `host:port`, or `@name` of an abstract Unix socket.

    `runtime_socket`, `endpoint` and `traces` are empty where there is none; to `traces` datagrams
    are sent. `task_root` is where the code is.
    """

    runtime_socket: str
    runtime_api: str
    endpoint: str
    traces: str = ""
    task_root: str = "/var/task"


@dataclass(frozen=True, slots=True)
class Trees:
    """What a sandbox shows of the code store, by names in it; `opt` None shows nothing at /opt."""

    task: str
    opt: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (self.task,) if self.opt is None else (self.task, self.opt)


@dataclass(frozen=True, slots=True)
class Launch:
    """A runtime process to start: its environment, and its command.

    An empty command means the runtime that the blank sandbox holds already. The first of the
    `entrypoints` that exists in the sandbox is added to the command.

    `image` is a descriptor of an image of a process, which stays the caller's: the process is to
    "save" one of itself there, or to "resume" as the one that is there. Only a process that forks
    from a zygote can, and only with an image made in a sandbox of the same lineage.
    """

    environment: Mapping[str, str]
    command: tuple[str, ...] = ()
    entrypoints: tuple[str, ...] = ()
    image: int = -1
    image_use: Literal["save", "resume"] = "resume"


@dataclass(frozen=True, slots=True)
class Exit:
    """How the runtime process ended: an exit status, or the signal that killed it."""

    status: int | None = None
    signal: int | None = None


class SandboxEvents(Protocol):
    """Hears of what happens in a sandbox; called in the event loop."""

    def on_exit(self, how: Exit) -> None:
        """The runtime process has ended; others it left may still run."""
        ...

    def on_extensions(
        self, started: Sequence[str], not_started: Mapping[str, str], output: int
    ) -> None:
        """`start_extensions` has been done: the names, why the others do not run.

        `output` is the non-blocking read end of what they print, owned by the receiver; -1 if
        there is none.
        """
        ...

    def on_extension_exit(self, name: str, how: Exit) -> None:
        """The process of an extension has ended."""
        ...

    def on_empty(self) -> None:
        """No process of the customer is left; `launch` may be called again."""
        ...

    def on_gone(self, reason: str) -> None:
        """The sandbox itself is lost. Called once, also after `destroy`."""
        ...


class Sandbox(Protocol):
    """One isolated sandbox."""

    @property
    def name(self) -> str:
        """Unique among the living sandboxes of this server."""
        ...

    @property
    def lineage(self) -> int:
        """The same for sandboxes that are forks of one process: they are mapped alike."""
        ...

    @property
    def runtime_socket(self) -> socket.socket | None:
        """Listening Unix socket inside the sandbox: the Runtime API for our own runtimes.

        None where it could not be kept from others: they use the other one.
        """
        ...

    @property
    def runtime_api(self) -> socket.socket:
        """Listening TCP socket inside the sandbox: the Runtime API for everybody."""
        ...

    @property
    def door(self) -> socket.socket | None:
        """Listening socket inside the sandbox, for our own AWS endpoint; none without network."""
        ...

    @property
    def traces(self) -> socket.socket | None:
        """Socket inside the sandbox for datagrams of X-Ray's daemon; none where ports are shut."""
        ...

    @property
    def addresses(self) -> Addresses:
        """The addresses of these sockets, as its processes know them."""
        ...

    @property
    def log_descriptor(self) -> int:
        """Non-blocking read end of what the sandbox's processes write to their outputs."""
        ...

    def assign(
        self,
        trees: Trees,
        limits: Limits,
        launch: Launch | None,
        events: SandboxEvents,
        *,
        boost: bool,
    ) -> None:
        """Give the blank sandbox its code, limits and runtime, or None for one that comes later.

        With `boost` it starts on at least a whole processor, see the method of that name.
        """
        ...

    def launch(self, launch: Launch) -> None:
        """Start a fresh runtime in a sandbox that is empty, or was assigned without one."""
        ...

    def start_extensions(self, environment: Mapping[str, str]) -> None:
        """Start the programs in /opt/extensions with these variables; `on_extensions` follows."""
        ...

    def signal_runtime(self, number: int) -> None:
        """Send a signal to the runtime process alone, if it runs."""
        ...

    async def blank_socket(self) -> socket.socket:
        """A fresh TCP socket in the sandbox's network; OSError if it is gone."""
        ...

    def raise_memory(self, memory_bytes: int) -> None:
        """Let it use more memory than it was assigned."""
        ...

    def freeze(self) -> None:
        """No processor time until thawed."""
        ...

    def thaw(self) -> None:
        """Run again."""
        ...

    def boost(self, *, on: bool) -> None:
        """Lift the processor limit to at least one whole processor, or put it back."""
        ...

    def kill(self) -> None:
        """Kill all of the customer's processes; `on_empty` follows."""
        ...

    def destroy(self, reason: str) -> None:
        """End everything and give back what it holds; safe to repeat."""
        ...

    def memory_peak_bytes(self) -> int:
        """The most memory used at once since the last call of `reset_memory_peak`."""
        ...

    def cpu_ms(self) -> float:
        """Processor time of all the customer's processes so far; negative if it is not counted."""
        ...

    def reset_memory_peak(self) -> None:
        """Begin to measure the peak anew."""
        ...

    def out_of_memory_kills(self) -> int:
        """How many processes the kernel has killed for want of memory so far."""
        ...
