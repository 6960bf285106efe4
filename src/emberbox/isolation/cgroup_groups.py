"""The control groups of one sandbox: limits, freezing and measuring, under each arrangement."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import nullcontext, suppress
from pathlib import Path

from emberbox.isolation.cgroup_files import counter, get, open_file, put
from emberbox.isolation.sandbox import CPU_PERIOD_S, Limits
from emberbox.model.limits import PROCESSES_MAX

_USAGE = b"usage_usec "
_BUFFERS_SHARE = 4
# A function that has rested may use twice its share of one period at once (the burst): short
# handlers then run through without a pause, and the average stays what the memory size gives.
_PERIOD_US = int(CPU_PERIOD_S * 1_000_000)


class Group(ABC):
    """What both versions share: directories, the joining descriptors, freezing and killing."""

    def __init__(
        self,
        directories: Iterable[Path],
        unified: Path | None,
        peak_file: Path,
        cpu_file: Path | None,
        freezer: Path | None = None,
    ) -> None:
        self._cpu_file = cpu_file
        self._states = (b"1", b"0")
        self._freezer_file = unified / "cgroup.freeze" if unified else None
        if unified is None and freezer is not None:
            self._states = (b"FROZEN", b"THAWED")
            self._freezer_file = freezer / "freezer.state"
        self._peak_file = peak_file
        self._directories = list(directories)
        self._unified = unified
        self._memory_bytes = 0
        self._quota = 0
        # Kept open, because opening costs more than using; -1 until first used.
        self._freezer = -1
        self._peak = -1
        self._cpu_time = -1
        for directory in self._directories:
            directory.mkdir(parents=True)
        # A process that moves only itself takes no global lock; the v2 tree it is born in.
        self.join_descriptors = tuple(
            open_file(d / "tasks", os.O_WRONLY) for d in self._directories if d != unified
        )
        self.birthplace = (
            -1 if unified is None else open_file(unified, os.O_RDONLY | os.O_DIRECTORY)
        )

    def hold(self, init: int) -> None:  # noqa: B027 - a hook: one arrangement alone needs it
        """The sandbox's init is there; its runtimes join or are born in the groups themselves."""

    def joined(self) -> None:
        """The joining descriptors have been handed over."""
        for descriptor in self.join_descriptors:
            os.close(descriptor)
        if self.birthplace >= 0:
            os.close(self.birthplace)
        self.join_descriptors, self.birthplace = (), -1

    def limit(self, limits: Limits) -> None:
        """Set all limits; what is so already is not written again."""
        if not self._memory_bytes:
            self._limit_processes()
        self.raise_memory(limits.memory_bytes)
        self.set_cpus(limits.cpus)

    def raise_memory(self, memory_bytes: int) -> None:
        """Let the members use so much memory, swap included."""
        if memory_bytes != self._memory_bytes:
            self._limit_memory(memory_bytes)
            self._memory_bytes = memory_bytes

    def set_cpus(self, cpus: float) -> None:
        """Processor time per time; 0 for no limit."""
        quota = max(1000, int(cpus * _PERIOD_US)) if cpus else 0
        if quota == self._quota:
            return
        # The burst may never exceed the quota.
        if self._quota and (not quota or quota < self._quota):
            self._try_burst(quota)
            self._set_quota(quota)
        else:
            self._set_quota(quota)
            self._try_burst(quota)
        self._quota = quota

    def _try_burst(self, burst: int) -> None:
        with suppress(OSError):
            self._set_burst(burst)

    @abstractmethod
    def _limit_memory(self, memory_bytes: int) -> None:
        """The members may use so much, swap and buffers of sockets included."""

    @abstractmethod
    def _limit_processes(self) -> None:
        """There may be so many members."""

    @abstractmethod
    def _set_quota(self, quota: int) -> None:
        """Microseconds of a period; 0 for no limit."""

    @abstractmethod
    def _set_burst(self, burst: int) -> None:
        """Microseconds beyond the quota after a rest; OSError where the kernel cannot."""

    def freeze(self) -> bool:
        """Stop all members; False if this arrangement cannot."""
        return self._set_frozen(self._states[0])

    def thaw(self) -> bool:
        """Let all members go on; False if this arrangement cannot."""
        return self._set_frozen(self._states[1])

    def _set_frozen(self, value: bytes) -> bool:
        if self._freezer_file is None:
            return False
        if self._freezer < 0:
            self._freezer = open_file(self._freezer_file, os.O_WRONLY)
        os.write(self._freezer, value)
        return True

    def _peak_descriptor(self) -> int:
        if self._peak < 0:
            self._peak = self._open_peak()
        return self._peak

    def _open_peak(self) -> int:
        return open_file(self._peak_file, os.O_RDWR)

    def _cpu_text(self) -> bytes:
        """What the kernel says of processor time; empty if it does not count that here."""
        if self._cpu_file is None:
            return b""
        if self._cpu_time < 0:
            try:
                self._cpu_time = open_file(self._cpu_file, os.O_RDONLY)
            except OSError:
                self._cpu_file = None
                return b""
        return os.pread(self._cpu_time, 256, 0)

    def cpu_ms(self) -> float:
        """Processor time of all members so far; negative where it is not counted.

        Version 1 gives nanoseconds, version 2 begins with the line `usage_usec N`.
        """
        text = os.pread(self._cpu_time, 256, 0) if self._cpu_time >= 0 else self._cpu_text()
        if text.startswith(_USAGE):
            return int(text[len(_USAGE) :].split(b"\n", 1)[0]) / 1e3
        return int(text) / 1e6 if text else -1.0

    def close(self) -> None:
        self.joined()
        for descriptor in (self._freezer, self._peak, self._cpu_time):
            if descriptor >= 0:
                os.close(descriptor)
        self._freezer = self._peak = self._cpu_time = -1

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


