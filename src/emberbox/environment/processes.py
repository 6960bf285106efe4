"""The customer's processes in one environment: extensions first, then the runtime, and their end.

It knows the order in which they start and end; when, is for the environment to decide.
"""

from collections.abc import Callable, Mapping, Sequence

from emberbox.clock import Clock
from emberbox.environment.beginning import Beginning
from emberbox.environment.console_log import ConsoleLog
from emberbox.environment.extension_side import ExtensionSide
from emberbox.environment.extension_states import ExtensionState
from emberbox.environment.extensions import Extension
from emberbox.environment.plan import Plan
from emberbox.environment.runtime_side import RuntimeSide
from emberbox.environment.shutdown import Shutdown, budget_of
from emberbox.environment.telemetry_hub import TelemetryHub
from emberbox.isolation.sandbox import Launch, Sandbox, SandboxEvents


class Processes:
    """See the module."""

    def __init__(
        self,
        plan: Plan,
        beginning: Beginning,
        sandbox: Sandbox,
        stream_name: str,
        log: ConsoleLog,
        runtime: RuntimeSide,
        extensions: ExtensionSide,
        hub: TelemetryHub,
        clock: Clock,
    ) -> None:
        self._plan = plan
        self._beginning = beginning
        self._sandbox = sandbox
        self._stream_name = stream_name
        self._log = log
        self._runtime = runtime
        self._extensions = extensions
        self._hub = hub
        self._clock = clock
        self._shutdown: Shutdown | None = None
        self._is_launch_due = False

    def start(self, events: SandboxEvents) -> None:
        """The first ones, in a blank sandbox."""
        extended = self._plan.may_have_extensions
        launch = None if extended else self._launch()
        self._sandbox.assign(self._plan.trees, self._plan.limits, launch, events, boost=True)
        if extended:
            self._start_extensions()

    def start_again(self) -> None:
        """Others, after all have ended."""
        self._sandbox.boost(on=True)
        if self._plan.may_have_extensions:
            self._start_extensions()
        else:
            self._sandbox.launch(self._launch())

    def _launch(self) -> Launch:
        addresses = self._sandbox.addresses
        return self._beginning.launch(self._plan, self._stream_name, addresses)

    def _start_extensions(self) -> None:
        self._is_launch_due = True
        self._sandbox.start_extensions(_for_extensions(self._launch().environment))

    def extensions_started(
        self, started: Sequence[str], not_started: Mapping[str, str]
    ) -> Extension | None:
        """Their programs run; the first that does not, if any."""
        known = self._extensions.known
        known.started([*started, *not_started])
        for name in not_started:
            extension = known.named(name)
            if extension is not None:
                extension.fail(ExtensionState.LAUNCH_ERROR, "Extension.LaunchError")
                return extension
        self.extension_registered()
        return None

    def extension_registered(self) -> None:
        """When all processes have registered, the runtime may start."""
        if self._is_launch_due and self._extensions.known.are_registered:
            self._is_launch_due = False
            self._sandbox.launch(self._launch())

    def extension_ended(self, name: str) -> Extension | None:
        """The process of an extension has ended; the extension, if that is a failure of its own."""
        extension = self._extensions.known.named(name)
        if extension is None:
            return None
        has_told = bool(extension.error_type)
        extension.ended()
        if self._shutdown is not None:
            self._shutdown.extension_ended(name)
            return None
        return None if has_told else extension

    def runtime_ended(self) -> bool:
        """Its process has ended; whether that was asked for."""
        if self._shutdown is not None:
            self._shutdown.runtime_ended()
        return self._shutdown is not None

    def kill(self) -> None:
        """End all at once."""
        self._runtime.disconnect()
        self._sandbox.kill()

    def shut_down(self, reason: str, finish: Callable[[], None]) -> None:
        """End them, gently where extensions have registered, and then `finish`.

        The reason is AWS's: spindown, timeout or failure.
        """
        self._is_launch_due = False
        known = self._extensions.known
        budget = budget_of(known) if known else None
        if budget is None:
            finish()
            return
        self._runtime.waiting = None
        self._hub.flush()
        self._shutdown = Shutdown(self._sandbox, known, self._clock, budget, reason, finish)
        self._shutdown.begin()

    def all_ended(self) -> None:
        """None is left: what was known of them is of no use to those who come next."""
        if self._shutdown is not None:
            self._shutdown.cancel()
            self._shutdown = None
        self._runtime.disconnect()
        self._extensions.forget()
        self._hub.close()
        self._log.forget_extensions()


def _for_extensions(variables: Mapping[str, str]) -> dict[str, str]:
    """AWS: extensions do not get the runtime's own variables, whose names begin so."""
    return {name: value for name, value in variables.items() if not name.startswith("_")}
