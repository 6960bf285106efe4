"""Control group hierarchies as the kernel shows them; reading and writing their files."""

import os
from pathlib import Path

from emberbox.records import dataclass


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted cgroup hierarchy: where, which part of it, and its controllers (v2: none)."""

    point: Path
    root: str
    controllers: frozenset[str]
    unified: bool


def parse_mounts(mountinfo: str) -> list[Mount]:
    """The cgroup hierarchies in the text of /proc/self/mountinfo."""
    mounts = []
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields, kind = left.split(), right.split()
        if len(fields) < 5 or len(kind) < 3 or kind[0] not in {"cgroup", "cgroup2"}:
            continue
        options = frozenset(kind[2].split(",")) if kind[0] == "cgroup" else frozenset()
        mounts.append(Mount(Path(fields[4]), fields[3], options, kind[0] == "cgroup2"))
    return mounts


def own_place(mount: Mount, membership: str) -> Path:
    """The directory of our own group in a hierarchy, from the text of /proc/self/cgroup."""
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        names = set(controllers.split(",")) if controllers else set()
        if (mount.unified and not names) or names & mount.controllers:
            inside = path
            if mount.root != "/" and path.startswith(mount.root):
                inside = path[len(mount.root) :]
            return mount.point / inside.strip("/")
    return mount.point


def counter(text: str, name: str) -> int:
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0


def open_file(path: Path, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC)


def put(path: Path, value: str) -> None:
    descriptor = open_file(path, os.O_WRONLY)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


def get(path: Path) -> str:
    descriptor = open_file(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 1 << 20).decode("ascii", "replace")
    finally:
        os.close(descriptor)


def members(group: Path) -> list[int]:
    try:
        return [int(p) for p in get(group / "cgroup.procs").split()]
    except OSError:
        return []
