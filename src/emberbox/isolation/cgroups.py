"""Control groups: limits, freezing, killing and measuring of one sandbox's processes.

Three arrangements are met: cgroup v1 controllers (with a v2 tree beside them that can freeze and
kill, on hybrid hosts), cgroup v2 alone, and none that may be written. Which of the abilities exist
is said by `Abilities`, never guessed later.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from emberbox.isolation.sandbox import CPU_PERIOD_S, Limits
from emberbox.model.limits import PROCESSES_MAX

# A function that has rested may use twice its share of one period at once (the burst): short
# handlers then run through without a pause, and the average stays what the memory size gives.
_PERIOD_US = int(CPU_PERIOD_S * 1_000_000)
_V1_CONTROLLERS = ("memory", "cpu", "pids")
_V2_CONTROLLERS = ("memory", "cpu", "pids")
_FAMILY = "emberbox"


@dataclass(frozen=True, slots=True)
class Abilities:
    """What control groups can do on this host; `arrangement` is `v1`, `hybrid`, `v2` or `none`."""

    arrangement: str
    memory: bool
    cpu: bool
    processes: bool
    freeze: bool
    kill: bool
    why_not: str = ""


class Cgroup(Protocol):
    """The control groups of one sandbox."""

    birthplace: int
    join_descriptors: tuple[int, ...]

    def limit(self, limits: Limits) -> None: ...
    def set_cpus(self, cpus: float) -> None: ...
    def freeze(self) -> bool: ...
    def thaw(self) -> bool: ...
    def kill(self) -> bool: ...
    def memory_peak_bytes(self) -> int: ...
    def reset_memory_peak(self) -> None: ...
    def out_of_memory_kills(self) -> int: ...
    def joined(self) -> None: ...
    def close(self) -> None: ...
    def remove(self) -> bool: ...


class CgroupTree(Protocol):
    """All control groups of this server."""

    abilities: Abilities

    def create(self, name: str) -> Cgroup: ...
    def adopt(self, pid: int, uid: int) -> None: ...
    def sweep(self) -> int: ...
    def close(self) -> None: ...


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


def open_tree(identity: str) -> CgroupTree:
    """The best arrangement this host allows; `identity` names this server's own part."""
    mounts = parse_mounts(Path("/proc/self/mountinfo").read_text("utf-8"))
    membership = Path("/proc/self/cgroup").read_text("utf-8")
    unified = next((m for m in mounts if m.unified), None)
    v1 = {c: m for m in mounts if not m.unified for c in _V1_CONTROLLERS if c in m.controllers}
    try:
        if "memory" in v1:
            return V1Tree(identity, v1, unified, membership)
        if unified is not None:
            return V2Tree(identity, unified, membership)
    except OSError as error:
        return NoTree(f"control groups cannot be written: {error}")
    return NoTree("no control groups are mounted")


class _Group:
    """What both versions share: directories, the joining descriptors, freezing and killing."""

    def __init__(self, directories: Iterable[Path], unified: Path | None, peak_file: Path) -> None:
        self._peak_file = peak_file
        self._directories = list(directories)
        self._unified = unified
        # Kept open, because opening costs more than using; -1 until first used.
        self._freezer = -1
        self._peak = -1
        for directory in self._directories:
            directory.mkdir(parents=True)
        # A process that moves only itself takes no global lock; the v2 tree it is born in.
        self.join_descriptors = tuple(
            _open(d / "tasks", os.O_WRONLY) for d in self._directories if d != unified
        )
        self.birthplace = -1 if unified is None else _open(unified, os.O_RDONLY | os.O_DIRECTORY)

    def joined(self) -> None:
        """The joining descriptors have been handed over."""
        for descriptor in self.join_descriptors:
            os.close(descriptor)
        if self.birthplace >= 0:
            os.close(self.birthplace)
        self.join_descriptors, self.birthplace = (), -1

    def freeze(self) -> bool:
        """Stop all members; False if this arrangement cannot."""
        return self._set_frozen(b"1")

    def thaw(self) -> bool:
        """Let all members go on; False if this arrangement cannot."""
        return self._set_frozen(b"0")

    def _set_frozen(self, value: bytes) -> bool:
        if self._unified is None:
            return False
        if self._freezer < 0:
            self._freezer = _open(self._unified / "cgroup.freeze", os.O_WRONLY)
        os.write(self._freezer, value)
        return True

    def _peak_descriptor(self) -> int:
        if self._peak < 0:
            self._peak = self._open_peak()
        return self._peak

    def _open_peak(self) -> int:
        return _open(self._peak_file, os.O_RDWR)

    def kill(self) -> bool:
        """Kill all members; False if this arrangement cannot."""
        if self._unified is None:
            return False
        try:
            _put(self._unified / "cgroup.kill", "1")
        except OSError:
            return False
        return True

    def close(self) -> None:
        self.joined()
        for descriptor in (self._freezer, self._peak):
            if descriptor >= 0:
                os.close(descriptor)
        self._freezer = self._peak = -1

    def remove(self) -> bool:
        """Remove the directories; False while the kernel still holds one."""
        for directory in list(self._directories):
            with suppress(FileNotFoundError):
                try:
                    directory.rmdir()
                except OSError:
                    return False
            self._directories.remove(directory)
        return True


