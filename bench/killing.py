"""Kills of a server's own processes, as the kernel or an operator might kill them."""

import os
import random
import signal
from collections import Counter
from contextlib import suppress
from enum import Enum
from pathlib import Path

from bench import processes


class Victim(Enum):
    """What a process is to its server; the value is how many are killed of 20."""

    RUNTIME = 12
    EXTENSION = 4
    INIT = 3
    ZYGOTE = 1


class Killer:
    """Kills one process of a server at a time, chosen at random, and counts the dead."""

    def __init__(self, server: int, seed: int) -> None:
        self._server = server
        self._choice = random.Random(seed)
        self.killed: Counter[Victim] = Counter()

    def kill(self) -> None:
        """One more, if there is one of the kind whose turn it is."""
        kinds = list(Victim)
        kind = self._choice.choices(kinds, [kind.value for kind in kinds])[0]
        found = sorted(pid for pid, what in _all(self._server).items() if what is kind)
        if not found:
            return
        with suppress(ProcessLookupError):
            handle = os.pidfd_open(self._choice.choice(found))
            try:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                self.killed[kind] += 1
            finally:
                os.close(handle)


def _all(server: int) -> dict[int, Victim]:
    """The server forks zygotes, those forks inits, and those forks what is the customer's."""
    parents = processes.parents()
    found: dict[int, Victim] = {}
    for pid in parents:
        line = [pid]
        while line[-1] in parents and line[-1] != server:
            line.append(parents[line[-1]])
        if line[-1] != server or len(line) < 2 or not _is_zygote(line[-2]):
            continue
        depth = len(line) - 1
        if depth == 1:
            found[pid] = Victim.ZYGOTE
        elif depth == 2:
            found[pid] = Victim.INIT
        else:
            found[pid] = Victim.EXTENSION if _is_extension(line[-4]) else Victim.RUNTIME
    return found


def _is_zygote(pid: int) -> bool:
    return "zygote.main()" in _command(pid)


def _is_extension(pid: int) -> bool:
    return "/opt/extensions/" in _command(pid)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""
