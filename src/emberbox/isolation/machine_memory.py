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
        self._group = group
        self.total_mb = self._machine()[0]
        if (limit := self._limit()) is not None:
            self.total_mb = min(self.total_mb, limit[0])

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
        if (limit := self._limit()) is not None:
            available = min(available, limit[1])
        return available

    def _machine(self) -> tuple[float, float]:
        """Megabytes in all and available; the file begins with both."""
        found: dict[str, float] = {}
        for line in os.pread(self._file, _READ_BYTES, 0).decode("ascii").splitlines():
            name, _, rest = line.partition(":")
            if name in {"MemTotal", "MemAvailable"}:
                found[name] = int(rest.split()[0]) * _KB / _MB
        return found["MemTotal"], found["MemAvailable"]

    def _limit(self) -> tuple[float, float] | None:
        """The same of our group, if it is limited to less than the machine has."""
        if self._group is None:
            return None
        for limit_file, taken_file, cache in _FILES:
            with suppress(OSError, ValueError):
                limit = int(get(self._group / limit_file)) / _MB
                if limit >= self._machine()[0]:
                    return None
                taken = int(get(self._group / taken_file)) / _MB
                reclaimable = counter(get(self._group / "memory.stat"), cache) / _MB
                return limit, limit - taken + reclaimable
        return None


def _own_group() -> Path | None:
    """Our memory control group; None where there is none to be seen."""
    try:
        mounts = parse_mounts(Path("/proc/self/mountinfo").read_text("utf-8"))
        membership = Path("/proc/self/cgroup").read_text("utf-8")
    except OSError:
        return None
    found = [m for m in mounts if "memory" in m.controllers] or [m for m in mounts if m.unified]
    return own_place(found[0], membership) if found else None
