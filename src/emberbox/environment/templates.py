"""The templates of SnapStart: an image for each version that has one, made once and kept a while.

A version whose process cannot be made an image of is remembered with the reason. Its environments,
and those that are needed while an image is being made again, run INIT as others do.
"""

import asyncio
import fcntl
import logging
import os
from collections.abc import Callable
from typing import Protocol

from emberbox.clock import Clock
from emberbox.environment.beginning import Beginning, Image
from emberbox.environment.console_log import ConsoleLog
from emberbox.environment.doors import Doors
from emberbox.environment.plan import Plan
from emberbox.environment.streams import stream_name
from emberbox.environment.template_build import InitFailedError, TemplateBuild, UnfitError
from emberbox.errors import EmberboxError
from emberbox.isolation.sandbox import Sandbox
from emberbox.model.function import FunctionVersion, State
from emberbox.model.initialization import Initialization
from emberbox.model.snapstart import Optimization
from emberbox.records import dataclass
from emberbox.telemetry.logs import LogSink

_AT_ONCE = 4
_LOOK_S = 30.0
_AGAIN_AFTER_S = 60.0
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_MEMFD = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
_MAKING = "EMBERBOX SnapStart: the snapshot is being made again; this environment runs INIT"

log = logging.getLogger("emberbox.templates")

Door = Callable[[FunctionVersion], Callable[[], asyncio.Protocol]]


class Sandboxes(Protocol):
    """Where sandboxes and plans come from."""

    async def take(self, function: FunctionVersion) -> Sandbox:
        """A blank sandbox for this function's runtime; CallerError if the host lacks it."""
        ...

    def plan(self, function: FunctionVersion) -> Plan:
        """CallerError if no environment of it can be made on this host."""
        ...


@dataclass(slots=True)
class _Kept:
    """What is known of one version's template."""

    image: Image | None = None
    reason: str = ""
    again_at: float = 0.0
    used: float = 0.0
    making: asyncio.Task[None] | None = None


