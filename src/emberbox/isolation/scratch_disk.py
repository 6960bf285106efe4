"""Private, size-limited disks for /tmp: what a function writes there is not its memory.

Each is a sparse file with an ext4 file system without a journal, on a loop device, mounted nowhere:
the mount exists only as a descriptor, which is handed to one sandbox. File and loop device vanish
by themselves when the last holder of the mount ends, also when the server is killed.

Needs root of the host, loop devices and mke2fs. Without them /tmp is a tmpfs that counts as memory.
"""

import asyncio
import ctypes
import errno
import fcntl
import os
import shutil
import struct
import subprocess
from collections import deque
from contextlib import suppress
from pathlib import Path

_NR_FSOPEN, _NR_FSCONFIG, _NR_FSMOUNT = 430, 431, 432
_FSCONFIG_SET_FLAG, _FSCONFIG_SET_STRING, _FSCONFIG_CMD_CREATE = 0, 1, 6
_CLOEXEC = 1
_ATTRIBUTES = 0x2 | 0x4 | 0x10  # nosuid, nodev, noatime
_LOOP_CONFIGURE, _LOOP_CTL_GET_FREE = 0x4C0A, 0x4C82
_LO_FLAGS_AUTOCLEAR = 4
_LOOP_INFO_FLAGS_AT = 8 + 52
_LOOP_CONFIG_BYTES = 304
_EBUSY_TRIES = 20
_MB = 1 << 20
# What ext4 keeps for itself, so that the size asked for is what can be written.
_OVERHEAD = 1.02
_OVERHEAD_BYTES = 4 * _MB
_INODE_BYTES = 16_384

_libc = ctypes.CDLL(None, use_errno=True)


class ScratchDisks:
    """Makes disks by size, and keeps some of the usual size ready."""

    def __init__(self, directory: Path, usual_bytes: int, *, why_not: str = "") -> None:
        self._directory = directory
        self._usual_bytes = usual_bytes
        self._target = 0
        self._ready: deque[int] = deque()
        self._templates: dict[int, asyncio.Task[Path]] = {}
        self._refilling: set[asyncio.Task[None]] = set()
        self._coming = 0
        self._serial = 0
        self.why_not = why_not or _why_not()

    @property
    def available(self) -> bool:
        """Whether this host can make them."""
        return not self.why_not

    async def take(self, size_bytes: int) -> int:
        """A detached mount, owned by the caller; OSError if it cannot be made."""
        if size_bytes == self._usual_bytes and self._ready:
            return self._ready.popleft()
        return await self._make(size_bytes)

    async def close(self) -> None:
        """Give back those that nobody took."""
        self._target = 0
        for task in list(self._refilling):
            task.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await task
        while self._ready:
            os.close(self._ready.popleft())

    def prepare(self, wanted: int) -> None:
        """Begin to make what is missing of so many of the usual size."""
        self._target = wanted
        if self._is_short:
            task = asyncio.get_running_loop().create_task(self._make_ready())
            self._refilling.add(task)
            task.add_done_callback(self._refilling.discard)

    @property
    def _is_short(self) -> bool:
        """Whether those that are ready and those that are being made are too few."""
        return len(self._ready) + self._coming < self._target

    async def _make_ready(self) -> None:
        while self._is_short:
            self._coming += 1
            try:
                self._ready.append(await self._make(self._usual_bytes))
            except OSError:
                # Whoever takes one next tries again and is told why it fails.
                return
            finally:
                self._coming -= 1

    async def _make(self, size_bytes: int) -> int:
        template = self._templates.get(size_bytes)
        if template is None or (template.done() and template.exception() is not None):
            template = asyncio.get_running_loop().create_task(
                asyncio.to_thread(_format, self._directory, size_bytes)
            )
            self._templates[size_bytes] = template
        source = await asyncio.shield(template)
        self._serial += 1
        place = self._directory / f"d{self._serial}"
        making = asyncio.ensure_future(asyncio.to_thread(_make_disk, source, place))
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            # The thread goes on, and what it makes would be nobody's.
            making.add_done_callback(_give_back)
            raise


def _give_back(making: asyncio.Future[int]) -> None:
    if not making.cancelled() and making.exception() is None:
        os.close(making.result())


