"""Directories of the host as file systems of functions, each behind the ARN of an access point.

A sandbox gets a mount of the directory as a descriptor, in which its own user stands for the
directory's owner, as the user of an access point does on AWS: what one environment writes, all
others may change. The mount honours no set-user-ID bits and no devices.

The directories are opened once, when the server starts, and held: who may write to what is above
one of them, such as a function with a file system that it lies in, could put a link in its place.

Needs root of the host, Linux 5.12 and unshare (package util-linux): mounts that map users.
"""

import asyncio
import ctypes
import os
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

from emberbox.errors import PlatformError

_NR_OPEN_TREE, _NR_MOUNT_SETATTR = 428, 442
_AT_EMPTY_PATH = 0x1000
_OPEN_TREE_CLONE = 1
_ATTRIBUTES = 0x2 | 0x4 | 0x100000  # nosuid, nodev, idmap
_SECONDS = 10
# It says when it is in its namespace, and ends with its input.
_HOLDER = ("unshare", "--user", "sh", "-c", "echo; read line")

_libc = ctypes.CDLL(None, use_errno=True)


class FileSystems:
    """Directories by ARN. PlatformError for one that functions may not have."""

    def __init__(self, directories: Mapping[str, Path]) -> None:
        self._held: dict[str, int] = {}
        try:
            for arn, directory in directories.items():
                self._held[arn] = _opened(directory)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of them; may be called again."""
        while self._held:
            os.close(self._held.popitem()[1])

    async def mount(self, arn: str, uid: int) -> int:
        """A detached mount, owned by the caller, where the host's user `uid` is the owner.

        PlatformError if it cannot be made.
        """
        held = self._held.get(arn)
        if held is None:
            raise PlatformError(f"this server has no directory for the file system {arn}")
        try:
            return await asyncio.to_thread(_mounted, held, uid)
        except (OSError, subprocess.SubprocessError) as error:
            raise PlatformError(f"the file system {arn} cannot be mounted: {error}") from error


def _opened(directory: Path) -> int:
    """A descriptor of the directory. Files that functions make are its owner's, on the host too:
    it must be nobody powerful."""
    if os.geteuid() != 0:
        raise PlatformError(f"--file-system: only root can mount {directory} for functions")
    try:
        held = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise PlatformError(f"--file-system: {directory} is no directory") from error
    if os.fstat(held).st_uid == 0:
        os.close(held)
        raise PlatformError(
            f"--file-system: {directory} belongs to root, and functions act as its owner: "
            "give it to another user with chown"
        )
    return held


def _mounted(held: int, uid: int) -> int:
    owner = os.fstat(held)
    if owner.st_uid == 0:
        raise PlatformError("the directory belongs to root now")
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_EMPTY_PATH
    tree = _call(_NR_OPEN_TREE, held, b"", flags)
    try:
        users = _user_namespace(f"{owner.st_uid} {uid} 1", f"{owner.st_gid} {uid} 1")
        try:
            attributes = struct.pack("QQQQ", _ATTRIBUTES, 0, 0, users)
            _call(_NR_MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH, attributes, len(attributes))
        finally:
            os.close(users)
    except BaseException:
        os.close(tree)
        raise
    return tree


def _user_namespace(uid_map: str, gid_map: str) -> int:
    """A namespace that maps users and groups so, as a descriptor: nobody is in it."""
    with subprocess.Popen(  # noqa: S603 - a fixed command
        _HOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PATH": "/usr/bin:/bin"}
    ) as holder:
        try:
            if holder.stdout is None or holder.stdout.read(1) != b"\n":
                raise OSError("no user namespace can be made")
            place = Path(f"/proc/{holder.pid}")
            (place / "uid_map").write_text(uid_map)
            (place / "gid_map").write_text(gid_map)
            return os.open(place / "ns" / "user", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            holder.kill()
            holder.wait(_SECONDS)


def _call(number: int, *arguments: object) -> int:
    result: int = _libc.syscall(number, *arguments)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result
