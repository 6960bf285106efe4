"""Limits where no control group can be had: memory is measured and, above the limit, killed for.

Takes the place of `emberbox.isolation.cgroups` for one server. The processes of a sandbox are those
below its init. What they hold is read several times a second while the sandbox runs: a function can
be above its limit for that long.
"""

import asyncio
import os
import re
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from emberbox.isolation.cgroups import Abilities, Cgroup
from emberbox.isolation.sandbox import Limits
from emberbox.model.limits import PROCESSES_MAX

_PERIOD_S = 0.1
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)
_OWN = re.compile(r"^Rss(?:Anon|Shmem):\s+(\d+) kB$", re.MULTILINE)
_PSS = re.compile(r"^Pss:\s+(\d+) kB$", re.MULTILINE)


class WatchedTree:
    """All sandboxes of a server that has no control groups."""

    def __init__(self) -> None:
        self.abilities = Abilities("none", memory=False, cpu=False, processes=False, freeze=False)
        self._active: set[WatchedGroup] = set()
        self._timer: asyncio.TimerHandle | None = None

    def create(self, name: str) -> Cgroup:
        return WatchedGroup(self._begin, self._active.discard)

    def adopt(self, pid: int, uid: int) -> None:
        return

    def sweep(self) -> int:
        return 0

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _begin(self, group: "WatchedGroup") -> None:
        self._active.add(group)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_PERIOD_S, self._look)

    def _look(self) -> None:
        self._timer = None
        for group in list(self._active):
            group.look()
        if self._active:
            self._timer = asyncio.get_running_loop().call_later(_PERIOD_S, self._look)


class WatchedGroup:
    """The processes of one sandbox."""

    birthplace = -1
    join_descriptors: tuple[int, ...] = ()

    def __init__(
        self, begin: "Callable[[WatchedGroup], None]", end: "Callable[[WatchedGroup], None]"
    ) -> None:
        self._begin = begin
        self._end = end
        self._init = 0
        self._limit = 0
        self._kills = 0

    def hold(self, init: int) -> None:
        """The sandbox's init; watching begins with its limits."""
        self._init = init

    def limit(self, limits: Limits) -> None:
        self._limit = limits.memory_bytes
        self._begin(self)

    def raise_memory(self, memory_bytes: int) -> None:
        self._limit = memory_bytes

    def set_cpus(self, cpus: float) -> None: ...

    def freeze(self) -> bool:
        self._end(self)
        return False

    def thaw(self) -> bool:
        if self._limit:
            self._begin(self)
        return False

    def look(self) -> None:
        """Kill the largest process if they hold too much together, and all if they are too many."""
        pids = descendants(self._init)
        if len(pids) > PROCESSES_MAX:
            for pid in pids:
                _kill(pid)
        held = {pid: _kilobytes(_OWN, _read(pid, "status")) for pid in pids}
        if sum(held.values()) << 10 <= self._limit or not held:
            return
        # Memory that a fork shares was counted for each: now the kernel's own, slower count.
        held = {
            pid: _kilobytes(_PSS, _read(pid, "smaps_rollup")) or size for pid, size in held.items()
        }
        if sum(held.values()) << 10 > self._limit:
            self._kills += 1
            _kill(max(held, key=held.__getitem__))

    def memory_peak_bytes(self) -> int:
        """The most that each process has had resident, together."""
        return sum(_kilobytes(_PEAK, _read(pid, "status")) for pid in descendants(self._init)) << 10

    def cpu_ms(self) -> float:
        """Not counted: processes that have ended would be missing."""
        return -1.0

    def reset_memory_peak(self) -> None: ...

    def out_of_memory_kills(self) -> int:
        return self._kills

    def joined(self) -> None: ...

    def close(self) -> None:
        self._end(self)

    def remove(self) -> bool:
        self._end(self)
        return True


def descendants(init: int) -> list[int]:
    """The processes below a sandbox's init."""
    found: list[int] = []
    waiting = [init] if init else []
    while waiting:
        pid = waiting.pop()
        with suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - ten times as quick
                children = [int(p) for p in _read(pid, f"task/{task}/children").split()]
                found += children
                waiting += children
    return found


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text("utf-8", "replace")
    except OSError:
        return ""


def _kilobytes(what: re.Pattern[str], text: str) -> int:
    return sum(int(match[1]) for match in what.finditer(text))


def _kill(pid: int) -> None:
    with suppress(OSError):
        os.kill(pid, signal.SIGKILL)
