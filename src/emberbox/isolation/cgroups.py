"""Control groups: limits, freezing and measuring of sandboxes' processes.

Three arrangements are met: cgroup v1 controllers (with a v2 tree beside them that can freeze, on
hybrid hosts), cgroup v2 alone, and none that may be written. Which of the abilities exist is said
by `Abilities`, never guessed later.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from emberbox.isolation.cgroup_files import Mount, members, own_place, parse_mounts, put
from emberbox.isolation.cgroup_groups import V1Cgroup, V2Cgroup
from emberbox.isolation.cgroup_owners import adopt, remove_tree, sweep_family
from emberbox.isolation.sandbox import Limits
from emberbox.records import dataclass

_V1_CONTROLLERS = ("memory", "cpu", "cpuacct", "pids", "freezer")
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


class Cgroup(Protocol):
    """The control groups of one sandbox."""

    birthplace: int
    join_descriptors: tuple[int, ...]

    def hold(self, init: int) -> None: ...
    def limit(self, limits: Limits) -> None: ...
    def raise_memory(self, memory_bytes: int) -> None: ...
    def set_cpus(self, cpus: float) -> None: ...
    def freeze(self) -> bool: ...
    def thaw(self) -> bool: ...
    def memory_peak_bytes(self) -> int: ...
    def cpu_ms(self) -> float: ...
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


def open_tree(identity: str) -> CgroupTree | str:
    """The best arrangement this host allows, or why there is none.

    `identity` names this server's own part."""
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
        return f"control groups cannot be written: {error}"
    return "no control groups are mounted"


class V1Tree:
    """cgroup v1, with the v2 tree beside it where there is one."""

    def __init__(
        self, identity: str, mounts: dict[str, Mount], unified: Mount | None, membership: str
    ) -> None:
        self._unified_family: Path | None = None
        self._births_by = os.geteuid()
        self._unified: Path | None = None
        if unified is not None:
            with suppress(OSError):
                family = own_place(unified, membership) / _FAMILY
                (family / identity).mkdir(parents=True, exist_ok=True)
                if (family / identity / "cgroup.freeze").exists():
                    self._unified_family, self._unified = family, family / identity
        hybrid = self._unified is not None
        if hybrid:
            # That freezes quicker than version 1, and what it has frozen can be killed. It counts
            # processor time, too, where version 1 does so in a hierarchy of its own.
            spared = {"freezer"}
            if "cpu" not in mounts or mounts["cpu"] != mounts.get("cpuacct"):
                spared.add("cpuacct")
            mounts = {c: m for c, m in mounts.items() if c not in spared}
        self._families = {c: own_place(m, membership) / _FAMILY for c, m in mounts.items()}
        self._places = {c: family / identity for c, family in self._families.items()}
        for place in self._places.values():
            place.mkdir(parents=True, exist_ok=True)
        self.abilities = Abilities(
            arrangement="hybrid" if hybrid else "v1",
            memory=True,
            cpu="cpu" in mounts,
            processes="pids" in mounts,
            freeze=hybrid or "freezer" in mounts,
        )

    def create(self, name: str) -> Cgroup:
        places = {c: place / name for c, place in self._places.items()}
        counting = places["cpuacct"] / "cpuacct.usage" if "cpuacct" in places else None
        if self._unified is None:
            return V1Cgroup(places, None, counting)
        unified = self._unified / name
        group = V1Cgroup(places, unified, counting or unified / "cpu.stat")
        os.chown(self._unified / name / "cgroup.procs", self._births_by, -1)
        return group

    def adopt(self, pid: int, uid: int) -> None:
        """A zygote's forks, done as `uid`, are to be born in the v2 groups."""
        if self._unified is not None:
            self._births_by = uid
            adopt(self._unified, pid, uid)

    def sweep(self) -> int:
        """Remove what dead servers left; the number of sandboxes' groups removed."""
        families = [f for f in (self._unified_family,) if f] + list(self._families.values())
        return sum(sweep_family(family) for family in families)

    def close(self) -> None:
        """Remove this server's own directories."""
        for place in dict.fromkeys(
            [*self._places.values(), *([self._unified] if self._unified else [])]
        ):
            remove_tree(place)


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
        )

    def create(self, name: str) -> Cgroup:
        group = V2Cgroup(self._place / name)
        os.chown(self._place / name / "cgroup.procs", self._births_by, -1)
        return group

    def adopt(self, pid: int, uid: int) -> None:
        """A zygote's forks, done as `uid`, are to be born in the groups."""
        self._births_by = uid
        adopt(self._place, pid, uid)

    def sweep(self) -> int:
        """Remove what dead servers left; the number of sandboxes' groups removed."""
        return sweep_family(self._family)

    def close(self) -> None:
        """Remove this server's own directory."""
        remove_tree(self._place)


def _delegated_family(mount: Mount, membership: str) -> Path:
    """Below our own group if we may divide it, else (as root) below the top."""
    own = own_place(mount, membership)
    if _try_divide(own):
        return own / _FAMILY
    with suppress(OSError):
        # Without systemd nobody may have done that yet; the top may hold processes all the same.
        _enable(mount.point, _V2_CONTROLLERS)
    return mount.point / _FAMILY


def _try_divide(own: Path) -> bool:
    """Move our processes into a leaf, so that the group may have limited children."""
    leaf = own / "emberbox-server"
    try:
        if set(members(own)) - {os.getpid()}:
            return False
        leaf.mkdir(exist_ok=True)
        put(leaf / "cgroup.procs", str(os.getpid()))
        _enable(own, _V2_CONTROLLERS)
    except OSError:
        return False
    return True


def _enable(place: Path, controllers: Iterable[str]) -> None:
    place.mkdir(parents=True, exist_ok=True)
    put(place / "cgroup.subtree_control", " ".join(f"+{c}" for c in controllers))
