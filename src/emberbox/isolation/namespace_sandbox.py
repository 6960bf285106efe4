"""One sandbox made of namespaces: what the server does with it, by its init and its cgroups."""

import asyncio
import json
import os
import signal
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from emberbox.errors import PlatformError
from emberbox.isolation.cgroups import Cgroup
from emberbox.isolation.sandbox import Addresses, Exit, Launch, Limits, SandboxEvents, Trees

_MESSAGE_MAX = 65_536


class NamespaceSandbox:
    """One sandbox; see `emberbox.isolation.sandbox.Sandbox` for what callers may rely on."""

    def __init__(
        self,
        name: str,
        uid: int,
        cgroup: Cgroup,
        control: socket.socket,
        log: int,
        lineage: int,
        *,
        ends_by_itself: bool,
    ) -> None:
        self.name = name
        self.lineage = lineage
        self._ends_by_itself = ends_by_itself
        self.uid = uid
        self.log_descriptor = log
        self._cgroup = cgroup
        self._control = control
        self._doors: dict[int, socket.socket] = {}
        self._places: list[str] = []
        self._events: SandboxEvents | None = None
        self._pid = 0
        self._pidfd = -1
        self._limits: Limits | None = None
        self._destroyed = ""
        self._sockets: deque[asyncio.Future[socket.socket]] = deque()
        self.disk = -1
        self._shared = -1
        self._shared_path = ""
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
    def runtime_socket(self) -> socket.socket | None:
        """Listening Unix socket inside the sandbox: the Runtime API for our own runtimes."""
        return self._doors.get(0)

    @property
    def runtime_api(self) -> socket.socket:
        """Listening TCP socket inside the sandbox: the Runtime API for everybody."""
        return self._doors[1]

    @property
    def door(self) -> socket.socket | None:
        """Listening socket inside the sandbox, for our own AWS endpoint; none without network."""
        return self._doors.get(2)

    @property
    def traces(self) -> socket.socket | None:
        """Socket inside the sandbox for datagrams of X-Ray's daemon; none where ports are shut."""
        return self._doors.get(3)

    @property
    def addresses(self) -> Addresses:
        """The addresses of these sockets, as its processes know them."""
        runtime_socket, runtime_api, endpoint, traces = self._places
        return Addresses(runtime_socket, runtime_api, endpoint, traces)

    def adopt(self, pid: int, pidfd: int) -> None:
        """The zygote has made it."""
        self._pid, self._pidfd = pid, pidfd
        self._cgroup.hold(pid)
        if self._destroyed:
            self._end_processes()

    def assign(
        self,
        trees: Trees,
        limits: Limits,
        launch: Launch | None,
        events: SandboxEvents,
        *,
        boost: bool,
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
        mounts = [each for each in (self.disk, self._shared) if each >= 0]
        prepare = {
            "code": trees.task,
            "opt": trees.opt,
            "tmp_bytes": limits.tmp_bytes,
            "hostname": "sandbox",
            "name": self.name,
            "disk": self.disk >= 0,
            "shared": self._shared_path,
        }
        message: dict[str, Any] = {"prepare": prepare}
        descriptors = mounts.copy()
        if launch is not None:
            message["launch"] = _launch_message(launch)
            descriptors += [launch.image] if launch.image >= 0 else []
        self._send(message, descriptors)
        self.close_mounts()

    def launch(self, launch: Launch) -> None:
        """Start a fresh runtime in a sandbox that is empty."""
        images = [launch.image] if launch.image >= 0 else []
        self._send({"launch": _launch_message(launch)}, images)

    def raise_memory(self, memory_bytes: int) -> None:
        """Let it use more memory than it was assigned."""
        self._cgroup.raise_memory(memory_bytes)

    def start_extensions(self, environment: Mapping[str, str]) -> None:
        """Start the programs in /opt/extensions; `on_extensions` follows."""
        self._send({"extensions": dict(environment)})

    def signal_runtime(self, number: int) -> None:
        """Send a signal to the runtime process alone."""
        self._send({"signal": number})

    async def blank_socket(self) -> socket.socket:
        """A fresh TCP socket in the sandbox's network, made by its init."""
        future: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()
        self._sockets.append(future)
        self._send({"socket": True})
        if self._destroyed and not future.done():
            future.set_exception(OSError(self._destroyed))
        return await future

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
        return self._cgroup.memory_peak_bytes()

    def cpu_ms(self) -> float:
        """Processor time of all the customer's processes so far; negative if it is not counted."""
        return self._cgroup.cpu_ms()

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
            # Without a pid namespace, the init ends its tree when its control socket closes.
            if not self._ends_by_itself:
                with suppress(OSError):
                    signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            os.close(self._pidfd)
            self._pidfd = -1

    def _close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._control)
        self._control.close()
        for door in self._doors.values():
            door.close()
        os.close(self.log_descriptor)
        self.log_descriptor = -1
        for future in self._sockets:
            if not future.done():
                future.set_exception(OSError("the sandbox is gone"))
        self._sockets.clear()
        self.close_mounts()

    def share(self, tree: int, path: str) -> None:
        """It will have this detached mount, owned by it from now on, at a path in /mnt."""
        self._shared, self._shared_path = tree, path

    def close_mounts(self) -> None:
        """Let go of the disk for /tmp and the file system, if it still has them."""
        for descriptor in (self.disk, self._shared):
            if descriptor >= 0:
                os.close(descriptor)
        self.disk = self._shared = -1

    def remove_cgroup(self) -> bool:
        """Give the control groups back; False while the kernel still holds them."""
        self._cgroup.close()
        return self._cgroup.remove()

    def watch(self) -> None:
        """Listen to the sandbox's init."""
        asyncio.get_running_loop().add_reader(self._control, self._on_message)

    def _send(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        if self._destroyed:
            return
        data = json.dumps(message).encode()
        try:
            if descriptors:
                socket.send_fds(self._control, [data], descriptors)
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
            self._places = message["ready"]
            there = [number for number, place in enumerate(self._places) if place]
            opened = [socket.socket(fileno=d) for d in descriptors]
            self._doors = dict(zip(there, opened, strict=True))
            for door in self._doors.values():
                door.setblocking(False)
            if not self.ready.done():
                self.ready.set_result(None)
        elif "failed" in message:
            self.destroy(str(message["failed"]))
        elif "socket" in message:
            self._give_socket(socket.socket(fileno=descriptors[0]))
        elif self._events is not None:
            self._tell(self._events, message, descriptors)

    def _tell(self, events: SandboxEvents, message: dict[str, Any], descriptors: list[int]) -> None:
        if "extensions" in message:
            output = descriptors[0] if descriptors else -1
            events.on_extensions(message["extensions"], message["not_started"], output)
        elif "extension" in message:
            events.on_extension_exit(message["extension"], exit_of(message["status"]))
        elif "exited" in message:
            events.on_exit(exit_of(message["exited"]))
        elif "empty" in message:
            events.on_empty()

    def _give_socket(self, blank: socket.socket) -> None:
        future = self._sockets.popleft()
        if future.done():
            blank.close()
        else:
            future.set_result(blank)


def exit_of(wait_status: int) -> Exit:
    """A wait status in words."""
    if os.WIFSIGNALED(wait_status):
        return Exit(signal=os.WTERMSIG(wait_status))
    return Exit(status=os.WEXITSTATUS(wait_status))


def _launch_message(launch: Launch) -> dict[str, Any]:
    return {
        "environment": dict(launch.environment),
        "command": list(launch.command),
        "entrypoints": list(launch.entrypoints),
        "image": launch.image_use if launch.image >= 0 else "",
    }
