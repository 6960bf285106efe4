"""The namespaces back end: sandboxes forked by zygotes, limited by control groups."""

import asyncio
import json
import os
import re
import signal
import socket
import zlib
from collections import deque
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from emberbox.errors import PlatformError
from emberbox.isolation import rootview
from emberbox.isolation.cgroups import Cgroup, CgroupTree, open_tree, server_identity
from emberbox.isolation.rootview import FIRST_UID
from emberbox.isolation.sandbox import Exit, Launch, Limits, SandboxEvents
from emberbox.isolation.scratch_disk import ScratchDisks
from emberbox.isolation.seccomp import build_filter, machine
from emberbox.isolation.zygotes import Zygote
from emberbox.model.limits import EPHEMERAL_DEFAULT_MB
from emberbox.runtimes.interpreter import Interpreter

_MESSAGE_MAX = 65_536
_READY_TIMEOUT_S = 10.0
_REFILL_AFTER_S = 0.05
_REMOVE_AGAIN_S = 0.05
_REMOVE_TRIES = 100
_UIDS = 60_000
_VM_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


class NamespaceSandbox:
    """One sandbox; see `emberbox.isolation.sandbox.Sandbox` for what callers may rely on."""

    def __init__(
        self, name: str, uid: int, cgroup: Cgroup, control: socket.socket, log: int
    ) -> None:
        self.name = name
        self.uid = uid
        self.log_descriptor = log
        self._cgroup = cgroup
        self._control = control
        self._doors: list[socket.socket] = []
        self._events: SandboxEvents | None = None
        self._pid = 0
        self._pidfd = -1
        self._limits: Limits | None = None
        self._destroyed = ""
        self.disk = -1
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def __repr__(self) -> str:
        state = f"gone: {self._destroyed}" if self._destroyed else "alive"
        return f"<sandbox {self.name} pid {self._pid} uid {self.uid} {state}>"

    @property
    def pid(self) -> int:
        """Process id of the sandbox's init, as the host sees it."""
        return self._pid

    @property
    def is_gone(self) -> bool:
        """Whether it has ended, for whatever reason."""
        return bool(self._destroyed)

    @property
    def runtime_socket(self) -> socket.socket:
        """Listening Unix socket inside the sandbox: the Runtime API for our own runtimes."""
        return self._doors[0]

    @property
    def runtime_api(self) -> socket.socket:
        """Listening TCP socket inside the sandbox: the Runtime API for everybody."""
        return self._doors[1]

    @property
    def door(self) -> socket.socket:
        """Listening socket inside the sandbox, for our own AWS endpoint."""
        return self._doors[2]

    def adopt(self, pid: int, pidfd: int) -> None:
        """The zygote has made it."""
        self._pid, self._pidfd = pid, pidfd
        if self._destroyed:
            self._end_processes()

    def assign(
        self, code: str, limits: Limits, launch: Launch, events: SandboxEvents, *, boost: bool
    ) -> None:
        """Give the blank sandbox its code, limits and runtime."""
        self._events = events
        self._limits = limits
        if self._destroyed:
            events.on_gone(self._destroyed)
            return
        self._cgroup.limit(
            replace(limits, cpus=max(1.0, limits.cpus)) if boost and limits.cpus else limits
        )
        prepare = {"code": code, "tmp_bytes": limits.tmp_bytes, "hostname": "sandbox"}
        disk, self.disk = self.disk, -1
        self._send({"prepare": prepare, "launch": _launch_message(launch)}, disk)
        if disk >= 0:
            os.close(disk)

    def launch(self, launch: Launch) -> None:
        """Start a fresh runtime in a sandbox that is empty."""
        self._send({"launch": _launch_message(launch)})

    def freeze(self) -> None:
        """No processor time until thawed."""
        if not self._cgroup.freeze():
            self._send({"stop": True})

    def thaw(self) -> None:
        """Run again."""
        if not self._cgroup.thaw():
            self._send({"continue": True})

    def boost(self, *, on: bool) -> None:
        """Lift the processor limit to at least one whole processor, or put it back."""
        if self._limits is not None and 0 < self._limits.cpus < 1:
            self._cgroup.set_cpus(1.0 if on else self._limits.cpus)

    def kill(self) -> None:
        """Kill all of the customer's processes; `on_empty` follows."""
        self._cgroup.thaw()
        # The init does it, not cgroup.kill: Linux 6.18 kills at birth whatever is cloned into a
        # group that was once killed so, and the next runtime of this sandbox is cloned into it.
        self._send({"kill": True})

    def memory_peak_bytes(self) -> int:
        """The most memory used at once since the last reset."""
        return self._cgroup.memory_peak_bytes() or _resident_peak_bytes(self._pid)

    def reset_memory_peak(self) -> None:
        """Begin to measure the peak anew."""
        self._cgroup.reset_memory_peak()

    def out_of_memory_kills(self) -> int:
        """Processes the kernel has killed for want of memory so far."""
        return self._cgroup.out_of_memory_kills()

    def destroy(self, reason: str) -> None:
        """End everything; safe to repeat. The back end gives the rest back when it has ended."""
        if self._destroyed:
            return
        self._destroyed = reason
        self._end_processes()
        if not self.ready.done():
            self.ready.set_exception(PlatformError(f"sandbox {self.name}: {reason}"))
            self.ready.exception()
        if self._events is not None:
            self._events.on_gone(reason)
        self._close()

    def _end_processes(self) -> None:
        if self._pidfd >= 0:
            with suppress(OSError):
                self._cgroup.thaw()
            with suppress(OSError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            os.close(self._pidfd)
            self._pidfd = -1

    def _close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._control)
        self._control.close()
        for door in self._doors:
            door.close()
        os.close(self.log_descriptor)
        self.log_descriptor = -1
        self.close_disk()

    def close_disk(self) -> None:
        """Let go of the disk for /tmp, if it still has it."""
        if self.disk >= 0:
            os.close(self.disk)
            self.disk = -1

    def remove_cgroup(self) -> bool:
        """Give the control groups back; False while the kernel still holds them."""
        self._cgroup.close()
        return self._cgroup.remove()

    def watch(self) -> None:
        """Listen to the sandbox's init."""
        asyncio.get_running_loop().add_reader(self._control, self._on_message)

    def _send(self, message: dict[str, Any], descriptor: int = -1) -> None:
        if self._destroyed:
            return
        data = json.dumps(message).encode()
        try:
            if descriptor >= 0:
                socket.send_fds(self._control, [data], [descriptor])
            else:
                self._control.send(data)
        except OSError as error:
            self.destroy(f"its init does not listen: {error}")

    def _on_message(self) -> None:
        while not self._destroyed:
            try:
                data, descriptors, _, _ = socket.recv_fds(self._control, _MESSAGE_MAX, 8)
            except BlockingIOError:
                return
            except OSError as error:
                self.destroy(f"its init is out of reach: {error}")
                return
            if not data:
                self.destroy("its init has ended")
                return
            self._dispatch(json.loads(data), descriptors)

    def _dispatch(self, message: dict[str, Any], descriptors: list[int]) -> None:
        if "ready" in message:
            self._doors = [socket.socket(fileno=d) for d in descriptors]
            for door in self._doors:
                door.setblocking(False)
            if not self.ready.done():
                self.ready.set_result(None)
        elif "failed" in message:
            self.destroy(str(message["failed"]))
        elif self._events is None:
            return
        elif "exited" in message:
            self._events.on_exit(exit_of(message["exited"]))
        elif "empty" in message:
            self._events.on_empty()


