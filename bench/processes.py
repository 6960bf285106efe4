"""Memory and processor time of a process tree, from /proc."""

import os
from contextlib import suppress
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def parents() -> dict[int, int]:
    """Each process of this machine -> its parent."""
    found: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                found[int(entry.name)] = int(_stat(int(entry.name))[1])
    return found


def tree(root: int) -> set[int]:
    """The process and all its descendants."""
    known = parents()
    found = {root}
    while True:
        more = {pid for pid, parent in known.items() if parent in found} - found
        if not more:
            return found
        found |= more


def pss_mb(root: int) -> float:
    """Proportional set size of the tree: shared pages are divided among those who share them."""
    total = 0
    for pid in tree(root):
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total / 1024


def resident_mb(pid: int) -> float:
    """Resident memory of one process, quickly."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def cpu_seconds(root: int) -> float:
    """Processor time used so far by the tree, its reaped children included."""
    total = 0
    for pid in tree(root):
        with suppress(OSError):
            total += sum(int(n) for n in _stat(pid)[11:15])
    return total / _TICK


def machine_cpu_seconds() -> float:
    """Processor time used so far by everything on this machine."""
    numbers = [int(n) for n in Path("/proc/stat").read_text("ascii").split("\n", 1)[0].split()[1:9]]
    return (sum(numbers) - numbers[3] - numbers[4]) / _TICK


def control_groups(server: int) -> list[Path]:
    """Control groups of a server, its own directories and those of its sandboxes."""
    found = []
    # Not rglob: sandboxes come and go while this looks.
    for place, names, _ in os.walk("/sys/fs/cgroup"):
        if Path(place).name == "emberbox":
            names[:] = [name for name in names if name.startswith(f"{server}-")]
        if f"/emberbox/{server}-" in place:
            found.append(Path(place))
    return found


def descriptors(server: int) -> int:
    """Open descriptors of a server, without those of its databases.

    A database opens its file once more for each of its readers when that one is first asked; the
    readers bound their number, and which of them was asked says nothing about leaks.
    """
    count = 0
    for descriptor in Path(f"/proc/{server}/fd").iterdir():
        with suppress(OSError):
            opened = descriptor.readlink()
            count += not opened.name.endswith((".db", ".db-wal", ".db-shm"))
    return count


def loop_devices(data: Path) -> int:
    """Loop devices whose file is, or was, in the data directory."""
    files = []
    for device in Path("/sys/block").glob("loop*/loop/backing_file"):
        with suppress(OSError):
            files.append(device.read_text("utf-8"))
    return sum(1 for file in files if file.startswith(f"{data}/"))


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on."""
    return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
