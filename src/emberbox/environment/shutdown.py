"""The end of an environment's processes where extensions have registered, within AWS's budgets.

The runtime first, then the external extensions, which are told why; whoever is left is killed.
Source: "Shutdown phase" in "Using the Lambda Extensions API" of AWS's guide.
"""

import asyncio
import signal
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Protocol

import orjson

from emberbox.clock import Clock
from emberbox.environment.extension_states import ExtensionState
from emberbox.environment.extensions import SHUTDOWN, Extensions
from emberbox.environment.states import State
from emberbox.isolation.sandbox import Sandbox
from emberbox.records import dataclass

INTERNAL_S = 0.5
EXTERNAL_S = 2.0
RUNTIME_S = 0.3


@dataclass(frozen=True, slots=True)
class Budget:
    """Seconds for the runtime after SIGTERM, and for all together."""

    runtime_s: float
    total_s: float


def budget_of(extensions: Extensions) -> Budget | None:
    """What the extensions that have registered are worth; None: all is killed at once."""
    unregistered = (ExtensionState.STARTED, ExtensionState.LAUNCH_ERROR)
    registered = [e for e in extensions.all() if e.state not in unregistered]
    if any(extension.is_external for extension in registered):
        return Budget(RUNTIME_S, EXTERNAL_S)
    return Budget(INTERNAL_S, INTERNAL_S) if registered else None


class Shutdown:
    """One of them; `finish` is called once, in the end, unless it is cancelled.

    `reason` is AWS's: spindown, timeout or failure. Only after a spindown is the runtime asked to
    end itself: one that has failed or hangs is killed at once.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        extensions: Extensions,
        clock: Clock,
        budget: Budget,
        reason: str,
        finish: Callable[[], None],
    ) -> None:
        self._sandbox = sandbox
        self._extensions = extensions
        self._loop = asyncio.get_running_loop()
        self._budget = budget
        self._reason = reason
        self._finish = finish
        self._awaited: set[str] | None = None
        self._deadline = self._loop.time() + budget.total_s
        self._deadline_ms = int((clock.now() + budget.total_s) * 1000)
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Ask the runtime to end, or end it, and go on from there."""
        if self._reason == "spindown":
            self._sandbox.signal_runtime(signal.SIGTERM)
            self._timer = self._loop.call_later(self._budget.runtime_s, self.runtime_ended)
        else:
            self.runtime_ended()

    def runtime_ended(self) -> None:
        """Its process has ended, or its time is over."""
        if self._awaited is not None:
            return
        self._disarm()
        self._sandbox.signal_runtime(signal.SIGKILL)
        event = {
            "eventType": SHUTDOWN,
            "shutdownReason": self._reason,
            "deadlineMs": self._deadline_ms,
        }
        self._awaited = self._extensions.give_shutdown(orjson.dumps(event))
        if self._awaited:
            left = max(0.0, self._deadline - self._loop.time())
            self._timer = self._loop.call_later(left, self._end)
        else:
            self._end()

    def extension_ended(self, name: str) -> None:
        """The process of an extension has ended."""
        if self._awaited is not None:
            self._awaited.discard(name)
            if not self._awaited:
                self._end()

    def _end(self) -> None:
        self._disarm()
        finish, self._finish = self._finish, _nothing
        finish()

    def cancel(self) -> None:
        """The sandbox is gone."""
        self._disarm()
        self._finish = _nothing

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Ending(Protocol):
    """An environment, of which only that matters."""

    @property
    def state(self) -> State:
        """Where it is in its life."""
        ...


async def time_to_end(environments: Collection[Ending], one_ended: asyncio.Event) -> None:
    """Until none of them shuts down any more; not much longer than extensions may take."""
    with suppress(TimeoutError):
        async with asyncio.timeout(EXTERNAL_S + INTERNAL_S):
            while any(each.state is State.SHUTDOWN for each in environments):
                one_ended.clear()
                await one_ended.wait()


def _nothing() -> None:
    return