class V1Cgroup(_Group):
    """One sandbox under cgroup v1 controllers."""

    def __init__(self, places: dict[str, Path], unified: Path | None) -> None:
        self._memory = places.get("memory")
        self._cpu = places.get("cpu")
        self._pids = places.get("pids")
        distinct = list(dict.fromkeys(places.values()))
        peak = (self._memory or Path()) / "memory.max_usage_in_bytes"
        super().__init__(distinct + ([unified] if unified else []), unified, peak)

    def limit(self, limits: Limits) -> None:
        if self._memory is not None:
            most = str(limits.memory_bytes)
            _put(self._memory / "memory.limit_in_bytes", most)
            with suppress(OSError):
                _put(self._memory / "memory.memsw.limit_in_bytes", most)
        if self._pids is not None:
            _put(self._pids / "pids.max", str(PROCESSES_MAX))
        self.set_cpus(limits.cpus)

    def set_cpus(self, cpus: float) -> None:
        if self._cpu is None:
            return
        quota = max(1000, int(cpus * _PERIOD_US)) if cpus else -1
        with suppress(OSError):
            # The burst may never exceed the quota: lift it only after, lower it before.
            _put(self._cpu / "cpu.cfs_burst_us", "0")
        _put(self._cpu / "cpu.cfs_quota_us", str(quota))
        if cpus:
            with suppress(OSError):
                _put(self._cpu / "cpu.cfs_burst_us", str(quota))

    def memory_peak_bytes(self) -> int:
        if self._memory is None:
            return 0
        return int(os.pread(self._peak_descriptor(), 32, 0))

    def reset_memory_peak(self) -> None:
        if self._memory is not None:
            os.pwrite(self._peak_descriptor(), b"0", 0)

    def out_of_memory_kills(self) -> int:
        if self._memory is None:
            return 0
        return _counter(_get(self._memory / "memory.oom_control"), "oom_kill")


class V2Cgroup(_Group):
    """One sandbox under cgroup v2."""

    def __init__(self, place: Path) -> None:
        super().__init__([place], place, place / "memory.peak")
        self._place = place

    def limit(self, limits: Limits) -> None:
        _put(self._place / "memory.max", str(limits.memory_bytes))
        with suppress(OSError):
            _put(self._place / "memory.swap.max", "0")
        with suppress(OSError):
            _put(self._place / "memory.oom.group", "0")
        _put(self._place / "pids.max", str(PROCESSES_MAX))
        self.set_cpus(limits.cpus)

    def set_cpus(self, cpus: float) -> None:
        quota = str(max(1000, int(cpus * _PERIOD_US))) if cpus else "max"
        with suppress(OSError):
            _put(self._place / "cpu.max.burst", "0")
        _put(self._place / "cpu.max", f"{quota} {_PERIOD_US}")
        if cpus:
            with suppress(OSError):
                _put(self._place / "cpu.max.burst", quota)

    def memory_peak_bytes(self) -> int:
        return int(os.pread(self._peak_descriptor(), 32, 0))

    def _open_peak(self) -> int:
        # Linux keeps the peak since 5.19; before, the end of an invocation has to stand for it.
        for path, flags in ((self._peak_file, os.O_RDWR), (self._peak_file, os.O_RDONLY)):
            with suppress(OSError):
                return _open(path, flags)
        return _open(self._place / "memory.current", os.O_RDONLY)

    def reset_memory_peak(self) -> None:
        # Before Linux 6.12 the peak cannot be reset: it then covers the sandbox's whole life.
        with suppress(OSError):
            os.pwrite(self._peak_descriptor(), b"0", 0)

    def out_of_memory_kills(self) -> int:
        return _counter(_get(self._place / "memory.events"), "oom_kill")


