"""What this host can isolate and limit: probes that leave nothing behind.

`examine` says for each thing a sandbox needs whether it is there, and if not, how to get it.
"""

import errno
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from enum import Enum
from pathlib import Path

from emberbox.errors import PlatformError
from emberbox.isolation.cgroup_files import Mount, own_place, parse_mounts
from emberbox.isolation.cgroup_owners import is_alive
from emberbox.isolation.scratch_disk import ScratchDisks
from emberbox.isolation.seccomp import build_filter, machine
from emberbox.records import dataclass

# mount_setattr came with 5.12, cgroup.kill with 5.14.
KERNEL_MINIMUM = (5, 14)
_PROBE_TIMEOUT_S = 20.0
_INSIDE = Path(__file__).parent / "inside"
_FAMILY = "emberbox"
_DELEGATE = "run it as root, or with: systemd-run --user --scope -p Delegate=yes emberbox serve"
_ROOT = "run it as root, or boot with systemd.unified_cgroup_hierarchy=1"
_MOUNT_UNIFIED = (
    "as root: mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified"
)


class Level(Enum):
    """How much a finding matters."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `fix` says what to do when it is not well."""

    topic: str
    level: Level
    found: str
    fix: str = ""


def examine() -> list[Finding]:
    """All findings about this host, in the order a sandbox needs the things."""
    mountinfo = Path("/proc/self/mountinfo").read_text("utf-8")
    membership = Path("/proc/self/cgroup").read_text("utf-8")
    places = find_places(mountinfo, membership)
    return [
        kernel(platform.release()),
        architecture(),
        namespaces(),
        *control_groups(places),
        swap(places, Path("/proc/swaps")),
        scratch(ScratchDisks(Path(), 0).why_not),
        orphans(places),
    ]


def kernel(release: str) -> Finding:
    """Whether the kernel is new enough, by its release text."""
    parsed = re.match(r"(\d+)\.(\d+)", release)
    version = (int(parsed[1]), int(parsed[2])) if parsed else (0, 0)
    if version >= KERNEL_MINIMUM:
        return Finding("kernel", Level.OK, f"Linux {release}")
    least = ".".join(map(str, KERNEL_MINIMUM))
    return Finding("kernel", Level.FAIL, f"Linux {release}", f"use Linux {least} or later")


def architecture() -> Finding:
    """Whether there is a system call table for this processor."""
    try:
        return Finding("processor", Level.OK, machine())
    except PlatformError as error:
        return Finding("processor", Level.FAIL, str(error), "use an x86_64 or aarch64 machine")


# -- namespaces, mounts, seccomp ------------------------------------------------------------------


def namespaces() -> Finding:
    """Make one set of namespaces the way sandboxes are made, in a process that ends at once."""
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); import probe; probe.main()"
    try:
        program = build_filter(machine()).hex()
        ran = subprocess.run(  # noqa: S603 - our own script, our own interpreter
            [sys.executable, "-I", "-S", "-B", "-c", code, str(_INSIDE), program],
            capture_output=True,
            text=True,
            timeout=_PROBE_TIMEOUT_S,
            check=True,
        )
    except PlatformError as error:
        return Finding("namespaces", Level.FAIL, f"not tried: {error}", "see processor")
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("namespaces", Level.FAIL, f"the probe did not run: {error}", "see its error")
    return judge_probe(ran.stdout)


def judge_probe(said: str) -> Finding:
    """Turn what the probe printed into a finding."""
    answer = json.loads(said)
    if "failed" not in answer:
        kinds = "user, mount, pid, network, ipc, uts; read-only binds; own /proc; seccomp"
        return Finding("namespaces", Level.OK, kinds)
    step = answer["failed"]
    return Finding("namespaces", Level.FAIL, f"{step}: {answer['error']}", _advice(step, answer))


def _advice(step: str, answer: dict[str, int]) -> str:
    refused = answer.get("errno") in {errno.EPERM, errno.EACCES, errno.ENOSPC, errno.EUSERS}
    if step in {"user namespace", "user map", "private mounts", "tmpfs"} and refused:
        return _user_namespace_advice()
    if step == "proc":
        return (
            "a container hides parts of /proc; start it with the engine's option for unmasked "
            "system paths (docker: --security-opt systempaths=unconfined)"
        )
    if answer.get("errno") == errno.ENOSYS:
        return f"use Linux {KERNEL_MINIMUM[0]}.{KERNEL_MINIMUM[1]} or later, outside of gVisor"
    return "run it outside of a container, or in one whose seccomp profile allows namespaces"


def _user_namespace_advice() -> str:
    for name, bad, better in (
        ("user/max_user_namespaces", "0", 15_000),
        ("kernel/unprivileged_userns_clone", "0", 1),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", 0),
    ):
        with suppress(OSError):
            if Path("/proc/sys", name).read_text("ascii").strip() == bad:
                return f"as root: sysctl -w {name.replace('/', '.')}={better}"
    return (
        "run it as root, or in a container started with a seccomp and AppArmor profile that "
        "allows unshare and mount (docker: --security-opt seccomp=unconfined "
        "--security-opt apparmor=unconfined)"
    )


# -- control groups -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Places:
    """Where this server's control groups would be: per v1 controller, and in the v2 tree."""

    v1: dict[str, Path]
    unified: Path | None
    unified_root: Path | None

    @property
    def arrangement(self) -> str:
        """`hybrid`, `v1`, `v2` or `none`, as `emberbox.isolation.cgroups` names them."""
        if "memory" in self.v1:
            return "hybrid" if self.unified is not None else "v1"
        return "v2" if self.unified is not None else "none"

    def families(self) -> list[Path]:
        """The directories that hold the groups of all servers."""
        places = [*self.v1.values(), self.unified, self.unified_root]
        return list(dict.fromkeys(p / _FAMILY for p in places if p is not None))


