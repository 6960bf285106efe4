"""The namespaces back end: sandboxes forked by zygotes, limited by control groups."""

import asyncio
import os
import shutil
import socket
import zlib
from collections import deque
from collections.abc import Coroutine
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from emberbox.errors import PlatformError
from emberbox.isolation import plainview, rootview
from emberbox.isolation.blanks import Blanks
from emberbox.isolation.cgroups import CgroupTree
from emberbox.isolation.demand import Demand
from emberbox.isolation.file_systems import FileSystems
from emberbox.isolation.levels import Isolation, Level
from emberbox.isolation.namespace_sandbox import NamespaceSandbox
from emberbox.isolation.network.modes import Mode
from emberbox.isolation.network.sandboxes import SandboxNetwork
from emberbox.isolation.rootview import FIRST_UID
from emberbox.isolation.sandbox import Limits
from emberbox.isolation.scratch_disk import ScratchDisks
from emberbox.isolation.seccomp import build_filter, machine
from emberbox.isolation.zygotes import Zygote
from emberbox.model.function import FileSystem
from emberbox.model.limits import EPHEMERAL_DEFAULT_MB, MEMORY_DEFAULT_MB
from emberbox.runtimes.program import Program

T = TypeVar("T")

_READY_TIMEOUT_S = 10.0
_REMOVE_AGAIN_S = 0.05
_REMOVE_TRIES = 100
_UIDS = 60_000
_USUAL = Limits(MEMORY_DEFAULT_MB << 20, 1.0, EPHEMERAL_DEFAULT_MB << 20)
"""What most functions begin with: INIT has a whole processor."""

