"""How environments of one function version are made, as decided for this host."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from emberbox.isolation.sandbox import Addresses, Launch, Limits
from emberbox.model.function import FunctionVersion


@dataclass(frozen=True, slots=True)
class Plan:
    """How environments of one function version are made.

    `variables` gives the environment variables for a log stream's name and the sandbox's
    addresses. `command` and `entrypoints`
    are those of `emberbox.isolation.sandbox.Launch`. `notice` is what the log and the caller should
    know of how this host runs the function, mostly nothing.
    """

    function: FunctionVersion
    limits: Limits
    variables: Callable[[str, Addresses], Mapping[str, str]]
    command: tuple[str, ...]
    runtime_version_arn: str
    notice: str = ""
    entrypoints: tuple[str, ...] = ()

    def launch(self, stream_name: str, addresses: Addresses) -> Launch:
        """The runtime process to start."""
        return Launch(self.variables(stream_name, addresses), self.command, self.entrypoints)

    @property
    def programs(self) -> tuple[str, ...]:
        """What may be missing in the customer's code: a wrapper, or all places of a bootstrap."""
        return self.command[:1] or self.entrypoints
