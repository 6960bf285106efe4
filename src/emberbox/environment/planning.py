"""Decides how environments of a function are made on this host: program, command, variables."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Protocol

from emberbox.environment.plan import Plan
from emberbox.errors import CallerError
from emberbox.identity.container_credentials import variables_of_token
from emberbox.isolation.sandbox import Addresses, Limits, Sandbox
from emberbox.model.function import FileSystem, FunctionVersion, Layer
from emberbox.model.initialization import Initialization
from emberbox.model.limits import MEMORY_MB_PER_VCPU
from emberbox.model.names import role_name
from emberbox.runtimes.host import HostRuntimes
from emberbox.runtimes.program import STANDARD_VARIABLES, Language, Program
from emberbox.runtimes.registry import RUNTIMES, runtime_version_arn

_MB = 1 << 20
_OURS = {
    "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
}
"""What a function's own configuration may replace, besides the standard variables."""
_NO_DAEMON = "169.254.100.1:2000"
"""AWS's address of X-Ray's daemon; where nobody listens, SDKs still want one."""
_SOCKET = "_EMBERBOX_RUNTIME_SOCKET"
_WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"

_ONE_THREAD = dict.fromkeys(
    ("MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"
)
"""A process with threads cannot be made an image of; libraries start theirs unasked."""

Credentials = Callable[[str, str, str], Mapping[str, str]]
"""(account, role name, session name) -> the three AWS key variables."""


class Backend(Protocol):
    """Makes blank sandboxes for a runtime program."""

    def prepare(self, program: Program) -> None:
        """Make blank ones ahead of need."""
        ...

    async def take(
        self, program: Program, tmp_bytes: int, file_system: FileSystem | None = None
    ) -> Sandbox:
        """A blank sandbox whose /tmp will have that size, with a file system if one is wanted.

        PlatformError if none can be made.
        """
        ...


class LayerTrees(Protocol):
    """Makes what functions see at /opt."""

    async def ensure_opt(self, layers: Sequence[Layer]) -> None:
        """Make it if it is not there; PlatformError if that fails."""
        ...


class HostPlanner:
    """Plans for this host; also the fleet's source of sandboxes."""

    def __init__(
        self,
        backend: Backend,
        runtimes: HostRuntimes,
        trees: LayerTrees,
        credentials: Credentials,
        token: Callable[[str, str, str], str],
        *,
        limit_cpu: bool,
        fresh_process: bool = False,
        images: bool = True,
    ) -> None:
        self._backend = backend
        self._runtimes = runtimes
        self._trees = trees
        self._credentials = credentials
        self._token = token
        self._limit_cpu = limit_cpu
        self._fresh_process = fresh_process
        self._images = images

    async def take(self, function: FunctionVersion) -> Sandbox:
        """A blank sandbox for this function's runtime; the function's trees are there."""
        if function.layers:
            await self._trees.ensure_opt(function.layers)
        return await self._backend.take(
            self._program(function), function.ephemeral_mb * _MB, function.file_system
        )

    def function_changed(
        self, _before: FunctionVersion | None, after: FunctionVersion | None
    ) -> None:
        """Listener of the catalog: blank sandboxes for a new function's runtime are made ahead."""
        if after is not None and after.runtime:
            self.prepare({after.runtime})

    def prepare(self, identifiers: Iterable[str]) -> None:
        """Make blank sandboxes for these runtimes ahead, as far as the host has them."""
        for identifier in identifiers:
            with suppress(CallerError):
                self._backend.prepare(self._runtimes.choose(RUNTIMES[identifier]))

    def _program(self, function: FunctionVersion) -> Program:
        """What runs the function, or hosts its own program."""
        return self._runtimes.choose(RUNTIMES[function.runtime])

    def plan(self, function: FunctionVersion) -> Plan:
        """How environments of the function are made; CallerError if they cannot be."""
        runtime = RUNTIMES[function.runtime]
        program = self._runtimes.choose(runtime)
        language = self._runtimes.language(runtime.family)
        command = _command(function, language, program, fresh=self._fresh_process)
        return Plan(
            function=function,
            limits=self._limits(function),
            variables=self._variables_of(function, language),
            command=command,
            forks=program.forks and not command and self._images,
            entrypoints=program.entrypoints,
            runtime_version_arn=runtime_version_arn(function.region, function.runtime),
            notice=_notice(function, self._runtimes.notice(runtime, program)),
        )

    def _limits(self, function: FunctionVersion) -> Limits:
        cpus = function.memory_mb / MEMORY_MB_PER_VCPU if self._limit_cpu else 0.0
        return Limits(function.memory_mb * _MB, cpus, function.ephemeral_mb * _MB)

    def _variables_of(
        self, function: FunctionVersion, language: Language
    ) -> Callable[[str, Addresses, Initialization], Mapping[str, str]]:
        overridable = {
            **(_ONE_THREAD if function.is_snapshot else {}),
            **STANDARD_VARIABLES,
            **_OURS,
            **language.variables(RUNTIMES[function.runtime]),
        }
        fixed = {**_fixed_variables(function), **language.fixed}
        own = function.environment or {}

        def variables(
            stream_name: str, addresses: Addresses, initialization: Initialization
        ) -> Mapping[str, str]:
            whose = (function.account, role_name(function.role), function.name)
            if initialization is Initialization.SNAP_START and addresses.endpoint:
                keys: Mapping[str, str] = variables_of_token(
                    addresses.endpoint, self._token(*whose)
                )
            else:
                keys = self._credentials(*whose)
            return MappingProxyType(
                {
                    **overridable,
                    **_endpoint(addresses),
                    **own,
                    **fixed,
                    **_places(addresses, fixed),
                    **keys,
                    "AWS_LAMBDA_INITIALIZATION_TYPE": initialization.value,
                    "AWS_LAMBDA_LOG_STREAM_NAME": stream_name,
                }
            )

        return variables


def _endpoint(addresses: Addresses) -> dict[str, str]:
    """A function may name other endpoints, so this comes before its own variables."""
    found = {"AWS_ENDPOINT_URL": f"http://{addresses.endpoint}"} if addresses.endpoint else {}
    return {**found, "AWS_XRAY_DAEMON_ADDRESS": addresses.traces or _NO_DAEMON}


def _places(addresses: Addresses, fixed: Mapping[str, str]) -> dict[str, str]:
    """Where this sandbox has things; the socket only for languages whose runtime knows it."""
    host, _, port = (addresses.traces or _NO_DAEMON).rpartition(":")
    places = {
        "_AWS_XRAY_DAEMON_ADDRESS": host,
        "_AWS_XRAY_DAEMON_PORT": port,
        "AWS_LAMBDA_RUNTIME_API": addresses.runtime_api,
        "LAMBDA_TASK_ROOT": addresses.task_root,
        "PWD": addresses.task_root,
    }
    if _SOCKET in fixed:
        # Empty: there is none, use the other one.
        places[_SOCKET] = addresses.runtime_socket
    return places


def _log_variables(function: FunctionVersion) -> dict[str, str]:
    """What the runtimes' loggers go by."""
    logging = function.logging
    if logging.format != "JSON":
        return {}
    return {
        "AWS_LAMBDA_LOG_FORMAT": logging.format,
        "AWS_LAMBDA_LOG_LEVEL": logging.application_level or "INFO",
    }


def _fixed_variables(function: FunctionVersion) -> dict[str, str]:
    return {
        **_log_variables(function),
        "AWS_DEFAULT_REGION": function.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_LOG_GROUP_NAME": function.logging.group,
        "AWS_REGION": function.region,
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "SHLVL": "0",
        "_HANDLER": function.handler,
    }


def _command(
    function: FunctionVersion, language: Language, program: Program, *, fresh: bool
) -> tuple[str, ...]:
    """Empty where a blank sandbox holds the runtime: it started before the variables came.

    With `fresh` no runtime is a fork of another.
    """
    own = function.environment or {}
    wrapper = own.get(_WRAPPER)
    if wrapper:
        return (wrapper, *program.command)
    ahead = (program.forks and not fresh) or program.waiting
    if ahead and not any(name.startswith(language.read_at_start) for name in own):
        return ()
    return program.command


def _notice(function: FunctionVersion, about_version: str) -> str:
    notes = [about_version] if about_version else []
    if function.architecture != _host_architecture():
        notes.append(
            f"architecture {function.architecture} was asked for: running on {_host_architecture()}"
        )
    return "EMBERBOX " + "; ".join(notes) if notes else ""


def _host_architecture() -> str:
    import platform  # noqa: PLC0415 - read once a plan

    return "arm64" if platform.machine() == "aarch64" else "x86_64"