class Templates:
    """See the module. `idle_s`: an image that nobody has asked for so long is dropped."""

    def __init__(
        self, sandboxes: Sandboxes, logs: LogSink, clock: Clock, door: Door, *, idle_s: float
    ) -> None:
        self._sandboxes = sandboxes
        self._logs = logs
        self._clock = clock
        self._door = door
        self._idle_s = idle_s
        self._kept: dict[tuple[str, ...], _Kept] = {}
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(_LOOK_S, self._look)

    async def close(self) -> None:
        """Make no more, keep none."""
        self._timer.cancel()
        tasks = [kept.making for kept in self._kept.values() if kept.making is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._kept.clear()

    async def optimize(self, function: FunctionVersion) -> Optimization:
        """Make the template of a version that is published; what became of it. Never fails."""
        try:
            return Optimization(await self._make_kept(function))
        except InitFailedError as error:
            return Optimization(str(error), error.error_type)
        except Exception as error:  # noqa: BLE001 - told, and logged there
            return Optimization(_why(function, error))

    async def _make_kept(self, function: FunctionVersion) -> str:
        """Make a template and keep it; why none can be made, or nothing."""
        kept = self._kept.setdefault(_key(function), _Kept())
        kept.used = self._clock.monotonic()
        try:
            kept.image, kept.reason = await self._make(function), ""
        except UnfitError as error:
            kept.image, kept.reason, kept.again_at = None, str(error), float("inf")
        return kept.reason

    def beginning(self, function: FunctionVersion, lineage: int) -> Beginning:
        """How an environment in a sandbox of this lineage begins now."""
        if not function.is_snapshot:
            return Beginning()
        now = self._clock.monotonic()
        kept = self._kept.setdefault(_key(function), _Kept())
        kept.used = now
        if kept.image is not None and kept.image.lineage == lineage:
            return Beginning(Initialization.SNAP_START, kept.image)
        if kept.making is None and now >= kept.again_at:
            kept.image, kept.reason = None, ""
            kept.making = self._loop.create_task(self._make_again(function, kept))
        notice = _MAKING
        if kept.reason:
            notice = f"EMBERBOX SnapStart: this environment runs INIT because {kept.reason}"
        return Beginning(Initialization.SNAP_START, notice=notice)

    def spoil(self, function: FunctionVersion, reason: str) -> None:
        """The image could not be taken up: use it no more."""
        kept = self._kept.get(_key(function))
        if kept is not None:
            log.warning("the snapshot of %s could not be taken up: %s", _title(function), reason)
            kept.image, kept.reason = None, "its snapshot could not be taken up"
            kept.again_at = self._clock.monotonic() + _AGAIN_AFTER_S

    def function_changed(
        self, before: FunctionVersion | None, after: FunctionVersion | None
    ) -> None:
        """Listener of the catalog: the template goes with its version, or when that is Inactive."""
        if before is not None and (after is None or after.state is State.INACTIVE):
            self._drop(_key(before))

    def _drop(self, key: tuple[str, ...]) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None and kept.making is not None:
            kept.making.cancel()

    def _look(self) -> None:
        self._timer = self._loop.call_later(_LOOK_S, self._look)
        limit = self._clock.monotonic() - self._idle_s
        for key, kept in list(self._kept.items()):
            if kept.image is not None and kept.used < limit:
                kept.image, kept.again_at = None, 0.0
            elif kept.image is None and kept.making is None and kept.used < limit:
                self._drop(key)

    async def _make_again(self, function: FunctionVersion, kept: _Kept) -> None:
        try:
            await self._make_kept(function)
        except Exception as error:  # noqa: BLE001 - told, and logged there
            kept.reason = f"its snapshot cannot be made: {_why(function, error)}"
            kept.again_at = self._clock.monotonic() + _AGAIN_AFTER_S
        finally:
            kept.making = None

    async def _make(self, function: FunctionVersion) -> Image:
        plan = self._sandboxes.plan(function)
        if not plan.forks:
            raise UnfitError("its runtime cannot be forked")
        async with self._at_once:
            sandbox = await self._sandboxes.take(function)
            try:
                descriptor = os.memfd_create("emberbox-template", _MEMFD)
            except OSError as error:
                sandbox.destroy(f"there is no file for its image: {error}")
                raise
            try:
                await self._run(plan, sandbox, descriptor)
                fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
                size_bytes = os.fstat(descriptor).st_blocks * 512
            except OSError as error:
                os.close(descriptor)
                raise UnfitError(f"its image cannot be sealed: {error.strerror}") from error
            except BaseException:
                os.close(descriptor)
                raise
        return Image(descriptor, size_bytes, sandbox.lineage)

    async def _run(self, plan: Plan, sandbox: Sandbox, descriptor: int) -> None:
        function = plan.function
        name = stream_name(function, self._clock.now())
        stream = self._logs.stream(function.account, function.region, function.logging.group, name)
        console = ConsoleLog(sandbox.log_descriptor, stream, self._clock, lambda: False)
        build = TemplateBuild(plan, sandbox, console, name, self._clock)
        doors = Doors()
        try:
            await doors.open(sandbox, build.connection, self._door(function))
            build.start(descriptor)
            await build.finished
        finally:
            doors.close()
            build.close()


def _why(function: FunctionVersion, error: Exception) -> str:
    """Why there is no snapshot; what nobody foresaw is logged with its trace."""
    if isinstance(error, EmberboxError | OSError):
        log.info("no snapshot of %s: %s", _title(function), error)
    else:
        log.error("no snapshot of %s", _title(function), exc_info=error)
    return str(error) or type(error).__name__


def _title(function: FunctionVersion) -> str:
    return f"{function.arn}:{function.version}"


def _key(function: FunctionVersion) -> tuple[str, ...]:
    return (*function.key, function.version)
