"""Who listens on a TCP port of this host, as far as /proc tells us."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_LISTEN = "0A"
_COMMAND_MAX = 80
_TABLES = ("net/tcp", "net/tcp6")


def who_listens(port: int, proc: Path = Path("/proc")) -> str | None:
    """For instance `emberbox serve (process 4711)`; None if nobody listens.

    A listener whose process we may not look into is `a process of another user`, or of another
    container.
    """
    inodes = set(_listening(port, proc))
    if not inodes:
        return None
    for pid in _processes(proc):
        if inodes & set(_sockets(proc / str(pid) / "fd")):
            return f"{_command(proc / str(pid))} (process {pid})"
    return "a process of another user"


def _listening(port: int, proc: Path) -> Iterator[str]:
    """Inodes of the sockets that listen on the port."""
    for table in _TABLES:
        with suppress(OSError):
            for line in (proc / table).read_text("ascii").splitlines()[1:]:
                fields = line.split()
                local = int(fields[1].rpartition(":")[2], 16)
                if fields[3] == _LISTEN and local == port:
                    yield fields[9]


def _processes(proc: Path) -> Iterator[int]:
    yield from sorted(int(entry.name) for entry in proc.iterdir() if entry.name.isdigit())


def _sockets(descriptors: Path) -> Iterator[str]:
    with suppress(OSError):
        for entry in os.scandir(descriptors):
            with suppress(OSError):
                target = os.readlink(entry.path)  # noqa: PTH115 - a socket is no path
                if target.startswith("socket:["):
                    yield target[len("socket:[") : -1]


def _command(process: Path) -> str:
    """What the process was started as, or its short name where that is hidden."""
    with suppress(OSError):
        words = (process / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        line = " ".join(word.decode("utf-8", "replace") for word in words if word)
        if line:
            return _shortened(line)
    with suppress(OSError):
        return (process / "comm").read_text("utf-8", "replace").strip()
    return "a process"


def _shortened(line: str) -> str:
    clean = "".join(c if c.isprintable() else "?" for c in line)
    return clean if len(clean) <= _COMMAND_MAX else clean[: _COMMAND_MAX - 1] + "…"