def _why_not() -> str:
    if os.geteuid() != 0:
        return "needs root"
    if not os.access("/dev/loop-control", os.R_OK | os.W_OK):
        return "there is no /dev/loop-control"
    if shutil.which("mke2fs", path="/usr/sbin:/sbin:/usr/bin:/bin") is None:
        return "mke2fs (package e2fsprogs) is not installed"
    return ""


def _format(directory: Path, size_bytes: int) -> Path:
    """An empty file system of that size, as a sparse file to copy."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = directory / f"template-{size_bytes // _MB}"
    fresh = path.with_suffix(".new")
    program = shutil.which("mke2fs", path="/usr/sbin:/sbin:/usr/bin:/bin") or "mke2fs"
    with fresh.open("wb") as image:
        image.truncate(int(size_bytes * _OVERHEAD) + _OVERHEAD_BYTES)
    try:
        subprocess.run(  # noqa: S603 - a fixed program with our own arguments
            [
                program, "-q", "-F", "-t", "ext4", "-m", "0", "-i", str(_INODE_BYTES),
                "-O", "^has_journal,^resize_inode,metadata_csum",
                "-E", "lazy_itable_init=1,nodiscard,root_owner=0:0", str(fresh),
            ],
            check=True, capture_output=True, timeout=30,
        )  # fmt: skip
    except subprocess.SubprocessError as error:
        raise OSError(f"mke2fs failed: {error}") from error
    fresh.replace(path)
    return path


def _make_disk(template: Path, path: Path) -> int:
    """Copy the template sparsely, attach it, mount it detached, and forget its name."""
    path.unlink(missing_ok=True)  # of a server that was killed in the middle of this
    backing = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    loop = -1
    try:
        _copy_sparse(template, backing)
        name, loop = _attach(backing)
        return _mount_detached(name)
    finally:
        path.unlink(missing_ok=True)
        os.close(backing)
        if loop >= 0:
            # The mount holds the device; with autoclear the last close frees it.
            os.close(loop)


def _copy_sparse(template: Path, target: int) -> None:
    with template.open("rb") as source:
        size = os.fstat(source.fileno()).st_size
        os.ftruncate(target, size)
        position = 0
        while True:
            try:
                start = os.lseek(source.fileno(), position, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                return  # nothing but a hole is left
            end = os.lseek(source.fileno(), start, os.SEEK_HOLE)
            while start < end:
                block = os.pread(source.fileno(), min(end - start, _MB), start)
                start += os.pwrite(target, block, start)
            position = end


def _attach(backing: int) -> tuple[str, int]:
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        for _ in range(_EBUSY_TRIES):
            number = fcntl.ioctl(control, _LOOP_CTL_GET_FREE)
            name = f"/dev/loop{number}"
            loop = os.open(name, os.O_RDWR | os.O_CLOEXEC)
            configuration = bytearray(_LOOP_CONFIG_BYTES)
            struct.pack_into("=II", configuration, 0, backing, 0)
            struct.pack_into("=I", configuration, _LOOP_INFO_FLAGS_AT, _LO_FLAGS_AUTOCLEAR)
            try:
                fcntl.ioctl(loop, _LOOP_CONFIGURE, configuration)
            except OSError:
                # Somebody else took this one between the two calls.
                os.close(loop)
                continue
            return name, loop
    finally:
        os.close(control)
    raise OSError("no loop device is free")


def _mount_detached(device: str) -> int:
    context = _checked(_libc.syscall(_NR_FSOPEN, b"ext4", _CLOEXEC), "fsopen ext4")
    try:
        _configure(context, _FSCONFIG_SET_STRING, b"source", device.encode())
        _configure(context, _FSCONFIG_SET_FLAG, b"noinit_itable", None)
        _configure(context, _FSCONFIG_CMD_CREATE, None, None)
        mount: int = _checked(_libc.syscall(_NR_FSMOUNT, context, _CLOEXEC, _ATTRIBUTES), "fsmount")
    finally:
        os.close(context)
    try:
        os.rmdir("lost+found", dir_fd=mount)
        os.chmod(".", 0o1777, dir_fd=mount)  # noqa: S103 - /tmp is everybody's, in its own sandbox
    except BaseException:
        os.close(mount)
        raise
    return mount


def _configure(context: int, command: int, key: bytes | None, value: bytes | None) -> None:
    _checked(_libc.syscall(_NR_FSCONFIG, context, command, key, value, 0), f"fsconfig {key!r}")


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result
