"""How environments of one function version are made, as decided for this host."""

from collections.abc import Callable, Mapping

from emberbox.isolation.sandbox import Addresses, Launch, Limits, Trees
from emberbox.model.function import FunctionVersion, opt_name
from emberbox.model.initialization import Initialization
from emberbox.records import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """How environments of one function version are made.

    `variables` gives the environment variables for a log stream's name, the sandbox's addresses and
    a way to initialise. `command` and `entrypoints` are those of
    `emberbox.isolation.sandbox.Launch`; with `forks` the runtime is a fork that has not become
    another program. `notice` is what the log and the caller should know of how this host runs the
    function, mostly nothing.
    """

    function: FunctionVersion
    limits: Limits
    variables: Callable[[str, Addresses, Initialization], Mapping[str, str]]
    command: tuple[str, ...]
    runtime_version_arn: str
    notice: str = ""
    entrypoints: tuple[str, ...] = ()
    forks: bool = False

    @property
    def trees(self) -> Trees:
        """What its sandboxes show of the code store."""
        return Trees(self.function.package_id, opt_name(self.function.layers))

    @property
    def may_have_extensions(self) -> bool:
        """Whether there is anything at /opt: the layers of a function."""
        return bool(self.function.layers)

    def launch(
        self, stream_name: str, addresses: Addresses, initialization: Initialization
    ) -> Launch:
        """The runtime process to start."""
        variables = self.variables(stream_name, addresses, initialization)
        return Launch(variables, self.command, self.entrypoints)

    @property
    def programs(self) -> tuple[str, ...]:
        """What may be missing in the customer's code: a wrapper, or all places of a bootstrap."""
        return self.command[:1] or self.entrypoints
