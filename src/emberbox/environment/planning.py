"""Decides how environments of a function are made on this host: interpreter, command, variables."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Protocol

from emberbox.environment.environment import Plan
from emberbox.errors import CallerError
from emberbox.isolation.sandbox import Limits, Sandbox
from emberbox.model.function import FunctionVersion
from emberbox.model.limits import MEMORY_MB_PER_VCPU
from emberbox.model.names import role_name
from emberbox.runtimes.interpreter import Interpreter
from emberbox.runtimes.registry import (
    RUNTIMES,
    Family,
    choose_version,
    runtime_version_arn,
)

_MB = 1 << 20
_RUNTIME_API = "127.0.0.1:9001"
_RUNTIME_SOCKET = "@emberbox-runtime-api"
_ENDPOINT = "http://127.0.0.1:4566"
_RUNNABLE = frozenset({Family.PYTHON, Family.PROVIDED})
_WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"
_LOG_DESCRIPTOR = "3"
_READ_AT_START = ("GLIBC_", "LC_", "LD_", "MALLOC_", "PYTHON")
"""Variables, by how they begin, that an interpreter heeds only as it starts."""

Credentials = Callable[[str, str, str], Mapping[str, str]]
"""(account, role name, session name) -> the three AWS key variables."""


class Backend(Protocol):
    """Makes blank sandboxes for an interpreter."""

    def prepare(self, interpreter: Interpreter) -> None:
        """Make blank ones ahead of need."""
        ...

    async def take(self, interpreter: Interpreter, tmp_bytes: int) -> Sandbox:
        """A blank sandbox whose /tmp will have that size; PlatformError if none can be made."""
        ...


class HostPlanner:
    """Plans for this host; also the fleet's source of sandboxes."""

    def __init__(
        self,
        backend: Backend,
        interpreters: Mapping[tuple[int, int], Interpreter],
        credentials: Credentials,
        *,
        limit_cpu: bool,
        strict_runtimes: bool,
    ) -> None:
        self._backend = backend
        self._interpreters = interpreters
        self._credentials = credentials
        self._limit_cpu = limit_cpu
        self._strict = strict_runtimes

    async def take(self, function: FunctionVersion) -> Sandbox:
        """A blank sandbox for this function's runtime."""
        return await self._backend.take(self.interpreter(function), function.ephemeral_mb * _MB)

    def function_changed(
        self, _before: FunctionVersion | None, after: FunctionVersion | None
    ) -> None:
        """Listener of the catalog: blank sandboxes for a new function's runtime are made ahead."""
        if after is not None and RUNTIMES[after.runtime].family in _RUNNABLE:
            with suppress(CallerError):
                self._backend.prepare(self.interpreter(after))

    def interpreter(self, function: FunctionVersion) -> Interpreter:
        """The interpreter that runs the function, or hosts its own program."""
        runtime = RUNTIMES[function.runtime]
        wanted = runtime.python_version
        if wanted is None:
            wanted = max(self._interpreters) if self._interpreters else None
        chosen = choose_version(wanted, self._interpreters) if wanted else None
        if chosen is None:
            raise CallerError(
                "InvalidRuntimeException",
                "No Python 3.9 or later was found on this host; install one and start again.",
                status=502,
            )
        if self._strict and runtime.python_version not in (None, chosen):
            raise CallerError(
                "InvalidRuntimeException",
                f"{function.runtime} is not installed on this host and strict runtimes are asked "
                f"for: install it, or serve without --strict-runtimes to run on "
                f"{self._interpreters[chosen].name}.",
                status=502,
            )
        return self._interpreters[chosen]

    def plan(self, function: FunctionVersion) -> Plan:
        """How environments of the function are made; CallerError if they cannot be."""
        runtime = RUNTIMES[function.runtime]
        if runtime.family not in _RUNNABLE:
            raise CallerError(
                "InvalidRuntimeException",
                f"Emberbox has no {runtime.family.value} runtime yet: {function.runtime} functions "
                "can be stored but not invoked. Python runtimes and provided.al2023 work.",
                status=502,
            )
        interpreter = self.interpreter(function)
        return Plan(
            function=function,
            limits=self._limits(function),
            variables=self._variables_of(function),
            command=_command(function, runtime.family, interpreter),
            runtime_version_arn=runtime_version_arn(function.region, function.runtime),
            notice=_notice(function, runtime.python_version, interpreter),
        )

    def _limits(self, function: FunctionVersion) -> Limits:
        cpus = function.memory_mb / MEMORY_MB_PER_VCPU if self._limit_cpu else 0.0
        return Limits(function.memory_mb * _MB, cpus, function.ephemeral_mb * _MB)

    def _variables_of(self, function: FunctionVersion) -> Callable[[str], Mapping[str, str]]:
        fixed = _fixed_variables(function)
        own = function.environment or {}

        def variables(stream_name: str) -> Mapping[str, str]:
            keys = self._credentials(function.account, role_name(function.role), function.name)
            return MappingProxyType(
                {
                    **_overridable(),
                    **own,
                    **fixed,
                    **keys,
                    "AWS_LAMBDA_LOG_STREAM_NAME": stream_name,
                }
            )

        return variables