class NamespaceBackend:
    """Makes sandboxes, keeps some blank ones ready, and cleans up after the dead.

    `code_store` holds a directory for each code package; `run` is a private directory for mount
    points; `private` is a directory that must never be seen in a sandbox.
    """

    def __init__(
        self,
        *,
        code_store: Path,
        run: Path,
        private: Path,
        blanks: int,
        tree: CgroupTree | None = None,
    ) -> None:
        self._code_store = code_store
        self._run = run
        self._private = private
        self._blank_target = blanks
        self.privileged = os.geteuid() == 0
        self.cgroups = tree or open_tree(server_identity())
        self._uid_base = 0x4000_0000 + (zlib.crc32(str(private).encode()) % 8192) * 0x1_0000
        self._seccomp = build_filter(machine())
        self.disks = ScratchDisks(run / "tmp", EPHEMERAL_DEFAULT_MB << 20, blanks)
        self._zygotes: dict[tuple[int, int], asyncio.Task[Zygote]] = {}
        self._blanks: dict[tuple[int, int], deque[NamespaceSandbox]] = {}
        self._refilling: dict[tuple[int, int], int] = {}
        self._refill_timers: dict[tuple[int, int], asyncio.TimerHandle] = {}
        self._living: dict[int, NamespaceSandbox] = {}
        self._free_uids: list[int] = []
        self._next_uid = FIRST_UID
        self._serial = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing = False

    def sweep(self) -> int:
        """Remove what dead servers left behind in control groups; how many sandboxes."""
        return self.cgroups.sweep()

    def prepare(self, interpreter: Interpreter) -> None:
        """Start the zygote and its blank sandboxes ahead of need."""
        self._refill(interpreter)

    async def take(self, interpreter: Interpreter, tmp_bytes: int) -> NamespaceSandbox:
        """A blank sandbox, ready to be assigned; PlatformError if none can be made.

        Where the host allows, its /tmp will be a disk of that size; else it is memory.
        """
        sandbox = await self._take_blank(interpreter)
        self._refill_soon(interpreter)
        if self.disks.available:
            try:
                sandbox.disk = await self.disks.take(tmp_bytes)
            except OSError as error:
                sandbox.destroy(f"no disk for /tmp: {error}")
                raise PlatformError(f"no disk for /tmp could be made: {error}") from error
        if sandbox.is_gone:
            sandbox.close_disk()
            return await self.take(interpreter, tmp_bytes)
        return sandbox

    async def _take_blank(self, interpreter: Interpreter) -> NamespaceSandbox:
        blanks = self._blanks.get(interpreter.version)
        while blanks:
            sandbox = blanks.popleft()
            if not sandbox.is_gone:
                return sandbox
        return await self._make(interpreter)

    async def close(self) -> None:
        """End all sandboxes and zygotes and remove what they held."""
        self._closing = True
        for timer in self._refill_timers.values():
            timer.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for sandbox in list(self._living.values()):
            sandbox.destroy("the server stops")
        for task in self._zygotes.values():
            if task.done() and not task.cancelled() and task.exception() is None:
                task.result().stop()
        for sandbox in list(self._living.values()):
            await self._give_back(sandbox)
        await self.disks.close()
        self.cgroups.close()

    def _refill_soon(self, interpreter: Interpreter) -> None:
        """Not at once: the cold start that has just taken a sandbox needs the processors."""
        if interpreter.version not in self._refill_timers and not self._closing:
            self._refill_timers[interpreter.version] = asyncio.get_running_loop().call_later(
                _REFILL_AFTER_S, self._refill, interpreter
            )

    def _refill(self, interpreter: Interpreter) -> None:
        timer = self._refill_timers.pop(interpreter.version, None)
        if timer is not None:
            timer.cancel()
        if self.disks.available:
            self.disks.prepare()
        version = interpreter.version
        blanks = self._blanks.setdefault(version, deque())
        missing = self._blank_target - len(blanks) - self._refilling.get(version, 0)
        if self._closing or missing <= 0:
            return
        self._refilling[version] = self._refilling.get(version, 0) + missing
        for _ in range(missing):
            self._own(self._make_blank(interpreter))

    def _own(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _make_blank(self, interpreter: Interpreter) -> None:
        version = interpreter.version
        try:
            sandbox = await self._make(interpreter)
            self._blanks.setdefault(version, deque()).append(sandbox)
        except PlatformError:
            # Whoever takes one next tries again and is told why it fails.
            return
        finally:
            self._refilling[version] -= 1

    async def _make(self, interpreter: Interpreter) -> NamespaceSandbox:
        zygote = await self._zygote(interpreter)
        self._serial += 1
        name = f"env-{self._serial}"
        uid = self._take_uid()
        cgroup = self.cgroups.create(name)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        reading, writing = _log_pipe()
        sandbox = NamespaceSandbox(name, uid, cgroup, ours, reading)
        sandbox.watch()
        try:
            pid, pidfd = await zygote.spawn(
                uid if self.privileged else 0,
                cgroup.birthplace,
                [theirs.fileno(), writing, *cgroup.join_descriptors],
            )
        except PlatformError:
            sandbox.destroy("it could not be forked")
            await self._give_back(sandbox)
            raise
        finally:
            theirs.close()
            os.close(writing)
            cgroup.joined()
        self._living[pid] = sandbox
        sandbox.adopt(pid, pidfd)
        try:
            await asyncio.wait_for(asyncio.shield(sandbox.ready), _READY_TIMEOUT_S)
        except TimeoutError:
            sandbox.destroy("it did not become ready")
            raise PlatformError(f"sandbox {name} did not become ready") from None
        return sandbox

    async def _zygote(self, interpreter: Interpreter) -> Zygote:
        task = self._zygotes.get(interpreter.version)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = asyncio.get_running_loop().create_task(self._start_zygote(interpreter))
            self._zygotes[interpreter.version] = task
        return await asyncio.shield(task)

    async def _start_zygote(self, interpreter: Interpreter) -> Zygote:
        scratch = self._run / f"root-{interpreter.name}"
        scratch.mkdir(parents=True, exist_ok=True)
        zygote = Zygote(interpreter, self._on_ended, self._on_zygote_lost)
        configuration = rootview.configuration(
            interpreter,
            code_store=self._code_store,
            scratch=scratch,
            private=self._private,
            seccomp=self._seccomp,
            privileged=self.privileged,
        )
        await zygote.start(configuration, uid_base=self._uid_base)
        self.cgroups.adopt(zygote.pid, self._uid_base if self.privileged else os.geteuid())
        return zygote

    def _on_zygote_lost(self, zygote: Zygote) -> None:
        version = zygote.interpreter.version
        self._zygotes.pop(version, None)
        self._blanks.pop(version, None)
        for pid, sandbox in list(self._living.items()):
            if not _is_alive(pid):
                self._on_ended(pid, 0)
            else:
                sandbox.destroy("its zygote has ended")
                self._on_ended(pid, 0)

    def _on_ended(self, pid: int, _status: int) -> None:
        sandbox = self._living.pop(pid, None)
        if sandbox is None:
            return
        sandbox.destroy("its init has ended")
        self._own(self._give_back(sandbox))

    async def _give_back(self, sandbox: NamespaceSandbox) -> None:
        for _ in range(_REMOVE_TRIES):
            if sandbox.remove_cgroup():
                break
            await asyncio.sleep(_REMOVE_AGAIN_S)
        self._free_uids.append(sandbox.uid)

    def _take_uid(self) -> int:
        if self._free_uids:
            return self._free_uids.pop()
        if self._next_uid >= FIRST_UID + _UIDS:
            raise PlatformError("no user id is left for another sandbox")
        self._next_uid += 1
        return self._next_uid - 1


def exit_of(wait_status: int) -> Exit:
    """A wait status in words."""
    if os.WIFSIGNALED(wait_status):
        return Exit(signal=os.WTERMSIG(wait_status))
    return Exit(status=os.WEXITSTATUS(wait_status))


def _resident_peak_bytes(init: int) -> int:
    """Without control groups: the most that the processes below init have each had resident."""
    total, waiting = 0, [init]
    while waiting:
        pid = waiting.pop()
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
            status = Path(f"/proc/{pid}/status").read_text("utf-8", "replace")
        except OSError:
            continue
        waiting += [int(child) for child in children]
        peak = _VM_PEAK.search(status)
        if peak is not None and pid != init:
            total += int(peak[1]) << 10
    return total


def _launch_message(launch: Launch) -> dict[str, Any]:
    return {"environment": dict(launch.environment), "command": list(launch.command)}


def _log_pipe() -> tuple[int, int]:
    reading, writing = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(reading, False)
    return reading, writing


def _is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
