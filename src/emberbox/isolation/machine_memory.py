"""How much memory this machine, or what we were given of it, has left."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from emberbox.isolation.cgroup_files import counter, get, own_place, parse_mounts

_MEMINFO: Final = "/proc/meminfo"
_READ_BYTES: Final = 256
_KB: Final = 1_024
_MB: Final = float(1 << 20)
_FILES: Final = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


class MachineMemory:
    """Asks the kernel each time. `group` is the control group that holds us and our sandboxes."""

    def __init__(self, group: Path | None) -> None:
        self._file = os.open(_MEMINFO, os.O_RDONLY | os.O_CLOEXEC)
        self.total_mb = self._machine()[0]
        self._group = group
        limit_mb = self._limit()
        if limit_mb is None or limit_mb >= self.total_mb:
            self._group = None
        else:
            self.total_mb = limit_mb

    @classmethod
    def here(cls) -> "MachineMemory":
        """As this process finds it."""
        return cls(_own_group())

    def close(self) -> None:
        """Let the file go."""
        os.close(self._file)

    def available_mb(self) -> float:
        """What programs may still take before the kernel has to make room for it."""
        available = self._machine()[1]
        return available if self._group is None else min(available, self._left_of_group())

    def _machine(self) -> tuple[float, float]:
        """Megabytes in all and available; the file begins with both."""
        found: dict[str, float] = {}
        for line in os.pread(self._file, _READ_BYTES, 0).decode("ascii").splitlines():
            name, _, rest = line.partition(":")
            if name in {"MemTotal", "MemAvailable"}:
                found[name] = int(rest.split()[0]) * _KB / _MB
        return found["MemTotal"], found["MemAvailable"]

    def _limit(self) -> float | None:
        """The limit of our group in megabytes; None if it has none."""
        if self._group is None:
            return None
        for limit_file, *_ in _FILES:
            with suppress(OSError, ValueError):
                return int(get(self._group / limit_file)) / _MB
        return None

    def _left_of_group(self) -> float:
        """What is left of it, if it can be read; pages of files give way."""
        assert self._group is not None
        for _, taken_file, cache in _FILES:
            with suppress(OSError, ValueError):
                taken = int(get(self._group / taken_file)) / _MB
                reclaimable = counter(get(self._group / "memory.stat"), cache) / _MB
                return self.total_mb - taken + reclaimable
        return self.total_mb


def _own_group() -> Path | None:
    """Our memory control group; None where there is none to be seen."""
    try:
        mounts = parse_mounts(Path("/proc/self/mountinfo").read_text("utf-8"))
        membership = Path("/proc/self/cgroup").read_text("utf-8")
    except OSError:
        return None
    found = [m for m in mounts if "memory" in m.controllers] or [m for m in mounts if m.unified]
    return own_place(found[0], membership) if found else None