class V1Cgroup(Group):
    """One sandbox under cgroup v1 controllers; `cpu_time` is the file that counts that."""

    def __init__(
        self, places: dict[str, Path], unified: Path | None, cpu_time: Path | None
    ) -> None:
        self._memory = places.get("memory")
        self._cpu = places.get("cpu")
        self._pids = places.get("pids")
        distinct = list(dict.fromkeys(places.values()))
        peak = (self._memory or Path()) / "memory.max_usage_in_bytes"
        directories = distinct + ([unified] if unified else [])
        super().__init__(directories, unified, peak, cpu_time, places.get("freezer"))

    def _limit_memory(self, memory_bytes: int) -> None:
        if self._memory is None:
            return
        most = str(memory_bytes)
        files = ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]
        if memory_bytes > self._memory_bytes > 0:
            # The limit of memory and swap together may never be below that of memory.
            files.reverse()
        for name in files:
            # The kernel may not count swap.
            with suppress(OSError) if "memsw" in name else nullcontext():
                put(self._memory / name, most)
        # Version 1 counts buffers of sockets apart from memory, and only where they are limited.
        # The file is deprecated: a kernel may have been built without.
        with suppress(OSError):
            put(
                self._memory / "memory.kmem.tcp.limit_in_bytes", str(memory_bytes // _BUFFERS_SHARE)
            )

    def _limit_processes(self) -> None:
        if self._pids is not None:
            put(self._pids / "pids.max", str(PROCESSES_MAX))

    def _set_quota(self, quota: int) -> None:
        if self._cpu is not None:
            put(self._cpu / "cpu.cfs_quota_us", str(quota or -1))

    def _set_burst(self, burst: int) -> None:
        if self._cpu is not None:
            put(self._cpu / "cpu.cfs_burst_us", str(burst))

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
        return counter(get(self._memory / "memory.oom_control"), "oom_kill")


class V2Cgroup(Group):
    """One sandbox under cgroup v2."""

    def __init__(self, place: Path) -> None:
        super().__init__([place], place, place / "memory.peak", place / "cpu.stat")
        self._place = place

    def _limit_memory(self, memory_bytes: int) -> None:
        put(self._place / "memory.max", str(memory_bytes))
        if self._memory_bytes:
            return
        with suppress(OSError):
            put(self._place / "memory.swap.max", "0")
        with suppress(OSError):
            put(self._place / "memory.oom.group", "0")

    def _limit_processes(self) -> None:
        put(self._place / "pids.max", str(PROCESSES_MAX))

    def _set_quota(self, quota: int) -> None:
        put(self._place / "cpu.max", f"{quota or 'max'} {_PERIOD_US}")

    def _set_burst(self, burst: int) -> None:
        put(self._place / "cpu.max.burst", str(burst))

    def memory_peak_bytes(self) -> int:
        return int(os.pread(self._peak_descriptor(), 32, 0))

    def _open_peak(self) -> int:
        # Linux keeps the peak since 5.19; before, the end of an invocation has to stand for it.
        for path, flags in ((self._peak_file, os.O_RDWR), (self._peak_file, os.O_RDONLY)):
            with suppress(OSError):
                return open_file(path, flags)
        return open_file(self._place / "memory.current", os.O_RDONLY)

    def reset_memory_peak(self) -> None:
        # Before Linux 6.12 the peak cannot be reset: it then covers the sandbox's whole life.
        with suppress(OSError):
            os.pwrite(self._peak_descriptor(), b"0", 0)

    def out_of_memory_kills(self) -> int:
        return counter(get(self._place / "memory.events"), "oom_kill")
