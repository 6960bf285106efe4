"""Which server a control group belongs to, and the removal of what dead servers left.

The directory of a server is named for its process id and start time: it is dead when no such
process lives.
"""

import os
import select
from contextlib import suppress
from pathlib import Path

from emberbox.isolation.cgroup_files import members, put


def server_identity() -> str:
    """A directory name that says which process owns it: pid and start time."""
    return f"{os.getpid()}-{_start_time(os.getpid())}"


def is_alive(identity: str) -> bool:
    """Whether the server of that identity still runs."""
    pid, _, start = identity.partition("-")
    return pid.isdigit() and _start_time(int(pid)) == start


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
            removed += remove_tree(place)
    return removed


def adopt(place: Path, pid: int, uid: int) -> None:
    """The kernel lets a process be born in a group if its parent may write to that group's members
    and to those of the group that holds them both."""
    leaf = place / "zygotes"
    leaf.mkdir(exist_ok=True)
    put(leaf / "cgroup.procs", str(pid))
    os.chown(place / "cgroup.procs", uid, -1)


def remove_tree(place: Path) -> int:
    removed = 0
    if not place.is_dir():
        return 0
    for group in [p for p in place.iterdir() if p.is_dir()]:
        with suppress(OSError):
            put(group / "cgroup.freeze", "0")
        with suppress(OSError):
            put(group / "freezer.state", "THAWED")
        with suppress(OSError):
            put(group / "cgroup.kill", "1")
        for pid in members(group):
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
            for pid in members(place):
                with suppress(OSError):
                    descriptor = os.pidfd_open(pid)
                    os.kill(pid, 9)
                    _wait_ended(descriptor)
            os.sched_yield()
        else:
            return True
    return False


def _wait_ended(descriptor: int) -> None:
    try:
        select.select([descriptor], [], [], 1.0)
    finally:
        os.close(descriptor)


def _start_time(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return ""
    fields = text.rpartition(")")[2].split()
    # One that only waits for its parent to take note of its end is no owner any more.
    return "" if fields[0] in {"Z", "X"} else fields[19]