def _overridable() -> dict[str, str]:
    """What a function's own configuration may replace."""
    return {
        "AWS_ENDPOINT_URL": _ENDPOINT,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "169.254.100.1:2000",
        "LANG": "en_US.UTF-8",
        "LC_CTYPE": "C.UTF-8",
        "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:"
        "/var/task:/var/task/lib:/opt/lib",
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "PYTHONPATH": "/var/runtime",
        "TZ": ":UTC",
    }


def _fixed_variables(function: FunctionVersion) -> dict[str, str]:
    fixed = {
        "AWS_DEFAULT_REGION": function.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": function.logging.group,
        "AWS_LAMBDA_RUNTIME_API": _RUNTIME_API,
        "AWS_REGION": function.region,
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LAMBDA_TASK_ROOT": "/var/task",
        "PWD": "/var/task",
        "SHLVL": "0",
        "_AWS_XRAY_DAEMON_ADDRESS": "169.254.100.1",
        "_AWS_XRAY_DAEMON_PORT": "2000",
        "_HANDLER": function.handler,
    }
    if RUNTIMES[function.runtime].family is Family.PYTHON:
        fixed["_LAMBDA_TELEMETRY_LOG_FD"] = _LOG_DESCRIPTOR
        fixed["_EMBERBOX_RUNTIME_SOCKET"] = _RUNTIME_SOCKET
    return fixed


def _command(
    function: FunctionVersion, family: Family, interpreter: Interpreter
) -> tuple[str, ...]:
    """Empty for the zygote's own runtime: it has started before the function's variables came."""
    own = function.environment or {}
    wrapper = own.get(_WRAPPER)
    if family is Family.PROVIDED:
        command: tuple[str, ...] = ("/var/task/bootstrap",)
    elif wrapper or any(name.startswith(_READ_AT_START) for name in own):
        command = (f"/var/lang/bin/{interpreter.name}", "/var/runtime/bootstrap.py")
    else:
        return ()
    return (wrapper, *command) if wrapper else command


def _notice(
    function: FunctionVersion, wanted: tuple[int, int] | None, interpreter: Interpreter
) -> str:
    notes = []
    if wanted is not None and wanted != interpreter.version:
        notes.append(
            f"{function.runtime} is not installed on this host: running on {interpreter.name}"
        )
    if function.architecture != _host_architecture():
        notes.append(
            f"architecture {function.architecture} was asked for: running on {_host_architecture()}"
        )
    return "EMBERBOX " + "; ".join(notes) if notes else ""


def _host_architecture() -> str:
    import platform  # noqa: PLC0415 - read once a plan

    return "arm64" if platform.machine() == "aarch64" else "x86_64"