_MAKING_MAX = 32
_BLANKS_MOST = 32


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
        network: SandboxNetwork,
        isolation: Isolation,
        owns_users: bool,
        tree: CgroupTree,
        file_systems: FileSystems,
    ) -> None:
        self._code_store = code_store
        self._run = run
        self._private = private
        self._blank_target = blanks
        self.network = network
        self.isolation = isolation
        self._plain = isolation.level in {Level.CONFINED, Level.PROCESS}
        self._own_users = owns_users and isolation.level is not Level.PROCESS
        self.cgroups = tree
        self._file_systems = file_systems
        self._uid_base = 0x4000_0000 + (zlib.crc32(str(private).encode()) % 8192) * 0x1_0000
        limits_ports = self._plain and network.choice.mode is not Mode.HOST
        self._seccomp = build_filter(machine(), datagrams=not limits_ports, own_ipc=not self._plain)
        self.disks = ScratchDisks(
            run / "tmp",
            EPHEMERAL_DEFAULT_MB << 20,
            why_not="sandboxes mount nothing" if self._plain else "",
        )
        self._zygotes: dict[str, asyncio.Task[Zygote]] = {}
        self._blanks: dict[str, Blanks] = {}
        self._living: dict[int, NamespaceSandbox] = {}
        self._free_uids: deque[int] = deque()
        self._next_uid = FIRST_UID
        self._serial = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._making = asyncio.Semaphore(_MAKING_MAX)
        self._closing = False

    def sweep(self) -> int:
        """Remove what dead servers left behind in control groups; how many sandboxes."""
        return self.cgroups.sweep()

    def prepare(self, program: Program) -> None:
        """Start the zygote and its blank sandboxes ahead of need."""
        if not self._closing:
            self._blanks_of(program).refill()

    async def take(
        self, program: Program, tmp_bytes: int, file_system: FileSystem | None = None
    ) -> NamespaceSandbox:
        """A blank sandbox, ready to be assigned; PlatformError if none can be made.

        Where the host allows, its /tmp will be a disk of that size; else it is memory. It will
        have the file system, if one is wanted.
        """
        sandbox = await self._blanks_of(program).take()
        try:
            await self._furnish(sandbox, tmp_bytes, file_system)
        except BaseException as error:
            sandbox.destroy(str(error) or "nobody wants it any more")
            raise
        if sandbox.is_gone:
            sandbox.close_mounts()
            return await self.take(program, tmp_bytes, file_system)
        return sandbox

    async def _furnish(
        self, sandbox: NamespaceSandbox, tmp_bytes: int, file_system: FileSystem | None
    ) -> None:
        if self.disks.available:
            try:
                sandbox.disk = await self.disks.take(tmp_bytes)
            except OSError as error:
                raise PlatformError(f"no disk for /tmp could be made: {error}") from error
        if file_system is not None:
            uid = self._uid_base + sandbox.uid
            tree = await self._file_systems.mount(file_system.arn, uid)
            sandbox.share(tree, file_system.path)

    async def close(self) -> None:
        """End all sandboxes and zygotes and remove what they held."""
        self._closing = True
        for blanks in self._blanks.values():
            blanks.close()
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
        self._file_systems.close()
        await asyncio.to_thread(self.network.close)
        self.cgroups.close()

    def _blanks_of(self, program: Program) -> Blanks:
        blanks = self._blanks.get(program.name)
        if blanks is None:
            # Only those that share most of their memory cost little enough to have many.
            least = self._blank_target
            most = max(least, _BLANKS_MOST) if program.forks and least else least
            blanks = self._blanks[program.name] = Blanks(
                partial(self._make, program),
                Demand(least, most),
                self._own,
                self._is_awaited,
                self._prepare_disks,
            )
        return blanks

    def _is_awaited(self) -> bool:
        return any(blanks.awaited for blanks in self._blanks.values())

    def _prepare_disks(self, wanted: int) -> None:
        if self.disks.available:
            self.disks.prepare(wanted)

    def _own(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _make(self, program: Program) -> NamespaceSandbox:
        zygote = await self._zygote(program)
        # More at the same time would only make each wait longer, in the end too long.
        async with self._making:
            return await self._make_now(zygote)

    async def _make_now(self, zygote: Zygote) -> NamespaceSandbox:
        self._serial += 1
        name = f"env-{self._serial}"
        uid = self._take_uid()
        with ExitStack() as undo:
            undo.callback(self._free_uids.append, uid)
            cgroup = self.cgroups.create(name)
            undo.callback(cgroup.remove)
            undo.callback(cgroup.close)
            if zygote.program.forks and self.cgroups.abilities.memory:
                # Ahead of need. A program that is started in it would go by these limits.
                cgroup.limit(_USUAL)
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            undo.callback(ours.close)
            undo.callback(theirs.close)
            ours.setblocking(False)
            reading, writing = _log_pipe()
            undo.pop_all()
        sandbox = NamespaceSandbox(
            name, uid, cgroup, ours, reading, zygote.lineage, ends_by_itself=self._plain
        )
        sandbox.watch()
        try:
            pid, pidfd = await zygote.spawn(
                self._uid_inside(uid),
                uid - FIRST_UID,
                cgroup.birthplace,
                [theirs.fileno(), writing, *cgroup.join_descriptors],
            )
        except (PlatformError, OSError):
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

    async def _zygote(self, program: Program) -> Zygote:
        task = self._zygotes.get(program.name)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = asyncio.get_running_loop().create_task(self._start_zygote(program))
            self._zygotes[program.name] = task
        return await asyncio.shield(task)

    async def _start_zygote(self, program: Program) -> Zygote:
        if program.build is not None:
            await asyncio.to_thread(program.build)
        scratch = self._run / f"root-{program.name}"
        scratch.mkdir(parents=True, exist_ok=True)
        zygote = Zygote(program, self._on_ended, self._on_zygote_lost, self.network)
        await zygote.start(self._configuration(program, scratch), uid_base=self._uid_base)
        self.cgroups.adopt(zygote.pid, self._uid_base if self._own_users else os.geteuid())
        return zygote

    def _configuration(self, program: Program, scratch: Path) -> dict[str, Any]:
        if self._plain:
            return plainview.configuration(
                program,
                code_store=self._code_store,
                scratch=scratch,
                private=self._private,
                seccomp=self._seccomp,
                mode=self.network.choice.mode,
                confines=self.isolation.level is Level.CONFINED,
                own_users=self._own_users,
            )
        return rootview.configuration(
            program,
            code_store=self._code_store,
            scratch=scratch,
            private=self._private,
            seccomp=self._seccomp,
            owner=self._owner_of(program) if self._own_users else None,
            network=self.network,
        )

    def _owner_of(self, program: Program) -> int:
        """A user that no sandbox has, for the zygote of a program alone."""
        first = FIRST_UID + _UIDS
        return self._uid_base + first + zlib.crc32(program.name.encode()) % (0x1_0000 - first)

    def _uid_inside(self, uid: int) -> int:
        """The user as the zygote knows it; 0 where sandboxes have none of their own."""
        if not self._own_users:
            return 0
        return self._uid_base + uid if self._plain else uid

    def _on_zygote_lost(self, zygote: Zygote) -> None:
        name = zygote.program.name
        self._zygotes.pop(name, None)
        lost = self._blanks.pop(name, None)
        if lost is not None:
            lost.close()
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
        if self._plain:
            files = [p / sandbox.name for p in self._run.glob("root-*")]
            for place in files:
                await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
        self._free_uids.append(sandbox.uid)

    def _take_uid(self) -> int:
        if self._free_uids:
            # The one that is free longest: what somebody might remember of it is oldest.
            return self._free_uids.popleft()
        if self._next_uid >= FIRST_UID + _UIDS:
            raise PlatformError("no user id is left for another sandbox")
        self._next_uid += 1
        return self._next_uid - 1


def _log_pipe() -> tuple[int, int]:
    reading, writing = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(reading, False)
    return reading, writing


def _is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