class V1Tree:
    """cgroup v1, with the v2 tree beside it where there is one."""

    def __init__(
        self, identity: str, mounts: dict[str, Mount], unified: Mount | None, membership: str
    ) -> None:
        self._families = {c: own_place(m, membership) / _FAMILY for c, m in mounts.items()}
        self._places = {c: family / identity for c, family in self._families.items()}
        self._unified_family: Path | None = None
        self._births_by = os.geteuid()
        self._unified: Path | None = None
        for place in self._places.values():
            place.mkdir(parents=True, exist_ok=True)
        if unified is not None:
            with suppress(OSError):
                family = own_place(unified, membership) / _FAMILY
                (family / identity).mkdir(parents=True, exist_ok=True)
                if (family / identity / "cgroup.freeze").exists():
                    self._unified_family, self._unified = family, family / identity
        can = self._unified is not None
        self.abilities = Abilities(
            arrangement="hybrid" if can else "v1",
            memory=True,
            cpu="cpu" in mounts,
            processes="pids" in mounts,
            freeze=can,
            kill=can and (self._unified or Path()).joinpath("cgroup.kill").exists(),
        )

    def create(self, name: str) -> Cgroup:
        places = {c: place / name for c, place in self._places.items()}
        if self._unified is None:
            return V1Cgroup(places, None)
        group = V1Cgroup(places, self._unified / name)
        os.chown(self._unified / name / "cgroup.procs", self._births_by, -1)
        return group

    def adopt(self, pid: int, uid: int) -> None:
        """A zygote's forks, done as `uid`, are to be born in the v2 groups."""
        if self._unified is not None:
            self._births_by = uid
            _adopt(self._unified, pid, uid)

    def sweep(self) -> int:
        """Remove what dead servers left; the number of sandboxes' groups removed."""
        families = [f for f in (self._unified_family,) if f] + list(self._families.values())
        return sum(sweep_family(family) for family in families)

    def close(self) -> None:
        """Remove this server's own directories."""
        for place in [*self._places.values(), *([self._unified] if self._unified else [])]:
            _remove_tree(place)


class V2Tree:
    """cgroup v2 alone."""

    def __init__(self, identity: str, mount: Mount, membership: str) -> None:
        self._births_by = os.geteuid()
        self._family = _delegated_family(mount, membership)
        self._place = self._family / identity
        self._place.mkdir(parents=True, exist_ok=True)
        _enable(self._family, _V2_CONTROLLERS)
        _enable(self._place, _V2_CONTROLLERS)
        self.abilities = Abilities(
            "v2",
            memory=True,
            cpu=True,
            processes=True,
            freeze=True,
            kill=(self._place / "cgroup.kill").exists(),
        )

    def create(self, name: str) -> Cgroup:
        group = V2Cgroup(self._place / name)
        os.chown(self._place / name / "cgroup.procs", self._births_by, -1)
        return group

    def adopt(self, pid: int, uid: int) -> None:
        """A zygote's forks, done as `uid`, are to be born in the groups."""
        self._births_by = uid
        _adopt(self._place, pid, uid)

    def sweep(self) -> int:
        """Remove what dead servers left; the number of sandboxes' groups removed."""
        return sweep_family(self._family)

    def close(self) -> None:
        """Remove this server's own directory."""
        _remove_tree(self._place)


class NoTree:
    """No control groups: limits fall back to what processes can be given."""

    def __init__(self, why: str) -> None:
        self.abilities = Abilities(
            "none", memory=False, cpu=False, processes=False, freeze=False, kill=False, why_not=why
        )

    def create(self, name: str) -> Cgroup:
        return _NoCgroup()

    def adopt(self, pid: int, uid: int) -> None:
        return

    def sweep(self) -> int:
        return 0

    def close(self) -> None:
        return


