"""A sandbox for an environment, and whether its log is kept."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from emberbox.clock import Clock
from emberbox.environment.streams import stream_name
from emberbox.errors import PlatformError
from emberbox.isolation.sandbox import Sandbox
from emberbox.model.function import FunctionVersion

MayLog = Callable[[FunctionVersion, str], Awaitable[bool]]
"""Whether a function's role lets its log be written to a stream."""


class Sandboxes(Protocol):
    """Where blank sandboxes come from."""

    async def take(self, function: FunctionVersion) -> Sandbox:
        """A blank sandbox for this function's runtime; CallerError if the host lacks it."""
        ...


class Taken(NamedTuple):
    """A sandbox, and the stream of its log."""

    sandbox: Sandbox
    stream: str
    is_kept: bool


class Quarters:
    """See the module."""

    def __init__(self, sandboxes: Sandboxes, may_log: MayLog | None, clock: Clock) -> None:
        self._sandboxes = sandboxes
        self._may_log = may_log
        self._clock = clock

    async def take(self, function: FunctionVersion) -> Taken:
        """EmberboxError if the host has none to give; nothing is left of the attempt then."""
        stream = stream_name(function, self._clock.now())
        try:
            sandbox = await self._sandboxes.take(function)
        except OSError as error:
            raise PlatformError(f"no sandbox can be made: {error}") from error
        if self._may_log is None:
            return Taken(sandbox, stream, True)
        try:
            return Taken(sandbox, stream, await self._may_log(function, stream))
        except BaseException as error:
            sandbox.destroy(f"nobody can say whether it may log: {error}")
            raise