def find_places(mountinfo: str, membership: str) -> Places:
    """From the texts of /proc/self/mountinfo and /proc/self/cgroup."""
    mounts = parse_mounts(mountinfo)
    unified: Mount | None = next((m for m in mounts if m.unified), None)
    v1: dict[str, Path] = {
        controller: own_place(mount, membership)
        for mount in mounts
        if not mount.unified
        for controller in ("memory", "cpu", "cpuacct", "pids", "freezer")
        if controller in mount.controllers
    }
    return Places(
        v1,
        own_place(unified, membership) if unified else None,
        unified.point if unified else None,
    )


def control_groups(places: Places) -> list[Finding]:
    """Which limits the kernel would enforce for a sandbox."""
    match places.arrangement:
        case "none":
            return [
                _no_groups("no control groups are mounted", "mount -t cgroup2 none /sys/fs/cgroup")
            ]
        case "v2":
            return _only_v2(places)
        case _:
            return _with_v1(places)


def _no_groups(found: str, fix: str) -> Finding:
    text = f"{found}: memory is watched, processor time is not limited, freezing is by signals"
    return Finding("control groups", Level.WARN, text, fix)


def _only_v2(places: Places) -> list[Finding]:
    wanted = ("memory", "cpu", "pids")
    candidates = [p for p in (places.unified, places.unified_root) if p is not None]
    usable = [p for p in candidates if _is_writable(p)]
    if not usable:
        return [_no_groups("version 2, not writable", _DELEGATE)]
    offered = {c for place in usable for c in _words(place / "cgroup.controllers")}
    missing = [c for c in wanted if c not in offered]
    if missing:
        return [_no_groups(f"version 2 without {', '.join(missing)}", _DELEGATE)]
    return [
        Finding("control groups", Level.OK, "version 2: memory, processor time, processes"),
        Finding("freezing", Level.OK, "cgroup.freeze"),
    ]


def _with_v1(places: Places) -> list[Finding]:
    if not _is_writable(places.v1["memory"]):
        return [_no_groups("version 1, not writable", _ROOT)]
    names = {"memory": "memory", "cpu": "processor time", "pids": "processes"}
    has = [words for c, words in names.items() if c in places.v1 and _is_writable(places.v1[c])]
    lacks = [words for words in names.values() if words not in has]
    limits = Finding("control groups", Level.OK, f"{places.arrangement}: {', '.join(has)}")
    if lacks:
        limits = Finding(
            "control groups",
            Level.WARN,
            f"{places.arrangement}: no limit of {', '.join(lacks)}",
            "mount the missing controllers, or boot with systemd.unified_cgroup_hierarchy=1",
        )
    if places.unified is not None and _is_writable(places.unified):
        return [limits, Finding("freezing", Level.OK, "cgroup.freeze in the version 2 tree")]
    if "freezer" in places.v1 and _is_writable(places.v1["freezer"]):
        return [limits, Finding("freezing", Level.OK, "freezer of version 1")]
    idle = "by signals, which a hostile function can undo: no group that may be written"
    return [limits, Finding("freezing", Level.WARN, idle, _MOUNT_UNIFIED)]


def swap(places: Places, swaps: Path) -> Finding:
    """Whether a memory limit also holds for swapped-out memory."""
    v1 = places.v1.get("memory")
    accounted = (v1 is not None and (v1 / "memory.memsw.limit_in_bytes").exists()) or (
        v1 is None and places.unified is not None and (places.unified / "memory.swap.max").exists()
    )
    if accounted:
        return Finding("swap", Level.OK, "counted against the memory limit")
    if len(_lines(swaps)) <= 1:
        return Finding("swap", Level.OK, "none is in use")
    if v1 is None and places.unified == places.unified_root:
        return Finding("swap", Level.OK, "counted against the memory limit of each group")
    text = "a function over its memory limit is swapped out instead of stopped"
    return Finding("swap", Level.WARN, text, "swapoff -a, or boot with swapaccount=1")


def scratch(why_not: str) -> Finding:
    """Whether /tmp of a function is a disk of its own; `why_not` is empty if it can be."""
    if not why_not:
        return Finding("disk of /tmp", Level.OK, "a disk of its own for each environment")
    fixes = (("loop", "modprobe loop"), ("mke2fs", "apt install e2fsprogs"))
    fix = next((fix for word, fix in fixes if word in why_not), "run it as root")
    text = f"what a function writes there counts as its memory: {why_not}"
    return Finding("disk of /tmp", Level.WARN, text, fix)


def orphans(places: Places) -> Finding:
    """Groups left by servers that were killed; the next server's start removes them."""
    left = sorted({name for f in places.families() for name in _dead_owners(f)})
    if not left:
        return Finding("left behind", Level.OK, "nothing of a dead server")
    text = f"control groups of {len(left)} dead servers ({', '.join(left[:3])})"
    return Finding("left behind", Level.WARN, text, "start a server once: it removes them")


def _dead_owners(family: Path) -> Iterable[str]:
    if not family.is_dir():
        return
    for place in family.iterdir():
        pid, _, start = place.name.partition("-")
        if place.is_dir() and pid.isdigit() and start and not is_alive(place.name):
            yield place.name


def _is_writable(place: Path) -> bool:
    return os.access(place, os.W_OK)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except OSError:
        return []


def _words(path: Path) -> list[str]:
    return " ".join(_lines(path)).split()
