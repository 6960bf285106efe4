"""What this host offers for isolation, found out by trying it."""

import ctypes
import os
from pathlib import Path

from emberbox.isolation import host
from emberbox.isolation.cgroup_owners import server_identity
from emberbox.isolation.cgroups import CgroupTree, open_tree
from emberbox.isolation.levels import Gives, Ground, Level
from emberbox.isolation.scratch_disk import ScratchDisks

UID_FIRST, UID_LAST = 0x4000_0000, 0x5FFF_FFFF
"""Users of the host that sandboxes may get; nobody else has these numbers."""

_CAP_SETUID = 7
_LANDLOCK_CREATE_RULESET, _LANDLOCK_VERSION = 444, 1


def find_ground(asked: str | None) -> tuple[Ground, CgroupTree | str]:
    """The ground, and the control groups or why there are none. Takes a fraction of a second."""
    if asked == Level.PROCESS.value:
        return Ground(
            root=False,
            owns_users=False,
            no_namespaces="not asked for",
            groups="none",
            can=frozenset(),
            landlock=0,
        ), "not asked for"
    probe = host.namespaces()
    tree = open_tree(server_identity())
    can = set() if isinstance(tree, str) else _abilities(tree)
    if not ScratchDisks(Path(), 0).why_not:
        can.add(Gives.DISK)
    ground = Ground(
        root=os.geteuid() == 0,
        owns_users=may_give_users(
            Path("/proc/self/uid_map").read_text("ascii"),
            Path("/proc/self/status").read_text("ascii", "replace"),
        ),
        no_namespaces="" if probe.level is host.Level.OK else probe.found,
        groups="none" if isinstance(tree, str) else tree.abilities.arrangement,
        can=frozenset(can),
        landlock=landlock(),
    )
    return ground, tree


def landlock() -> int:
    """Which version of Landlock the kernel has, 0 for none."""
    libc = ctypes.CDLL(None, use_errno=True)
    return max(0, int(libc.syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_VERSION)))


def may_give_users(uid_map: str, status: str) -> bool:
    """Whether this process may become any of the users that are kept for sandboxes."""
    capable = False
    for line in status.splitlines():
        if line.startswith("CapEff:"):
            capable = bool(int(line.split()[1], 16) >> _CAP_SETUID & 1)
    return capable and any(
        int(first) <= UID_FIRST and int(first) + int(count) > UID_LAST
        for first, _, count in (line.split() for line in uid_map.splitlines())
    )


def _abilities(tree: CgroupTree) -> set[Gives]:
    able = tree.abilities
    table = (
        (Gives.MEMORY, able.memory),
        (Gives.CPU, able.cpu),
        (Gives.PROCESSES, able.processes),
        (Gives.FREEZING, able.freeze),
    )
    return {gives for gives, there in table if there}