class _NoCgroup:
    birthplace = -1
    join_descriptors: tuple[int, ...] = ()

    def limit(self, limits: Limits) -> None: ...
    def set_cpus(self, cpus: float) -> None: ...
    def freeze(self) -> bool:
        return False

    def thaw(self) -> bool:
        return False

    def kill(self) -> bool:
        return False

    def memory_peak_bytes(self) -> int:
        return 0

    def reset_memory_peak(self) -> None: ...
    def out_of_memory_kills(self) -> int:
        return 0

    def joined(self) -> None: ...
    def close(self) -> None: ...
    def remove(self) -> bool:
        return True


def server_identity() -> str:
    """A directory name that says which process owns it: pid and start time."""
    return f"{os.getpid()}-{_start_time(os.getpid())}"


def sweep_family(family: Path) -> int:
    """Kill and remove the groups of servers that no longer live."""
    removed = 0
    if not family.is_dir():
        return 0
    for place in family.iterdir():
        if not place.is_dir():
            continue
        pid, _, start = place.name.partition("-")
        if pid.isdigit() and start and _start_time(int(pid)) != start:
            removed += _remove_tree(place)
    return removed


def _adopt(place: Path, pid: int, uid: int) -> None:
    """The kernel lets a process be born in a group if its parent may write to that group's members
    and to those of the group that holds them both."""
    leaf = place / "zygotes"
    leaf.mkdir(exist_ok=True)
    _put(leaf / "cgroup.procs", str(pid))
    os.chown(place / "cgroup.procs", uid, -1)


def _remove_tree(place: Path) -> int:
    removed = 0
    if not place.is_dir():
        return 0
    for group in [p for p in place.iterdir() if p.is_dir()]:
        with suppress(OSError):
            _put(group / "cgroup.freeze", "0")
        with suppress(OSError):
            _put(group / "cgroup.kill", "1")
        for pid in _members(group):
            with suppress(OSError):
                os.kill(pid, 9)
        removed += _rmdir_patiently(group)
    _rmdir_patiently(place)
    return removed


def _rmdir_patiently(place: Path) -> bool:
    """A group can be removed a moment after its last process has ended: try again a while."""
    for _ in range(300):
        try:
            place.rmdir()
        except FileNotFoundError:
            return False
        except OSError:
            for pid in _members(place):
                with suppress(OSError):
                    descriptor = os.pidfd_open(pid)
                    os.kill(pid, 9)
                    _wait_ended(descriptor)
            os.sched_yield()
        else:
            return True
    return False


def _wait_ended(descriptor: int) -> None:
    import select  # noqa: PLC0415 - needed only when a dead server left processes

    try:
        select.select([descriptor], [], [], 1.0)
    finally:
        os.close(descriptor)


def _members(group: Path) -> list[int]:
    try:
        return [int(p) for p in _get(group / "cgroup.procs").split()]
    except OSError:
        return []


def _start_time(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[19]


def _delegated_family(mount: Mount, membership: str) -> Path:
    """Below our own group if we may divide it, else (as root) below the top."""
    own = own_place(mount, membership)
    if own != mount.point and _try_divide(own):
        return own / _FAMILY
    return mount.point / _FAMILY


def _try_divide(own: Path) -> bool:
    """Move our processes into a leaf, so that the group may have limited children."""
    leaf = own / "emberbox-server"
    try:
        if set(_members(own)) - {os.getpid()}:
            return False
        leaf.mkdir(exist_ok=True)
        _put(leaf / "cgroup.procs", str(os.getpid()))
        _enable(own, _V2_CONTROLLERS)
    except OSError:
        return False
    return True


def _enable(place: Path, controllers: Iterable[str]) -> None:
    place.mkdir(parents=True, exist_ok=True)
    _put(place / "cgroup.subtree_control", " ".join(f"+{c}" for c in controllers))


def _counter(text: str, name: str) -> int:
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0


def _open(path: Path, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC)


def _put(path: Path, value: str) -> None:
    descriptor = _open(path, os.O_WRONLY)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


def _get(path: Path) -> str:
    descriptor = _open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 1 << 20).decode("ascii", "replace")
    finally:
        os.close(descriptor)
