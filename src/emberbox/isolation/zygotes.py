"""The server's side of a zygote: start it, configure it, ask it for sandboxes.

One zygote serves one runtime program. It is a process of ours that never runs a customer's code;
when it ends, all its sandboxes end with it, by the kernel's doing.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from emberbox.errors import PlatformError
from emberbox.isolation.network.sandboxes import SandboxNetwork, WayOut
from emberbox.isolation.rootview import bootstrap_directory
from emberbox.runtimes.program import Program

_MESSAGE_MAX = 262_144
_DESCRIPTORS_MAX = 8
_START_TIMEOUT_S = 15.0
_LINEAGES = count(1)
_INSIDE = Path(__file__).parent / "inside"

Spawned = Callable[[int, int], None]
"""Hears of a spawned sandbox: pid of its init, and a pidfd that it now owns."""


class Zygote:
    """A running zygote. `on_ended(pid, wait_status)` hears of each sandbox's end."""

    def __init__(
        self,
        program: Program,
        on_ended: Callable[[int, int], None],
        on_lost: Callable[["Zygote"], None],
        network: SandboxNetwork,
    ) -> None:
        self.program = program
        self.lineage = next(_LINEAGES)
        self._on_ended = on_ended
        self._on_lost = on_lost
        self._network = network
        self._way_out: WayOut | None = None
        self._spawning: dict[int, asyncio.Future[tuple[int, int]]] = {}
        self._serial = 0
        self._control, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The zygote's process id, 0 when it does not run."""
        return self._process.pid if self._process else 0

    async def start(self, configuration: dict[str, Any], *, uid_base: int) -> None:
        """Start and wait until it serves; PlatformError with the cause if it cannot."""
        loop = asyncio.get_running_loop()
        own_path = [str(_INSIDE), str(bootstrap_directory())]
        code = "import sys; sys.path[:0] = sys.argv[2:]; import zygote; zygote.main()"
        descriptor = self._theirs.fileno()
        self._process = subprocess.Popen(  # noqa: S603, ASYNC220 - posix_spawn is microseconds
            [
                self.program.zygote.executable,
                "-I",
                "-S",
                "-B",
                "-c",
                code,
                str(descriptor),
                *own_path,
            ],
            pass_fds=[descriptor],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"},
            cwd="/",
            start_new_session=True,
        )
        self._theirs.close()
        self._control.setblocking(False)
        message = json.dumps({"configure": {**configuration, "own_path": own_path}}).encode()
        self._control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        try:
            await asyncio.wait_for(
                self._handshake(loop, message, configuration["privileged"], uid_base),
                _START_TIMEOUT_S,
            )
        except (TimeoutError, OSError, PlatformError):
            self.stop()
            raise
        loop.add_reader(self._control, self._on_message)

    async def _handshake(
        self, loop: asyncio.AbstractEventLoop, message: bytes, privileged: bool, uid_base: int
    ) -> None:
        await loop.sock_sendall(self._control, message)
        while True:
            data, descriptors = await _receive(loop, self._control)
            answer = json.loads(data) if data else {"failed": "it ended at once; see its output"}
            if "failed" in answer:
                raise PlatformError(
                    f"sandboxes for {self.program.name} cannot be made: {answer['failed']}"
                )
            if "map" in answer:
                _write_maps(self.pid, privileged=privileged, uid_base=uid_base)
                await loop.sock_sendall(self._control, b'{"mapped": true}')
            elif "router" in answer:
                self._way_out = await self._network.connect(
                    descriptors, translates=bool(answer["router"])
                )
                await loop.sock_sendall(self._control, b'{"uplinked": true}')
            elif "serving" in answer:
                return

    async def spawn(
        self, uid: int, place: int, birthplace: int, descriptors: list[int]
    ) -> tuple[int, int]:
        """Fork a sandbox; (pid of its init, pidfd owned by the caller).

        `place` is its number in the network. `birthplace` is a cgroup v2 directory for its
        runtime, or -1. The descriptors are its control socket, its log pipe, and files to join
        cgroups by.
        """
        self._serial += 1
        future: asyncio.Future[tuple[int, int]] = asyncio.get_running_loop().create_future()
        self._spawning[self._serial] = future
        born = birthplace >= 0
        wanted = {"spawn": self._serial, "uid": uid, "place": place, "born": born}
        request = json.dumps(wanted).encode()
        if born:
            descriptors = [*descriptors[:2], birthplace, *descriptors[2:]]
        try:
            socket.send_fds(self._control, [request], descriptors)
        except OSError as error:
            self._spawning.pop(self._serial, None)
            raise PlatformError(f"the zygote does not listen: {error}") from error
        return await future

    def _on_message(self) -> None:
        while True:
            try:
                data, descriptors, _, _ = socket.recv_fds(self._control, _MESSAGE_MAX, 4)
            except BlockingIOError:
                return
            except OSError:
                data, descriptors = b"", []
            if not data:
                self._lost()
                return
            self._dispatch(json.loads(data), descriptors)

    def _dispatch(self, message: dict[str, Any], descriptors: list[int]) -> None:
        if "ended" in message:
            self._on_ended(message["ended"], message["status"])
        elif "spawned" in message:
            future = self._spawning.pop(message["spawned"], None)
            if future is None or future.done():
                for descriptor in descriptors:
                    _kill_and_close(descriptor)
            elif "error" in message:
                future.set_exception(PlatformError(f"cannot fork: {message['error']}"))
            else:
                future.set_result((message["pid"], descriptors[0]))

    def _lost(self) -> None:
        self.stop()
        self._on_lost(self)

    def stop(self) -> None:
        """End the zygote, and with it all its sandboxes; safe to repeat."""
        if self._control.fileno() >= 0:
            with suppress(RuntimeError):
                asyncio.get_running_loop().remove_reader(self._control)
            self._control.close()
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait()
        way_out, self._way_out = self._way_out, None
        if way_out is not None:
            way_out.close()
        for future in self._spawning.values():
            if not future.done():
                future.set_exception(PlatformError("the zygote has ended"))
        self._spawning.clear()


async def _receive(
    loop: asyncio.AbstractEventLoop, control: socket.socket
) -> tuple[bytes, list[int]]:
    """The next message of a zygote that does not serve yet, with its descriptors."""
    readable: asyncio.Future[None] = loop.create_future()
    loop.add_reader(control, readable.set_result, None)
    try:
        await readable
    finally:
        loop.remove_reader(control)
    data, descriptors, _, _ = socket.recv_fds(control, _MESSAGE_MAX, _DESCRIPTORS_MAX)
    return data, descriptors


def _write_maps(pid: int, *, privileged: bool, uid_base: int) -> None:
    """Say which of our users a zygote's user namespace may use."""
    place = Path(f"/proc/{pid}")
    if privileged:
        (place / "uid_map").write_text(f"0 {uid_base} 65536", "ascii")
        (place / "gid_map").write_text(f"0 {uid_base} 65536", "ascii")
        return
    (place / "setgroups").write_text("deny", "ascii")
    (place / "uid_map").write_text(f"0 {os.getuid()} 1", "ascii")
    (place / "gid_map").write_text(f"0 {os.getgid()} 1", "ascii")


def _kill_and_close(pidfd: int) -> None:
    with suppress(OSError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os.close(pidfd)
